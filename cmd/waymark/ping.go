package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/internal/cli"
	"github.com/waymark-dht/waymark/internal/devnet"
)

// pingPause is the time between two pings: a person sees them come one by one.
const pingPause = 250 * time.Millisecond

// ping asks one peer a few times whether it serves the DHT.
func (a *app) ping() *cobra.Command {
	var flags nodeFlags
	var count int
	cmd := &cobra.Command{
		Use: "ping PEER|MADDR", Short: "whether a peer serves the DHT, and how fast", GroupID: "ask", Args: wantArgs(1, 1),
		Example: "  waymark ping /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runPing(ctx, out, &flags, args[0], count)
			})
		},
	}
	flags.add(cmd.Flags(), true)
	count = 4
	cmd.Flags().VarP(&within{&count, 1, 1000}, "count", "c", "how often")
	return cmd
}

// pingLine is what the result line says of pings.
type pingLine struct {
	Peer     string         `json:"peer"`
	Sent     int            `json:"sent"`
	Received int            `json:"received"`
	Failures map[string]int `json:"failures"`
	Fastest  float64        `json:"min_ms"`
	Median   float64        `json:"median_ms"`
	Slowest  float64        `json:"max_ms"`
	Bound    float64        `json:"bound_ms"`
	Overdue  int64          `json:"overdue"`
}

func runPing(ctx context.Context, out *cli.Out, flags *nodeFlags, text string, count int) (end ending, err error) {
	v, to, err := reach(ctx, out, flags, text)
	if err != nil {
		return end, err
	}
	defer v.Close()
	bound := boundOf(ctx, v.dht.Bound(waymark.OpPing))
	out.Say("ping       %s · each ends within %s", cli.ShortID(to.ID.String()), cli.Duration(bound))
	line := pingLine{Peer: to.ID.String(), Failures: map[string]int{}, Bound: ms(bound)}
	var took []time.Duration
	var last error
	for i := range count {
		if i > 0 && !pause(ctx, pingPause) {
			break
		}
		v.begin("ping "+cli.ShortID(to.ID.String()), bound)
		var d time.Duration
		v.follow(func() { d, last = v.dht.Ping(ctx, to.ID) })
		line.Sent++
		if last != nil {
			if v.cutOff(ctx, last) {
				return ending{body: line}, context.DeadlineExceeded
			}
			line.Failures[kindOf(last)]++
			out.Answer("no answer: %s", v.why(last))
			continue
		}
		took = append(took, d)
		out.Answer("pong from %s in %s over %s", cli.ShortID(to.ID.String()), cli.Duration(d), route(v.temp.host.Network(), to.ID))
	}
	line.Received, line.Overdue = len(took), v.dht.Overdue()
	if len(took) > 0 {
		line.Fastest, line.Median, line.Slowest = ms(slices.Min(took)), ms(devnet.Quantile(took, 50)), ms(slices.Max(took))
		out.Summary("%d of %d answered · median %s", len(took), line.Sent, cli.Duration(devnet.Quantile(took, 50)))
		return ending{"ok", line}, nil
	}
	return ending{"no-peers", line}, noPong(to.ID, v.why(last))
}

// reach starts a node that knows the address of a peer: from the argument
// itself, or by asking the network.
func reach(ctx context.Context, out *cli.Out, flags *nodeFlags, text string) (v *visit, to peer.AddrInfo, err error) {
	if !strings.HasPrefix(text, "/") {
		if to.ID, err = parsePeerID(text, "ping"); err != nil {
			return nil, to, err
		}
		if v, err = enter(ctx, out, flags, "waymark ping "+text+" --network amino"); err != nil {
			return nil, to, err
		}
		if to, _, err = v.find(ctx, to.ID); err != nil {
			return nil, to, errors.Join(err, v.Close())
		}
	} else {
		if to, err = infoOfAddr(text); err != nil {
			return nil, to, err
		}
		p, err := flags.read()
		if err != nil {
			return nil, to, err
		}
		p.config.Seeds, p.config.AllowLoopback = nil, true
		n, err := p.start()
		if err != nil {
			return nil, to, err
		}
		v = &visit{newWatch(out, n.dht, 0), n.dht, n}
	}
	v.temp.host.Peerstore().AddAddrs(to.ID, to.Addrs, peerstore.PermanentAddrTTL)
	return v, to, nil
}

// route is the transport and the address of a connection to a peer.
func route(n network.Network, id peer.ID) string {
	for _, c := range n.ConnsToPeer(id) {
		return c.RemoteMultiaddr().String()
	}
	return "a connection that is gone"
}

// pause waits, and reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// why is how the last request failed: what was seen of it, or the error if
// there was no request.
func (v *visit) why(err error) string { return cmp.Or(v.failed, reason(err)) }

// cutOff reports whether --timeout ended a request before its peer had had its
// time, so that nothing is known of the peer.
func (v *visit) cutOff(ctx context.Context, err error) bool {
	_, limited := ctx.Deadline()
	kind, _, _ := strings.Cut(v.failed, ":")
	ours := kind == contact.Cancelled.String() || kind == contact.NotSent.String()
	return outOfTime(ctx, err) || limited && ours
}

func noPong(id peer.ID, seen string) error {
	return trouble("WM-P001", fmt.Sprintf("%s did not answer", cli.ShortID(id.String())), []string{seen},
		[]string{"check that it runs, that its address and ID are right, and --protocol; waymark identify MADDR tells more"})
}

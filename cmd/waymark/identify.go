package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/cli"
)

// identifyBound is the time for dialling a peer and hearing who it is.
const identifyBound = 10 * time.Second

// identify connects to a peer and prints what it says of itself.
func (a *app) identify() *cobra.Command {
	var flags nodeFlags
	cmd := &cobra.Command{
		Use: "identify MADDR", Short: "what a peer says of itself", GroupID: "ask", Args: wantArgs(1, 1),
		Example: "  waymark identify /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runIdentify(ctx, out, &flags, args[0])
			})
		},
	}
	flags.add(cmd.Flags(), false)
	return cmd
}

// identifyLine is what the result line says of a peer.
type identifyLine struct {
	Peer      peerLine `json:"peer"`
	Agent     string   `json:"agent"`
	Version   string   `json:"protocol_version"`
	Protocols []string `json:"protocols"`
	ServesDHT bool     `json:"serves_dht"`
	Route     string   `json:"route"`
	Elapsed   float64  `json:"elapsed_ms"`
	Bound     float64  `json:"bound_ms"`
}

func runIdentify(ctx context.Context, out *cli.Out, flags *nodeFlags, text string) (end ending, err error) {
	to, err := infoOfAddr(text)
	if err != nil {
		return end, err
	}
	p, err := flags.read()
	if err != nil {
		return end, err
	}
	n, err := p.start()
	if err != nil {
		return end, err
	}
	defer n.Close()
	bound, began := boundOf(ctx, identifyBound), out.Now()
	out.Say("identify   %s · ends within %s", cli.ShortID(to.ID.String()), cli.Duration(bound))
	err = connect(ctx, out, n.host, to, bound)
	switch {
	case outOfTime(ctx, err):
		return end, err
	case errors.Is(err, context.DeadlineExceeded):
		err = errors.New("nothing came of it within " + cli.Duration(bound))
	}
	if err != nil {
		return ending{outcome: "no-peers"}, trouble("WM-P001", fmt.Sprintf("%s did not answer", cli.ShortID(to.ID.String())),
			[]string{shortenTo(reason(err), 160)}, []string{"check that it runs, and that its address and ID are right"})
	}
	line := identityOf(n.host, to.ID, p.config.Protocol)
	line.Elapsed, line.Bound = ms(out.Now().Sub(began)), ms(bound)
	printIdentity(out, line)
	return ending{"ok", line}, nil
}

// connect dials a peer and waits for what it says of itself, no longer than
// the bound, whatever the transport does with its context.
func connect(ctx context.Context, out *cli.Out, h host.Host, to peer.AddrInfo, bound time.Duration) error {
	view := dialling{out, cli.ShortID(to.ID.String()), out.Now().Add(bound)}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- h.Connect(ctx, to) }()
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			out.Show(view)
		}
	}
}

// dialling is what is shown until a peer has said who it is.
type dialling struct {
	out   *cli.Out
	who   string
	until time.Time
}

// Line implements cli.View.
func (d dialling) Line() string {
	return "dialling " + d.who + "; gives up in " + cli.Tenths(d.until.Sub(d.out.Now()))
}

// Region implements cli.View.
func (d dialling) Region(int) []string { return []string{"  " + d.Line()} }

func identityOf(h host.Host, id peer.ID, dht protocol.ID) identifyLine {
	if dht == "" {
		dht = waymark.DefaultProtocol
	}
	store := h.Peerstore()
	line := identifyLine{Peer: peerLineOf(store.PeerInfo(id)), Protocols: []string{}, Route: route(h.Network(), id)}
	line.Agent = stored(store.Get(id, "AgentVersion"))
	line.Version = stored(store.Get(id, "ProtocolVersion"))
	protocols, _ := store.GetProtocols(id)
	for _, proto := range protocols {
		line.Protocols = append(line.Protocols, string(proto))
	}
	slices.Sort(line.Protocols)
	line.ServesDHT = slices.Contains(line.Protocols, string(dht))
	return line
}

// stored is a text of the peerstore, or nothing.
func stored(value any, err error) string {
	text, _ := value.(string)
	if err != nil {
		return ""
	}
	return text
}

func printIdentity(out *cli.Out, line identifyLine) {
	row(out, "peer", line.Peer.ID)
	row(out, "agent", cmp.Or(cli.Clean(line.Agent), "–"))
	row(out, "version", cmp.Or(cli.Clean(line.Version), "–"))
	row(out, "serves", map[bool]string{true: "this DHT", false: "not this DHT"}[line.ServesDHT])
	row(out, "route", line.Route)
	column := func(label string, values []string) {
		for _, v := range values {
			row(out, label, cli.Clean(v))
			label = ""
		}
	}
	column("addresses", line.Peer.Addrs)
	column("protocols", line.Protocols)
}

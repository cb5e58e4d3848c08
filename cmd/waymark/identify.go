package main

import (
	"context"
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
	if err := connect(ctx, n.host, to, bound); err != nil {
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
func connect(ctx context.Context, h host.Host, to peer.AddrInfo, bound time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- h.Connect(ctx, to) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

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
	row(out, "agent", cli.Clean(line.Agent))
	row(out, "version", cli.Clean(line.Version))
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

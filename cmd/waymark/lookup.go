package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/internal/cli"
)

// lookup finds the peers nearest to a key.
func (a *app) lookup() *cobra.Command {
	var flags nodeFlags
	cmd := &cobra.Command{
		Use: "lookup KEY", Short: "the peers nearest to a key", GroupID: "ask", Args: wantArgs(1, 1),
		Long: "waymark lookup: the peers nearest to a key, nearest first\n\n" +
			"KEY is a peer ID, a CID, a multihash, /namespace/name, hex:…, base64:…, text:…\n" +
			"or the word random. A temporary node joins the network by --via or --network\n" +
			"and asks.",
		Example: "  waymark lookup random --via /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…\n" +
			"  waymark lookup bafybeigdyr… --network amino",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runLookup(ctx, out, &flags, args[0])
			})
		},
	}
	flags.add(cmd.Flags(), true)
	return cmd
}

// lookupLine is what the result line says of a lookup.
type lookupLine struct {
	Target   string         `json:"target"`
	Elapsed  float64        `json:"elapsed_ms"`
	Bound    float64        `json:"bound_ms"`
	Peers    []peerLine     `json:"peers"`
	Requests int            `json:"requests"`
	Failures map[string]int `json:"failures"`
	Overdue  int64          `json:"overdue"`
}

type peerLine struct {
	ID    string   `json:"id"`
	Addrs []string `json:"addrs"`
}

func runLookup(ctx context.Context, out *cli.Out, flags *nodeFlags, text string) (end ending, err error) {
	preimage, err := parseKey(text, "waymark lookup random --network dev")
	if err != nil {
		return end, err
	}
	w, err := enter(ctx, out, flags, "waymark lookup "+text+" --network amino")
	if err != nil {
		return end, err
	}
	defer w.Close()
	target := key.OfString(preimage)
	bound := boundOf(ctx, w.dht.Bound(waymark.OpLookup))
	out.Say("lookup     %s · ends within %s", target.Short(), cli.Duration(bound))
	w.begin("lookup "+target.Short(), bound)
	var r waymark.Result
	w.follow(func() { r, err = w.dht.Lookup(ctx, preimage) })
	word := outcomeWord(r.Outcome, err)
	out.Summary("%s %s in %s · %s · %s", mark(out.ErrStyle(), r.Outcome), word, cli.Duration(r.Elapsed),
		cli.Count(len(r.Peers), "peer"), cli.Count(r.Stats.Requests, "request"))
	line := lookupLine{
		Target: target.String(), Elapsed: ms(r.Elapsed), Bound: ms(bound), Peers: []peerLine{},
		Requests: r.Stats.Requests, Failures: r.Stats.Failures.Words(), Overdue: w.dht.Overdue(),
	}
	for _, p := range r.Peers {
		line.Peers = append(line.Peers, peerLineOf(p))
		out.Answer("%s", p.ID)
	}
	return ending{word, line}, lookupTrouble(r, word, err)
}

// lookupTrouble says what was wrong with a lookup, if anything.
func lookupTrouble(r waymark.Result, word string, err error) error {
	seen := []string{fmt.Sprintf("%s; requests %s", cli.Count(len(r.Peers), "peer"), requestWords(r.Stats))}
	switch word {
	case "no-peers":
		return trouble("WM-L001", "the lookup reached nobody", seen, []string{"waymark bootstrap MADDR… shows how each seed fails"})
	case "partial-deadline":
		return trouble("WM-L002", "the lookup ran out of time after "+cli.Duration(r.Elapsed), seen,
			[]string{"give it longer (--timeout), or run it again"})
	}
	return err
}

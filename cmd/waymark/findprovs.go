package main

import (
	"context"
	"errors"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/cli"
)

// findprovs prints who provides content.
func (a *app) findprovs() *cobra.Command {
	var flags nodeFlags
	var want int
	var first bool
	cmd := &cobra.Command{
		Use: "findprovs CID", Short: "who provides content", GroupID: "ask", Args: wantArgs(1, 1),
		Example: "  waymark findprovs bafybeigdyr… --network amino --first",
		RunE: func(cmd *cobra.Command, args []string) error {
			if first {
				want = 1
			}
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runFindProvs(ctx, out, &flags, args[0], want)
			})
		},
	}
	flags.add(cmd.Flags(), true)
	want = params.K
	cmd.Flags().VarP(&within{&want, 1, params.MaxProvidersFound}, "count", "n", "end when so many are found")
	cmd.Flags().BoolVar(&first, "first", false, "end at the first")
	return cmd
}

// providersLine is what the result line says of a search for providers.
type providersLine struct {
	Key       string     `json:"key"`
	Providers []peerLine `json:"providers"`
	Elapsed   float64    `json:"elapsed_ms"`
	Bound     float64    `json:"bound_ms"`
	Overdue   int64      `json:"overdue"`
}

func runFindProvs(ctx context.Context, out *cli.Out, flags *nodeFlags, text string, want int) (end ending, err error) {
	key, err := parseContent(text, "findprovs")
	if err != nil {
		return end, err
	}
	v, err := enter(ctx, out, flags, "waymark findprovs "+text+" --network dev")
	if err != nil {
		return end, err
	}
	defer v.Close()
	bound, began := boundOf(ctx, v.dht.Bound(waymark.OpFindProviders)), time.Now()
	out.Say("findprovs  %s · ends within %s", shortenTo(text, 60), cli.Duration(bound))
	v.begin("findprovs "+shortenTo(text, 40), bound)
	line := providersLine{Key: text, Providers: []peerLine{}, Bound: ms(bound)}
	v.follow(func() {
		err = v.dht.EachProvider(ctx, cid.NewCidV1(cid.Raw, key), want, func(p peer.AddrInfo) {
			line.Providers = append(line.Providers, peerLineOf(p))
		})
	})
	line.Elapsed, line.Overdue = ms(time.Since(began)), v.dht.Overdue()
	for _, p := range line.Providers {
		out.Answer("%s", p.ID)
		for _, addr := range p.Addrs {
			out.Answer("  %s", addr)
		}
	}
	if len(line.Providers) == 0 {
		return ending{outcomeWord(0, err), line}, noProviders(err)
	}
	out.Summary("found %s in %s", cli.Count(len(line.Providers), "provider"), cli.Duration(time.Since(began)))
	return ending{"found", line}, nil
}

func noProviders(err error) error {
	switch {
	case errors.Is(err, waymark.ErrNotFound):
		return trouble("WM-R005", "no providers", []string{"the closest peers were all asked, and none knows one"},
			[]string{"check the CID; a provider is kept for two days after it announced"})
	case errors.Is(err, waymark.ErrNoPeers):
		return trouble("WM-L001", "the lookup reached nobody", []string{reason(err)}, []string{"waymark bootstrap MADDR… shows how each seed fails"})
	}
	return err
}

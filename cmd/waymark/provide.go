package main

import (
	"context"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/cli"
)

// provide announces a temporary node as a provider.
func (a *app) provide() *cobra.Command {
	var flags nodeFlags
	cmd := &cobra.Command{
		Use: "provide CID", Short: "announce this node as a provider of content", GroupID: "ask", Args: wantArgs(1, 1),
		Long: "waymark provide: announce a node as a provider of content\n\n" +
			"The record names the temporary node, which is gone when the command ends; to\n" +
			"be found for longer, announce from a program that stays.",
		Example: "  waymark provide bafybeigdyr… --network dev",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runProvide(ctx, out, &flags, args[0])
			})
		},
	}
	flags.add(cmd.Flags(), true)
	return cmd
}

func runProvide(ctx context.Context, out *cli.Out, flags *nodeFlags, text string) (end ending, err error) {
	key, err := parseContent(text, "provide")
	if err != nil {
		return end, err
	}
	flags.reachable = true // nobody stores a provider without an address
	v, err := enter(ctx, out, flags, "waymark provide "+text+" --network dev")
	if err != nil {
		return end, err
	}
	defer v.Close()
	return v.storing(ctx, "provide", text, waymark.OpProvide, func() (waymark.Stored, error) {
		return v.dht.Announce(ctx, key)
	})
}

// parseContent reads what names content: a CID, or a multihash. Verb is the
// command that wants it.
func parseContent(text, verb string) (multihash.Multihash, error) {
	next := "waymark " + verb + " " + exampleCID + " --network dev"
	if c, err := cid.Decode(text); err == nil {
		return c.Hash(), nil
	}
	if h, err := multihash.FromB58String(text); err == nil {
		return h, nil
	}
	if raw, spelt, err := spelled(text, next); err != nil {
		return nil, err
	} else if hash, err := multihash.Cast(raw); spelt && err == nil {
		return hash, nil
	}
	return nil, badKey(text, contentForms, next)
}

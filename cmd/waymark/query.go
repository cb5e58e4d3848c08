package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/internal/cli"
)

// questions are what one peer can be asked, by their words.
var questions = map[string]engine.Ask{
	"find-node": engine.AskPeers, "get": engine.AskValue, "get-providers": engine.AskProviders, "ping": engine.AskPeers,
}

// query sends one peer exactly one request.
func (a *app) query() *cobra.Command {
	var flags nodeFlags
	cmd := &cobra.Command{
		Use: "query MADDR REQUEST [KEY]", Short: "exactly one request to one peer",
		GroupID: "ask", Args: wantArgs(2, 3),
		Long: "waymark query: exactly one request to one peer\n\n" +
			"REQUEST is find-node, get, get-providers or ping. Nobody else is asked anything.",
		Example: "  waymark query /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW… find-node random\n" +
			"  waymark query /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW… ping",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runQuery(ctx, out, &flags, args)
			})
		},
	}
	flags.add(cmd.Flags(), false)
	return cmd
}

// queryLine is what the result line says of one answer.
type queryLine struct {
	Peer      string     `json:"peer"`
	Request   string     `json:"request"`
	Closer    []peerLine `json:"closer"`
	Providers []peerLine `json:"providers"`
	Value     string     `json:"value,omitempty"`     // if it is text
	Raw       []byte     `json:"value_b64,omitempty"` // if it is not
	Bytes     int        `json:"bytes"`
	Elapsed   float64    `json:"elapsed_ms"`
	Bound     float64    `json:"bound_ms"`
	Overdue   int64      `json:"overdue"`
}

func runQuery(ctx context.Context, out *cli.Out, flags *nodeFlags, args []string) (end ending, err error) {
	what, preimage, err := parseQuestion(args)
	if err != nil {
		return end, err
	}
	if what == engine.AskValue {
		if err := flags.knows(preimage); err != nil {
			return end, err
		}
	}
	v, to, err := reach(ctx, out, flags, args[0])
	if err != nil {
		return end, err
	}
	defer v.Close()
	bound := boundOf(ctx, v.dht.Bound(waymark.OpPing))
	out.Say("query      %s %s · ends within %s", cli.ShortID(to.ID.String()), args[1], cli.Duration(bound))
	v.begin("query "+cli.ShortID(to.ID.String()), bound)
	var r waymark.Reply
	v.follow(func() { r, err = v.dht.Ask(ctx, to.ID, what, preimage) })
	line := queryLine{
		Peer: to.ID.String(), Request: args[1], Closer: peerLines(r.Closer), Providers: peerLines(r.Providers),
		Bytes: len(r.Value), Elapsed: ms(r.Elapsed), Bound: ms(bound), Overdue: v.dht.Overdue(),
	}
	switch {
	case err != nil && v.cutOff(ctx, err):
		return ending{body: line}, context.DeadlineExceeded
	case err != nil:
		return ending{"no-peers", line}, noPong(to.ID, v.why(err))
	}
	if utf8.Valid(r.Value) {
		line.Value = string(r.Value)
	} else {
		line.Raw = r.Value
	}
	if args[1] == "ping" {
		out.Summary("answered in %s", cli.Duration(r.Elapsed))
		return ending{"ok", line}, nil
	}
	printReply(out, r, line)
	return ending{"ok", line}, nil
}

// parseQuestion reads what to ask, and the key.
func parseQuestion(args []string) (engine.Ask, string, error) {
	what, known := questions[args[1]]
	if !known {
		words := []string{"find-node", "get", "get-providers", "ping"}
		seen := "a request is one of " + strings.Join(words, ", ")
		if guess := cli.Nearest(args[1], words); guess != "" {
			seen = "did you mean " + guess + "? " + seen
		}
		return 0, "", trouble("WM-U004", fmt.Sprintf("there is no request %q", args[1]), []string{seen}, []string{"waymark query --help"})
	}
	if args[1] == "ping" && len(args) == 2 {
		args = append(slices.Clone(args), "random")
	}
	verb, example := "query MADDR "+args[1], map[engine.Ask]string{
		engine.AskPeers: "random", engine.AskValue: "/note/greeting --network dev", engine.AskProviders: exampleCID,
	}[what]
	forms, read := keyForms, func() (string, error) { return parseKey(args[2], verb+" "+example) }
	switch what {
	case engine.AskValue:
		forms, read = nameForms, func() (string, error) { return parseName(args[2], verb) }
	case engine.AskProviders:
		forms, read = contentForms, func() (string, error) {
			hash, err := parseContent(args[2], verb)
			return string(hash), err
		}
	}
	if len(args) < 3 {
		return 0, "", trouble("WM-U004", args[1]+" wants a key", []string{forms}, []string{"waymark " + verb + " " + example})
	}
	preimage, err := read()
	return what, preimage, err
}

func peerLines(infos []peer.AddrInfo) []peerLine {
	lines := []peerLine{}
	for _, p := range infos {
		lines = append(lines, peerLineOf(p))
	}
	return lines
}

func printReply(out *cli.Out, r waymark.Reply, line queryLine) {
	if r.Value != nil {
		out.Answer("value      %s", cli.Clean(string(r.Value)))
	}
	for _, p := range line.Providers {
		out.Answer("provider   %s", p.ID)
	}
	for _, p := range line.Closer {
		out.Answer("closer     %s", p.ID)
	}
	out.Summary("answered in %s · %s · %s", cli.Duration(r.Elapsed), cli.Count(len(line.Closer), "closer peer"),
		cli.Count(len(line.Providers), "provider"))
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/cli"
)

// put stores a value in a network.
func (a *app) put() *cobra.Command {
	var flags nodeFlags
	cmd := &cobra.Command{
		Use: "put KEY VALUE|-", Short: "store a value under /namespace/name", GroupID: "ask", Args: wantArgs(2, 2),
		Long: "waymark put: store a value on the peers closest to its key\n\n" +
			"KEY is /namespace/name; the network says which namespaces there are. VALUE is\n" +
			"the value itself, or - for standard input.",
		Example: "  waymark put /note/greeting hello --network dev\n" +
			"  waymark put /ipns/12D3KooW… - --network amino < record",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runPut(ctx, out, &flags, args[0], args[1], os.Stdin)
			})
		},
	}
	flags.add(cmd.Flags(), true)
	return cmd
}

// storedLine is what the result line says of a put or a provide.
type storedLine struct {
	Key      string         `json:"key"`
	Stored   int            `json:"stored"`
	Asked    int            `json:"asked"`
	Failures map[string]int `json:"failures"`
	Elapsed  float64        `json:"elapsed_ms"`
	Bound    float64        `json:"bound_ms"`
	Overdue  int64          `json:"overdue"`
}

func runPut(ctx context.Context, out *cli.Out, flags *nodeFlags, text, value string, in io.Reader) (end ending, err error) {
	name, err := parseName(text, "put")
	if err != nil {
		return end, err
	}
	content, err := readValue(value, in)
	if err != nil {
		return end, err
	}
	if err := flags.knows(name); err != nil {
		return end, err
	}
	v, err := enter(ctx, out, flags, "waymark put "+text+" … --network dev")
	if err != nil {
		return end, err
	}
	defer v.Close()
	return v.storing(ctx, "put", text, waymark.OpPut, func() (waymark.Stored, error) {
		return v.dht.Put(ctx, name, content)
	})
}

// readValue is the value that was typed, or what standard input holds.
func readValue(value string, in io.Reader) ([]byte, error) {
	if value != "-" {
		return []byte(value), nil
	}
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(in, params.MaxValue+1))
	switch {
	case err != nil:
		return nil, trouble("WM-R002", "standard input could not be read", []string{reason(err)}, []string{"waymark put KEY - < FILE, with a file that you may read"})
	case n > params.MaxValue:
		return nil, trouble("WM-R002", "the value is too long",
			[]string{fmt.Sprintf("standard input holds more than %d bytes", params.MaxValue)}, []string{"store it elsewhere, and put where it is"})
	}
	return b.Bytes(), nil
}

// storing runs a put or a provide and says who took the record.
func (v *visit) storing(ctx context.Context, verb, what string, op waymark.Op,
	run func() (waymark.Stored, error),
) (end ending, err error) {
	bound := boundOf(ctx, v.dht.Bound(op))
	v.out.Say("%-10s %s · ends within %s", verb, shortenTo(what, 60), cli.Duration(bound))
	v.begin(verb+" "+shortenTo(what, 40), bound)
	var s waymark.Stored
	v.follow(func() { s, err = run() })
	line := storedLine{
		Key: what, Stored: len(s.Peers), Asked: len(s.Peers) + len(s.Refused), Failures: refusalsOf(s),
		Elapsed: ms(s.Elapsed), Bound: ms(bound), Overdue: v.dht.Overdue(),
	}
	if err != nil {
		return ending{outcomeWord(s.Outcome, err), line}, storeTrouble(s, err)
	}
	v.out.Summary("%s stored on %d of %s in %s%s", mark(v.out.ErrStyle(), s.Outcome), line.Stored,
		cli.Count(line.Asked, "closest peer"), cli.Duration(s.Elapsed), butWords(line.Failures))
	for _, p := range s.Peers {
		v.out.Answer("%s", p.ID)
	}
	return ending{"stored", line}, nil
}

func refusalsOf(s waymark.Stored) map[string]int {
	words := make(map[string]int)
	for _, r := range s.Refused {
		words[r.How.String()]++
	}
	return words
}

// butWords is what a summary adds of those that did not do it.
func butWords(failures map[string]int) string {
	if len(failures) == 0 {
		return ""
	}
	return " · " + failureWords(failures)
}

// storeTrouble says why a record was not stored.
func storeTrouble(s waymark.Stored, err error) error {
	var seen []string
	for _, r := range s.Refused[:min(3, len(s.Refused))] {
		seen = append(seen, fmt.Sprintf("%s: %s: %s", cli.ShortID(r.Peer.String()), r.How, shortenTo(reasonOf(r.Detail), 80)))
	}
	if len(seen) == 0 { // nobody came so far as to decline
		seen = []string{"requests " + requestWords(s.Stats)}
	}
	switch {
	case errors.Is(err, waymark.ErrInvalid):
		return trouble("WM-R002", "the value was not accepted", []string{shortenTo(err.Error(), 160)},
			[]string{"put one that is valid under its key; waymark explain WM-R001 says what a namespace is for"})
	case errors.Is(err, waymark.ErrOlder):
		return trouble("WM-R002", "the value was not accepted", []string{shortenTo(err.Error(), 160)},
			[]string{"waymark get KEY shows the better one; put one that is newer than that"})
	case errors.Is(err, waymark.ErrNotStored):
		return trouble("WM-R003", "no peer took the record", seen, []string{"waymark lookup KEY shows who is closest; -v shows each request"})
	case errors.Is(err, waymark.ErrNoPeers):
		return trouble("WM-L001", "nobody could be asked", seen, []string{"waymark bootstrap MADDR… shows how each seed fails"})
	}
	return err
}

// parseName reads the key of a value. Verb is the command that wants it.
func parseName(text, verb string) (string, error) {
	next := "waymark " + verb + " /note/greeting --network dev"
	if verb == "put" {
		next = "waymark put /note/greeting hello --network dev"
	}
	if !strings.HasPrefix(text, "/") {
		return "", badKey(text, nameForms, next)
	}
	return nameKey(text, next)
}

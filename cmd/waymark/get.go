package main

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/cli"
)

// get prints the best value under a key.
func (a *app) get() *cobra.Command {
	var flags nodeFlags
	var quorum int
	cmd := &cobra.Command{
		Use: "get KEY", Short: "the best value under /namespace/name", GroupID: "ask", Args: wantArgs(1, 1),
		Long: "waymark get: the best value under a key, as it is\n\n" +
			"It ends once --quorum peers have given the same best value, or when the peers\n" +
			"closest to the key were all asked.",
		Example: "  waymark get /note/greeting --network dev",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runGet(ctx, out, &flags, args[0], quorum)
			})
		},
	}
	flags.add(cmd.Flags(), true)
	quorum = params.Agreement
	cmd.Flags().Var(&within{&quorum, 0, params.K}, "quorum", "how many peers must agree; 0 asks all the closest")
	return cmd
}

// gotLine is what the result line says of a value.
type gotLine struct {
	Key      string  `json:"key"`
	Value    string  `json:"value,omitempty"`     // if it is text
	Raw      []byte  `json:"value_b64,omitempty"` // if it is not
	Bytes    int     `json:"bytes"`
	Agree    int     `json:"agree"`
	Requests int     `json:"requests"`
	Elapsed  float64 `json:"elapsed_ms"`
	Bound    float64 `json:"bound_ms"`
	Overdue  int64   `json:"overdue"`
}

func runGet(ctx context.Context, out *cli.Out, flags *nodeFlags, text string, quorum int) (end ending, err error) {
	name, err := parseName(text, "get")
	if err == nil {
		err = flags.knows(name)
	}
	if err != nil {
		return end, err
	}
	v, err := enter(ctx, out, flags, "waymark get "+text+" --network dev")
	if err != nil {
		return end, err
	}
	defer v.Close()
	bound := boundOf(ctx, v.dht.Bound(waymark.OpGet))
	out.Say("get        %s · ends within %s", shortenTo(text, 60), cli.Duration(bound))
	v.begin("get "+shortenTo(text, 40), bound)
	var got waymark.Value
	v.follow(func() { got, err = v.dht.Get(ctx, name, waymark.Quorum(quorum)) })
	line := gotLine{
		Key: text, Bytes: len(got.Bytes), Agree: got.Agree, Requests: got.Stats.Requests,
		Elapsed: ms(got.Elapsed), Bound: ms(bound), Overdue: v.dht.Overdue(),
	}
	if utf8.Valid(got.Bytes) {
		line.Value = string(got.Bytes)
	} else {
		line.Raw = got.Bytes
	}
	if got.Bytes == nil {
		return ending{outcomeWord(got.Outcome, err), line}, getTrouble(text, got, err)
	}
	out.Summary("%s %s in %s · %s agree · %s", mark(out.ErrStyle(), got.Outcome), outcomeWord(got.Outcome, err),
		cli.Duration(got.Elapsed), cli.Count(got.Agree, "peer"), cli.Count(got.Stats.Requests, "request"))
	out.Answer("%s", got.Bytes)
	return ending{"found", line}, err
}

func getTrouble(text string, got waymark.Value, err error) error {
	seen := []string{"requests " + requestWords(got.Stats)}
	switch {
	case errors.Is(err, waymark.ErrNotFound):
		return trouble("WM-R004", fmt.Sprintf("there is no value under %s", shortenTo(text, 60)), seen,
			[]string{"check the key; a value is kept for two days after it was put"})
	case errors.Is(err, waymark.ErrNoPeers):
		return trouble("WM-L001", "the lookup reached nobody", seen, []string{"waymark bootstrap MADDR… shows how each seed fails"})
	}
	return err
}

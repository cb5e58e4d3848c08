package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/internal/cli"
)

// bootstrap makes a fresh node join a network and shows every step.
func (a *app) bootstrap() *cobra.Command {
	var flags nodeFlags
	cmd := &cobra.Command{
		Use: "bootstrap MADDR…", Short: "join a network by its seeds and show every step", GroupID: "ask",
		Example: "  waymark bootstrap /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…\n  waymark bootstrap --network amino",
		Args:    wantArgs(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.via = args
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runBootstrap(ctx, out, &flags)
			})
		},
	}
	flags.add(cmd.Flags(), false)
	return cmd
}

func runBootstrap(ctx context.Context, out *cli.Out, flags *nodeFlags) (end ending, err error) {
	p, err := flags.read()
	if err == nil {
		err = p.needSeeds("an address", "waymark bootstrap --network amino")
	}
	if err != nil {
		return end, err
	}
	n, err := p.start()
	if err != nil {
		return end, err
	}
	defer n.Close()
	w := newWatch(out, n.dht, seedCount(p.seeds))
	defer w.Close()
	report, word, bound, err := join(ctx, n.dht, w)
	out.Gap()
	printBoot(out, report, word, bound)
	printSteps(out, len(report.Steps), report.Steps)
	return ending{word, bootLineOf(report, bound, n.dht.Overdue())}, gone(err, flags.network)
}

// join bootstraps a node and shows it. The bound is said before it begins.
func join(ctx context.Context, dht *waymark.DHT, w *watch) (r waymark.Report, word string, bound time.Duration, err error) {
	bound = boundOf(ctx, dht.Bound(waymark.OpBootstrap))
	w.out.Say("bootstrap  from %s · ends within %s", cli.Count(w.seeds, "seed"), cli.Duration(bound))
	w.begin("bootstrap", bound)
	began := w.out.Now()
	w.follow(func() { r, err = dht.RunBootstrap(ctx) })
	word = outcomeWord(r.Outcome, err)
	if len(r.Steps) == 0 { // the call was ended before it could say what there was
		r.Steps, r.Elapsed = w.steps, w.out.Now().Sub(began)
		r.Stats.Requests, r.Stats.Successes = w.requests, w.answered
	}
	if word == "no-peers" && cutOff(ctx, r) {
		word, r.Outcome = "partial-deadline", engine.PartialDeadline
	}
	w.out.Summary("%s %s in %s · %s · %s · %s", mark(w.out.ErrStyle(), r.Outcome), word,
		cli.Duration(r.Elapsed), cli.Count(len(r.Steps), "step"), cli.Count(r.Table, "peer"),
		cli.Count(r.Stats.Requests, "request"))
	return r, word, bound, bootTrouble(r, word, err, w.seeds)
}

// cutOff reports whether --timeout ended a bootstrap before its seeds had had
// their time to answer, so that nothing is known of them.
func cutOff(ctx context.Context, r waymark.Report) bool {
	_, limited := ctx.Deadline()
	return limited && len(r.Steps) > 0 && r.Steps[len(r.Steps)-1].Outcome == engine.PartialDeadline
}

// seedCount is how many peers and names there are among addresses.
func seedCount(addrs []ma.Multiaddr) int {
	whose := make(map[string]bool)
	for _, a := range addrs {
		who, err := a.ValueForProtocol(ma.P_P2P)
		if err != nil {
			who = a.String()
		}
		whose[who] = true
	}
	return len(whose)
}

// boundOf is the bound of a call whose context may end it earlier.
func boundOf(ctx context.Context, bound time.Duration) time.Duration {
	if at, ok := ctx.Deadline(); ok {
		bound = max(0, min(bound, time.Until(at)))
	}
	return bound
}

// outcomeWord is the word for how a call ended, also when it ended by an error
// before there was a result.
func outcomeWord(o waymark.Outcome, err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return engine.PartialDeadline.String()
	case errors.Is(err, context.Canceled):
		return engine.Stopped.String()
	case o == 0:
		return "failed"
	}
	return o.String()
}

// bootTrouble says what was wrong with a bootstrap, if anything.
func bootTrouble(r waymark.Report, word string, err error, seeds int) error {
	switch word {
	case "ready", "degraded":
		return nil
	case "cancelled":
		return err
	case "partial-deadline":
		return trouble("WM-B003", "the bootstrap ran out of time after "+cli.Duration(r.Elapsed),
			[]string{fmt.Sprintf("%s; requests %s", cli.Count(len(r.Steps), "step"), requestWords(r.Stats))},
			[]string{"give it longer (--timeout), or other seeds"})
	case "no-peers":
		what := "the seed did not answer"
		if seeds != 1 {
			what = fmt.Sprintf("none of %d seeds answered", seeds)
		}
		return trouble("WM-B002", what, []string{shortenTo(failureWords(r.Stats.Failures.Words())+evidence(r), 160)},
			[]string{"check that a seed runs and that its address, its ID and --protocol are right"})
	}
	return err
}

// evidence is the text of the last failure, without what libp2p puts around it.
func evidence(r waymark.Report) string {
	for _, step := range slices.Backward(r.Steps) {
		if step.Reason == "" {
			continue
		}
		return "; " + reasonOf(step.Reason)
	}
	return ""
}

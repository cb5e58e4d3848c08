package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark/internal/cli"
	"github.com/waymark-dht/waymark/sim"
)

// The limits of a comparison.
const (
	maxCompared = 8
	maxSimSeeds = 100
)

// simCompare runs configurations beside each other.
func (a *app) simCompare() *cobra.Command {
	var f simFlags
	var scenario string
	var seeds int
	cmd := &cobra.Command{
		Use: "compare A B…", Short: "compare configurations on the same networks", GroupID: "sim", Args: wantArgs(2, maxCompared),
		Long: "waymark sim compare: compare configurations on the same networks\n\n" +
			"Each configuration is a policy (waymark, go-like, rust-like), settings\n" +
			"(KEY=VALUE) or both, joined by commas. All are run in this process on the same\n" +
			"seeds: the same members at the same places, the same dead among them, the same\n" +
			"askers and keys. docs/TESTING.md says what a policy models, and what not.\n\n" +
			"The settings are those of `waymark sim run`; --set changes all configurations.",
		Example: "  waymark sim compare waymark go-like rust-like --dead 15\n  waymark sim compare waymark alpha=3,spare=0 paths=3 --dead 30 --seeds 3",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newComparison(scenario, args, f, seeds)
			if err != nil {
				return err
			}
			return a.do(cmd.Context(), c.run)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&scenario, "scenario", "lookups", "the `SCENARIO` to run; waymark sim ls lists them")
	number(flags, &f.nodes, "nodes", 0, 0, maxSimNodes, "members; 0 is the scenario's default")
	flags.Uint64Var(&f.seed, "seed", 1, "the first seed")
	number(flags, &seeds, "seeds", 1, 1, maxSimSeeds, "how many seeds; figures are their mean")
	number(flags, &f.dead, "dead", 0, 0, maxSimDead, "how many of a hundred members do not answer")
	flags.Var((*pairs)(&f.set), "set", "change a setting of all; may stand several times")
	return cmd
}

// comparison is runs of several configurations on the same seeds.
type comparison struct {
	names []string
	runs  [][]*simRun // by configuration, then by seed
	done  [][]sim.Result
}

func newComparison(scenario string, names []string, f simFlags, seeds int) (*comparison, error) {
	c := &comparison{names: names}
	for _, name := range names {
		var runs []*simRun
		for i := range seeds {
			one := f
			one.seed += uint64(i)
			r, err := newSimRun(scenario, one)
			if err != nil {
				return nil, err
			}
			r.opt.Scenario = scenario
			if r.opt, err = sim.Configuration(r.opt, name); err != nil {
				return nil, badConfiguration(name, err)
			}
			runs = append(runs, r)
		}
		c.runs = append(c.runs, runs)
	}
	return c, nil
}

func badConfiguration(name string, err error) error {
	seen := err.Error()
	for part := range strings.SplitSeq(name, ",") {
		if guess := cli.Nearest(part, sim.Policies[:]); guess != "" && guess != part {
			seen = "did you mean " + guess + "? " + seen
		}
	}
	return trouble("WM-M005", fmt.Sprintf("there is no configuration %q", shortenTo(name, 60)), []string{seen}, []string{"waymark explain WM-M005 shows what one is"})
}

// configured is one configuration's part of the result line.
type configured struct {
	Name     string             `json:"name"`
	Settings []string           `json:"settings"`
	Figures  map[string]float64 `json:"figures"`
	Ratios   map[string]float64 `json:"ratios"` // to the first configuration's
	Traces   []string           `json:"trace_hashes"`
	Overdue  int                `json:"overdue"`
	Stalled  int                `json:"stalled"`
}

// run makes every run, one after the other.
func (c *comparison) run(ctx context.Context, out *cli.Out) (ending, error) {
	first := c.runs[0][0]
	out.Event("start", map[string]any{"command": "sim compare", "version": release, "scenario": first.story.Name, "configurations": c.names, "seed": first.flags.seed, "seeds": len(c.runs[0])})
	out.Say("waymark %s · comparison of %s", release, strings.Join(c.names, ", "))
	var broken error
	for i, runs := range c.runs {
		var results []sim.Result
		for _, r := range runs {
			err := r.simulate(ctx, out)
			if errors.Is(err, sim.ErrStopped) {
				return ending{"cancelled", nil}, ctx.Err()
			}
			broken = errors.Join(broken, r.verdict(err))
			results = append(results, r.result)
			out.Phase("%s · seed %d · %s", c.names[i], r.opt.Seed, cli.Duration(r.meters.elapsed()))
		}
		c.done = append(c.done, results)
	}
	out.Summary("%d runs", len(c.runs)*len(c.runs[0]))
	word := "ok"
	if broken != nil {
		word = "failed"
	}
	body := c.body()
	c.print(out)
	for _, x := range body {
		out.Event("configuration", x)
	}
	r := c.done[0][0]
	return ending{word, map[string]any{"scenario": r.Scenario, "nodes": r.Nodes, "seed": r.Seed, "seeds": len(c.runs[0]), "dead": r.Dead, "configurations": body}}, broken
}

// body is what programs read.
func (c *comparison) body() (all []configured) {
	for i, results := range c.done {
		x := configured{Name: c.names[i], Settings: c.runs[i][0].opt.Settings(), Figures: map[string]float64{}, Ratios: map[string]float64{}}
		for _, f := range sim.Figures {
			key := strings.NewReplacer(", ", "_", " ", "_").Replace(f.Name)
			mine, base := f.Mean(results), f.Mean(c.done[0])
			x.Figures[key] = mine
			if base != 0 {
				x.Ratios[key] = mine / base
			}
		}
		for _, r := range results {
			x.Traces, x.Overdue, x.Stalled = append(x.Traces, r.TraceHash), x.Overdue+r.Overdue, x.Stalled+r.Stalled
		}
		all = append(all, x)
	}
	return all
}

// print is the table for people: a row for each figure, and beside each
// configuration but the first how many times as much it is.
func (c *comparison) print(out *cli.Out) {
	table := [][]string{{""}}
	for _, name := range c.names {
		table[0] = append(table[0], shortenTo(name, 24))
	}
	for _, f := range sim.Figures {
		base := f.Mean(c.done[0])
		line := []string{f.Name}
		for i, results := range c.done {
			x := f.Mean(results)
			cell := figure(x, f.Unit)
			if i > 0 && base != 0 {
				cell += fmt.Sprintf("  ×%.2f", x/base)
			}
			line = append(line, cell)
		}
		table = append(table, line)
	}
	last := []string{"overdue, stalled"}
	for _, x := range c.body() {
		last = append(last, fmt.Sprintf("%d, %d", x.Overdue, x.Stalled))
	}
	for _, line := range cli.Columns(append(table, last)) {
		out.Answer("%s", line)
	}
}

// figure writes a figure as precisely as it is worth.
func figure(x float64, unit string) string {
	switch unit {
	case "ms":
		return fmt.Sprintf("%.0f ms", x)
	case "":
		return fmt.Sprintf("%.4f", x)
	}
	return fmt.Sprintf("%.1f", x)
}

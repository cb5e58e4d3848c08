package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark/internal/bigpages"
	"github.com/waymark-dht/waymark/internal/cli"
	"github.com/waymark-dht/waymark/sim"
)

// maxSimNodes is as many as the simulator's memory was measured with.
const maxSimNodes = 1_000_000

// maxSimDead is how many of a hundred members may be dead: of a few somebody
// has to be left.
const maxSimDead = 90

// sim is the noun: simulated networks.
func (a *app) sim() *cobra.Command {
	cmd := &cobra.Command{
		Use: "sim", Short: "simulate whole networks in virtual time", GroupID: "try",
		Long: "waymark sim: simulate whole networks in virtual time\n\n" +
			"Every simulated node is the engine that ships, unchanged. One seed is one run:\n" +
			"it prints a hash of all that happened. Nothing is sent.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			help(cmd, a.stdout)
			return nil
		},
	}
	cmd.AddGroup(&cobra.Group{ID: "sim", Title: "Commands"})
	cmd.AddCommand(a.simRun(), a.simList(), a.simCompare(), a.simReplay())
	return cmd
}

func (a *app) simList() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "list the scenarios", GroupID: "sim", Args: wantArgs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd.Context(), func(_ context.Context, out *cli.Out) (ending, error) {
				for _, s := range sim.Scenarios {
					out.Answer("%s %s", cli.Pad(s.Name, simNameColumn), s.About)
					out.Event("scenario", map[string]any{"name": s.Name, "about": s.About})
				}
				return ending{outcome: "ok", body: map[string]any{"scenarios": len(sim.Scenarios)}}, nil
			})
		},
	}
}

const simNameColumn = 16

// simFlags say which run is wanted.
type simFlags struct {
	nodes, dead int
	seed        uint64
	set         []string
	report      string
	record      string
}

func (a *app) simRun() *cobra.Command {
	var f simFlags
	cmd := &cobra.Command{
		Use: "run SCENARIO", Short: "run one scenario", GroupID: "sim", Args: wantArgs(1, 1),
		Long: "waymark sim run: run one scenario (waymark sim ls lists them)\n\n" +
			"Exit code 0 means that every promise held: each operation ended once and within\n" +
			"its bound, none stood still, and what the scenario states for itself. If one\n" +
			"broke, the command that repeats the run is printed.\n\n" +
			"--set takes:" + settingWords(),
		Example: "  waymark sim run lookups --nodes 10000 --dead 15\n  waymark sim run lookups --seed 7 --report lookups.html",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := newSimRun(args[0], f)
			if err != nil {
				return err
			}
			return a.do(cmd.Context(), r.run)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	number(flags, &f.nodes, "nodes", 0, 0, maxSimNodes, "members; 0 is the scenario's default")
	flags.Uint64Var(&f.seed, "seed", 1, "the same seed is the same run")
	number(flags, &f.dead, "dead", 0, 0, maxSimDead, "how many of a hundred members do not answer")
	flags.Var((*pairs)(&f.set), "set", "change a setting, see above; may stand several times")
	flags.StringVar(&f.report, "report", "", "write a page with plots to this `FILE`")
	flags.StringVar(&f.record, "record", "", "write what waymark sim replay repeats to this `FILE`")
	return cmd
}

// pairs is the value of --set: what was typed, read when the run is made.
type pairs []string

func (p *pairs) String() string { return strings.Join(*p, " ") }
func (p *pairs) Type() string   { return "KEY=VALUE" }

// Set takes one pair.
func (p *pairs) Set(text string) error {
	*p = append(*p, text)
	return nil
}

func settingWords() string {
	var b strings.Builder
	for _, s := range sim.Settings {
		fmt.Fprintf(&b, "\n  %s %s", cli.Pad(s.Name, simNameColumn), s.About)
	}
	return b.String()
}

// simRun is one run of a scenario.
type simRun struct {
	out    *cli.Out
	story  sim.Scenario
	opt    sim.Options
	flags  simFlags
	plots  sim.Plots
	meters *simMeters
	result sim.Result
}

// newSimRun reads what was typed; nothing has run when it fails.
func newSimRun(name string, f simFlags) (*simRun, error) {
	story, known := sim.ScenarioOf(name)
	if !known {
		return nil, unknownScenario(name)
	}
	if alive := f.nodes - f.nodes*f.dead/100; f.nodes > 0 && alive < story.Least {
		return nil, tooFew(story, f, alive)
	}
	r := &simRun{story: story, flags: f, meters: newSimMeters()}
	r.opt = sim.Options{Nodes: f.nodes, Seed: f.seed, Dead: f.dead, Building: r.meters.building, Progress: r.meters.progress, Measure: r.meters.measure}
	for _, to := range [][2]string{{"report", f.report}, {"record", f.record}} {
		if err := writable(to[1]); err != nil {
			return nil, unwritten(to[0], err)
		}
	}
	if f.report != "" || f.record != "" {
		r.opt.Plots = &r.plots
	}
	for _, pair := range f.set {
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return nil, badSetting(pair, key, nil)
		}
		if err := r.opt.Set(key, value); err != nil {
			return nil, badSetting(pair, key, err)
		}
	}
	return r, nil
}

// writable tries whether a file can be written, before hours are spent on what
// it is to hold. An existing file is left as it is.
func writable(path string) error {
	if path == "" {
		return nil
	}
	_, missing := os.Stat(path)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if missing != nil {
		err = os.Remove(path)
	}
	return errors.Join(err, f.Close())
}

func unwritten(what string, err error) error {
	return trouble("WM-M003", "the "+what+" cannot be written", []string{err.Error()}, []string{"--" + what + " FILE, in a folder that exists and may be written to"})
}

func unknownScenario(name string) error {
	var names []string
	for _, s := range sim.Scenarios {
		names = append(names, s.Name)
	}
	return trouble("WM-M001", fmt.Sprintf("there is no scenario %q", shortenTo(name, 60)),
		[]string{(&choiceError{word: name, words: names}).Error()}, []string{"waymark sim ls"})
}

func tooFew(story sim.Scenario, f simFlags, alive int) error {
	return trouble("WM-U003", fmt.Sprintf("--nodes cannot be \"%d\" for %s", f.nodes, story.Name),
		[]string{fmt.Sprintf("it wants %d members that are alive; with %d %% dead there are %d", story.Least, f.dead, alive)},
		[]string{fmt.Sprintf("waymark sim run %s --nodes %d", story.Name, 10*story.Least)})
}

func badSetting(pair, key string, why error) error {
	var names []string
	for _, s := range sim.Settings {
		names = append(names, s.Name)
	}
	seen := "it is KEY=VALUE; the keys are " + strings.Join(names, ", ")
	if guess := cli.Nearest(key, names); guess == key && why != nil {
		seen = why.Error()
	} else if guess != "" && guess != key {
		seen = "did you mean " + guess + "?"
	}
	return trouble("WM-U003", fmt.Sprintf("--set cannot be %q", shortenTo(pair, 60)), []string{seen}, []string{"waymark sim run --help"})
}

// run makes the run and tells of it.
func (r *simRun) run(ctx context.Context, out *cli.Out) (ending, error) {
	out.Event("start", map[string]any{"command": "sim run", "version": release, "scenario": r.story.Name, "nodes": r.flags.nodes, "seed": r.flags.seed})
	out.Say("waymark %s · simulation of %s · seed %d", release, r.story.Name, r.flags.seed)
	out.Say("%s", r.story.About)
	err := r.simulate(ctx, out)
	stopped := errors.Is(err, sim.ErrStopped)
	if stopped && r.result.Events == 0 { // it never began
		out.Summary("stopped while the network was being built, after %s", cli.Duration(r.meters.elapsed()))
		return ending{"cancelled", r.result}, ctx.Err()
	}
	out.Summary("%s virtual in %s", cli.Duration(r.result.Virtual), cli.Duration(r.meters.elapsed()))
	switch {
	case stopped:
		r.print(err)
		return ending{"cancelled", r.result}, ctx.Err()
	}
	r.print(err)
	word := "ok"
	if err = errors.Join(r.verdict(err), r.writeReport(err), r.record()); err != nil {
		word = "failed"
	}
	return ending{word, r.result}, err
}

// simulate runs on a goroutine of its own, so that this one can show how far
// it is and stop it; it returns when that one has ended.
func (r *simRun) simulate(ctx context.Context, out *cli.Out) error {
	defer bigpages.Keep()() // a large network is read at random; see docs/TESTING.md, "Speed and scale"
	r.out, r.meters.began, r.meters.before = out, time.Now(), cpuSeconds()
	done := make(chan simEnd, 1)
	go func() {
		x, err := r.story.Run(r.opt)
		done <- simEnd{x, err}
	}()
	end := r.watch(ctx, done)
	r.result = end.result
	r.result.EventsPerCPUs = math.Round(r.meters.rate)
	r.result.BytesPerNode = math.Round(r.meters.bytes / float64(max(r.result.Nodes, 1)))
	return end.err
}

// simEnd is how a run ended.
type simEnd struct {
	result sim.Result
	err    error
}

// watch shows the run until it ends, and stops it when ctx does.
func (r *simRun) watch(ctx context.Context, done <-chan simEnd) simEnd {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	stop := ctx.Done()
	for {
		select {
		case end := <-done:
			return end
		case <-stop:
			r.meters.stop.Store(true)
			stop = nil
		case <-tick.C:
			r.out.Show(r.meters)
		}
	}
}

// verdict says which promise broke, if one did.
func (r *simRun) verdict(err error) error {
	if err == nil {
		return nil
	}
	seen := err.Error()
	var v *sim.Violation
	next := []string{"please report it"}
	if errors.As(err, &v) {
		seen, next = v.What, []string{v.Command, "please report it with this command, which repeats the run"}
	}
	return trouble("WM-M002", "the simulation broke a promise", []string{seen}, next)
}

func (r *simRun) writeReport(broken error) error {
	if r.flags.report == "" {
		return nil
	}
	page := simReport{asked: r.flags.nodes, story: r.story, result: r.result, plots: r.plots, command: r.command()}
	if broken != nil {
		page.broken = broken.Error()
	}
	if err := os.WriteFile(r.flags.report, page.page(), 0o644); err != nil {
		return unwritten("report", err)
	}
	r.out.Say("report: %s", r.flags.report)
	return nil
}

// command is what repeats the run.
func (r *simRun) command() string {
	opt := r.opt
	opt.Scenario, opt.Nodes = r.story.Name, r.flags.nodes
	return strings.Replace(opt.Command(), " --nodes 0", "", 1) // the scenario's default
}

// print is the report for people.
func (r *simRun) print(err error) {
	for _, f := range simFigures(r.flags.nodes, r.result) {
		row(r.out, f.name, strings.Join(f.words, " · "))
	}
	mark := r.out.Style.Green("✓") + " every promise held"
	switch {
	case errors.Is(err, sim.ErrStopped):
		mark = r.out.Style.Yellow("!") + " stopped before its end"
	case err != nil:
		mark = r.out.Style.Red("✗") + " a promise broke"
	}
	row(r.out, "outcome", mark)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/cli"
	"github.com/waymark-dht/waymark/internal/devnet"
)

// The demonstration's measures.
const (
	demoSeeds   = 5    // whom the fresh node is introduced to
	demoLookups = 20   // of random keys
	demoRecall  = 0.95 // less is a broken promise
	forTargets  = 1 << 32
)

// demoFlags say which network is shown. The same flags make the same one.
type demoFlags struct {
	nodes, faulty, disjoint int
	seed                    uint64
}

// String is the command line that repeats the demonstration.
func (f demoFlags) String() string {
	return fmt.Sprintf("waymark demo --nodes %d --faulty %d --seed %d --disjoint %d", f.nodes, f.faulty, f.seed, f.disjoint)
}

// demo shows a fresh node that joins a network of faulty peers.
func (a *app) demo() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use: "demo", Short: "watch a node join a network that misbehaves", GroupID: "try", Args: wantArgs(0, 0),
		Long: "waymark demo: watch a node join a network that misbehaves\n\n" +
			"Starts real hosts on 127.0.0.1, a share of them faulty in every way there is. A\n" +
			"fresh node joins by a few of them, within a bound that is printed before, and\n" +
			"looks up random keys. The report compares what it found with the truth. Nothing\n" +
			"leaves this machine. Exit code 0 means that every promise was kept.",
		Example: "  waymark demo\n  waymark demo --nodes 100 --faulty 50 --seed 7",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runDemo(ctx, out, f)
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	number(flags, &f.nodes, "nodes", 40, 2, 1000, "members of the network, 2 to 1000")
	number(flags, &f.faulty, "faulty", 30, 0, 100, "how many of a hundred misbehave")
	flags.Uint64Var(&f.seed, "seed", 1, "the same seed makes the same network")
	number(flags, &f.disjoint, "disjoint", 1, 1, params.MaxPaths, "disjoint paths of each lookup")
	return cmd
}

// demoLine is what the result line says of a demonstration. The bootstrap's
// fields cover the bootstrap alone.
type demoLine struct {
	bootLine
	Nodes          int            `json:"nodes"`
	Faulty         map[string]int `json:"faulty"`
	Seed           uint64         `json:"seed"`
	Lookups        int            `json:"lookups"`
	Recall         float64        `json:"recall"`
	P50            float64        `json:"lookup_p50_ms"`
	P95            float64        `json:"lookup_p95_ms"`
	LookupRequests int            `json:"lookup_requests"`
	LookupFailures map[string]int `json:"lookup_failures"`
}

// performance is one demonstration.
type performance struct {
	out   *cli.Out
	flags demoFlags
	net   *devnet.Network
	watch *watch

	report  waymark.Report
	word    string // how the bootstrap ended
	bound   time.Duration
	overdue int64

	took     []time.Duration // of the lookups, in order
	recalls  []float64
	requests int
	failures contact.Failures
}

// runDemo is the whole demonstration. It leaves nothing running.
func runDemo(ctx context.Context, out *cli.Out, f demoFlags) (_ ending, err error) {
	p := &performance{out: out, flags: f}
	out.Event("start", map[string]any{"command": "demo", "version": release, "nodes": f.nodes, "faulty_percent": f.faulty, "seed": f.seed})
	out.Say("waymark %s · demo of %d nodes, %d %% of them faulty · seed %d", release, f.nodes, f.faulty, f.seed)
	if err := p.build(ctx); err != nil {
		return ending{outcome: "failed"}, err
	}
	defer func() { err = errors.Join(err, p.net.Close()) }()
	err = p.perform(ctx)
	if p.bound == 0 {
		return ending{outcome: "failed"}, err
	}
	p.print()
	if ctx.Err() == nil {
		err = p.verdict(ctx, err)
	}
	return ending{p.word, p.line()}, err
}

// build starts the network.
func (p *performance) build(ctx context.Context) (err error) {
	b := &building{out: p.out, of: p.flags.nodes}
	p.net, err = devnet.Start(ctx, devnet.Config{
		Nodes: p.flags.nodes, Faulty: p.flags.faulty, Seed: p.flags.seed,
	}, b.up)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil: // else the network runs and is closed, even if ctx has ended since
		return trouble("WM-D002", "the demonstration's network could not start", []string{reason(err)},
			[]string{fmt.Sprintf("fewer peers: waymark demo --nodes %d", max(2, p.flags.nodes/2))})
	}
	healthy := p.flags.nodes - p.net.Faulty()
	p.out.Summary("network    %d healthy servers on 127.0.0.1 over TCP and QUIC, tables filled", healthy)
	label := fmt.Sprintf("%d faulty", p.net.Faulty())
	for _, line := range cli.Wrap(kindList(p.net.Kinds()), ", ", column-nameColumn) {
		p.out.Say("%s %s", cli.Pad(label, nameColumn), line)
		label = ""
	}
	p.out.Event("network", map[string]any{"healthy": healthy, "faulty": p.net.Kinds()})
	return nil
}

// building is shown while the network starts.
type building struct {
	out     *cli.Out
	of, now int
}

func (b *building) up(n int) {
	b.now = n
	b.out.Show(b)
}

// Line implements cli.View.
func (b *building) Line() string { return fmt.Sprintf("network: %d of %d peers up", b.now, b.of) }

// Region implements cli.View.
func (b *building) Region(int) []string {
	return []string{fmt.Sprintf("  %s  %d of %d peers up", cli.Bar(float64(b.now)/float64(b.of), barCells), b.now, b.of)}
}

// perform lets a fresh node join and look up.
func (p *performance) perform(ctx context.Context) (err error) {
	seeds, err := p.net.Seeds(demoSeeds)
	if err != nil {
		return err
	}
	h, err := p.net.Newcomer()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	dht, err := waymark.New(h, waymark.Config{
		Mode: waymark.ModeServer, Seeds: seeds, Paths: p.flags.disjoint, AllowLoopback: true, Seed: p.flags.seed,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dht.Close()) }()
	p.watch = newWatch(p.out, dht, min(demoSeeds, p.flags.nodes))
	defer p.watch.Close()
	p.report, p.word, p.bound, err = join(ctx, dht, p.watch)
	if err == nil {
		err = p.lookups(ctx, dht)
	}
	p.overdue = dht.Overdue()
	return err
}

// lookups asks for random keys, one after the other.
func (p *performance) lookups(ctx context.Context, dht *waymark.DHT) (err error) {
	bound := dht.Bound(waymark.OpLookup)
	p.watch.extra = p.picture
	p.out.Say("lookups    %d of random keys · each ends within %s", demoLookups, cli.Duration(bound))
	targets := rand.New(rand.NewPCG(p.flags.seed, forTargets))
	for i := range demoLookups {
		p.watch.begin(fmt.Sprintf("lookup %d of %d", i+1, demoLookups), bound)
		if err = p.lookup(ctx, dht, randomKey(targets)); err != nil {
			break
		}
	}
	p.out.Summary("%s %s · recall %.3f · p50 %s · p95 %s", p.recallMark(p.out.ErrStyle()),
		cli.Count(len(p.took), "lookup"), p.recall(), cli.Duration(devnet.Quantile(p.took, 50)), cli.Duration(devnet.Quantile(p.took, 95)))
	return err
}

func (p *performance) lookup(ctx context.Context, dht *waymark.DHT, preimage string) (err error) {
	var r waymark.Result
	p.watch.follow(func() { r, err = dht.Lookup(ctx, preimage) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	recall := recallOf(r.Peers, p.net.Truth(preimage, params.K))
	p.took, p.recalls = append(p.took, r.Elapsed), append(p.recalls, recall)
	p.requests += r.Stats.Requests
	for kind, count := range r.Stats.Failures {
		p.failures[kind] += count
	}
	p.out.Phase("lookup %d: %s in %s, recall %.2f", len(p.took), r.Outcome, cli.Duration(r.Elapsed), recall)
	if errors.Is(err, waymark.ErrNoPeers) {
		return nil // a lookup that found nobody has a recall, and that is the verdict
	}
	return err
}

// picture is what the watch shows of the lookups.
func (p *performance) picture() []string {
	done := len(p.took)
	lines := []string{fmt.Sprintf("  %s  %d of %d done", cli.Bar(float64(done)/demoLookups, barCells), done, demoLookups)}
	if done > 0 {
		lines = append(lines, fmt.Sprintf("  recall %.3f · p50 %s · p95 %s",
			p.recall(), cli.Duration(devnet.Quantile(p.took, 50)), cli.Duration(devnet.Quantile(p.took, 95))))
	}
	return lines
}

// print is the report for people.
func (p *performance) print() {
	out, style := p.out, p.out.Style
	out.Gap()
	printBoot(out, p.report, p.word, p.bound)
	printSteps(out, len(p.report.Steps), folded(p.report.Steps))
	row(out, "overdue", fmt.Sprint(p.overdue))
	if len(p.took) == 0 {
		return
	}
	row(out, "lookups", fmt.Sprintf("%d · p50 %s · p95 %s · %d requests", len(p.took),
		cli.Duration(devnet.Quantile(p.took, 50)), cli.Duration(devnet.Quantile(p.took, 95)), p.requests))
	row(out, "recall", fmt.Sprintf("%s %.3f of the %d nearest peers that answer", p.recallMark(style), p.recall(), params.K))
}

func (p *performance) recallMark(style cli.Style) string {
	if len(p.recalls) == demoLookups && p.recall() >= demoRecall {
		return style.Green("✓")
	}
	return style.Red("✗")
}

func (p *performance) line() demoLine {
	return demoLine{
		bootLine: bootLineOf(p.report, p.bound, p.overdue),
		Nodes:    p.flags.nodes, Faulty: p.net.Kinds(), Seed: p.flags.seed,
		Lookups: len(p.took), Recall: p.recall(),
		P50: ms(devnet.Quantile(p.took, 50)), P95: ms(devnet.Quantile(p.took, 95)),
		LookupRequests: p.requests, LookupFailures: p.failures.Words(),
	}
}

// verdict is what is to be said of a demonstration that nobody ended early.
func (p *performance) verdict(ctx context.Context, err error) error {
	if _, limited := ctx.Deadline(); limited && p.word == "partial-deadline" {
		return err // --timeout gave it no time to keep its promises
	}
	if p.report.Outcome != engine.Ready && p.net.Faulty() == p.flags.nodes {
		return trouble("WM-D003", "nobody answers: every peer of the network is faulty",
			[]string{fmt.Sprintf("the node said so after %s, within its bound of %s", cli.Duration(p.report.Elapsed), cli.Duration(p.bound))},
			[]string{"waymark demo --faulty 30"})
	}
	var t *cli.Trouble
	if err != nil && !errors.As(err, &t) {
		return err
	}
	return p.promises()
}

// promises says which promise was broken, if one was.
func (p *performance) promises() error {
	var seen []string
	if p.report.Outcome != engine.Ready {
		seen = append(seen, fmt.Sprintf("the bootstrap ended %s, not ready", p.report.Outcome))
	}
	if p.report.Elapsed > p.bound {
		seen = append(seen, fmt.Sprintf("the bootstrap took %s, more than its bound of %s", cli.Duration(p.report.Elapsed), cli.Duration(p.bound)))
	}
	if p.overdue > 0 {
		seen = append(seen, fmt.Sprintf("%s did not end in time", cli.Count(int(p.overdue), "operation")))
	}
	if p.recall() < demoRecall {
		seen = append(seen, fmt.Sprintf("recall is %.3f, less than %.2f", p.recall(), demoRecall))
	}
	if len(seen) == 0 {
		return nil
	}
	return trouble("WM-D001", "the demonstration broke a promise", seen, []string{p.flags.String(), "please report it with this command, which repeats the network"})
}

// recall is the mean of the lookups' recalls.
func (p *performance) recall() float64 {
	if len(p.recalls) == 0 {
		return 0
	}
	sum := 0.0
	for _, r := range p.recalls {
		sum += r
	}
	return sum / float64(len(p.recalls))
}

// recallOf is the share of the truth that was found.
func recallOf(found []peer.AddrInfo, truth []peer.ID) float64 {
	if len(truth) == 0 {
		return 1
	}
	hits := 0
	for _, id := range truth {
		if slices.ContainsFunc(found, func(p peer.AddrInfo) bool { return p.ID == id }) {
			hits++
		}
	}
	return float64(hits) / float64(len(truth))
}

func randomKey(rng *rand.Rand) string {
	var digest [32]byte
	for i := range digest {
		digest[i] = byte(rng.Uint32())
	}
	return randomPreimage(digest)
}

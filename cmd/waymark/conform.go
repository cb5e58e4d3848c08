package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark/internal/cli"
	"github.com/waymark-dht/waymark/internal/conform"
)

// conformFlags say how a node is exercised.
type conformFlags struct {
	drive, protocol string
	only            []string
	drain           time.Duration
	seed            uint64
	list            bool
}

// conform exercises a node as broken and malicious peers do.
func (a *app) conform() *cobra.Command {
	var f conformFlags
	cmd := &cobra.Command{
		Use: "conform [MADDR]", Short: "treat a node as broken and malicious peers do", GroupID: "ask", Args: wantArgs(0, 1),
		Long: "waymark conform: treat a node as broken and malicious peers do\n\n" +
			"Exercises one running node of any implementation, on this machine or in a\n" +
			"private network: one hostile peer after the other, and after each a fresh honest\n" +
			"one that has to get a right answer within " + cli.Duration(conform.RecoverWithin) + ". In the end it is watched what\n" +
			"the node still holds of them. Only addresses that are loopback, link-local or\n" +
			"private are taken, and nobody but the node is dialled. Do this to nodes that are\n" +
			"yours.\n\n" +
			"With --drive it starts the node itself and has it carry out lookups: a program\n" +
			"that speaks the JSON lines of interop/README.md, as interop/peer does. Without,\n" +
			"what the node has to be made to do is skipped.\n\n" +
			"pass: as it should be. warn: allowed, but others do it better. fail: it did not\n" +
			"survive, recover, stay bounded, or did what no node may. Exit code 0 means that\n" +
			"nothing failed, 1 that something did, 5 that the node does not answer.",
		Example: "  waymark conform /ip4/127.0.0.1/tcp/4001/p2p/12D3KooW…\n" +
			"  waymark conform --drive './peer --listen /ip4/127.0.0.1/tcp/0' --json\n" +
			"  waymark conform --list",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				if f.list {
					return listCases(out), nil
				}
				return runConform(ctx, out, f, args, a.stderr)
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.drive, "drive", "", "start the node by this `COMMAND`, and make it ask")
	flags.Var((*words)(&f.only), "only", "only this case or group; may stand several times")
	f.drain = conform.DefaultDrain
	flags.Var(&span{&f.drain, 0, time.Hour}, "drain", "how long to watch what it holds at the end")
	flags.StringVar(&f.protocol, "protocol", "", "the DHT's `PROTOCOL` ("+string(conform.DefaultProtocol)+")")
	flags.Uint64Var(&f.seed, "seed", 0, "the same seed makes the same peers; 0 draws one")
	flags.BoolVar(&f.list, "list", false, "list the cases and do nothing")
	return cmd
}

// words is the value of a flag that may stand several times, or hold several
// words with commas between them.
type words []string

func (w *words) String() string { return strings.Join(*w, ",") }
func (w *words) Type() string   { return "NAME" }

// Set takes some more words.
func (w *words) Set(text string) error {
	*w = append(*w, strings.Split(text, ",")...)
	return nil
}

func listCases(out *cli.Out) ending {
	all := conform.Cases()
	group := ""
	for _, c := range all {
		if c.Group != group {
			group = c.Group
			out.Answer("%s", out.Style.Bold(group))
		}
		out.Answer("  %s %s", cli.Pad(c.Name, caseColumn), c.About)
		out.Event("conform.case", map[string]any{"case": c.Name, "group": c.Group, "about": c.About})
	}
	return ending{"ok", map[string]any{"cases": len(all)}}
}

// The lines of --json.
type (
	caseLine struct {
		Case      string   `json:"case"`
		Group     string   `json:"group"`
		About     string   `json:"about"`
		Verdict   string   `json:"verdict"`
		Saw       []string `json:"saw"`
		Why       []string `json:"why"`
		Took      float64  `json:"took_ms"`
		Recovered float64  `json:"recovered_ms"`
		Lookup    float64  `json:"lookup_ms"`
		Held      int      `json:"held"`
		Freed     float64  `json:"freed_ms"`
		Kept      int      `json:"kept"`
	}
	conformLine struct {
		Peer    string  `json:"peer"`
		Agent   string  `json:"agent"`
		Driven  bool    `json:"driven"`
		Cases   int     `json:"cases"`
		Passed  int     `json:"passed"`
		Warned  int     `json:"warned"`
		Failed  int     `json:"failed"`
		Skipped int     `json:"skipped"`
		Kept    int     `json:"kept"`
		Elapsed float64 `json:"elapsed_ms"`
		Bound   float64 `json:"bound_ms"`
	}
)

func caseLineOf(r conform.Result) caseLine {
	return caseLine{
		r.Case, r.Group, r.About, r.Verdict.String(), append([]string{}, r.Saw...), append([]string{}, r.Why...),
		ms(r.Took), ms(r.Recovered), ms(r.Lookup), r.Held, ms(r.Freed), r.Kept,
	}
}

func runConform(ctx context.Context, out *cli.Out, f conformFlags, args []string, stderr io.Writer) (end ending, err error) {
	if f.seed == 0 {
		f.seed = uint64(rand.Uint32())
	}
	o := conform.Options{Protocol: protocol.ID(f.protocol), Only: f.only, Drain: f.drain, Seed: f.seed}
	bound, err := conform.Bound(o)
	if err != nil {
		return end, noCase(f.only, err)
	}
	if (f.drive == "") == (len(args) == 0) {
		return end, trouble("WM-U004", "conform wants a node: its address, or the command that starts it",
			[]string{"there is neither, or both"}, []string{"waymark conform MADDR", "waymark conform --drive COMMAND"})
	}
	if f.drive != "" {
		p, err := conform.StartProgram(ctx, f.drive, stderr)
		if err != nil {
			return ending{outcome: "failed"}, undrivable(ctx, f.drive, err)
		}
		defer p.Close()
		o.Driver, args = p, p.Addrs[:1]
		bound, _ = conform.Bound(o)
	}
	if o.Target, err = ma.NewMultiaddr(args[0]); err != nil {
		return end, badPeerAddr(args[0], reason(err))
	}
	if _, err := conform.Permitted(o.Target); err != nil {
		return end, notPermitted(args[0], err)
	}
	r, err := exercise(ctx, out, o, boundOf(ctx, bound))
	if len(r.Results) == 0 && err != nil {
		return ending{outcome: "no-peers"}, unanswered(args[0], err)
	}
	printConform(out, r)
	return ending{conformOutcome(r, err), conformLineOf(r, o, bound)}, conformVerdict(r, err)
}

// exercise runs the kit on a goroutine of its own, so that this one can show
// how far it is.
func exercise(ctx context.Context, out *cli.Out, o conform.Options, bound time.Duration) (r conform.Report, err error) {
	out.Event("start", map[string]any{"command": "conform", "version": release, "target": o.Target.String(), "seed": o.Seed})
	out.Say("conform    %s · seed %d · ends within %s", o.Target, o.Seed, cli.Duration(bound))
	p := &exercising{out: out}
	began, ended, done := make(chan exercising, 1), make(chan conform.Result, 1), make(chan struct{})
	o.Began = func(n, of int, name string) { began <- exercising{out: out, n: n, of: of, name: name} }
	o.Ended = func(r conform.Result) { ended <- r }
	go func() {
		defer close(done)
		r, err = conform.Run(ctx, o)
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return r, err
		case b := <-began:
			p.n, p.of, p.name = b.n, b.of, b.name
		case r := <-ended:
			p.note(r)
		case <-tick.C:
			out.Show(p)
		}
	}
}

// exercising is what is shown while the kit runs.
type exercising struct {
	out   *cli.Out
	n, of int
	name  string
	bad   int
}

// note writes a case that has ended, and says at once if it failed.
func (p *exercising) note(r conform.Result) {
	p.out.Event("conform.case", caseLineOf(r))
	if r.Verdict == conform.Fail {
		p.bad++
		p.out.Say("✗ %s: %s", r.Case, cli.Clean(strings.Join(r.Why, "; ")))
	} else {
		p.out.Detail("%s %s: %s", r.Verdict, r.Case, cli.Clean(strings.Join(r.Saw, "; ")))
	}
}

// Line implements cli.View.
func (p *exercising) Line() string {
	if p.of == 0 {
		return "asking the node as anybody would"
	}
	return fmt.Sprintf("case %d of %d: %s · %d failed", p.n, p.of, p.name, p.bad)
}

// Region implements cli.View.
func (p *exercising) Region(int) []string {
	return []string{fmt.Sprintf("  %s  %s", cli.Bar(float64(p.n)/float64(max(p.of, 1)), barCells), p.Line())}
}

// caseColumn is wider than the longest name of a case.
const caseColumn = 25

// printConform is the report for people.
func printConform(out *cli.Out, r conform.Report) {
	out.Gap()
	row(out, "target", r.Peer)
	row(out, "agent", cli.Clean(r.Agent))
	group := ""
	for _, c := range r.Results {
		if c.Group != group {
			group = c.Group
			out.Answer("%s", out.Style.Bold(group))
		}
		printCase(out, c)
	}
	row(out, "cases", countWords(r))
}

func countWords(r conform.Report) string {
	return fmt.Sprintf("%d passed, %d warned, %d failed, %d skipped in %s",
		r.Counts["pass"], r.Counts["warn"], r.Counts["fail"], r.Counts["skipped"], cli.Duration(r.Elapsed))
}

func printCase(out *cli.Out, c conform.Result) {
	var saw []string
	for _, text := range c.Saw {
		saw = append(saw, cli.Clean(text)) // errors are others' words
	}
	if c.Held > c.Kept {
		saw = append(saw, fmt.Sprintf("let go of %d in %s", c.Held-c.Kept, cli.Duration(c.Freed)))
	}
	lines := cli.Wrap(saw, "; ", 96-caseColumn)
	paint := map[conform.Verdict]func(string) string{
		conform.Pass: cli.Clean, conform.Fail: out.Style.Red, conform.Warn: out.Style.Yellow, conform.Skipped: out.Style.Dim,
	}[c.Verdict]
	for _, why := range c.Why {
		lines = append(lines, paint(cli.Clean(why)))
	}
	if len(lines) == 0 {
		lines = []string{""}
	}
	left := verdictMark(out.Style, c.Verdict) + " " + cli.Pad(c.Case, caseColumn)
	for _, line := range lines {
		out.Answer("%s", strings.TrimRight("  "+left+" "+line, " "))
		left = strings.Repeat(" ", caseColumn+2)
	}
}

func verdictMark(style cli.Style, v conform.Verdict) string {
	switch v {
	case conform.Pass:
		return style.Green("✓")
	case conform.Warn:
		return style.Yellow("!")
	case conform.Fail:
		return style.Red("✗")
	}
	return style.Dim("-")
}

func conformLineOf(r conform.Report, o conform.Options, bound time.Duration) conformLine {
	line := conformLine{
		Peer: r.Peer, Agent: r.Agent, Driven: o.Driver != nil, Cases: len(r.Results),
		Passed: r.Counts["pass"], Warned: r.Counts["warn"], Failed: r.Counts["fail"], Skipped: r.Counts["skipped"],
		Elapsed: ms(r.Elapsed), Bound: ms(bound),
	}
	for _, c := range r.Results {
		line.Kept += c.Kept
	}
	return line
}

func conformOutcome(r conform.Report, err error) string {
	switch {
	case err != nil:
		return "cancelled"
	case r.Counts["fail"] > 0:
		return "failed"
	}
	return "ok"
}

// conformVerdict names what failed.
func conformVerdict(r conform.Report, err error) error {
	if err != nil {
		return err
	}
	var names []string
	for _, c := range r.Results {
		if c.Verdict == conform.Fail {
			names = append(names, c.Case)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return trouble("WM-H003", fmt.Sprintf("the node failed %s of %d", cli.Count(len(names), "case"), len(r.Results)),
		[]string{strings.Join(names, ", ")}, []string{"one alone: --only " + names[0]})
}

func noCase(only []string, err error) error {
	if !errors.Is(err, conform.ErrCase) {
		return err
	}
	known := append([]string{}, conform.Groups...)
	for _, c := range conform.Cases() {
		known = append(known, c.Name)
	}
	seen := "the groups are " + strings.Join(conform.Groups, ", ")
	for _, name := range only {
		if guess := cli.Nearest(name, known); guess != "" && guess != name {
			seen = "did you mean " + guess + "? " + seen
			break
		}
	}
	return trouble("WM-H004", "there is no such case: "+shortenTo(strings.TrimPrefix(err.Error(), conform.ErrCase.Error()+"\n"), 60),
		[]string{seen}, []string{"waymark conform --list"})
}

func notPermitted(text string, err error) error {
	if errors.Is(err, conform.ErrPublic) {
		return trouble("WM-H001", fmt.Sprintf("%s may not be exercised", shortenTo(text, 80)),
			[]string{"it is neither loopback, nor link-local, nor private; nothing was sent"},
			[]string{"run a node of yours on this machine or in a private network, and give its address"})
	}
	return badPeerAddr(text, "it has to be one IP address with a peer ID, and no name: a name could lead anywhere")
}

func unanswered(text string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, conform.ErrUnreachable) {
		return err
	}
	return trouble("WM-H002", "the node does not answer, so that nothing was tried",
		[]string{shortenTo(without(err, conform.ErrUnreachable.Error()), 160)},
		[]string{"check that it runs, serves the DHT (--protocol), and that its address is right: waymark identify " + text})
}

func undrivable(ctx context.Context, command string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return trouble("WM-H005", "the program cannot be driven: "+shortenTo(command, 60), []string{without(err, "the program cannot be driven")},
		[]string{"it has to speak the JSON lines of interop/README.md, as interop/peer does"})
}

// without is the reason of an error without what is said already.
func without(err error, said string) string {
	text := strings.TrimPrefix(reason(err), "conform: ")
	return cmp.Or(strings.TrimPrefix(strings.TrimPrefix(text, strings.TrimPrefix(said, "conform: ")), ": "), text)
}

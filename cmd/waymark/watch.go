package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/internal/cli"
)

// Measures of what is shown while a node works.
const (
	frame       = 100 * time.Millisecond // how often the picture is brought up to date
	column      = 76                     // the picture is no wider, however wide the terminal
	stepsShown  = 6                      // the last so many steps of a bootstrap
	walksShown  = 4                      // steps that are under way
	waitsShown  = 3                      // what it waits for, the longest first
	barCells    = 20
	kindColumns = 14 // for the word of a failure: "mute-handshake"
	stepColumns = 10 // for the name of a step: "12 buckets"
)

// noticer is a node that can be watched.
type noticer interface {
	Facts(context.Context) <-chan waymark.Fact
	Open() []waymark.OpenOp
	Time(mono.Time) time.Time
}

// watch shows one node at work: it reads the node's facts, draws what runs and
// what that waits for, and writes the events for programs.
type watch struct {
	out    *cli.Out
	node   noticer
	events *events
	facts  <-chan waymark.Fact
	stop   context.CancelFunc
	seeds  int // how many the node was given

	title string
	until time.Time // when what is shown must have ended
	extra func() []string

	steps     []engine.StepReport
	count     int
	last      bool
	remaining int
	requests  int
	answered  int
	failed    string // how the last request failed that did: its kind and the cause
	open      []waymark.OpenOp
}

// newWatch follows the node from now on. Close it.
func newWatch(out *cli.Out, node noticer, seeds int) *watch {
	ctx, stop := context.WithCancel(context.Background())
	return &watch{
		out: out, node: node, seeds: seeds, events: newEvents(out, node),
		facts: node.Facts(ctx), stop: stop, remaining: -1,
	}
}

// Close stops following.
func (w *watch) Close() { w.stop() }

// begin says what starts now, and within what time it ends.
func (w *watch) begin(title string, bound time.Duration) {
	w.title, w.until = title, w.out.Now().Add(bound)
	w.steps, w.count, w.last, w.remaining, w.requests, w.answered = nil, 0, false, -1, 0, 0
	w.failed = ""
}

// follow runs work and shows what the node does until it returns.
func (w *watch) follow(work func()) {
	done := make(chan struct{})
	go func() { defer close(done); work() }()
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		select {
		case f, open := <-w.facts:
			if !open {
				w.facts = nil
				continue
			}
			w.note(f)
		case <-tick.C:
			w.open = w.node.Open()
			w.out.Show(w)
		case <-done:
			w.drain()
			return
		}
	}
}

// drain reads the facts up to now. Open is answered by the goroutine that
// publishes them, so what was noticed before is in the channel after it.
func (w *watch) drain() {
	w.open = w.node.Open()
	for {
		select {
		case f, open := <-w.facts:
			if !open {
				w.facts = nil
				return
			}
			w.note(f)
		default:
			return
		}
	}
}

func (w *watch) note(f waymark.Fact) {
	w.events.note(f)
	switch f := f.(type) {
	case engine.RequestSent:
		w.requests++
		w.out.Detail("%s  asked, hop %d", cli.ShortID(idOf(f.Peer)), f.Depth)
	case engine.RequestEnded:
		if f.Failure == 0 {
			w.answered++
		} else {
			w.failed = strings.TrimSuffix(f.Failure.String()+": "+shortenTo(cli.Clean(reasonOf(f.Detail)), 120), ": ")
		}
		w.out.Detail("%s  %s %7s  %s", cli.ShortID(idOf(f.Peer)), cli.Pad(f.Failure.String(), kindColumns),
			cli.Duration(f.Took), cli.Clean(reasonOf(f.Detail)))
	case engine.Progressed:
		if f.Kind == engine.KindBootstrap {
			w.step(f)
		}
	}
}

// step takes note of a bootstrap's step, in the field's words.
func (w *watch) step(f engine.Progressed) {
	w.count, w.last, w.remaining = f.Count, f.Last, f.Remaining
	w.steps = append(w.steps, f.Step)
	w.out.Phase("step %d %s: %s, %s", f.Count, f.Step.Name, stepWords(f.Step), w.left())
}

// left says how much of a bootstrap remains.
func (w *watch) left() string {
	switch {
	case w.last:
		return "the last"
	case w.remaining >= 0:
		return fmt.Sprintf("%d remaining", w.remaining)
	}
	return "more remain"
}

// Line implements cli.View.
func (w *watch) Line() string {
	text := w.title
	if w.count > 0 {
		text += fmt.Sprintf(": step %d done, %s", w.count, w.left())
	}
	if walks := w.walks(); walks != "" {
		text += "; now " + walks
	}
	if waits := w.waits(); len(waits) > 0 {
		text += "; waiting on " + waits[0]
	}
	return text + "; " + w.givesUp()
}

// Region implements cli.View.
func (w *watch) Region(width int) []string {
	style := w.out.ErrStyle()
	lines := []string{cli.Spread(style.Bold(w.title), style.Dim(w.givesUp()), min(width, column))}
	if w.extra != nil {
		lines = append(lines, w.extra()...)
	} else {
		lines = append(lines, w.stepLines(style)...)
	}
	if walks := w.walks(); w.extra == nil && walks != "" {
		lines = append(lines, fmt.Sprintf("  %s %s", style.Dim(cli.Pad("now", len(waitLabel))), walks))
	}
	label := waitLabel
	for _, wait := range w.waits() {
		lines = append(lines, fmt.Sprintf("  %s %s", style.Dim(label), wait))
		label = strings.Repeat(" ", len(label))
	}
	return lines
}

// waitLabel stands before what is waited for.
const waitLabel = "waiting on"

// walks names the steps of a bootstrap that are under way: the walks that it
// waits for, or its seeds.
func (w *watch) walks() string {
	var names []string
	for _, op := range w.open {
		if op.Kind != engine.KindBootstrap {
			continue
		}
		for _, f := range op.InFlight {
			if f.Peer == nil && !strings.HasPrefix(f.What, "dns") {
				names = append(names, f.What)
			}
		}
		if len(names) == 0 && len(op.InFlight) > 0 {
			names = append(names, "seeds")
		}
	}
	text := strings.Join(names[:min(walksShown, len(names))], ", ")
	if more := len(names) - walksShown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (w *watch) stepLines(style cli.Style) (lines []string) {
	share, words := 0.0, "step 1"
	if w.count > 0 {
		share = float64(w.count) / float64(w.count+max(0, w.remaining))
		words = fmt.Sprintf("step %d done, %s", w.count, w.left())
	}
	lines = append(lines, fmt.Sprintf("  %s  %s · %d of %d answered", cli.Bar(share, barCells), words, w.answered, w.requests))
	for _, s := range w.steps[max(0, len(w.steps)-stepsShown):] {
		lines = append(lines, "  "+stepLineOf(style, s))
	}
	return lines
}

// givesUp is the time that is left of the bound.
func (w *watch) givesUp() string { return "gives up in " + cli.Tenths(w.until.Sub(w.out.Now())) }

// waits says what the node waits for now, the longest first: peers and names,
// not the parts of its own work that wait for those.
func (w *watch) waits() (lines []string) {
	var all []engine.Waiting
	for _, op := range w.open {
		for _, f := range op.InFlight {
			if f.Peer != nil || strings.HasPrefix(f.What, "dns") {
				all = append(all, f)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b engine.Waiting) int { return cmp.Compare(a.Since, b.Since) })
	for _, f := range all[:min(waitsShown, len(all))] {
		lines = append(lines, w.waiting(f))
	}
	return lines
}

// waiting is one thing that is waited for: who, what, since when, until when.
func (w *watch) waiting(f engine.Waiting) string {
	who := cli.Clean(f.What)
	if f.Peer != nil {
		who = cli.ShortID(idOf(f.Peer)) + "  " + who
	}
	age := w.out.Now().Sub(w.node.Time(f.Since))
	return fmt.Sprintf("%s %s/%s", who, cli.Tenths(age), cli.Tenths(f.Deadline.Sub(f.Since)))
}

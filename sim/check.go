package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Violation is a broken promise of the guarantee, and how to see it again.
type Violation struct {
	What    string
	Node    contact.ID
	At      mono.Time
	Command string
}

// Error says what broke, where and when, and the command that repeats it.
func (v *Violation) Error() string {
	if v.Node == "" {
		return fmt.Sprintf("sim: %s; repeat with: %s", v.What, v.Command)
	}
	return fmt.Sprintf("sim: %s (node %x at %v); repeat with: %s", v.What, v.Node, time.Duration(v.At), v.Command)
}

// fail notes the first violation, which stops the run.
func (w *World) fail(a *actor, format string, args ...any) {
	if w.violated == nil {
		w.violated = &Violation{
			What: fmt.Sprintf(format, args...), Node: w.info(a.n).ID, At: w.now, Command: w.opt.Command(),
		}
	}
}

// broken is a promise that the network as a whole did not keep.
func (w *World) broken(format string, args ...any) error {
	return &Violation{What: fmt.Sprintf(format, args...), At: w.now, Command: w.opt.Command()}
}

// check holds an engine to what must be true after every step.
func (w *World) check(a *actor, wake mono.Time, waits bool) {
	now := a.local(w.now)
	switch {
	case waits && wake <= now:
		w.fail(a, "the engine wants to be woken at %v, now: it would spin", time.Duration(wake))
	case !waits && len(a.open) > 0:
		w.fail(a, "%d operations are open and nothing will wake the engine (I1)", len(a.open))
	case len(a.open) > 0 && a.engine.Overdue(now) > 0:
		w.fail(a, "an operation is past its bound")
	case len(a.requests) > params.MaxInFlight:
		w.fail(a, "%d requests in flight, cap %d", len(a.requests), params.MaxInFlight)
	case len(a.open) == 1 && a.moved:
		w.checkOne(a)
		a.moved = false // until then there can only be fewer of those that were looked at
	}
}

// checkOne looks closer at a node that has a single operation: its slots, and
// that no peer is asked twice at a time. Admission probes, which ask for the
// node's own key, are not the operation's.
func (w *World) checkOne(a *actor) {
	cfg, self := w.opt.Engine.Lookup, w.key(a.n)
	slots, n := cfg.AlphaLast+cfg.SpareLast, 0
	for i, ref := range a.requests {
		r := &w.requests[ref]
		if r.target == self {
			continue
		}
		n++
		for _, other := range a.requests[:i] {
			if o := &w.requests[other]; o.peer == r.peer && o.target != self {
				w.fail(a, "peer %d is asked twice at a time by one operation", r.peer)
			}
		}
	}
	if slots > 0 && n > slots {
		w.fail(a, "%d requests of one operation in flight, cap %d", n, slots)
	}
}

// opened files an operation that has started.
func (w *World) opened(a *actor, f engine.OpStarted) {
	if slices.Contains(a.open, f.Op) {
		w.fail(a, "operation %d started twice", f.Op)
	}
	a.open, a.moved = append(a.open, f.Op), true
}

// closed files its end, of which there is exactly one, in time, and true.
func (w *World) closed(a *actor, f engine.OpEnded) {
	i := slices.Index(a.open, f.Op)
	if i < 0 {
		w.fail(a, "operation %d ended without having started, or twice", f.Op)
		return
	}
	a.open, a.moved = slices.Delete(a.open, i, i+1), true
	w.tally.ops++
	w.use(f)
	over := f.Result.Ended.Sub(f.Result.Bound)
	w.tally.overBound = max(w.tally.overBound, over)
	if over > params.Epsilon {
		w.tally.overdue++
		w.fail(a, "operation %d ended %v after its bound", f.Op, over)
	}
}

// checkResult holds the result of a lookup to its form: nearest first, all
// different, at most k, never the node itself.
func (w *World) checkResult(a *actor, target key.Key, closest []*contact.Info) {
	if len(closest) > w.opt.Engine.Lookup.K {
		w.fail(a, "a result has %d peers", len(closest))
	}
	for i, c := range closest {
		if c.ID == w.info(a.n).ID {
			w.fail(a, "a result names the node itself")
		}
		if i > 0 && target.Closer(closest[i-1].Key, c.Key) >= 0 {
			w.fail(a, "a result is not sorted or names a peer twice")
		}
	}
}

// stalled counts the operations that are open though nothing will happen, or
// though their time is over.
func (w *World) stalled() (n int) {
	for i := range w.nodes {
		a := w.nodes[i].act
		switch {
		case a == nil || a.asleep:
		case len(w.queue.heap) == 0:
			n += len(a.open)
		default:
			n += a.engine.Overdue(a.local(w.now))
		}
	}
	return n
}

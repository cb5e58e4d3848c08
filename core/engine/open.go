package engine

import (
	"cmp"
	"slices"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Open returns every operation that has not ended: how old it is, what it
// waits for and when it must end, the oldest first.
func (e *Engine) Open() []Open {
	list := make([]Open, 0, len(e.ops))
	for _, o := range e.ops {
		list = append(list, e.describe(o))
	}
	return list
}

// Overdue returns how many operations have outlived their bound: none, ever.
func (e *Engine) Overdue(now mono.Time) (n int) {
	for _, o := range e.ops {
		if now.Sub(o.bound) > params.Epsilon {
			n++
		}
	}
	return n
}

func (e *Engine) describe(o *op) Open {
	d := Open{
		Op: o.id, Parent: o.parent, Kind: o.kind, Target: o.target,
		Started: o.started, Bound: o.bound, Phase: "asking", Stats: o.stats,
	}
	d.Stalled, _ = o.dog.Stalled(e.now.Mono)
	switch {
	case o.queued:
		d.Phase = "queued"
	case o.walk != nil:
		e.describeWalk(o, &d)
	case o.plan != nil:
		e.describePlan(o, &d)
	case o.store != nil:
		e.describeStore(o, &d)
	case o.get != nil:
		d.Phase = "choosing"
	default:
		for _, id := range e.attemptsOf(o) {
			a, _ := e.attempts.find(id)
			d.InFlight = append(d.InFlight, Waiting{
				Attempt: id, Peer: e.book.Info(a.peer), What: o.ask.String(), Since: a.sent, Deadline: o.wake,
			})
		}
	}
	if o.get != nil && o.get.choosing != 0 {
		a, _ := e.attempts.find(o.get.choosing)
		d.InFlight = append(d.InFlight, Waiting{
			Attempt: a.id, What: "the validator", Since: a.sent, Deadline: o.get.due,
		})
	}
	slices.SortStableFunc(d.InFlight, func(a, b Waiting) int { return cmp.Compare(a.Since, b.Since) })
	return d
}

func (e *Engine) describeWalk(o *op, d *Open) {
	s := o.walk.Stats()
	d.Stats = Stats{Requests: s.Requests, Successes: s.Successes, Failures: s.Failures, Depth: s.Depth}
	o.walk.Flying(func(at lookup.Attempt, h contact.Handle, began, hard mono.Time, overdue bool) {
		id, _ := e.find(o, uint32(at))
		d.InFlight = append(d.InFlight, Waiting{
			Attempt: id, Peer: e.book.Info(h), What: o.ask.String(), Since: began, Deadline: hard, Overdue: overdue,
		})
	})
}

func (e *Engine) describeStore(o *op, d *Open) {
	d.Phase = "storing"
	for _, f := range o.store.flying {
		a, _ := e.attempts.find(f.attempt)
		d.InFlight = append(d.InFlight, Waiting{
			Attempt: f.attempt, Peer: e.book.Info(a.peer), What: o.store.ask.String(), Since: a.sent, Deadline: f.hard,
		})
	}
}

func (e *Engine) describePlan(o *op, d *Open) {
	o.plan.Waiting(func(at boot.Attempt, kind boot.ActionKind, h contact.Handle, what string, since, hard mono.Time) {
		w := Waiting{What: what, Since: since, Deadline: hard}
		switch kind {
		case boot.Probe:
			w.What, w.Peer = "find_node", e.book.Info(h)
		case boot.Resolve:
			w.What = "dns " + what
		}
		w.Attempt, _ = e.find(o, uint32(at))
		d.InFlight = append(d.InFlight, w)
		d.Phase = w.What
	})
}

package engine

import (
	"slices"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// joiner is who waits for the report of a bootstrap, under a name and until a
// moment of its own.
type joiner struct {
	id      OpID
	started mono.Time
	bound   mono.Time
}

// join lets a further caller wait for the bootstrap that runs: until its own
// deadline, which the other one's may exceed. KAD-5.5.
func (e *Engine) join(o *op, ev StartBootstrap) {
	if !e.admits(ev.Op, len(o.joined), false) {
		return
	}
	bound := mono.Earlier(e.until(ev.Deadline, params.BootDeadline), o.bound)
	o.joined = append(o.joined, joiner{ev.Op, e.now.Mono, bound})
	o.wake = mono.Earlier(o.wake, bound)
	e.facts = append(e.facts, OpStarted{
		At: e.now.Mono, Op: ev.Op, Kind: KindBootstrap, Target: o.target, Bound: bound,
	})
}

// joinedBy returns where somebody is among those who joined, or -1.
func (o *op) joinedBy(id OpID) int {
	return slices.IndexFunc(o.joined, func(j joiner) bool { return j.id == id })
}

// leaveDue ends the wait of those whose own time is over, with what the
// bootstrap has come to.
func (e *Engine) leaveDue(o *op) {
	for i := 0; i < len(o.joined); {
		if o.bound != o.joined[i].bound && o.joined[i].bound.Due(e.now.Mono) {
			e.leave(o, i, e.planResult(o).Outcome)
			continue
		}
		i++
	}
}

// leave ends the wait of one who has joined.
func (e *Engine) leave(o *op, i int, why Outcome) {
	j, r := o.joined[i], e.planResult(o)
	o.joined = slices.Delete(o.joined, i, i+1)
	r.Outcome = why
	e.ended(o, j, r)
}

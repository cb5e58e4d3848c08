package engine

import (
	"time"

	"github.com/waymark-dht/waymark/core/params"
)

// Most of what a fresh node knows of how long answers take it learns while its
// first requests are under way. They began with HardMax; once enough was
// measured they are given what they would be given if they began now, or the
// whole bootstrap would wait two seconds for the first dead peers it met.

// hasten looks, after a sample, whether the hard deadline of a class fell by
// HastenLeast or more since the requests under way were given theirs, and if
// so moves them forward. The lookup keeps the timers that it has: an outcome
// comes before them, and says more. KAD-3.5.
func (e *Engine) hasten(warm bool) {
	_, hard := e.patience.Timers(warm, 0)
	given := &e.given[0]
	if warm {
		given = &e.given[1]
	}
	if hard+params.HastenLeast > *given {
		*given = max(*given, hard)
		return
	}
	*given = hard
	for _, id := range e.walking(warm) {
		a, _ := e.attempts.find(id)
		_, hard := e.patience.Timers(warm, time.Duration(a.rtt))
		e.effects = append(e.effects, Hasten{Attempt: id, Deadline: e.lead(a.sent.Add(hard))})
	}
}

// walking returns the requests of lookups, in their order, with or without a
// connection.
func (e *Engine) walking(warm bool) (ids []AttemptID) {
	for i := range e.attempts {
		if a := &e.attempts[i]; a.op != nil && a.op.walk != nil && a.warm == warm {
			ids = append(ids, a.id)
		}
	}
	return ids
}

// newlyGiven is what the first requests of each class are given.
func newlyGiven() [2]time.Duration { return [2]time.Duration{params.HardMax, params.HardMax} }

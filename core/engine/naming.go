package engine

import (
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// names returns the seeds that are names.
func (e *Engine) names() (names []string) {
	for _, s := range e.cfg.Seeds {
		if s.Peer == nil {
			names = append(names, s.Name)
		}
	}
	return names
}

// trySeeds asks all seeds, and looks up the names again: they may stand for
// others by now, or for other addresses. KAD-5.11.
func (e *Engine) trySeeds() {
	for _, h := range e.seeds.list {
		e.wantSoon(h)
	}
	deadline := e.now.Mono.Add(params.DNSDeadline)
	for _, name := range e.names() {
		id := e.dispatch(attempt{sort: naming})
		e.naming = append(e.naming, probing{id, deadline})
		e.effects = append(e.effects, Resolve{Attempt: id, Name: name, Deadline: e.lead(deadline)})
	}
}

// standFor takes whom a name stands for now. What somebody without a connection
// told of its addresses long ago keeps none of those out that the name gives.
func (e *Engine) standFor(infos []*contact.Info) []contact.Handle {
	infos = infos[:min(len(infos), params.MaxSeeds)]
	for _, info := range infos {
		if h := e.book.Find(info.ID); h != 0 && !e.warm(h) {
			e.book.Doubt(h)
		}
	}
	return e.handles(infos)
}

// expireNames ends the lookups of names whose deadline is due, and forgets those
// that have ended.
func (e *Engine) expireNames() {
	for _, n := range e.naming {
		if n.hard.Due(e.now.Mono) && e.attempts.has(n.attempt) {
			e.dropped(n.attempt, true)
		}
	}
	e.naming = slices.DeleteFunc(e.naming, func(n probing) bool { return !e.attempts.has(n.attempt) })
}

// namesWake returns the earliest deadline of a name that is looked up.
func (e *Engine) namesWake() mono.Time {
	wake := mono.Never
	for _, n := range e.naming {
		wake = mono.Earlier(wake, n.hard)
	}
	return wake
}

// dropNames forgets the names that are looked up.
func (e *Engine) dropNames() {
	for _, n := range e.naming {
		e.withdraw(n.attempt, contact.Cancelled)
	}
	e.naming = nil
}

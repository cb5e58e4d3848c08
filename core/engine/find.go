package engine

import (
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// finding is what a search for providers has heard.
type finding struct {
	limit int
	seen  map[contact.ID]bool
}

func (f *finding) clone() *finding {
	c := *f
	c.seen = cloneMap(f.seen)
	return &c
}

// enough reports whether the search has what it wants.
func (f *finding) enough() bool { return f.limit > 0 && len(f.seen) >= f.limit }

// startFind opens a search for providers.
func (e *Engine) startFind(ev StartFindProviders) {
	o := e.newOp(ev.Op, KindFindProviders, ev.Key, ev.Deadline, ev.Paths)
	limit := params.MaxProvidersFound
	if ev.Limit > 0 {
		limit = min(ev.Limit, limit)
	}
	o.ask, o.near, o.find = AskProviders, ev.Near, &finding{limit: limit, seen: make(map[contact.ID]bool)}
	e.enqueue(o)
}

// heardProviders tells of the providers that were not named before.
func (e *Engine) heardProviders(o *op, from contact.Handle, providers []*contact.Info) {
	for _, p := range providers {
		if o.find.seen[p.ID] || o.find.enough() {
			continue
		}
		o.find.seen[p.ID] = true
		e.facts = append(e.facts, ProviderFound{At: e.now.Mono, Op: o.id, Peer: e.book.Info(from), Provider: p})
	}
}

// findOutcome is the outcome of a search for providers.
func findOutcome(f *finding, walk Outcome) Outcome {
	switch {
	case f.enough():
		return Found
	case walk == Stopped || walk == PartialDeadline:
		return walk
	case len(f.seen) > 0:
		return Found
	case walk == Converged:
		return NotFound
	}
	return walk
}

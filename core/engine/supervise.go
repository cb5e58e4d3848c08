package engine

import (
	"slices"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// supervise begins the bootstraps that nobody but the supervisor asks for. It
// is the last thing of every step, so that it judges what the step has made.
func (e *Engine) supervise() {
	e.super.Look(e.now.Mono, e.view(0))
	if due, full := e.super.Due(e.now.Mono); due {
		e.startBootstrap(StartBootstrap{Op: e.child(), refresh: !full})
		e.startQueued()
	}
	if e.super.SeedsDue(e.now.Mono, e.rng.Uint32) {
		e.trySeeds()
	}
	if h := e.super.Health(); h.State != e.told {
		e.told = h.State
		e.facts = append(e.facts, HealthChanged{At: e.now.Mono, State: h.State, Reason: h.Reason})
	}
}

// view is the node as its supervisor sees it, with a draw for its jitter.
func (e *Engine) view(dice uint32) boot.View {
	return boot.View{Table: e.tab.Len(), Down: e.memory.Down(e.now.Mono), Dice: dice}
}

// Health returns how the node is, why, and when it will try again.
func (e *Engine) Health() boot.Health { return e.super.Health() }

// disrupted tells the supervisor that the world has changed; connections that
// were warm are not, and an outage that was counted is over or another one.
func (e *Engine) disrupted(what string) {
	e.chill()
	e.pardon()
	e.memory.Forget()
	e.super.Changed(e.now.Mono, what)
}

// lonely tells the supervisor if no connection is left.
func (e *Engine) lonely() {
	if e.joined && e.linked.none() {
		e.super.Alone(e.now.Mono, e.rng.Uint32())
	}
}

// greeting is the last answer of a seed.
type greeting struct {
	seed contact.Handle // zero once it has failed
	at   mono.Time
}

// seedFailed tells the supervisor that a seed, or a name (zero), has failed, unless another one is
// known to be there: in the table or, as that may have no place for any of them,
// by an answer a moment ago. KAD-5.11.
func (e *Engine) seedFailed(h contact.Handle) {
	if e.greeted.seed == h {
		e.greeted = greeting{}
	}
	lately := e.greeted.seed != 0 && e.now.Mono.Sub(e.greeted.at) < params.RetryMax
	if !lately && !slices.ContainsFunc(e.seeds.list, e.tab.Has) {
		e.super.Stranded(e.now.Mono, e.rng.Uint32())
	}
}

// past is who was in the table once: the contacts that left it last, for the
// day on which all who are in it are dead.
type past struct {
	handles []contact.Handle // held, the latest first
}

// add remembers a contact, and at most so many of them.
func (p *past) add(h contact.Handle, book *contact.Book, most int) {
	if i := slices.Index(p.handles, h); i >= 0 {
		p.handles = slices.Delete(p.handles, i, i+1)
	} else {
		book.Hold(h)
	}
	p.handles = slices.Insert(p.handles, 0, h)
	if n := len(p.handles); n > most {
		book.Drop(p.handles[n-1])
		p.handles = p.handles[:n-1]
	}
}

// remove forgets one again.
func (p *past) remove(h contact.Handle, book *contact.Book) {
	if i := slices.Index(p.handles, h); i >= 0 {
		p.handles = slices.Delete(p.handles, i, i+1)
		book.Drop(h)
	}
}

// remember takes the contacts of an earlier life.
func (e *Engine) remember(infos []*contact.Info) {
	for _, info := range slices.Backward(infos) {
		if info.ID != e.self.ID {
			h, _ := e.book.Intern(info)
			e.remembered.add(h, e.book, params.MaxRemembered)
		}
	}
}

// neighbour hears of a peer on the local network. It has a place among those
// whom a bootstrap asks, of which others on that network cannot take more than
// a few, and is no contact before it has answered. KAD-5.12.
func (e *Engine) neighbour(info *contact.Info) {
	if info.ID == e.self.ID {
		return
	}
	h, _ := e.book.Intern(info)
	fresh := !slices.Contains(e.nearby.handles, h)
	e.nearby.add(h, e.book, params.MaxNeighbours)
	if fresh && !e.tab.Has(h) {
		e.super.Heard(e.now.Mono)
	}
}

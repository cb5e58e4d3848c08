package engine

import (
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/params"
)

// Places: the cap on requests in flight is granted here, so that no queue of
// the driver can ever be full.

// startQueued gives waiting operations a place while there are two to give.
func (e *Engine) startQueued() {
	for len(e.queued) > 0 && e.committed+params.MinShare <= params.LookupSlots {
		o := e.queued[0]
		e.queued = e.queued[1:]
		o.queued = false
		o.dog.Moved(e.now.Mono)
		e.commit(o, 0)
		e.begin(o)
	}
}

// commit counts an operation with n places, at least the minimal share; a ping
// has one.
func (e *Engine) commit(o *op, n int) {
	n = max(params.MinShare, n)
	if o.ping != nil {
		n = 1
	}
	e.freed = e.freed || n < o.used
	e.committed += n - o.used
	o.used = n
}

func (e *Engine) uncommit(o *op) {
	e.freed = true // whoever only waited counted in the others' share
	e.committed -= o.used
	o.used = 0
}

// share is how many places each operation that uses some, or waits for them,
// would have if all had as many. KAD-6.1.
func (e *Engine) share() int {
	running := 0
	for _, x := range e.ops {
		if x.walk != nil || x.store != nil || x.queued {
			running++
		}
	}
	return params.LookupSlots / max(1, running)
}

// grant returns how many requests an operation may have in flight: its share,
// unless others still use more than theirs; never less than MinShare.
func (e *Engine) grant(o *op, share int) int {
	rest := params.LookupSlots - (e.committed - o.used)
	return max(params.MinShare, min(share, rest))
}

// spread lets those who have as many requests in flight as they were granted
// use the places that others have left since, in this very step (I2). Who uses
// them may end by that, and leave more.
func (e *Engine) spread() {
	for range len(e.ops) + 1 {
		if !e.freed {
			return
		}
		e.freed = false
		e.spreadOnce()
	}
}

func (e *Engine) spreadOnce() {
	share := e.share()
	var short []*op
	for _, o := range e.ops {
		if o.short() && e.grant(o, share) > o.granted {
			short = append(short, o)
		}
	}
	for _, o := range short {
		switch {
		case o.closed || e.grant(o, share) <= o.granted: // who was driven before has them
		case o.walk != nil:
			e.driveWalk(o, lookup.Tick)
		case o.store != nil:
			e.driveStore(o)
		}
	}
}

// short reports whether an operation uses all that it was granted, and may have
// use for more.
func (o *op) short() bool {
	switch {
	case o.queued:
		return false
	case o.walk != nil:
		return o.walk.InFlight() >= o.granted
	}
	return o.store != nil && len(o.store.flying) >= o.granted && len(o.store.todo) > 0
}

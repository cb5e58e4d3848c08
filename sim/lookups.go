package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
)

// Lookups fills all tables with what is true, lets a share of the members die,
// and then has random survivors look up random keys.
func Lookups(opt Options) (Result, error) {
	w := newLookups(opt)
	return w.finish(w.Run(mono.Never))
}

// spread is over how much virtual time a scenario's lookups begin.
const spread = 60 * time.Second

func newLookups(opt Options) *World {
	opt = opt.defaults("lookups", 10_000, 1000)
	w := NewWorld(opt)
	if w.Fill() != nil {
		return w // Run says that it was stopped
	}
	w.Kill(opt.Dead)
	askers := make(map[uint32]*asker, opt.Lookups)
	w.ended = func(n uint32, f engine.OpEnded) {
		if a := askers[n]; a != nil && a.op == f.Op {
			a.ended(f.Result)
		}
	}
	for range opt.Lookups {
		w.After(w.scattered(), func() { w.newAsker(askers).next() })
	}
	return w
}

// asker is a node that makes lookups one after the other, of which the last
// one counts.
type asker struct {
	w      *World
	n      uint32
	left   int
	op     engine.OpID
	target key.Key
	all    map[uint32]*asker
	warm   map[uint32]bool // by other rules: whom it is connected with
}

// newAsker chooses a healthy node that does not ask yet.
func (w *World) newAsker(all map[uint32]*asker) *asker {
	n := w.survivor()
	for tries := 0; all[n] != nil && tries < len(w.nodes); tries++ {
		n = w.survivor()
	}
	a := &asker{w: w, n: n, left: w.opt.Seasoned + 1, all: all}
	all[n] = a
	switch {
	case w.opt.Policy != Waymark:
		a.warm = make(map[uint32]bool)
		for h := range w.nodes[n].tab.All {
			a.warm[uint32(h)-1] = w.opt.Warm
		}
	case w.opt.Warm:
		w.warmUp(w.actor(n))
	}
	return a
}

// warmUp connects a node with everybody in its table.
func (w *World) warmUp(act *actor) {
	for h := range act.engine.Table().All {
		act.conns.add(uint32(h) - 1)
		w.told.connected = engine.Connected{Peer: w.book.Info(h).ID, Known: h}
		w.step(act, &w.told.connected)
	}
}

// survivor draws a healthy node. If there is none the run ends with ErrNobody,
// and what is done with the node that it returns does not matter.
func (w *World) survivor() uint32 {
	alive := w.answering()
	if !slices.ContainsFunc(alive.nodes, func(n uint32) bool { return w.nodes[n].state == healthy }) {
		w.violated = cmp.Or(w.violated, ErrNobody)
		return 0
	}
	for {
		n := alive.nodes[w.rnd.targets.IntN(len(alive.nodes))]
		if w.nodes[n].state == healthy {
			return n
		}
	}
}

func (a *asker) next() {
	preimage := a.w.preimage()
	a.left--
	a.op, a.target = a.w.newOp(), key.Of(preimage)
	if a.w.opt.Policy != Waymark {
		a.w.walkAs(a.n, a.target, a.warm, a.ended)
		return
	}
	a.w.step(a.w.actor(a.n), engine.StartLookup{Op: a.op, Kind: engine.KindLookup, Preimage: preimage})
}

func (a *asker) ended(r engine.Result) {
	if act := a.w.nodes[a.n].act; act != nil {
		a.w.checkResult(act, a.target, r.Closest)
	}
	if a.left > 0 {
		a.w.After(time.Second, a.next)
		return
	}
	a.w.count(a.n, a.target, r)
	delete(a.all, a.n)
	a.w.After(0, func() { a.w.retire(a.n) })
}

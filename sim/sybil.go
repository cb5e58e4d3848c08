package sim

import (
	"math/bits"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// What the two attacks are like unless somebody sets it otherwise.
const (
	sybilPaths   = 3  // disjoint paths, beside one
	sybilPercent = 20 // of the members lie
	eclipseNear  = 15 // accomplices nearer to the target than anybody: fewer than k, or they are the truth
	eclipseBits  = 6  // how much deeper than the honest they sit
	wantHonest   = .95
)

// Sybil lets a share of the members answer every request, with nobody but each
// other. The same lookups are made with one path and with several; those with
// several count, and must find the honest members among the k nearest.
func Sybil(opt Options) (Result, error) {
	opt = opt.defaults("sybil", 2000, 300)
	if opt.Liars == 0 {
		opt.Liars = sybilPercent
	}
	return besides(opt, func(o Options) (*attack, error) {
		a := newAttack(o)
		if err := a.w.Fill(); err != nil {
			return a, err
		}
		a.w.Kill(o.Dead)
		a.w.corrupt(o.Liars)
		return a, a.lookups(a.w.preimage)
	})
}

// corrupt makes liars of so many of a hundred members.
func (w *World) corrupt(percent int) {
	for _, i := range w.rnd.faults.Perm(len(w.nodes))[:len(w.nodes)*percent/100] {
		w.setState(uint32(i), sybil)
	}
}

// Eclipse places accomplices next to a key, nearer than anybody else, who
// answer and name only each other. Half of the lookups are for that key: they
// must find the honest members who are among the k nearest.
func Eclipse(opt Options) (Result, error) {
	opt = opt.defaults("eclipse", 2000, 300)
	if opt.Near == 0 {
		opt.Near = eclipseNear
	}
	return besides(opt, func(o Options) (*attack, error) {
		a := newAttack(o)
		victim := []byte("the key that somebody wants to hide")
		a.victim = key.Of(victim)
		deep := bits.Len(uint(o.Nodes/params.K)) + eclipseBits
		a.w.wanted = func(k key.Key) bool { return k.CommonPrefix(a.victim) >= deep }
		first := len(a.w.nodes)
		for range o.Near {
			a.w.settle()
		}
		a.w.wanted = nil
		if err := a.w.Fill(); err != nil {
			return a, err
		}
		a.w.Kill(o.Dead)
		for n := first; n < len(a.w.nodes); n++ {
			a.w.setState(uint32(n), sybil)
		}
		turn := 0
		return a, a.lookups(func() []byte {
			if turn++; turn%2 == 0 {
				return victim
			}
			return a.w.preimage()
		})
	})
}

// attack is a world with liars in it, and what its lookups found.
type attack struct {
	w      *World
	q      *inquiry
	victim key.Key
	aimed  share // of the honest among the k nearest to the victim, those found
}

func newAttack(opt Options) *attack {
	opt.Engine.Lookup = opt.lookup()
	w := NewWorld(opt)
	a := &attack{w: w, q: newInquiry(w)}
	w.ended = a.q.ended
	return a
}

// lookups lets honest members look things up, and lets all of them end.
func (a *attack) lookups(what func() []byte) error {
	w := a.w
	for range w.opt.Lookups {
		w.After(w.scattered(), func() { a.q.ask(w.survivor(), what(), a.count) })
	}
	err := w.Run(mono.Never)
	if err == nil && w.tally.lookups < w.opt.Lookups {
		err = w.broken("%d of %d lookups ended", w.tally.lookups, w.opt.Lookups)
	}
	return err
}

func (a *attack) count(n uint32, target key.Key, r engine.Result) {
	a.w.count(n, target, r)
	if target == a.victim {
		a.aimed.add(a.w.found(n, target, r, func(m uint32) bool { return a.w.nodes[m].state == healthy }))
	}
	a.w.After(0, func() { a.w.retire(n) })
}

// besides makes the same lookups with one path and with several in two worlds
// of one seed, and holds those with several to the promise.
func besides(opt Options, make func(Options) (*attack, error)) (Result, error) {
	several := opt.Engine.Paths
	if several == 0 {
		several = sybilPaths
	}
	single := opt
	single.Engine.Paths, single.Measure, single.Plots = 1, nil, nil
	one, err := make(single)
	if err != nil {
		return one.w.finish(err)
	}
	opt.Engine.Paths = several
	a, err := make(opt)
	a.w.record(mix(one.w.trace), 0) // the hash is of both; two that are alike must not cancel out
	r, err := a.w.finish(err)
	r.OnePath, r.Target = one.w.tally.honest.value(), a.aimed.value()
	if err == nil && r.Honest < wantHonest {
		err = a.w.broken("%.4f of the honest members were found, less than %.2f", r.Honest, wantHonest)
	}
	if err == nil && a.aimed.whole > 0 && r.Target < wantHonest {
		err = a.w.broken("%.4f of the honest members next to the target were found, less than %.2f", r.Target, wantHonest)
	}
	return r, err
}

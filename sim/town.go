package sim

import (
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
)

// town is a world in which every member acts and looks after itself, as in
// life: the supervisor of each engine decides when to bootstrap. A town's
// scenario does something to it, and then asks whether all is well again.
type town struct {
	w     *World
	ready []mono.Time // when each member last became of use; zero if it has not
	since []mono.Time // when it had to begin: its start, or the end of the fault
	q     *inquiry
	lost  int // lookups that count whose askers left before their end
}

// The clock of a town's scenario.
const (
	settled     = 2 * time.Minute  // all have started and filled their tables
	starts      = 60 * time.Second // over how much time they start
	connTimeout = 30 * time.Second // after which a connection to nobody is noticed: QUIC's idle timeout
	wantRecall  = .95              // of the lookups after the fault
)

// newTown draws a town whose members know the same few seeds.
func newTown(scenario string, opt Options) *town {
	opt = opt.defaults(scenario, 300, 300)
	w := NewWorld(opt)
	t := &town{w: w, ready: make([]mono.Time, len(w.nodes)), since: make([]mono.Time, len(w.nodes)), q: newInquiry(w)}
	for n := range t.seeds() {
		w.opt.Engine.Seeds = append(w.opt.Engine.Seeds, engine.Seed{Peer: w.info(n)})
	}
	w.ended, w.useful = t.q.ended, func(n uint32) { t.ready[n] = w.now }
	return t
}

// seeds is how many members are seeds: the first ones.
func (t *town) seeds() uint32 { return min(seedCount, uint32(len(t.w.nodes))) }

// inhabit fills the tables, lets a share of the members be dead, starts the
// others and lets the town settle.
func (t *town) inhabit() error {
	w := t.w
	if err := w.Fill(); err != nil {
		return err
	}
	w.Kill(w.opt.Dead)
	for n := range uint32(len(w.nodes)) {
		if w.nodes[n].state == healthy {
			t.startWithin(n, starts)
		}
	}
	return w.Run(w.now.Add(settled))
}

// start lets a member act from now on.
func (t *town) start(n uint32) {
	t.since[n] = t.w.now
	t.w.step(t.w.actor(n), engine.Supervise{})
}

func (t *town) startWithin(n uint32, d time.Duration) {
	t.w.After(time.Duration(t.w.rnd.churn.Int64N(int64(d))), func() {
		if t.w.nodes[n].state == healthy {
			t.start(n)
		}
	})
}

// mark notes for the plots what the scenario does now.
func (t *town) mark(what string) {
	t.w.tally.marks = append(t.w.tally.marks, Mark{t.w.now, what})
}

// some returns a share of the members that are healthy and no seeds.
func (t *town) some(percent int) (chosen []uint32) {
	for n := t.seeds(); n < uint32(len(t.w.nodes)); n++ {
		if t.w.nodes[n].state == healthy {
			chosen = append(chosen, n)
		}
	}
	t.w.rnd.churn.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return chosen[:len(chosen)*percent/100]
}

// lookups lets random healthy members look up random keys over the next
// minute, and lets all of them end.
func (t *town) lookups() error {
	w := t.w
	for range w.opt.Lookups {
		w.After(w.scattered(), func() { t.lookup(w.survivor()) })
	}
	return w.Run(w.now.Add(answered))
}

// lookup lets a member look up a random key; it counts.
func (t *town) lookup(n uint32) { t.q.ask(n, t.w.preimage(), t.w.count) }

// end sums up; a town whose lookups did not find what there was broke a promise.
func (t *town) end(err error) (Result, error) {
	r, err := t.w.finish(err)
	if err == nil && r.Lookups > 0 && r.Recall < wantRecall {
		err = t.w.broken("recall is %.4f after the fault, less than %.2f", r.Recall, wantRecall)
	}
	if err == nil && r.Lookups+t.lost < t.w.opt.Lookups {
		err = t.w.broken("%d of %d lookups ended", r.Lookups, t.w.opt.Lookups)
	}
	return r, err
}

// wayBack is how nodes came to be of use after a fault.
type wayBack struct {
	took  []time.Duration
	late  int
	bound time.Duration
}

// back measures the way back of some nodes; the run must have gone on for as
// long as the bound.
func (t *town) back(nodes []uint32, bound time.Duration) wayBack {
	b := wayBack{bound: bound}
	for _, n := range nodes {
		if took := t.ready[n].Sub(t.since[n]); took > 0 && took <= bound {
			b.took = append(b.took, took)
		} else {
			b.late++
		}
	}
	return b
}

// report writes the way back into the result.
func (b wayBack) report(t *town, r Result, err error) (Result, error) {
	r.Back, r.BackBound = len(b.took), ms(b.bound)
	if len(b.took) > 0 {
		r.BackMax = ms(slices.Max(b.took))
	}
	r.Back50, r.Back95 = quantiles(b.took)
	if p := t.w.opt.Plots; p != nil {
		p.Useful = b.took
	}
	if err == nil && b.late > 0 {
		err = t.w.broken("%d of %d nodes were not of use within %v", b.late, b.late+len(b.took), b.bound)
	}
	return r, err
}

// stop lets a member die without a word. A host that lives on resets its
// connections; of one that is gone others learn when they time out.
func (w *World) stop(n uint32, how condition) {
	a := w.nodes[n].act
	w.setState(n, how)
	if a == nil {
		return
	}
	w.nodes[n].act = nil
	for _, ref := range a.requests {
		w.requests[ref].aborted = true
	}
	after := connTimeout
	if how == refusing {
		after = 0
	}
	w.After(after, func() {
		for peer := range a.conns.all() {
			if !w.nodes[n].state.answers() {
				w.disconnect(n, peer)
			}
		}
	})
}

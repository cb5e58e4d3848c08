package sim

import (
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// trouble is what happens to a town in its time of faults.
type trouble struct {
	t    *town
	down []gone // members that were stopped and have not come back
}

// faultEvery is how often something happens; each fault lasts two to six times
// as long, so that they overlap.
const faultEvery = 20 * time.Second

// faults are what can happen, each with its name for the plots.
var faults = [...]struct {
	what   string
	happen func(*trouble, time.Duration)
}{
	{"members stop", (*trouble).stops},
	{"the seeds stop", (*trouble).seedsStop},
	{"a split", (*trouble).splits},
	{"members sleep", (*trouble).sleeps},
	{"members lose their network", (*trouble).offline},
	{"interfaces change", (*trouble).changes},
}

// Liveness lets one fault after another befall a town in use for a while (10
// minutes). Then all that was broken is whole again and nothing more happens.
// Every operation, whenever and wherever it began, ends within its bound (as
// in every scenario); and when healing is over, each member knows 95 % of
// those who are nearest to itself: its table has them, or a walk finds them.
func Liveness(opt Options) (Result, error) {
	t := newTown("liveness", opt)
	w := t.w
	if err := t.inhabit(); err != nil {
		return t.end(err)
	}
	x := &trouble{t: t}
	lasts := w.opt.lasts(10 * time.Minute)
	for at := time.Duration(0); at < lasts; at += faultEvery {
		f := faults[w.rnd.churn.IntN(len(faults))]
		d := min(faultEvery*time.Duration(2+w.rnd.churn.IntN(5)), lasts-at)
		w.After(at, func() {
			t.mark(f.what)
			f.happen(x, d)
		})
	}
	if err := t.use(lasts + time.Millisecond); err != nil {
		return t.end(err)
	}
	t.mark("quiet")
	x.heal()
	if err := t.use(w.opt.rests(healing)); err != nil {
		return t.end(err)
	}
	t.mark("asked")
	near, err := t.neighbourhoods()
	if err == nil {
		err = t.lookups()
	}
	r, err := t.end(err)
	return near.report(t, r, err)
}

// stops lets a tenth of the members die; they come back later.
func (x *trouble) stops(d time.Duration) {
	for _, n := range x.t.some(10) {
		x.stop(n)
	}
	x.t.w.After(d, x.revive)
}

func (x *trouble) stop(n uint32) {
	x.t.w.stop(n, x.t.w.death())
	x.down = append(x.down, gone{n, x.t.w.now})
}

// seedsStop takes the seeds away.
func (x *trouble) seedsStop(d time.Duration) {
	for n := range x.t.seeds() {
		if x.t.w.nodes[n].state == healthy {
			x.stop(n)
		}
	}
	x.t.w.After(d, x.revive)
}

// revive brings back whoever has been away for so long that all have noticed.
func (x *trouble) revive() {
	x.down = slices.DeleteFunc(x.down, func(g gone) bool {
		back := x.t.w.now.Sub(g.since) >= connTimeout
		if back {
			x.t.restart(g.n)
		}
		return back
	})
}

// splits cuts a third of the town off.
func (x *trouble) splits(d time.Duration) {
	third := x.t.some(33)
	x.t.w.split(third)
	x.t.w.After(d, func() { x.join(third) })
}

// join puts members back onto everybody's side.
func (x *trouble) join(all []uint32) {
	for _, n := range all {
		x.t.w.nodes[n].side = 0
	}
}

// sleeps sends a tenth to sleep.
func (x *trouble) sleeps(d time.Duration) {
	for _, n := range x.t.some(10) {
		x.t.sleep(n, d)
	}
}

// offline cuts members off, each for itself.
func (x *trouble) offline(d time.Duration) {
	cut := x.t.some(10)
	x.t.isolate(cut)
	x.t.w.After(d, func() { x.join(cut) })
}

// changes tells members that their interfaces or their clocks have changed,
// which is all that happens to them.
func (x *trouble) changes(time.Duration) {
	for i, n := range x.t.some(20) {
		ev := engine.Event(engine.NetworkChanged{})
		if i%2 == 0 {
			ev = engine.ClockJumped{Gap: int64(time.Hour)}
		}
		x.t.w.step(x.t.w.actor(n), ev)
	}
}

// heal ends whatever has not ended by itself. Who slept wakes at this moment
// at the latest, by the duration that it was given.
func (x *trouble) heal() {
	for n := range x.t.w.nodes {
		x.t.w.nodes[n].side = 0
	}
	x.revive()
	if len(x.down) > 0 { // who stopped a moment ago
		x.t.w.After(connTimeout, x.revive)
	}
}

// isolate cuts each of some members off from everybody. There are as many
// sides as a number of eight bits has values; beyond that, some are together.
func (t *town) isolate(some []uint32) {
	w := t.w
	for i, n := range some {
		w.nodes[n].side = uint8(1 + i%255)
	}
	w.After(connTimeout, func() {
		for _, n := range some {
			w.cut(n)
		}
	})
}

// near is what members know of those nearest to themselves.
type near struct {
	t     *town
	known map[uint32]*bitmap // of each member's k nearest, those that its table had or a walk for itself found
	held  []float64          // the share that the table had before any walk
}

// bitmap has a bit for each of the k nearest.
type bitmap [params.K]bool

// neighbourhoods lets every member walk to itself within a minute.
func (t *town) neighbourhoods() (*near, error) {
	a := &near{t: t, known: make(map[uint32]*bitmap)}
	for n := range uint32(len(t.w.nodes)) {
		if t.w.nodes[n].state == healthy {
			t.w.After(t.w.scattered(), func() { a.walk(n) })
		}
	}
	err := t.w.Run(t.w.now.Add(answered))
	if err == nil && len(t.q.open) > 0 {
		err = t.w.broken("%d walks to oneself did not end", len(t.q.open))
	}
	return a, err
}

// walk lets one member walk to itself.
func (a *near) walk(n uint32) {
	w := a.t.w
	a.known[n] = new(bitmap)
	a.look(n, engine.Result{}) // a slow neighbour may miss the walk, and then leave the table
	a.held = append(a.held, a.share(n))
	a.t.q.ask(n, []byte(w.info(n).ID), func(n uint32, _ key.Key, r engine.Result) { a.look(n, r) })
}

// look notes who is known now.
func (a *near) look(n uint32, r engine.Result) {
	w := a.t.w
	for i, m := range w.answering().nearest(w.key(n), params.K, n) {
		a.known[n][i] = a.known[n][i] || w.nodes[n].tab.Has(handle(m)) || names(r, w.info(m))
	}
}

// share is which share of its k nearest a member knows.
func (a *near) share(n uint32) float64 {
	var s share
	for i := range a.t.w.answering().nearest(a.t.w.key(n), params.K, n) {
		s.whole++
		if a.known[n][i] {
			s.part++
		}
	}
	return s.value()
}

func (a *near) report(t *town, r Result, err error) (Result, error) {
	var all []float64
	for n := range uint32(len(t.w.nodes)) {
		if a.known[n] != nil {
			all = append(all, a.share(n))
		}
	}
	if len(all) > 0 {
		r.Near, r.NearMin, r.NearHeld = mean(all), slices.Min(all), mean(a.held)
	}
	if err == nil && r.NearMin < wantRecall {
		err = t.w.broken("a member knows %.2f of those nearest to itself, less than %.2f", r.NearMin, wantRecall)
	}
	return r, err
}

func mean(all []float64) float64 {
	sum := 0.0
	for _, x := range all {
		sum += x
	}
	return sum / max(1, float64(len(all)))
}

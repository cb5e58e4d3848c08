package sim

import (
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
)

// FlashCrowd lets half of the members be a settled town, and the other half
// join it within a minute, through the seeds.
func FlashCrowd(opt Options) (Result, error) {
	opt = opt.defaults("flash-crowd", 400, 300)
	whole := opt.Nodes
	opt.Nodes = max(1, whole/2)
	t := newTown("flash-crowd", opt)
	w := t.w
	w.opt.Nodes = whole
	if err := t.inhabit(); err != nil {
		return t.end(err)
	}
	t.mark("crowd")
	var crowd []uint32
	for len(w.nodes) < whole {
		n := w.settle()
		t.ready, t.since = append(t.ready, 0), append(t.since, 0)
		crowd = append(crowd, n)
		t.startWithin(n, starts)
	}
	const bound = params.BootDeadline + params.Epsilon
	err := w.Run(w.now.Add(starts + bound))
	back := t.back(crowd, bound)
	if err == nil {
		err = t.lookups()
	}
	r, err := t.end(err)
	return back.report(t, r, err)
}

// AllSeedsDead lets the seeds of a settled town die for good. A fifth of the
// others restart with nothing but a few remembered contacts.
func AllSeedsDead(opt Options) (Result, error) {
	t := newTown("all-seeds-dead", opt)
	w := t.w
	if err := t.inhabit(); err != nil {
		return t.end(err)
	}
	t.mark("seeds dead")
	for n := range t.seeds() {
		w.stop(n, w.death())
	}
	fresh := t.some(20)
	for _, n := range fresh {
		w.stop(n, refusing)
		w.After(connTimeout, func() { t.restart(n) })
	}
	const bound = params.BootDeadline + params.Epsilon
	err := w.Run(w.now.Add(connTimeout + bound))
	back := t.back(fresh, bound)
	if err == nil {
		err = t.lookups()
	}
	r, err := t.end(err)
	return back.report(t, r, err)
}

// restart starts a member that has stopped with an empty table and as many
// contacts of its earlier life as are kept.
func (t *town) restart(n uint32) {
	w := t.w
	cfg := w.opt.Engine
	for h := range w.nodes[n].tab.All {
		cfg.Remembered = append(cfg.Remembered, w.book.Info(h))
	}
	all := cfg.Remembered
	w.rnd.churn.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	cfg.Remembered = all[:min(len(all), params.MaxRemembered)]
	w.empty(n)
	w.setState(n, healthy)
	t.since[n] = w.now
	w.step(w.act(n, cfg), engine.Supervise{})
}

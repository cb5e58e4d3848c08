package sim

import (
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/params"
)

// SeedsDown starts every member while all seeds are down, and brings the seeds
// up after a while (5 minutes): each member must be of use within the way back.
func SeedsDown(opt Options) (Result, error) {
	t := newTown("seeds-down", opt)
	w := t.w
	w.Kill(w.opt.Dead)
	for n := range t.seeds() {
		w.setState(n, w.death())
	}
	waiting := t.some(100)
	for _, n := range waiting {
		t.startWithin(n, starts)
	}
	if err := w.Run(w.now.Add(w.opt.lasts(5 * time.Minute))); err != nil {
		return t.end(err)
	}
	t.mark("seeds up")
	up, bound := w.now, boot.BoundBack(false)+params.Epsilon
	for n := range t.seeds() {
		w.setState(n, healthy)
		t.start(n)
	}
	for _, n := range waiting {
		t.since[n] = up
	}
	err := w.Run(up.Add(bound))
	back := t.back(waiting, bound)
	if err == nil {
		err = t.lookups()
	}
	r, err := t.end(err)
	return back.report(t, r, err)
}

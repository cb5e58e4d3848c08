package sim

import (
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
)

// healing is when a network that was split is whole again: by then each member
// has refreshed its table, and whom it met there has entered it.
const healing = params.RefreshEvery*(100+params.RetryJitterPercent)/100 + params.BootDeadline

// Partition splits a settled town in use into two halves for a while (5
// minutes), and heals it. The seeds are all in one half. The lookups that
// count begin after healing.
func Partition(opt Options) (Result, error) {
	t := newTown("partition", opt)
	w := t.w
	if err := t.inhabit(); err != nil {
		return t.end(err)
	}
	t.mark("split")
	half := t.some(50)
	w.split(half)
	if err := t.use(w.opt.lasts(5 * time.Minute)); err != nil {
		return t.end(err)
	}
	t.mark("healed")
	for _, n := range half {
		w.nodes[n].side = 0
	}
	if err := t.use(w.opt.rests(healing)); err != nil {
		return t.end(err)
	}
	t.mark("asked")
	return t.end(t.lookups())
}

// use lets time pass in which somebody looks something up every second, so
// that what fails is noticed.
func (t *town) use(d time.Duration) error { return t.useEvery(time.Second, d) }

func (t *town) useEvery(pause, d time.Duration) error {
	w := t.w
	for at := time.Duration(0); at < d; at += pause {
		w.After(at, func() {
			w.step(w.actor(w.survivor()), engine.StartLookup{Op: w.newOp(), Kind: engine.KindLookup, Preimage: w.preimage()})
		})
	}
	return w.Run(w.now.Add(d))
}

// split puts some members onto the other side of a partition. Connections
// across it are lost when they time out.
func (w *World) split(half []uint32) {
	for _, n := range half {
		w.nodes[n].side = 1
	}
	w.After(connTimeout, func() {
		for _, n := range half {
			w.cut(n)
		}
	})
}

// cut ends a member's connections across the partition.
func (w *World) cut(n uint32) {
	a := w.nodes[n].act
	if a == nil {
		return
	}
	for peer := range a.conns.all() {
		if w.nodes[peer].side != w.nodes[n].side {
			w.disconnect(n, peer)
		}
	}
}

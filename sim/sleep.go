package sim

import (
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// sleepers is how many of a hundred members sleep.
const sleepers = 20

// Sleep puts a fifth of a settled town in use to sleep for a while (an hour),
// each in the middle of what it does. Each must be of use within the way back
// after it has woken.
func Sleep(opt Options) (Result, error) {
	t := newTown("sleep", opt)
	w := t.w
	if err := t.inhabit(); err != nil {
		return t.end(err)
	}
	t.mark("asleep")
	tired, lasts := t.some(sleepers), w.opt.lasts(time.Hour)
	for _, n := range tired {
		w.step(w.actor(n), engine.StartBootstrap{Op: w.newOp()})
		w.After(time.Duration(w.rnd.churn.Int64N(int64(time.Second))), func() { t.sleep(n, lasts) })
	}
	if err := t.use(time.Second + lasts); err != nil {
		return t.end(err)
	}
	t.mark("awake")
	bound := boot.BoundBack(true) + params.Epsilon
	err := w.Run(w.now.Add(bound))
	back := t.back(tired, bound)
	if err == nil {
		err = t.lookups()
	}
	r, err := t.end(err)
	return back.report(t, r, err)
}

// sleep stops a member and its clock in the middle of what it does. To others
// it is a black hole; their connections to it time out.
func (t *town) sleep(n uint32, d time.Duration) {
	w := t.w
	a := w.nodes[n].act
	a.asleep = true
	w.setState(n, blackHole)
	w.After(min(connTimeout, d), func() {
		for peer := range a.conns.all() {
			w.disconnect(n, peer)
		}
	})
	w.After(d, func() { t.awake(n, d) })
}

// awake lets it hear again. The first that it hears is that its clock stood,
// and then nothing of before may be waited for.
func (t *town) awake(n uint32, d time.Duration) {
	w := t.w
	a := w.nodes[n].act
	a.asleep, a.slept, a.armed = false, a.slept+d, mono.Never
	w.setState(n, healthy)
	t.since[n] = w.now
	w.step(a, engine.ClockJumped{Gap: int64(d)})
	for _, ref := range a.requests {
		if w.requests[ref].missed {
			w.fail(a, "attempt %d slept with its node and is still waited for", w.requests[ref].attempt)
		}
	}
}

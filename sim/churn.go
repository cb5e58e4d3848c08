package sim

import (
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

const awayPercent = 20 // of the members are offline at any moment

// churn lets the members of a town come and go; the seeds stay. Whenever one
// leaves, one of those who are away comes back, with an empty table and the
// contacts that it remembers. So their number stays what it is.
type churn struct {
	t       *town
	life    Sessions
	away    []gone
	leaves  int
	took    []time.Duration // from coming back to being of use
	late    int
	stopped bool
}

// gone is a member that is away, since when.
type gone struct {
	n     uint32
	since mono.Time
}

func (t *town) churn() *churn {
	c := &churn{t: t, life: t.w.opt.sessions()}
	members := t.some(100)
	away := min((len(t.w.nodes)*awayPercent+99)/100, len(members)/2) // or, where most are dead, nobody is left
	for i, n := range members {
		if i < away {
			c.leave(n)
		} else {
			c.stays(n, c.life.rest(t.w.rnd.churn))
		}
	}
	return c
}

// stays ends a member's session after some time. A member that sleeps or has
// no network then leaves when that is over.
func (c *churn) stays(n uint32, d time.Duration) {
	w := c.t.w
	w.After(d, func() {
		switch {
		case c.stopped:
		case w.nodes[n].state != healthy || w.nodes[n].side != 0:
			c.stays(n, time.Minute)
		default:
			c.leave(n)
			c.leaves++
			c.comeBack()
		}
	})
}

func (c *churn) leave(n uint32) {
	w := c.t.w
	c.t.lost += c.t.q.forget(n)
	w.stop(n, w.death())
	c.away = append(c.away, gone{n, w.now})
}

// comeBack lets one of those return who left so long ago that everybody has
// noticed.
func (c *churn) comeBack() {
	w, ready := c.t.w, 0
	for ready < len(c.away) && w.now.Sub(c.away[ready].since) > 2*connTimeout {
		ready++
	}
	if ready == 0 {
		w.After(connTimeout, c.comeBack)
		return
	}
	i := w.rnd.churn.IntN(ready)
	n := c.away[i].n
	c.away = append(c.away[:i], c.away[i+1:]...)
	c.t.restart(n)
	c.stays(n, c.life.draw(w.rnd.churn))
	c.watch(n)
}

// watch looks whether who came back is of use in time, if it still is there.
func (c *churn) watch(n uint32) {
	w, t := c.t.w, c.t
	began, bound := w.now, boot.BoundBack(true)+params.Epsilon
	w.After(bound, func() {
		switch {
		case t.since[n] != began || w.nodes[n].state != healthy || w.nodes[n].side != 0:
		case t.ready[n] >= began:
			c.took = append(c.took, t.ready[n].Sub(began))
		default:
			c.late++
		}
	})
}

// way is how those came to be of use who came back.
func (c *churn) way() wayBack {
	return wayBack{took: c.took, late: c.late, bound: boot.BoundBack(true) + params.Epsilon}
}

// Churn lets the members of a town come and go for a while (2 hours), as in
// measured networks (the stress is --set shape=50 --set scale=42m); the lookups that count begin within the second half.
func Churn(opt Options) (Result, error) {
	t := newTown("churn", opt)
	w := t.w
	if err := t.inhabit(); err != nil {
		return t.end(err)
	}
	t.mark("churn begins")
	c := t.churn()
	lasts := w.opt.lasts(2 * time.Hour)
	if err := w.Run(w.now.Add(lasts / 2)); err != nil {
		return t.end(err)
	}
	t.mark("asked")
	for range w.opt.Lookups {
		w.After(time.Duration(w.rnd.targets.Int64N(int64(lasts/2))), func() { t.lookup(w.survivor()) })
	}
	err := w.Run(w.now.Add(lasts/2 + params.OpDeadline + params.Epsilon))
	c.stopped = true
	r, err := t.end(err)
	r.Leaves = c.leaves
	return c.way().report(t, r, err)
}

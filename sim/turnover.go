package sim

import (
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
)

// turnover lets the members of a town come and go. Who leaves does not come
// back: another member, of another name and with nothing, comes at the same
// moment. That is the harder of the two readings of a session, for what was
// stored with whoever left is lost; and it is the one in which all of 20
// replicas are gone after 22 hours in 5.5 % of cases.
type turnover struct {
	t        *town
	sessions Sessions
	left     int
}

// introducers is how many members a newcomer has heard of.
const introducers = 4

// begin lets every member that is healthy leave in its time, except clients.
func (v *turnover) begin() {
	w := v.t.w
	w.opt.Engine.Seeds = nil // they will leave too
	for n := range uint32(len(w.nodes)) {
		if w.nodes[n].state == healthy && !w.nodes[n].client {
			w.After(v.sessions.rest(w.rnd.churn), func() { v.leave(n) })
		}
	}
}

// leave lets one member go and another one come.
func (v *turnover) leave(n uint32) {
	w := v.t.w
	v.left++
	w.stop(n, w.death())
	w.empty(n)
	if w.shelves != nil {
		w.shelves.clear(n)
	}
	fresh := w.settle()
	v.t.ready, v.t.since = append(v.t.ready, 0), append(v.t.since, w.now)
	v.start(fresh)
	w.After(v.sessions.draw(w.rnd.churn), func() { v.leave(fresh) })
}

// start lets a member act that knows nothing but a few others.
func (v *turnover) start(n uint32) {
	w := v.t.w
	cfg := w.opt.Engine
	for range introducers {
		if m := w.survivor(); m != n && !w.nodes[m].client {
			cfg.Remembered = append(cfg.Remembered, w.info(m))
		}
	}
	v.t.since[n] = w.now
	w.step(w.act(n, cfg), engine.Supervise{})
}

// restart lets a member be down for a moment. It keeps its name and its shelf;
// what was under way is lost.
func (v *turnover) restart(n uint32, down time.Duration) {
	w := v.t.w
	w.stop(n, refusing)
	w.empty(n)
	w.After(down, func() {
		if w.nodes[n].state != refusing {
			return // it has left meanwhile
		}
		w.setState(n, healthy)
		v.start(n)
		w.shelves.restarted(n)
	})
}

// settled returns a random member that is there and has become of use.
func (v *turnover) settled() uint32 {
	for tries := 0; ; tries++ {
		n := v.t.w.survivor()
		if v.t.ready[n] != mono.Time(0) && v.t.ready[n] >= v.t.since[n] || tries > 1000 {
			return n
		}
	}
}

package sim

import (
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
)

const (
	seedCount = 4                     // members that the others know at first
	arrival   = 50 * time.Millisecond // between one member's start and the next one's
)

// Bootstrap starts every member with an empty table; all know the same few
// seeds, and nothing else.
func Bootstrap(opt Options) (Result, error) {
	opt = opt.defaults("bootstrap", 1000, 0)
	w := NewWorld(opt)
	for n := range uint32(min(seedCount, len(w.nodes))) {
		w.opt.Engine.Seeds = append(w.opt.Engine.Seeds, engine.Seed{Peer: w.info(n)})
	}
	b := &boots{w: w}
	w.ended = b.ended
	for n := range uint32(len(w.nodes)) {
		w.At(mono.Time(0).Add(time.Duration(n)*arrival), func() {
			w.step(w.actor(n), engine.StartBootstrap{Op: w.newOp()})
		})
	}
	r, err := w.finish(w.Run(mono.Never))
	r.Bootstraps, r.Ready, r.Fill = b.count, b.ready, w.fill()
	r.Boot50, r.Boot95 = quantiles(b.took)
	if opt.Plots != nil {
		opt.Plots.Useful = b.took
	}
	return r, err
}

// boots counts how the bootstraps of a world end.
type boots struct {
	w            *World
	count, ready int
	took         []time.Duration
}

func (b *boots) ended(_ uint32, f engine.OpEnded) {
	if f.Kind != engine.KindBootstrap || f.Parent != 0 {
		return
	}
	b.count++
	if f.Result.Outcome == engine.Ready {
		b.ready++
	}
	b.took = append(b.took, f.Result.Ended.Sub(f.Result.Started))
}

// fill returns how full the tables of the members that answer are, against
// what they could hold: every bucket its capacity or all who belong there.
func (w *World) fill() float64 {
	alive, have, could := w.answering(), 0, 0
	for _, n := range alive.nodes {
		lo, hi := 0, len(alive.nodes)
		for b := 0; hi-lo > 1; b++ {
			own, other := alive.halves(lo, hi, b, w.key(n))
			could += min(other[1]-other[0], capacity(w.opt.Engine.Table.Sizes, b))
			lo, hi = own[0], own[1]
		}
		have += w.nodes[n].tab.Len()
	}
	return ratio(have, could)
}

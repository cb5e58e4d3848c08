package sim

import (
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
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

// Level is one bucket of the tables of a world, and what it could be: as many
// as it holds, or all who belong there. Means over members that answer.
type Level struct {
	Bucket      int
	Have, Could float64
}

// levelSample is of how many members the levels are taken.
const levelSample = 500

// levels looks into the tables of some members that answer, spread evenly.
func (w *World) levels() (all []Level) {
	alive := w.answering()
	every := 1 + len(alive.nodes)/levelSample
	count := 0.0
	for i := 0; i < len(alive.nodes); i += every {
		n := alive.nodes[i]
		count++
		lo, hi := 0, len(alive.nodes)
		for b := 0; hi-lo > 1 && b < params.Buckets; b++ {
			own, other := alive.halves(lo, hi, b, w.key(n))
			if b == len(all) {
				all = append(all, Level{Bucket: b})
			}
			all[b].Could += float64(min(other[1]-other[0], capacity(w.opt.Engine.Table.Sizes, b)))
			lo, hi = own[0], own[1]
		}
		for h := range w.nodes[n].tab.All {
			if b := w.nodes[n].tab.BucketOf(h); b < len(all) {
				all[b].Have++
			}
		}
	}
	for b := range all {
		all[b].Have, all[b].Could = all[b].Have/count, all[b].Could/count
	}
	return all
}

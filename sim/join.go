package sim

import (
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

const (
	introduced = 3               // healthy members that a newcomer knows at first
	apart      = 2 * time.Second // between one newcomer's start and the next one's
	triesEach  = 20              // draws for each member until none is taken to be free
)

// Join lets newcomers, one after the other, into a network whose tables are
// full and of which a share is dead. Each begins with a few members that
// answer, and when its bootstrap has ended looks up one random key, which counts.
func Join(opt Options) (Result, error) {
	opt = opt.defaults("join", 1000, 300)
	w := NewWorld(opt)
	if err := w.Fill(); err != nil {
		return w.finish(err)
	}
	w.Kill(opt.Dead)
	j := &joining{w: w, boots: boots{w: w}, began: make(map[uint32]mono.Time), asked: newInquiry(w)}
	w.ended, w.useful = j.ended, j.useful
	for i := range opt.Lookups {
		w.At(mono.Time(0).Add(time.Duration(i)*apart), j.begin)
	}
	r, err := w.finish(w.Run(mono.Never))
	r.Bootstraps, r.Ready = j.boots.count, j.boots.ready
	if len(j.boots.took) > 0 {
		r.BootMax = ms(slices.Max(j.boots.took))
	}
	if len(j.took) > 0 {
		r.BackMax = ms(slices.Max(j.took))
	}
	r.Boot50, r.Boot95 = quantiles(j.boots.took)
	r.Back, r.BackBound = len(j.took), ms(params.BootDeadline+params.Epsilon)
	r.Back50, r.Back95 = quantiles(j.took)
	if opt.Plots != nil {
		opt.Plots.Useful = j.took
	}
	return r, err
}

// joining counts how newcomers get on.
type joining struct {
	w     *World
	boots boots
	began map[uint32]mono.Time // of those that are not of use yet
	took  []time.Duration      // until each was of use
	asked *inquiry
}

// begin makes a newcomer of a member: it forgets whom it knew, and others keep
// it. Where so few are left that all are newcomers, nobody is.
func (j *joining) begin() {
	w := j.w
	n := w.survivor()
	for tries := 1; w.nodes[n].act != nil; tries++ {
		if tries == triesEach*len(w.nodes) {
			return
		}
		n = w.survivor()
	}
	cfg := w.opt.Engine
	for others := len(w.answering().nodes) - 1; len(cfg.Seeds) < min(introduced, others); {
		if s := w.survivor(); s != n {
			cfg.Seeds = append(cfg.Seeds, engine.Seed{Peer: w.info(s)})
		}
	}
	w.empty(n)
	j.began[n] = w.now
	w.step(w.act(n, cfg), engine.StartBootstrap{Op: w.newOp()})
}

func (j *joining) useful(n uint32) {
	if began, ok := j.began[n]; ok {
		j.took = append(j.took, j.w.now.Sub(began))
		delete(j.began, n)
	}
}

func (j *joining) ended(n uint32, f engine.OpEnded) {
	j.boots.ended(n, f)
	if f.Kind == engine.KindBootstrap && f.Parent == 0 {
		j.w.After(0, func() { j.asked.ask(n, j.w.preimage(), j.found) })
		return
	}
	j.asked.ended(n, f)
}

// found counts a newcomer's lookup, and lets it be a member like the others.
func (j *joining) found(n uint32, target key.Key, r engine.Result) {
	j.w.count(n, target, r)
	j.w.After(0, func() { j.w.retire(n) })
}

package sim

import (
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// Kill makes a share of the members faulty: 40 % refuse connections, 50 % are
// black holes, 10 % accept and stay silent. Their places in the tables of
// others remain.
func (w *World) Kill(percent int) {
	n := len(w.nodes) * percent / 100
	for _, i := range w.rnd.faults.Perm(len(w.nodes))[:n] {
		w.setState(uint32(i), w.death())
	}
}

// death draws how a dead node behaves towards those who do not know.
func (w *World) death() condition {
	switch u := w.rnd.faults.IntN(10); {
	case u < 4:
		return refusing
	case u < 9:
		return blackHole
	default:
		return mute
	}
}

func (w *World) setState(n uint32, c condition) {
	w.nodes[n].state = c
	w.truthStale, w.liarsOK = true, false
}

// accomplices appends the sybils nearest to a target.
func (w *World) accomplices(dst []contact.Handle, target key.Key) []contact.Handle {
	if !w.liarsOK {
		w.liars, w.liarsOK = newRing(w, func(n uint32) bool { return w.nodes[n].state == sybil }), true
	}
	for _, n := range w.liars.nearest(target, params.K, ^uint32(0)) {
		dst = append(dst, handle(n))
	}
	return slices.Clip(dst)
}

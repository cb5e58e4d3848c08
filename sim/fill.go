package sim

import (
	"math/rand/v2"
	"slices"

	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// filler gives nodes the tables that a long life would: for each bucket a
// random choice of the members that belong there, as many as it holds.
type filler struct {
	w       *World
	all     ring
	drawn   []uint32 // the turn in which each place of the ring was drawn last
	turn    uint32
	rnd     *rand.Rand
	buckets [params.Buckets]int // capacities
}

// Fill gives every node a full table: what is true of the network now.
func (w *World) Fill() {
	f := filler{w: w, all: newRing(w, func(uint32) bool { return true }), rnd: w.rnd.fill}
	f.drawn = make([]uint32, len(f.all.nodes))
	for b := range f.buckets {
		f.buckets[b] = capacity(w.opt.Engine.Table.Sizes, b)
	}
	for n := range uint32(len(w.nodes)) {
		f.fill(n)
	}
}

// capacity is the size of bucket b of the table that an engine makes.
func capacity(sizes []int, b int) int {
	switch {
	case b < len(sizes) && sizes[b] > 0:
		return sizes[b]
	case len(sizes) == 0 && b < len(params.TopBuckets):
		return params.TopBuckets[b]
	}
	return params.K
}

// fill gives one node its table, the nearest bucket first, so that each
// contact is inserted at the end.
func (f *filler) fill(n uint32) {
	var stretches [params.Buckets][2]int
	self := f.w.key(n)
	lo, hi, deepest := 0, len(f.all.nodes), 0
	for b := range params.Buckets {
		own, other := f.all.halves(lo, hi, b, self)
		stretches[b], lo, hi, deepest = other, own[0], own[1], b
		if hi-lo <= 1 {
			break
		}
	}
	if hi-lo > 1 { // all that is left belongs into the last bucket
		stretches[deepest][0] = min(stretches[deepest][0], lo)
		stretches[deepest][1] = max(stretches[deepest][1], hi)
	}
	for b := deepest; b >= 0; b-- {
		f.bucket(n, self, stretches[b], f.buckets[b])
	}
}

// bucket offers a node a choice of the members of one stretch of the ring.
func (f *filler) bucket(n uint32, self key.Key, s [2]int, size int) {
	picked := f.pick(n, s, size)
	slices.SortFunc(picked, func(a, b int) int { return self.Closer(f.all.keys[a], f.all.keys[b]) })
	for _, i := range picked {
		f.w.nodes[n].tab.Offer(handle(f.all.nodes[i]), f.w.now, 0)
	}
}

// pick chooses size places of a stretch at random; with proximity, the fastest
// of so many times as many where there are that many.
func (f *filler) pick(n uint32, s [2]int, size int) []int {
	const times = params.ProximityPopulation
	if !f.w.opt.Proximity || s[1]-s[0] < times*size {
		return f.draw(s, size)
	}
	many := f.draw(s, times*size)
	from := f.w.nodes[n].place
	far := func(i int) int64 { return int64(rtt(from, f.w.nodes[f.all.nodes[i]].place)) }
	slices.SortFunc(many, func(a, b int) int { return int(far(a) - far(b)) })
	return many[:size]
}

// draw chooses size places of a stretch without repetition (R. W. Floyd).
func (f *filler) draw(s [2]int, size int) []int {
	n := s[1] - s[0]
	picked := make([]int, 0, min(n, size))
	if n <= size {
		for i := s[0]; i < s[1]; i++ {
			picked = append(picked, i)
		}
		return picked
	}
	f.turn++
	for j := n - size; j < n; j++ {
		i := s[0] + f.rnd.IntN(j+1)
		if f.drawn[i] == f.turn {
			i = s[0] + j
		}
		f.drawn[i] = f.turn
		picked = append(picked, i)
	}
	return picked
}

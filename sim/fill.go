package sim

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
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

	// Scratch: the places that were drawn, those of one bucket by their
	// distance, and the table as it grows.
	picked  []int
	ranked  []away
	handles []contact.Handle
	words   []uint64
}

// away is a place of the ring and the first word of its distance from a node.
type away struct {
	word uint64
	at   int
}

// Fill gives every node a full table: what is true of the network now. It
// fails only if Building stops it, or has stopped NewWorld.
func (w *World) Fill() error {
	f := filler{w: w, all: newRing(w, func(uint32) bool { return true }), rnd: w.rnd.fill}
	f.drawn = make([]uint32, len(f.all.nodes))
	for b := range f.buckets {
		f.buckets[b] = capacity(w.opt.Engine.Table.Sizes, b)
	}
	for n := range len(w.nodes) {
		if !w.building(n, n, filledBetween) {
			break
		}
		f.fill(uint32(n))
	}
	return w.violated
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

// fill gives one node its table, the nearest bucket first.
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
	f.handles, f.words = f.handles[:0], f.words[:0]
	for b := deepest; b >= 0; b-- {
		f.bucket(n, self, stretches[b], f.buckets[b])
	}
	tab := f.w.nodes[n].tab
	if tab.Len() == 0 && f.w.opt.Engine.Table.NoDiversity {
		tab.Load(f.handles, f.words, f.w.now)
		return
	}
	for _, h := range f.handles { // a table with limits, or of somebody who has met others already
		tab.Offer(h, f.w.now, 0)
	}
}

// bucket chooses members of one stretch of the ring for a node, nearest first.
func (f *filler) bucket(n uint32, self key.Key, s [2]int, size int) {
	f.ranked = f.ranked[:0]
	for _, i := range f.pick(n, s, size) {
		if f.all.nodes[i] != n {
			f.ranked = append(f.ranked, away{f.all.keys[i][0] ^ self[0], i})
		}
	}
	slices.SortFunc(f.ranked, func(a, b away) int {
		if a.word != b.word {
			return cmp.Compare(a.word, b.word)
		}
		return self.Closer(f.all.keys[a.at], f.all.keys[b.at])
	})
	for _, r := range f.ranked {
		f.handles = append(f.handles, handle(f.all.nodes[r.at]))
		f.words = append(f.words, f.all.keys[r.at][0])
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
	picked := f.picked[:0]
	defer func() { f.picked = picked }()
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

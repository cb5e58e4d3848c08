package table

import (
	"math/bits"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// bucket returns the index of the bucket for a key that begins with word: the
// number of leading bits it shares with self, and last for all beyond. KAD-8.1.
func (t *Table) bucket(word uint64) int {
	return min(bits.LeadingZeros64(word^t.self[0]), last)
}

// capacity returns how many members bucket b may have. KAD-8.2.
func (t *Table) capacity(b int) int {
	if b < len(t.cfg.Sizes) && t.cfg.Sizes[b] > 0 {
		return min(t.cfg.Sizes[b], params.MaxBucket)
	}
	if len(t.cfg.Sizes) == 0 && b < len(params.TopBuckets) {
		return params.TopBuckets[b]
	}
	return params.K
}

// room returns how many places of bucket b are free.
func (t *Table) room(b int) int {
	lo, hi := t.span(b)
	return t.capacity(b) - (hi - lo)
}

// span returns the stretch of members that is bucket b: contacts at a distance
// of 2^(63-b) and more, counted in first words, but less than twice that.
func (t *Table) span(b int) (lo, hi int) { return t.members.stretch(last - b) }

// seek returns the place among the members of a key that begins with word and
// belongs to bucket b.
func (t *Table) seek(b int, word uint64) int {
	distance := word ^ t.self[0]
	lo, hi := t.span(b)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if t.members.words[mid]^t.self[0] < distance {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// member returns the place of h among the members, or -1.
func (t *Table) member(h contact.Handle) int {
	word := t.book.Info(h).Key[0]
	for i := t.seek(t.bucket(word), word); i < len(t.members.words) && t.members.words[i] == word; i++ {
		if t.members.cells[i].handle == h {
			return i
		}
	}
	return -1
}

// waiting returns the stretch of spares that belongs to bucket b.
func (t *Table) waiting(b int) (lo, hi int) { return t.spares.stretch(b) }

// spare returns the place of h among the spares, or -1.
func (t *Table) spare(h contact.Handle) int {
	for i, hi := t.waiting(t.BucketOf(h)); i < hi; i++ {
		if t.spares.cells[i].handle == h {
			return i
		}
	}
	return -1
}

// SetPopulation tells the table how many nodes the network has, as far as is
// known; zero (the default) means unknown and turns proximity off.
func (t *Table) SetPopulation(n int) { t.population = max(n, 0) }

// slowest returns the member of bucket b with the longest known round-trip
// time, or -1 if none is known or there is no choice by speed.
func (t *Table) slowest(b int) int {
	if !t.choosy(b) {
		return -1
	}
	found, longest := -1, uint16(0)
	for i, hi := t.span(b); i < hi; i++ {
		if rtt := t.members.cells[i].rtt; rtt > longest {
			found, longest = i, rtt
		}
	}
	return found
}

// choosy reports whether bucket b has so many candidates that a choice among
// them by speed costs nothing. KAD-8.6.
func (t *Table) choosy(b int) bool {
	return t.population>>(b+1) >= params.ProximityPopulation*t.capacity(b)
}

// outruns reports whether a contact with the first round-trip time should have
// the place of one with the second: only if both are known and it is clearly
// faster. KAD-8.6.
func outruns(fast, slow uint16) bool {
	return fast != 0 && int(fast)*100 <= int(slow)*params.ProximityPercent
}

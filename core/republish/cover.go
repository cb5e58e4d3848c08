package republish

import (
	"cmp"
	"slices"
)

// cover is a part of the key space: spans of heads, sorted, with gaps between.
type cover []span

type span struct{ lo, hi uint64 }

// add puts a span into the cover and merges what it touches.
func (c *cover) add(lo, hi uint64) {
	merged := span{lo, hi}
	rest := make(cover, 0, len(*c)+1)
	for _, s := range *c {
		if s.hi < lo && s.hi+1 < lo || s.lo > hi && s.lo-1 > hi {
			rest = append(rest, s)
			continue
		}
		merged.lo, merged.hi = min(merged.lo, s.lo), max(merged.hi, s.hi)
	}
	at, _ := slices.BinarySearchFunc(rest, merged.lo, func(s span, lo uint64) int { return cmp.Compare(s.lo, lo) })
	*c = slices.Insert(rest, at, merged)
}

// holds reports whether a whole span is covered.
func (c cover) holds(lo, hi uint64) bool {
	return slices.ContainsFunc(c, func(s span) bool { return s.lo <= lo && hi <= s.hi })
}

// touches reports whether any of a span is covered.
func (c cover) touches(lo, hi uint64) bool {
	return slices.ContainsFunc(c, func(s span) bool { return s.lo <= hi && lo <= s.hi })
}

// gap returns the first head of a span that is not covered.
func (c cover) gap(lo, hi uint64) (at uint64, ok bool) {
	at = lo
	for _, s := range c {
		if s.lo <= at && at <= s.hi {
			if s.hi >= hi {
				return 0, false
			}
			at = s.hi + 1
		}
	}
	return at, true
}

package table

import (
	"math/bits"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
)

// Nearest appends to dst the n members that are nearest to target, nearest
// first. It allocates only if dst is too small. KAD-8.7.
func (t *Table) Nearest(dst []contact.Handle, target key.Key, n int) []contact.Handle {
	w := t.startWalk(target[0])
	for end := len(dst) + n; len(dst) < end; {
		lo, hi := w.next()
		if lo == hi {
			break
		}
		from := len(dst)
		for ; lo < hi; lo++ {
			dst = append(dst, t.members.cells[lo].handle)
		}
		if len(dst)-from > 1 {
			tied := dst[from:]
			sortTied(len(tied), func(i, j int) bool {
				return target.Closer(t.book.Info(tied[i]).Key, t.book.Info(tied[j]).Key) < 0
			}, func(i, j int) { tied[i], tied[j] = tied[j], tied[i] })
			dst = dst[:min(len(dst), end)]
		}
	}
	return dst
}

// walk visits the words of a list in the order of their distance to a target.
//
// The words lie in the order of their distance to self, so every subtree of
// the key space is one stretch of them, for any target. A walk splits a
// stretch at the highest bit in which its words differ, goes into the half
// that has the target's bit and leaves the other half for later: it sorts
// nothing, and touches little more than what it returns.
type walk struct {
	words  []uint64
	target uint64
	depth  int
	later  [64]stretch // at most one for each bit of a word
}

type stretch struct{ lo, hi int32 }

func startWalk(words []uint64, target uint64) (w walk) {
	w.words, w.target = words, target
	if len(words) > 0 {
		w.leave(0, len(words))
	}
	return w
}

// startWalk is the same over the members, of which it knows already how the
// buckets lie: the target's own is the nearest, since it shares with self as
// much as the target does; after it come all that share more, and at last those
// that share less, the more they share the nearer.
func (t *Table) startWalk(target uint64) (w walk) {
	w.words, w.target = t.members.words, target
	own := t.bucket(target)
	for b := 0; b < own; b++ {
		w.leaveAny(t.span(b))
	}
	lo, hi := t.span(own)
	w.leaveAny(0, lo)
	w.leaveAny(lo, hi)
	return w
}

func (w *walk) leaveAny(lo, hi int) {
	if lo < hi {
		w.leave(lo, hi)
	}
}

func (w *walk) leave(lo, hi int) {
	w.later[w.depth] = stretch{int32(lo), int32(hi)}
	w.depth++
}

// next returns the next nearest stretch of equal words, which is nearly always
// a single one; lo == hi at the end.
func (w *walk) next() (lo, hi int) {
	if w.depth == 0 {
		return 0, 0
	}
	w.depth--
	lo, hi = int(w.later[w.depth].lo), int(w.later[w.depth].hi)
	for {
		first := w.words[lo]
		differ := first ^ w.words[hi-1]
		if differ == 0 {
			return lo, hi
		}
		shift := 63 - bits.LeadingZeros64(differ)
		mid := split(w.words, lo, hi-1, shift)
		if (first^w.target)>>shift&1 == 0 {
			w.leave(mid, hi)
			hi = mid
		} else {
			w.leave(lo, mid)
			lo = mid
		}
	}
}

// split returns where the bit at shift changes between words[lo] and
// words[hi], which differ in it.
func split(words []uint64, lo, hi, shift int) int {
	first := words[lo] >> shift
	for hi-lo > 1 {
		mid := int(uint(lo+hi) / 2)
		if words[mid]>>shift == first {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// sortTied sorts the few contacts whose keys begin with the same word.
func sortTied(n int, less func(i, j int) bool, swap func(i, j int)) {
	for i := 1; i < n; i++ {
		for j := i; j > 0 && less(j, j-1); j-- {
			swap(j, j-1)
		}
	}
}

package sim

import (
	"slices"
	"sort"

	"github.com/waymark-dht/waymark/core/key"
)

// ring is a set of nodes in the order of their keys: every subtree of the key
// space is one stretch of it.
type ring struct {
	keys  []key.Key
	nodes []uint32
}

// newRing sorts the nodes that keep returns true for.
func newRing(w *World, keep func(n uint32) bool) ring {
	var r ring
	for n := range uint32(len(w.nodes)) {
		if keep(n) {
			r.nodes = append(r.nodes, n)
		}
	}
	slices.SortFunc(r.nodes, func(a, b uint32) int { return w.key(a).Compare(w.key(b)) })
	r.keys = make([]key.Key, len(r.nodes))
	for i, n := range r.nodes {
		r.keys[i] = w.key(n)
	}
	return r
}

// split returns where, within a stretch whose keys share their first bit bits,
// those with that bit set begin.
func (r *ring) split(lo, hi, bit int) int {
	return lo + sort.Search(hi-lo, func(i int) bool { return bitOf(r.keys[lo+i], bit) == 1 })
}

func bitOf(k key.Key, bit int) uint64 { return k[bit/64] >> (63 - bit%64) & 1 }

// halves splits a stretch at a bit: own shares it with k, other does not.
func (r *ring) halves(lo, hi, bit int, k key.Key) (own, other [2]int) {
	mid := r.split(lo, hi, bit)
	if bitOf(k, bit) == 0 {
		return [2]int{lo, mid}, [2]int{mid, hi}
	}
	return [2]int{mid, hi}, [2]int{lo, mid}
}

// nearest returns the k nodes nearest to target, nearest first, without skip.
func (r *ring) nearest(target key.Key, k int, skip uint32) []uint32 {
	lo, hi := 0, len(r.nodes)
	for bit := range key.Bits {
		own, _ := r.halves(lo, hi, bit, target)
		if own[1]-own[0] <= k { // one more than k, as skip may be among them
			break
		}
		lo, hi = own[0], own[1]
	}
	order := make([]int, hi-lo)
	for i := range order {
		order[i] = lo + i
	}
	slices.SortFunc(order, func(a, b int) int { return target.Closer(r.keys[a], r.keys[b]) })
	near := make([]uint32, 0, k)
	for _, i := range order {
		if r.nodes[i] != skip && len(near) < k {
			near = append(near, r.nodes[i])
		}
	}
	return near
}

package table

import (
	"math"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Len returns how many members the table has, replacements not counted.
func (t *Table) Len() int { return len(t.members.words) }

// Has reports whether a contact is a member.
func (t *Table) Has(h contact.Handle) bool { return h != 0 && t.member(h) >= 0 }

// RTT returns the round-trip time last told of a member or replacement, and
// false if none is known.
func (t *Table) RTT(h contact.Handle) (time.Duration, bool) {
	if h == 0 {
		return 0, false
	}
	var units uint16
	if i := t.member(h); i >= 0 {
		units = t.members.cells[i].rtt
	} else if i := t.spare(h); i >= 0 {
		units = t.spares.cells[i].rtt
	}
	return unpackRTT(units), units != 0
}

// BucketOf returns the index of the bucket where a contact belongs, whether or
// not it is in the table.
func (t *Table) BucketOf(h contact.Handle) int { return t.bucket(t.book.Info(h).Key[0]) }

// Bucket describes one bucket.
type Bucket struct {
	Index        int // leading bits that its contacts share with self; at least so many for the last
	Size         int
	Capacity     int
	Replacements int       // the failed ones included
	Oldest       mono.Time // when the member that was silent longest last answered; Never without members
}

// Buckets appends the buckets that have members or replacements, the farthest
// first.
func (t *Table) Buckets(dst []Bucket) []Bucket {
	for i := range params.Buckets {
		lo, hi := t.span(i)
		from, to := t.waiting(i)
		if lo == hi && from == to {
			continue
		}
		b := Bucket{Index: i, Size: hi - lo, Capacity: t.capacity(i), Replacements: to - from, Oldest: mono.Never}
		for _, c := range t.members.cells[lo:hi] {
			b.Oldest = mono.Earlier(b.Oldest, c.mark.since(t.latest))
		}
		dst = append(dst, b)
	}
	return dst
}

// Entry is what the table knows of one member.
type Entry struct {
	Bucket int
	RTT    time.Duration // 0 if unknown
	Useful mono.Time     // when it last answered, in steps of params.UsefulUnit
}

// All visits the members, the nearest to self first: for h, e := range t.All.
// The table must not change meanwhile.
func (t *Table) All(yield func(contact.Handle, Entry) bool) {
	for i, c := range t.members.cells {
		if !yield(c.handle, t.entry(i)) {
			return
		}
	}
}

// Entry returns what is known of one member, and false if it is none.
func (t *Table) Entry(h contact.Handle) (e Entry, member bool) {
	if h == 0 {
		return e, false
	}
	i := t.member(h)
	if i < 0 {
		return e, false
	}
	return t.entry(i), true
}

func (t *Table) entry(i int) Entry {
	c := t.members.cells[i]
	return Entry{Bucket: t.bucket(t.members.words[i]), RTT: unpackRTT(c.rtt), Useful: c.mark.since(t.latest)}
}

// NetworkSize estimates how many nodes the network has, from how near the K-th
// nearest member is: the nearer, the denser. It reports false with fewer than
// K members.
//
// With N identifiers drawn at random, the distance d of the K-th nearest, as a
// part of the key space, has a Beta(K, N-K+1) distribution, for which
// (K-1)/d has the mean N and a standard deviation of about N/√(K-2), 24 % for
// K = 20 (the k-th minimum value estimator: Bar-Yossef et al. 2002, Beyer et
// al. 2007). It holds for tables that know their neighbourhood, that is after
// a lookup of the node's own key; whoever misses neighbours guesses too low.
// KAD-8.8.
func (t *Table) NetworkSize() (estimate int, ok bool) {
	if t.Len() < params.K {
		return 0, false
	}
	distance := float64(t.members.words[params.K-1]^t.self[0]) / (1 << 64)
	if distance == 0 {
		return math.MaxInt, true
	}
	return int(min((params.K-1)/distance, math.MaxInt/2)), true
}

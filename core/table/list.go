package table

import (
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// list is an ordered list of contacts, 16 bytes each without a pointer. The
// first words of the keys lie together because a search reads nothing else.
type list struct {
	words  []uint64 // the first word of each contact's key
	cells  []cell   // what is known of it
	groups []contact.Group
	tagged bool // groups is kept: eight bytes more each, and only if diversity is limited
	// starts says where each bucket's stretch begins, in the order in which
	// they lie, and last where all ends: to find a bucket reads nothing else.
	starts [params.Buckets + 1]uint16
}

// All contacts that there can be are counted with 16 bits: this does not compile
// otherwise.
const _ = uint16(params.Buckets * params.MaxBucket)

// stretch returns the stretch of the r-th bucket in the list's order.
func (l *list) stretch(r int) (lo, hi int) { return int(l.starts[r]), int(l.starts[r+1]) }

// cell is what a table knows of a contact.
type cell struct {
	handle contact.Handle
	rtt    uint16 // in units of params.RTTUnit; 0 if unknown, the greatest for all beyond
	mark   mark
}

// row is one contact of a list, taken out.
type row struct {
	word  uint64
	group contact.Group
	cell
}

// keepRTT falls back on an earlier round-trip time if there is no newer one.
func (r *row) keepRTT(old uint16) {
	if r.rtt == 0 {
		r.rtt = old
	}
}

// insert puts r before the i-th contact, into the bucket that lies at rank.
func (l *list) insert(rank, i int, r row) {
	for j := rank + 1; j < len(l.starts); j++ {
		l.starts[j]++
	}
	l.words = insert(l.words, i, r.word)
	l.cells = insert(l.cells, i, r.cell)
	if l.tagged {
		l.groups = insert(l.groups, i, r.group)
	}
}

// insert grows by an eighth where append would double: most of a million
// tables stop growing early, and half of their memory would stay empty.
func insert[E any](s []E, i int, e E) []E {
	if len(s) == cap(s) {
		s = append(make([]E, 0, len(s)+max(8, len(s)/8)), s...)
	}
	return slices.Insert(s, i, e)
}

// remove takes the i-th contact, which is in the bucket at rank, out.
func (l *list) remove(rank, i int) row {
	for j := rank + 1; j < len(l.starts); j++ {
		l.starts[j]--
	}
	r := row{word: l.words[i], cell: l.cells[i], group: unlimited}
	l.words = slices.Delete(l.words, i, i+1)
	l.cells = slices.Delete(l.cells, i, i+1)
	if l.tagged {
		r.group = l.groups[i]
		l.groups = slices.Delete(l.groups, i, i+1)
	}
	return r
}

func (l *list) clone() list {
	return list{
		words: slices.Clone(l.words), cells: slices.Clone(l.cells),
		groups: slices.Clone(l.groups), tagged: l.tagged, starts: l.starts,
	}
}

// mark says how alive a contact is: when it last answered, and in the highest
// bit whether it has failed since. The moment is counted in units of
// params.UsefulUnit and wraps, see [mark.since].
type mark uint16

const (
	failedBit = mark(1) << 15
	wrap      = int64(failedBit)
)

func markAt(now mono.Time) mark {
	return mark(int64(now)/int64(params.UsefulUnit)) &^ failedBit
}

func (m mark) failed() bool { return m&failedBit != 0 }

// since returns the moment that m stands for: of all that it may stand for the
// latest that is not after now.
func (m mark) since(now mono.Time) mono.Time {
	units := int64(now) / int64(params.UsefulUnit)
	age := (units - int64(m&^failedBit)) & (wrap - 1)
	return mono.Time((units - age) * int64(params.UsefulUnit))
}

// packRTT rounds up, so that a time under one unit is not unknown.
func packRTT(d time.Duration) uint16 {
	if d <= 0 {
		return 0
	}
	return uint16(min((d-1)/params.RTTUnit+1, 1<<16-1))
}

func unpackRTT(units uint16) time.Duration { return time.Duration(units) * params.RTTUnit }

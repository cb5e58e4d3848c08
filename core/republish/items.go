package republish

import (
	"cmp"
	"slices"

	"github.com/waymark-dht/waymark/core/params"
)

// item is one key of the schedule: 32 bytes and its multihash.
type item struct {
	head   uint64 // of its place in the key space: all that a prefix can mean
	last   uint32 // the second in which it was provided last; 0 is never
	keep   bool   // it is provided again
	queued bool   // it is to be provided at once
	text   string // the multihash
}

func (i *item) compare(head uint64, text string) int {
	if c := cmp.Compare(i.head, head); c != 0 {
		return c
	}
	return cmp.Compare(i.text, text)
}

// items are all keys in the order of the key space: sorted cells, each with the
// keys of one prefix of bits. Cells are split when they have become large, so
// that an insertion moves little, however many keys there are.
type items struct {
	cells [][]item
	bits  int
	n     int
}

// headBits is how many bits of a key a head has: two of as many keys as a
// schedule may have share one once in ten million schedules.
const headBits = 64

func (s *items) cell(head uint64) int { return int(head >> (headBits - s.bits)) }

// find returns where a key is, or would be: the cell and the place in it.
func (s *items) find(head uint64, text string) (cell, at int, found bool) {
	if s.n == 0 {
		return 0, 0, false
	}
	cell = s.cell(head)
	at, found = slices.BinarySearchFunc(s.cells[cell], head, func(i item, head uint64) int { return i.compare(head, text) })
	return cell, at, found
}

// get returns the entry of a key, or nil. It is good until the next change.
func (s *items) get(head uint64, text string) *item {
	cell, at, found := s.find(head, text)
	if !found {
		return nil
	}
	return &s.cells[cell][at]
}

// put returns the entry of a key, new if there was none.
func (s *items) put(head uint64, text string) *item {
	if i := s.get(head, text); i != nil {
		return i
	}
	s.grow()
	_, at, _ := s.find(head, text)
	cell := s.cell(head)
	s.cells[cell] = slices.Insert(s.cells[cell], at, item{head: head, text: text})
	s.n++
	return &s.cells[cell][at]
}

// remove forgets a key, and reports whether it was there.
func (s *items) remove(head uint64, text string) bool {
	cell, at, found := s.find(head, text)
	if found {
		s.cells[cell] = slices.Delete(s.cells[cell], at, at+1)
		s.n--
	}
	return found
}

// grow makes twice as many cells if those that there are have become large.
func (s *items) grow() {
	if s.cells == nil {
		s.cells = make([][]item, 1)
	}
	for s.n >= params.ScheduleCell<<s.bits {
		s.bits++
		cells := make([][]item, 0, 1<<s.bits)
		for n, old := range s.cells {
			middle := uint64(2*n+1) << (headBits - s.bits)
			at, _ := slices.BinarySearchFunc(old, middle, func(i item, head uint64) int { return cmp.Compare(i.head, head) })
			cells = append(cells, slices.Clone(old[:at]), slices.Clone(old[at:]))
		}
		s.cells = cells
	}
}

// each visits the keys whose heads are from lo to hi, in order, until visit
// returns false. Visit may change an entry, and neither add nor remove one.
func (s *items) each(lo, hi uint64, visit func(*item) bool) {
	if s.n == 0 {
		return
	}
	for cell := s.cell(lo); cell <= s.cell(hi); cell++ {
		list := s.cells[cell]
		at, _ := slices.BinarySearchFunc(list, lo, func(i item, head uint64) int { return cmp.Compare(i.head, head) })
		for ; at < len(list) && list[at].head <= hi; at++ {
			if !visit(&list[at]) {
				return
			}
		}
	}
}

// removeIf forgets the keys for which gone returns true.
func (s *items) removeIf(gone func(*item) bool) {
	for n, list := range s.cells {
		was := len(list)
		s.cells[n] = slices.DeleteFunc(list, func(i item) bool { return gone(&i) })
		s.n -= was - len(s.cells[n])
	}
}

package contact

import "slices"

// Set is a set of handles of one Book: four bytes for each place and no
// pointer, so that a search touches one cache line. The zero value is empty.
type Set struct {
	slots []Handle // a power of two of them, zero where there is nobody; at most three in four are taken
	n     int
}

const minSet = 16 // slots of a set that holds anybody

// Len returns how many handles the set holds.
func (s *Set) Len() int { return s.n }

// home is where a handle is looked for first: handles count up, so they are
// spread by a multiplication (Knuth's golden ratio).
func (s *Set) home(h Handle) int { return int(uint32(h) * 2654435769 >> 8 & uint32(len(s.slots)-1)) }

// place returns where h is, or the free place where it would be.
func (s *Set) place(h Handle) int {
	i := s.home(h)
	for s.slots[i] != 0 && s.slots[i] != h {
		i = (i + 1) & (len(s.slots) - 1)
	}
	return i
}

// Has reports whether h is in the set. The zero Handle never is.
func (s *Set) Has(h Handle) bool { return s.n > 0 && h != 0 && s.slots[s.place(h)] == h }

// Add puts h into the set and reports whether it was not there. The zero
// Handle, which names nobody, is not taken.
func (s *Set) Add(h Handle) bool {
	if h == 0 {
		return false
	}
	if 4*(s.n+1) > 3*len(s.slots) {
		s.grow()
	}
	i := s.place(h)
	if s.slots[i] == h {
		return false
	}
	s.slots[i] = h
	s.n++
	return true
}

func (s *Set) grow() {
	old := s.slots
	s.slots = make([]Handle, max(minSet, 2*len(old)))
	for _, h := range old {
		if h != 0 {
			s.slots[s.place(h)] = h
		}
	}
}

// Remove takes h out and reports whether it was there. Who stood behind it
// moves up, so that no search ends at a gap.
func (s *Set) Remove(h Handle) bool {
	if !s.Has(h) {
		return false
	}
	gap, mask := s.place(h), len(s.slots)-1
	for i := (gap + 1) & mask; s.slots[i] != 0; i = (i + 1) & mask {
		if (i-s.home(s.slots[i]))&mask >= (i-gap)&mask {
			s.slots[gap], gap = s.slots[i], i
		}
	}
	s.slots[gap] = 0
	s.n--
	return true
}

// Clear empties the set, calling each for whom it held, in no order that
// means anything.
func (s *Set) Clear(each func(Handle)) {
	for _, h := range s.slots {
		if h != 0 {
			each(h)
		}
	}
	*s = Set{}
}

// Clone returns an independent copy.
func (s *Set) Clone() Set { return Set{slots: slices.Clone(s.slots), n: s.n} }

// Touch reads where a handle would be, and changes nothing, so that the
// processor has it when it is asked for. What it returns means nothing.
func (s *Set) Touch(h Handle) Handle {
	if s.n == 0 {
		return 0
	}
	return s.slots[s.home(h)]
}

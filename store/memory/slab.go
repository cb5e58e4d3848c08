package memory

// slab keeps values of one size in chunks, so that growing copies nothing and
// a reference to one is 32 bits without a pointer. Reference zero is nobody.
type slab[T any] struct {
	chunks []*[chunk]T
	free   []uint32
	used   uint32 // references below it were given out at least once
}

// chunk is how many values are taken from the heap at a time.
const chunk = 1 << 10

// at returns what a reference names.
func (s *slab[T]) at(ref uint32) *T { return &s.chunks[ref/chunk][ref%chunk] }

// take returns the reference of a place; it holds the zero value.
func (s *slab[T]) take() uint32 {
	if n := len(s.free); n > 0 {
		ref := s.free[n-1]
		s.free = s.free[:n-1]
		return ref
	}
	s.used = max(s.used, 1)
	if int(s.used) >= len(s.chunks)*chunk {
		s.chunks = append(s.chunks, new([chunk]T))
	}
	s.used++
	return s.used - 1
}

// give takes a place back and empties it.
func (s *slab[T]) give(ref uint32) {
	var none T
	*s.at(ref) = none
	s.free = append(s.free, ref)
}

// len returns how many places are taken.
func (s *slab[T]) len() int { return int(max(s.used, 1)) - 1 - len(s.free) }

// span returns where a walk over some places from one on ends, and where the
// next walk begins: zero when it was the last.
func (s *slab[T]) span(from uint32) (end, next uint32) {
	if end = from + step; end >= s.used {
		return s.used, 0
	}
	return end, end
}

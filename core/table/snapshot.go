package table

import (
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
)

// Snapshot is the members of a table at one moment. It never changes, so any
// goroutine may read it: the server answers from one.
type Snapshot struct {
	words []uint64
	infos []*contact.Info // in the order of words
}

// Snapshot returns the members as they are now.
func (t *Table) Snapshot() *Snapshot {
	s := &Snapshot{words: slices.Clone(t.members.words), infos: make([]*contact.Info, t.Len())}
	for i, c := range t.members.cells {
		s.infos[i] = t.book.Info(c.handle)
	}
	return s
}

// Len returns how many contacts there are.
func (s *Snapshot) Len() int { return len(s.infos) }

// Nearest appends to dst the n contacts that are nearest to target, nearest
// first. It allocates only if dst is too small.
func (s *Snapshot) Nearest(dst []*contact.Info, target key.Key, n int) []*contact.Info {
	w := startWalk(s.words, target[0])
	for end := len(dst) + n; len(dst) < end; {
		lo, hi := w.next()
		if lo == hi {
			break
		}
		from := len(dst)
		dst = append(dst, s.infos[lo:hi]...)
		if hi-lo > 1 {
			tied := dst[from:]
			sortTied(len(tied), func(i, j int) bool {
				return target.Closer(tied[i].Key, tied[j].Key) < 0
			}, func(i, j int) { tied[i], tied[j] = tied[j], tied[i] })
			dst = dst[:min(len(dst), end)]
		}
	}
	return dst
}

// Find returns the contact with the given ID, or nil.
func (s *Snapshot) Find(id contact.ID) *contact.Info {
	target := key.OfString(string(id))
	w := startWalk(s.words, target[0])
	lo, hi := w.next()
	for ; lo < hi && s.words[lo] == target[0]; lo++ {
		if s.infos[lo].ID == id {
			return s.infos[lo]
		}
	}
	return nil
}

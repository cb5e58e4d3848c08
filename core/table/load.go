package table

import (
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// Load fills an empty table that limits no diversity with contacts that are
// known to be alive, without a look at each: for a simulator, which has a
// million tables to fill. words are the first words of their keys, and the
// contacts are in order: the nearest to the node first, no more of them in a
// bucket than it holds, the node itself not among them. It panics if the table
// is not empty, limits diversity, or the contacts are out of order: one that
// was loaded so would answer wrongly for ever.
func (t *Table) Load(handles []contact.Handle, words []uint64, now mono.Time) {
	if t.Len() > 0 || len(t.spares.words) > 0 || t.members.tagged || len(handles) != len(words) {
		panic("table: only an empty table without limits can be loaded")
	}
	t.latest = max(t.latest, now)
	l := &t.members
	l.words, l.cells = slices.Clone(words), make([]cell, len(handles))
	for i, h := range handles {
		if i > 0 && words[i-1]^t.self[0] > words[i]^t.self[0] {
			panic("table: loaded out of order")
		}
		l.cells[i] = cell{handle: h, mark: markAt(now)}
		l.starts[last-t.bucket(words[i])+1]++
		t.book.Hold(h)
	}
	for r := range l.starts[1:] {
		l.starts[r+1] += l.starts[r]
	}
}

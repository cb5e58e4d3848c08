package table

import "github.com/waymark-dht/waymark/core/key"

// touchEvery is how many words of a list lie in one line of the cache, and so
// do as many cells.
const touchEvery = 8

// Touch reads what Nearest will read for a target, and changes nothing, so that
// the processor has it by then: for the owner of so many tables that none is in
// the cache. What it returns means nothing; it is there so that the compiler
// does not leave the reads out.
func (t *Table) Touch(target key.Key) (sum uint64) {
	lo, hi := t.span(t.bucket(target[0]))
	for i := lo; i < hi; i += touchEvery {
		sum += t.members.words[i] + uint64(t.members.cells[i].handle)
	}
	return sum
}

package sim

// leavers is how many of a hundred members leave at once in a mass event.
const leavers = 30

// MassLeave lets 30 % of a settled town leave at the same moment; the others
// look things up from that moment on.
func MassLeave(opt Options) (Result, error) {
	t := newTown("mass-leave", opt)
	if err := t.inhabit(); err != nil {
		return t.end(err)
	}
	t.mark("30 % leave")
	for _, n := range t.some(leavers) {
		t.w.stop(n, t.w.death())
	}
	return t.end(t.lookups())
}

package engine

import (
	"iter"
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/table"
)

// lost is a contact that left the table for a failure while nobody answered: it
// may yet turn out that the outage is our own. KAD-4.3.
type lost struct {
	peer contact.Handle // held
	was  table.Entry
}

// lose notes one. There are no more of them in a row than make an outage, unless
// they come so slowly that they are none: then the earlier are forgotten.
func (e *Engine) lose(h contact.Handle, was table.Entry) {
	e.book.Hold(h)
	e.lost = append(e.lost, lost{h, was})
	if len(e.lost) > params.OutageFailures {
		e.book.Drop(e.lost[0].peer)
		e.lost = e.lost[1:]
	}
}

// unlose forgets one: it is not to come back.
func (e *Engine) unlose(h contact.Handle) {
	if i := slices.IndexFunc(e.lost, func(l lost) bool { return l.peer == h }); i >= 0 {
		e.book.Drop(h)
		e.lost = slices.Delete(e.lost, i, i+1)
	}
}

// forgetLost lets them go: somebody has answered, and they had not.
func (e *Engine) forgetLost() {
	for _, l := range e.lost {
		e.book.Drop(l.peer)
	}
	e.lost = e.lost[:0]
}

// pardon gives them their places back, and holds nothing against them: it was
// our own outage. Nobody has answered since, so that nobody has their places.
func (e *Engine) pardon() {
	for _, l := range e.lost {
		e.memory.Answered(e.book.Info(l.peer))
		if e.welcome(l.peer) && e.tab.Restore(l.peer, l.was) {
			e.tableChanged(l.peer, true, "our own outage")
			e.remembered.remove(l.peer, e.book) // or it would be asked twice in each try
		}
	}
	e.forgetLost()
}

// groupsBeside visits the IP groups of all contacts of the table but one.
func (e *Engine) groupsBeside(h contact.Handle) iter.Seq[contact.Group] {
	return func(yield func(contact.Group) bool) {
		for other := range e.tab.All {
			if other != h && !yield(e.book.Info(other).Group()) {
				return
			}
		}
	}
}

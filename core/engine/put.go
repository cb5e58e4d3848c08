package engine

import (
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// putting is what an operation sends out once it knows to whom.
type putting struct {
	ask    Ask
	record *record.Record
	enough int
}

// startPut opens a put: a walk to the key, or a storing at once if the peers
// are given.
func (e *Engine) startPut(ev StartPut) {
	o := e.newOp(ev.Op, KindPut, ev.Record.Key, ev.Deadline, ev.Paths)
	r := ev.Record
	o.put = &putting{ask: AskStore, record: &r, enough: max(0, ev.Enough)}
	if e.enqueue(o) && len(ev.To) > 0 {
		e.load(o, o.put.to(o, e.handles(ev.To)))
	}
}

// startProvide opens a provide.
func (e *Engine) startProvide(ev StartProvide) {
	o := e.newOp(ev.Op, KindProvide, ev.Key, ev.Deadline, ev.Paths)
	o.put = &putting{ask: AskAnnounce, enough: max(0, ev.Enough)}
	if !e.enqueue(o) || len(ev.To) == 0 {
		return
	}
	s := o.put.to(o, e.handles(ev.To))
	if len(ev.Each) == len(ev.To) {
		s.each = make(map[contact.Handle][][]byte, len(s.todo))
		for i, to := range ev.To {
			s.each[e.book.Find(to.ID)] = ev.Each[i]
		}
	}
	if len(ev.More) > 0 {
		s.more = make(map[contact.Handle][][]byte, len(s.todo))
		for _, h := range s.todo {
			s.more[h] = ev.More
		}
	}
	e.load(o, s)
}

// to is the second half of a put or provide, to these peers.
func (p *putting) to(o *op, peers []contact.Handle) *storing {
	return &storing{ask: p.ask, key: o.preimage, record: p.record, enough: p.enough, todo: peers}
}

// handles enters peers into the book, each once, and not ourselves.
func (e *Engine) handles(infos []*contact.Info) []contact.Handle {
	seen := make(map[contact.Handle]bool, len(infos))
	hs := make([]contact.Handle, 0, len(infos))
	for _, n := range e.intern(infos) {
		if !seen[n.Handle] {
			seen[n.Handle] = true
			hs = append(hs, n.Handle)
		}
	}
	return hs
}

// load gives an operation that has no place yet what it is to send. It holds
// the peers until each was asked.
func (e *Engine) load(o *op, s *storing) {
	for _, h := range s.todo {
		e.book.Hold(h)
	}
	o.store = s
}

// walkBound is when an operation's walk has to end, so that what is to be
// stored afterwards has its time: what its bound says of the storing, but no
// more than half of what there is.
func (e *Engine) walkBound(o *op) mono.Time {
	if o.put == nil {
		return o.bound
	}
	left := o.bound.Sub(e.now.Mono)
	return o.bound.Add(-min(lookup.StoreTime(e.cfg.Lookup, params.MinShare, params.HardSlow), max(0, left)/time.Duration(2)))
}

// putWalked begins the second half of a put or provide.
func (e *Engine) putWalked(o *op, r Result, closest []contact.Handle) {
	o.closest = r.Closest
	if o.eclipse {
		closest = e.region(o.target, closest)
	}
	e.load(o, o.put.to(o, closest))
	e.driveStore(o)
}

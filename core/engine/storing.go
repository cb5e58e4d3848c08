package engine

import (
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// storing is the second half of a put or provide: one request to each of some
// peers, so many at a time, each with a deadline. It needs no order and knows
// no retry: who did not take a record is counted, with the reason.
type storing struct {
	ask    Ask
	key    []byte
	record *record.Record
	more   map[contact.Handle][][]byte // AskAnnounce: each peer's further keys; nil if all get the same
	each   map[contact.Handle][][]byte // AskAnnounce: each peer's keys, instead of key and more; or nil
	todo   []contact.Handle            // held
	flying []delivery
	enough int // acknowledgements that end the operation; 0: all
	stored []*contact.Info
	failed []NotStored
}

// delivery is one request of a storing under way.
type delivery struct {
	attempt AttemptID
	hard    mono.Time
	cut     bool // the operation's end comes first: to run into it blames nobody
}

func (s *storing) clone() *storing {
	c := *s
	c.todo, c.flying = slices.Clone(s.todo), slices.Clone(s.flying)
	c.stored, c.failed = slices.Clone(s.stored), slices.Clone(s.failed)
	return &c
}

// over reports whether nothing is left to do or to wait for.
func (s *storing) over() bool { return len(s.todo) == 0 && len(s.flying) == 0 }

// land takes a delivery off the list.
func (s *storing) land(id AttemptID) {
	s.flying = slices.DeleteFunc(s.flying, func(d delivery) bool { return d.attempt == id })
}

// wake returns the earliest deadline of a request under way.
func (s *storing) wake() mono.Time {
	wake := mono.Never
	for _, d := range s.flying {
		wake = mono.Earlier(wake, d.hard)
	}
	return wake
}

// driveStore expires, issues and concludes, in this order. KAD-13.3.
func (e *Engine) driveStore(o *op) {
	for _, d := range slices.Clone(o.store.flying) {
		if d.hard.Due(e.now.Mono) {
			a, _ := e.attempts.find(d.attempt)
			e.storeFailed(o, d.attempt, a.peer, contact.Silent, "no answer in time")
			e.dropped(d.attempt, !d.cut)
		}
	}
	if o.bound.Due(e.now.Mono) {
		e.storeEnded(o, PartialDeadline)
		return
	}
	o.granted = e.grant(o, e.share())
	for len(o.store.todo) > 0 && len(o.store.flying) < min(e.cfg.Lookup.AlphaLast, o.granted) {
		e.deliver(o)
	}
	if e.concludeStore(o) {
		return
	}
	e.commit(o, len(o.store.flying))
	o.wake = mono.Earlier(o.store.wake(), o.bound)
}

// deliver sends the record to the next peer.
func (e *Engine) deliver(o *op) {
	s := o.store
	h := s.todo[0]
	s.todo = s.todo[1:]
	_, hard := (*env)(e).Patience(h)
	key, more := s.key, s.more[h]
	keys := s.each[h]
	if len(keys) > 0 {
		key, more = keys[0], keys[1:]
	}
	if len(keys)+len(more) > 0 {
		// Twenty peers are told some ten KiB each at a time: our own link may
		// be what takes long.
		hard = max(hard, params.HardSlow)
	}
	deadline := e.now.Mono.Add(hard)
	cut := o.bound.Before(deadline)
	deadline = mono.Earlier(deadline, o.bound)
	id := e.dispatch(attempt{op: o, peer: h, store: true, cut: cutAt(o.bound, cut)})
	e.book.Drop(h) // the attempt holds it now
	s.flying = append(s.flying, delivery{id, deadline, cut})
	o.stats.Requests++
	info := e.book.Info(h)
	e.send(Send{
		Attempt: id, To: info, Ask: s.ask, Key: key, Record: s.record, More: more, Deadline: e.lead(deadline),
	})
	if !e.cfg.Terse {
		e.facts = append(e.facts, RequestSent{
			At: e.now.Mono, Op: o.id, Attempt: id, Ask: s.ask, Peer: info, Depth: 1, Deadline: deadline,
		})
	}
}

// storeAnswered counts an acknowledgement. What follows waits until all outcomes
// of the step are told.
func (e *Engine) storeAnswered(o *op, id AttemptID, a attempt) {
	o.store.land(id)
	o.stats.Successes++
	o.store.stored = append(o.store.stored, e.book.Info(a.peer))
	e.stir(o)
}

// storeFailed counts a refusal or a silence. The caller drives the storing on.
func (e *Engine) storeFailed(o *op, id AttemptID, peer contact.Handle, how contact.Failure, detail string) {
	o.store.land(id)
	o.stats.Failures[how]++
	o.store.failed = append(o.store.failed, NotStored{Peer: e.book.Info(peer), Failure: how, Detail: detail})
}

// concludeStore ends an operation that has what it wants, or nothing left to
// do, and reports whether it did. KAD-13.4.
func (e *Engine) concludeStore(o *op) bool {
	s := o.store
	switch {
	case s.over():
		e.storeEnded(o, storeOutcome(s))
	case e.early(s):
		e.detach(o)
	default:
		return false
	}
	return true
}

func storeOutcome(s *storing) Outcome {
	if len(s.stored) > 0 {
		return Stored
	}
	return Unstored
}

// detach ends an operation whose record is on enough peers; what is left of it
// goes on as an operation of its own, in its places and to its bound.
func (e *Engine) detach(o *op) {
	rest := &op{id: e.child(), parent: o.id, kind: KindStore, target: o.target, bound: o.bound, detached: true}
	s := *o.store
	s.enough, s.stored, s.failed = 0, nil, nil
	rest.store, rest.stats.Requests = &s, len(s.flying)
	for _, d := range s.flying {
		e.attempts[e.attempts.at(d.attempt)].op = rest
	}
	o.pending = len(o.store.todo) + len(o.store.flying)
	o.store.todo, o.store.flying = nil, nil
	e.storeEnded(o, Stored)
	if e.open(rest) {
		e.driveStore(rest)
	}
}

// storeEnded closes an operation in its second half.
func (e *Engine) storeEnded(o *op, why Outcome) {
	s := o.store
	if why == PartialDeadline && len(s.stored) > 0 {
		why = Stored
	}
	for _, h := range s.todo {
		s.failed = append(s.failed, NotStored{Peer: e.book.Info(h), Failure: contact.NotSent, Detail: "not asked before the end"})
		e.book.Drop(h)
	}
	for _, d := range s.flying {
		a, _ := e.attempts.find(d.attempt)
		o.stats.Failures[contact.Cancelled]++
		s.failed = append(s.failed, NotStored{
			Peer: e.book.Info(a.peer), Failure: contact.Cancelled, Detail: "still under way at the end",
		})
	}
	s.todo = nil
	e.dropAttempts(o)
	e.close(o, Result{
		Outcome: why, Closest: o.closest, Stats: o.stats, Stored: s.stored, Unstored: s.failed,
		Pending: o.pending, Eclipse: o.eclipse, Outage: len(s.failed) > 0 && e.memory.Outage(),
	})
}

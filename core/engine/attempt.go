package engine

import (
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// sort says what sort of outcome an attempt has: one of another sort is none.
type sort uint8

const (
	reply  sort = iota // Answered or Failed, of a Send
	naming             // Resolved
	choice             // Chosen
)

// attempt is one effect under way and whose it is.
type attempt struct {
	id    AttemptID
	sort  sort
	op    *op // open; nil for an admission probe
	local uint32
	peer  contact.Handle // held; zero for a name
	sent  mono.Time
	warm  bool
	store bool  // it brings a record: to refuse that is no failure of the peer
	apart bool  // the peer is hearsay: no failure of it is held against anybody
	rtt   int64 // the peer's round-trip time as it was known, nanoseconds; 0 unknown
	// cut is when what it is for ends, if that leaves it less time than the peer
	// deserves: to run out of it blames nobody. Else zero.
	cut mono.Time
}

// cutAt is the deadline of an attempt if that is not its own, else zero.
func cutAt(deadline mono.Time, cut bool) mono.Time {
	if cut {
		return deadline
	}
	return 0
}

// dispatch records an attempt and returns its name.
func (e *Engine) dispatch(a attempt) AttemptID {
	e.last++
	a.id, a.sent = e.last, e.now.Mono
	if a.peer != 0 {
		e.book.Hold(a.peer)
		rtt, _ := e.tab.RTT(a.peer)
		a.warm, a.rtt = e.warm(a.peer), int64(rtt)
	}
	e.attempts = append(e.attempts, a)
	return e.last
}

// awaits reports whether an attempt is under way that can have such an outcome.
// KAD-2.6.
func (e *Engine) awaits(id AttemptID, s sort) bool {
	a, ok := e.attempts.find(id)
	return ok && a.sort == s
}

// settle takes an attempt off the books. It reports false for an outcome that
// nobody waits for: late, duplicate, invented. The caller drops the hold.
func (e *Engine) settle(id AttemptID) (attempt, bool) {
	a, ok := e.attempts.take(id)
	if o := a.op; o != nil {
		o.dog.Moved(e.now.Mono)
		if o.up != nil {
			o.up.dog.Moved(e.now.Mono)
		}
	}
	return a, ok
}

// release ends the hold of a settled attempt.
func (e *Engine) release(a attempt) {
	if a.peer != 0 {
		e.book.Drop(a.peer)
	}
}

// find returns the attempt of an operation by its local name. Operations have
// some tens of attempts at most.
func (e *Engine) find(o *op, local uint32) (AttemptID, bool) {
	for i := range e.attempts {
		if a := &e.attempts[i]; a.op == o && a.local == local {
			return a.id, true
		}
	}
	return 0, false
}

// dropAttempts withdraws whatever an operation has under way.
func (e *Engine) dropAttempts(o *op) {
	for _, id := range e.attemptsOf(o) {
		e.withdraw(id, contact.Cancelled)
	}
}

// attemptsOf returns an operation's attempts in the order in which they were made.
func (e *Engine) attemptsOf(o *op) (ids []AttemptID) {
	for i := range e.attempts {
		if a := &e.attempts[i]; a.op == o {
			ids = append(ids, a.id)
		}
	}
	return ids
}

// withdraw aborts an attempt and says that it ended.
func (e *Engine) withdraw(id AttemptID, why contact.Failure) {
	a, ok := e.settle(id)
	if !ok {
		return
	}
	e.effects = append(e.effects, Abort{Attempt: id})
	e.tell(id, a, why, "", nil, 0)
	e.release(a)
}

// tell states the fact that a request ended. Of closer so many were new.
func (e *Engine) tell(id AttemptID, a attempt, how contact.Failure, detail string, closer []*contact.Info, fresh int) {
	if e.cfg.Terse || a.peer == 0 || a.op == nil {
		return
	}
	e.facts = append(e.facts, RequestEnded{
		At: e.now.Mono, Op: a.op.id, Attempt: id, Peer: e.book.Info(a.peer), Failure: how,
		Detail: detail, Took: e.now.Mono.Sub(a.sent), Named: len(closer), Closer: closer, Fresh: fresh,
	})
}

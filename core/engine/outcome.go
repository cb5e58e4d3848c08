package engine

import (
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/table"
)

// answered takes the answer to a request: the node learns that the peer lives
// and how fast it is; the operation that asked learns the names it gave.
func (e *Engine) answered(ev *Answered) {
	if !e.awaits(ev.Attempt, reply) {
		return
	}
	a, _ := e.settle(ev.Attempt)
	defer e.release(a)
	e.lives(a, ev)
	o := a.op
	if o == nil {
		return // an admission probe: that it answered is all
	}
	if o.store != nil {
		e.tell(ev.Attempt, a, contact.None, "", ev.Closer, 0)
		e.storeAnswered(o, ev.Attempt, a)
		return
	}
	named := e.intern(ev.Closer[:min(len(ev.Closer), params.MaxPeersRead)])
	switch {
	case o.walk != nil:
		e.gather(o, a.peer, ev)
		if o.kind == KindFindPeer && e.book.Info(a.peer).Key == o.target {
			o.found = e.book.Info(a.peer)
		}
		fresh := e.tellWalk(o, lookup.Event{What: lookup.Answered, Attempt: lookup.Attempt(a.local), Named: named})
		e.tell(ev.Attempt, a, contact.None, ev.Refused, ev.Closer, fresh)
	case o.plan != nil:
		o.stats.Requests++
		o.stats.Successes++
		e.tell(ev.Attempt, a, contact.None, "", ev.Closer, 0)
		e.seedTold(o, named)
		e.tellPlan(o, boot.Event{What: boot.Answered, Attempt: boot.Attempt(a.local)})
	default:
		o.stats.Successes++
		e.tell(ev.Attempt, a, contact.None, "", ev.Closer, 0)
		e.close(o, Result{
			Outcome: Found, Found: e.book.Info(a.peer), Stats: o.stats,
			Closest: ev.Closer, Value: ev.Record, Named: ev.Providers,
		})
	}
}

// tellWalk applies an outcome to a lookup, and returns how many of the named it
// did not know. What follows from it waits until all outcomes of the step are.
func (e *Engine) tellWalk(o *op, ev lookup.Event) (fresh int) {
	known := o.walk.Known()
	o.walk.Tell(e.now.Mono, ev)
	e.holdNew(o, known)
	e.stir(o)
	return o.walk.Known() - known
}

// tellPlan applies an outcome to a plan, likewise.
func (e *Engine) tellPlan(o *op, ev boot.Event) {
	o.plan.Tell(e.now.Mono, ev, (*env)(e))
	e.stir(o)
}

// stir has an operation ticked in this step, after all that is told in it.
func (e *Engine) stir(o *op) { o.wake = e.now.Mono }

// gather takes what an answer holds beside names.
func (e *Engine) gather(o *op, from contact.Handle, ev *Answered) {
	if o.get != nil && ev.Record != nil {
		e.heardValue(o, from, ev.Record)
	}
	if o.find != nil {
		e.heardProviders(o, from, ev.Providers)
	}
}

// satisfied reports whether an operation has found what it looks for, so that
// its walk need not go on.
func (o *op) satisfied() bool {
	return o.found != nil || o.find != nil && o.find.enough() ||
		o.get != nil && o.get.met && o.get.choosing == 0
}

// intern enters the peers of an answer into the book. What it returns holds
// until the next answer.
func (e *Engine) intern(infos []*contact.Info) []lookup.Named {
	named := e.heard[:0]
	for _, info := range infos {
		if info.Key == e.self.Key {
			continue
		}
		h, fresh := e.book.Intern(info)
		named = append(named, lookup.Named{Handle: h, Key: info.Key, Fresh: fresh > 0})
	}
	e.heard = named
	return named
}

// lives records that a peer answered: its addresses, its speed, and that it
// may be in the table.
func (e *Engine) lives(a attempt, ev *Answered) {
	now := e.now.Mono
	e.verified(a.peer, ev.From)
	info := e.book.Info(a.peer)
	took := now.Sub(a.sent)
	e.patience.Sample(a.warm, time.Duration(a.rtt), took)
	e.hasten(false)
	e.hasten(true)
	e.memory.Answer(now)
	e.memory.Answered(info)
	e.forgetLost()
	if e.seeds.has(a.peer) {
		e.greeted = greeting{a.peer, now}
		e.super.Reached(now)
	}
	rtt := time.Duration(0)
	if a.warm { // a cold attempt's time is mostly the dial
		rtt = took
	}
	if !ev.Unwanted {
		e.offer(a.peer, rtt, "answered")
	}
}

// verified takes the addresses of a peer that are known at first hand, in place
// of hearsay and of where it was before. Those of a contact of the table are
// what others are told, so that there is another table to publish.
func (e *Engine) verified(h contact.Handle, info *contact.Info) {
	if info == nil || len(info.Addrs) == 0 {
		return
	}
	known := e.book.Info(h).FirstHand()
	if info.ID != known.ID {
		return
	}
	if same := slices.Equal(info.Addrs, known.Addrs); !same || !known.Sure() {
		e.book.Verify(h, info)
		e.changed = e.changed || !same && e.tab.Has(h)
	}
}

// offer puts a contact that has proved to live into the table, if it has room.
func (e *Engine) offer(h contact.Handle, rtt time.Duration, why string) {
	if !e.welcome(h) {
		return
	}
	v := e.tab.Offer(h, e.now.Mono, rtt)
	if v.Left != 0 {
		e.tableChanged(v.Left, false, "replaced")
	}
	if v.Kind == table.Added {
		e.tableChanged(h, true, why)
	}
}

// tableChanged states that somebody entered or left the table.
func (e *Engine) tableChanged(h contact.Handle, added bool, why string) {
	e.changed = true
	if e.cfg.Terse {
		return
	}
	e.facts = append(e.facts, TableChanged{
		At: e.now.Mono, Peer: e.book.Info(h), Bucket: e.tab.BucketOf(h), Added: added, Reason: why, Size: e.tab.Len(),
	})
}

// failed takes the other outcome of a request.
func (e *Engine) failed(ev Failed) {
	if !e.awaits(ev.Attempt, reply) {
		return
	}
	if a, _ := e.attempts.find(ev.Attempt); a.cut != 0 && ev.Failure.RanOut() && a.cut.Sub(e.now.Mono) <= params.DriverLead {
		return // our own deadline, and not the peer's, comes in a moment, and is what ends it
	}
	a, _ := e.settle(ev.Attempt)
	defer e.release(a)
	if ev.Failure.Blames() && !a.apart && !(a.store && ev.Failure.Refuses()) {
		e.blame(a)
	}
	e.tell(ev.Attempt, a, ev.Failure, ev.Detail, nil, 0)
	o := a.op
	if o == nil {
		return
	}
	if ev.Failure.Blames() && ev.Detail != "" {
		o.reason = ev.Detail
	}
	switch {
	case o.store != nil:
		e.storeFailed(o, ev.Attempt, a.peer, ev.Failure, ev.Detail)
		e.stir(o)
	case o.walk != nil:
		if o.kind == KindFindPeer && ev.Failure == contact.NoProtocol && e.book.Info(a.peer).Key == o.target {
			o.found = e.book.Info(a.peer) // it is there; it only does not serve this DHT
		}
		e.tellWalk(o, lookup.Event{What: lookup.Failed, Attempt: lookup.Attempt(a.local), Failure: ev.Failure})
	case o.plan != nil:
		o.stats.Requests++
		o.stats.Failures[ev.Failure]++
		e.tellPlan(o, boot.Event{
			What: boot.Failed, Attempt: boot.Attempt(a.local), Failure: ev.Failure, Reason: ev.Detail,
		})
	default:
		o.stats.Failures[ev.Failure]++
		e.close(o, Result{Outcome: NotFound, Stats: o.stats})
	}
}

// blame holds a failure against a peer: it is asked last for a while, and
// leaves the table. Not while everybody fails: that is our own outage.
func (e *Engine) blame(a attempt) {
	info, now := e.book.Info(a.peer), e.now.Mono
	was, member := e.tab.Entry(a.peer)
	if !e.memory.Failure(info, a.sent, now, lookup.Loss{Member: member, Others: e.groupsBeside(a.peer)}) {
		e.pardon()
		return
	}
	e.memory.Failed(info, now)
	e.book.Doubt(a.peer)
	left, probe := e.tab.Fail(a.peer, now)
	if left {
		e.remembered.add(a.peer, e.book, params.MaxRemembered)
		e.tableChanged(a.peer, false, "failed")
		if e.memory.Silent(a.sent) {
			e.lose(a.peer, was)
		}
		e.recheck(a.peer)
	}
	if probe != 0 {
		e.wantSoon(probe)
	}
	if e.seeds.has(a.peer) {
		e.seedFailed(a.peer)
	}
}

// resolved takes the outcome of a DNS lookup.
func (e *Engine) resolved(ev Resolved) {
	if !e.awaits(ev.Attempt, naming) {
		return
	}
	a, _ := e.settle(ev.Attempt)
	o := a.op
	if ev.Err != "" {
		e.seedFailed(0)
		if o != nil {
			e.tellPlan(o, boot.Event{
				What: boot.Failed, Attempt: boot.Attempt(a.local), Failure: contact.NoAddress, Reason: ev.Err,
			})
		}
		return
	}
	hs := e.standFor(ev.Seeds)
	e.resolvedTo(hs)
	if o == nil { // nobody asked but the supervisor
		for _, h := range hs {
			e.wantSoon(h)
		}
		return
	}
	e.keep(o, hs...)
	e.tellPlan(o, boot.Event{What: boot.Resolved, Attempt: boot.Attempt(a.local), Peers: hs})
}

// suspended ends every attempt after a sleep: the connections are gone, the
// peers are not to blame, and what is asked next is asked cold.
func (e *Engine) suspended() {
	for _, o := range append([]*op(nil), e.ops...) {
		for _, id := range e.attemptsOf(o) {
			if e.awaits(id, reply) {
				e.effects = append(e.effects, Abort{Attempt: id})
				e.failed(Failed{Attempt: id, Failure: contact.Suspended, Detail: "the machine slept"})
			}
		}
	}
	e.dropProbes()
}

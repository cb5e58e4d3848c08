package engine

import (
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// op is one operation. At most one of walk, store and plan drives it; none of
// them a ping, an operation that waits for a place, and a get whose walk is
// over and whose last values are still being compared.
type op struct {
	id, parent OpID
	up         *op          // the bootstrap that it is a step of, and that wants to hear of it
	step       boot.Attempt // of the parent's plan
	kind       Kind
	preimage   []byte
	target     key.Key
	started    mono.Time
	bound      mono.Time // it ends by then
	wake       mono.Time // when it wants a tick
	paths      int
	queued     bool
	closed     bool // it has ended
	used       int  // places that it is counted with in committed
	granted    int  // places that it was granted when it last asked

	walk  *lookup.Lookup
	plan  *boot.Planner
	store *storing // what a put or provide does with what its walk found
	get   *getting
	find  *finding
	put   *putting
	ask   Ask             // what the walk asks for
	want  int             // peers in its result; 0: k
	near  []*contact.Info // whom alone its walk asks; nil is the table, and whoever is named
	ping  *StartPing      // whom it asks once; not to be changed
	// fellBack says that it was to be one hop, and too few answered.
	fellBack bool
	// told are whom the first seed that answered named: a bootstrap's, and of its
	// walk to the node itself, which begins with them. Both keep them.
	told    []contact.Handle
	closest []*contact.Info // what the walk found, once it is over
	eclipse bool            // those closest to the target are nearer than chance explains
	pending int             // peers whose word nobody waits for
	// detached says that it is the rest of an operation that has ended, and
	// has its places already.
	detached bool
	stopped  bool // by its owner, or with the node
	lingers  bool // its plan has been told that its walk does

	joined  []joiner         // those who wait for this bootstrap's report
	kept    []contact.Handle // whom it will ask for by their handles, held until it has ended
	steps   int              // of the plan, already told
	reason  string           // the last failure's detail
	found   *contact.Info
	stats   Stats // of a ping, and of a bootstrap with its children
	readied bool
	dog     boot.Watchdog
}

func (o *op) clone() *op {
	c := *o
	c.joined, c.kept, c.told = slices.Clone(o.joined), slices.Clone(o.kept), slices.Clone(o.told)
	if o.walk != nil {
		c.walk = o.walk.Clone()
	}
	if o.plan != nil {
		c.plan = o.plan.Clone()
	}
	if o.store != nil {
		c.store = o.store.clone()
	}
	if o.get != nil {
		c.get = o.get.clone()
	}
	if o.find != nil {
		c.find = o.find.clone()
	}
	if o.put != nil {
		put := *o.put
		c.put = &put
	}
	return &c
}

// open puts an operation on the list and says so. It reports false, and says
// why, if the ID is in use or too many operations wait already.
func (e *Engine) open(o *op) bool {
	if !e.admits(o.id, len(e.queued), o.indispensable()) {
		return false
	}
	o.started, o.wake = e.now.Mono, o.bound
	o.dog = boot.Watch(e.now.Mono, o.bound)
	e.ops = append(e.ops, o)
	e.byID[o.id] = o
	e.facts = append(e.facts, OpStarted{
		At: e.now.Mono, Op: o.id, Parent: o.parent, Kind: o.kind, Target: o.target, Bound: o.bound,
	})
	return true
}

// until is when an operation ends at the latest: after the usual time, or when
// its owner wants it to, which is not before now and not after
// params.MaxDeadline: there is no operation that never ends. KAD-3.1.
func (e *Engine) until(wanted mono.Time, usual time.Duration) mono.Time {
	if wanted == 0 {
		return e.now.Mono.Add(usual)
	}
	return max(e.now.Mono, mono.Earlier(wanted, e.now.Mono.Add(params.MaxDeadline)))
}

// admits reports whether an operation may begin under a name while so many wait
// as it would, and says why if it may not.
func (e *Engine) admits(id OpID, waiting int, always bool) bool {
	reason := ""
	switch {
	case id == 0 || e.byID[id] != nil || slices.ContainsFunc(e.ops, func(o *op) bool { return o.joinedBy(id) >= 0 }):
		reason = "the operation's ID is zero or in use"
	case waiting >= params.MaxQueued && !always:
		reason = "too many operations wait already"
	default:
		return true
	}
	e.facts = append(e.facts, Refused{At: e.now.Mono, Op: id, Reason: reason})
	return false
}

// indispensable reports whether an operation is a bootstrap or a step of one.
// There are few of them, callers cannot make more, and to refuse one would
// leave a plan that waits for a walk which never was, or a supervisor that asks
// again at every step. Nor can the rest of an operation be refused.
func (o *op) indispensable() bool {
	return o.kind == KindBootstrap || o.kind == KindRefresh || o.detached
}

// close takes an operation off the list and tells its result: once, for the
// list is where every other road to here begins.
func (e *Engine) close(o *op, r Result) {
	o.closed = true
	delete(e.byID, o.id)
	e.ops = slices.DeleteFunc(e.ops, func(x *op) bool { return x == o })
	e.queued = slices.DeleteFunc(e.queued, func(x *op) bool { return x == o })
	for _, h := range o.kept {
		e.book.Drop(h)
	}
	e.uncommit(o)
	if r.Report == nil && !e.cfg.Terse {
		e.facts = append(e.facts, Progressed{
			At: e.now.Mono, Op: o.id, Parent: o.parent, Kind: o.kind,
			Count: r.Stats.Requests, Last: true, Stats: r.Stats,
		})
	}
	for _, j := range append([]joiner{{o.id, o.started, o.bound}}, o.joined...) {
		e.ended(o, j, r)
	}
}

// ended tells one caller, the first or one who has joined, of the end.
func (e *Engine) ended(o *op, j joiner, r Result) {
	r.Started, r.Ended, r.Bound = j.started, e.now.Mono, j.bound
	e.facts = append(e.facts, OpEnded{At: e.now.Mono, Op: j.id, Parent: o.parent, Kind: o.kind, Result: r})
}

// keep holds contacts until an operation has ended. Whatever of it remembers a
// handle from one step to the next has it kept, or holds it itself (its walk and
// its storing do): a handle that was forgotten may name somebody else.
func (e *Engine) keep(o *op, hs ...contact.Handle) {
	for _, h := range hs {
		if h != 0 {
			e.book.Hold(h)
			o.kept = append(o.kept, h)
		}
	}
}

// cancel ends an operation now, or one caller's share in a joint bootstrap.
func (e *Engine) cancel(id OpID) {
	if o := e.byID[id]; o != nil {
		e.stop(o, Stopped)
		return
	}
	for _, o := range e.ops {
		if i := o.joinedBy(id); i >= 0 {
			e.leave(o, i, Stopped)
			return
		}
	}
}

// stop ends an operation with what it has.
func (e *Engine) stop(o *op, why Outcome) {
	o.stopped = true
	switch {
	case o.walk != nil:
		e.driveWalk(o, lookup.Cancel)
	case o.plan != nil:
		e.drivePlan(o, boot.Event{What: boot.Cancel})
	case o.store != nil:
		e.storeEnded(o, why)
	case o.get != nil:
		e.getEnded(o, why)
	default:
		e.giveUp(o, why)
	}
}

// giveUp ends an operation that nothing drives: a ping that was not answered, or
// an operation that never found a place. A plan hears of it as of any other end.
func (e *Engine) giveUp(o *op, why Outcome) {
	for _, id := range e.attemptsOf(o) {
		a, _ := e.attempts.find(id)
		late := why == PartialDeadline && a.cut == 0 && !a.apart
		if e.dropped(id, late); late {
			o.stats.Failures[contact.Silent]++
		} else {
			o.stats.Failures[contact.Cancelled]++
		}
	}
	r := Result{Outcome: why, Stats: o.stats}
	e.close(o, r)
	if o.up != nil {
		e.stepEnded(o.up, o, r, false)
	}
}

// tick has an operation do what follows from what it was told, and from the
// time. One that has found what it looks for ends.
func (e *Engine) tick(o *op) {
	switch {
	case o.walk != nil:
		e.expireChoice(o)
		switch {
		case o.walk == nil:
		case o.satisfied():
			e.driveWalk(o, lookup.Cancel)
		default:
			e.driveWalk(o, lookup.Tick)
		}
	case o.plan != nil:
		e.leaveDue(o)
		e.drivePlan(o, boot.Event{What: boot.Tick})
	case o.store != nil:
		e.driveStore(o)
	case o.get != nil:
		e.expireChoice(o)
		switch {
		case o.closed:
		case o.bound.Due(e.now.Mono):
			e.getEnded(o, PartialDeadline)
		default: // a further comparison has begun
			o.wake = mono.Earlier(o.get.due, o.bound)
		}
	default:
		e.giveUp(o, PartialDeadline)
	}
}

// shutdown ends everything. A bootstrap goes first, so that it does not begin
// new steps while the old ones end.
func (e *Engine) shutdown() {
	for _, o := range slices.Clone(e.ops) {
		if o.plan != nil {
			e.stop(o, Stopped)
		}
	}
	for len(e.ops) > 0 {
		e.stop(e.ops[0], Stopped)
	}
	e.dropProbes()
	e.closed = true
}

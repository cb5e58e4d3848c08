// Package boot is the way into the network and back: whom to try, in which order, and when it has to be enough.
//
// It may not know messages, the table's insides or how a lookup walks; it asks for probes, names and
// walks and is told how they ended. Start reading at [Planner.Step].
package boot

import (
	"fmt"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Env is what a planner asks the rest of the node, at the moment of a step.
type Env interface {
	// Patience returns how long a probe of the contact may take in all.
	Patience(h contact.Handle) (soft, hard time.Duration)
	// Deepest returns the index of the deepest bucket that a walk to the node
	// itself may leave incomplete, or -1 for an empty table.
	Deepest() int
	// Full reports whether the table holds as many contacts as it could,
	// at most k: those that have answered this node.
	Full() bool
}

// Plan says what a bootstrap begins with.
type Plan struct {
	Remembered []contact.Handle // contacts of an earlier life; at most params.MaxRemembered are asked
	Seeds      []contact.Handle // at most params.MaxSeeds are asked
	Names      []string         // seeds that DNS must resolve first; likewise, as is what they stand for
	Deadline   mono.Time        // of the whole
}

// Attempt names one thing that a planner has asked for. Its outcome repeats
// it; an outcome that names nothing under way is a no-op.
type Attempt uint32

// ActionKind tells the kinds of Action apart.
type ActionKind uint8

// What a planner can want.
const (
	Probe   ActionKind = iota // ask one contact; the outcome comes back by Deadline
	Resolve                   // turn Name into contacts by Deadline
	Walk                      // a lookup: Bucket says where to
	Drop                      // nobody waits for Attempt any longer
)

// Where a walk can go besides a bucket.
const (
	Self   = -1 // to the node's own key
	Verify = -2 // to a key anywhere: does the table lead there?
)

// Action is something that the planner wants done.
type Action struct {
	Kind     ActionKind
	Attempt  Attempt
	Peer     contact.Handle
	Name     string
	Bucket   int
	Deadline mono.Time
	Cut      bool // Probe: Deadline is the whole's; to run into it says nothing of the contact
	Expired  bool // Drop: the attempt's own deadline came
}

// What tells the kinds of Event apart.
type What uint8

// What can happen to a planner.
const (
	Tick     What = iota // time passed
	Answered             // a probe was answered
	Failed               // a probe or a name failed; Failure and Reason say how
	Resolved             // a name resolved to Peers
	Walked               // a walk ended; Step says how it went
	Lingers              // a walk goes on, but all that it still waits for is late
	Cancel               // end now
)

// Event is something that happened, told to Step.
type Event struct {
	What    What
	Attempt Attempt
	Peers   []contact.Handle
	Failure contact.Failure
	Reason  string
	Step    Step // Walked: Asked, Answered, Failures, Reason and End of the walk
	Enough  bool // Walked: as many as it could find answered, whatever its End
}

// End says how a step, or the whole, came out.
type End uint8

// The ends of a step and of a bootstrap.
const (
	Running End = iota
	Done        // it did what it was for
	Nobody      // nobody answered
	Late        // its deadline came
	Cut         // it was cancelled
)

// Step is one step of a bootstrap: for the report, and for those who watch.
type Step struct {
	Name     string // "names", "seeds", "self", "bucket 3", "verify"
	End      End
	Asked    int
	Answered int
	Failures contact.Failures
	Reason   string // one line of evidence: the last failure's
	Began    mono.Time
	Ended    mono.Time
}

// Planner runs one bootstrap. It is never idle: while it is not done, something
// that it asked for is under way and has a deadline.
type Planner struct {
	deadline mono.Time
	queue    []contact.Handle // still to be probed, in order
	tried    []contact.Handle // every contact that was probed
	names    []string         // still to be resolved
	room     int              // for so many contacts more that names stand for
	buckets  []int            // still to be refreshed
	open     []attempt

	steps    []Step // finished, in the order in which they ended
	nameStep Step
	seedStep Step
	planned  int // steps known of, finished or not

	ready   bool
	walked  bool // the walk for the node itself has begun
	filled  bool // and has ended or lingers, so that the buckets are known
	deepest int  // of the buckets that were planned, -1 for none
	checked bool // the walk that verifies the table has begun
	end     End
	last    Attempt
	actions []Action
	next    int
}

// attempt is one thing under way.
type attempt struct {
	id    Attempt
	kind  ActionKind
	step  Step // of a walk
	aim   int  // of a walk: Bucket
	late  bool // a walk that lingers
	hard  mono.Time
	peer  contact.Handle
	name  string
	since mono.Time
}

// New returns a planner that has not begun; its first Step begins it.
func New(plan Plan) *Planner {
	seeds := plan.Seeds[:min(len(plan.Seeds), params.MaxSeeds)]
	p := &Planner{
		deadline: plan.Deadline, planned: 2, deepest: -1,
		names: slices.Clone(plan.Names[:min(len(plan.Names), params.MaxSeeds)]), room: params.MaxSeeds - len(seeds),
	}
	p.queue = interleave(seeds, plan.Remembered[:min(len(plan.Remembered), params.MaxRemembered)])
	if len(p.names) > 0 {
		p.planned++
	}
	if len(p.queue)+len(p.names) > 0 {
		p.planned++
	}
	p.nameStep.Name, p.seedStep.Name = "names", "seeds"
	return p
}

// interleave merges two lists, turn by turn and each contact once: neither may
// stand in the way of the other, for all of one kind can be dead.
func interleave(a, b []contact.Handle) (merged []contact.Handle) {
	for i := range max(len(a), len(b)) {
		for _, list := range [2][]contact.Handle{a, b} {
			if i < len(list) && !slices.Contains(merged, list[i]) {
				merged = append(merged, list[i])
			}
		}
	}
	return merged
}

// resolved puts what a name stands for in front of the queue. The names that are
// still to be resolved have an equal share of the room, whatever this one claims.
func (p *Planner) resolved(hs []contact.Handle) {
	p.nameStep.Answered++
	share := p.room / (1 + p.count(Resolve))
	fresh := make([]contact.Handle, 0, share)
	for _, h := range hs {
		if len(fresh) < share && !slices.Contains(p.tried, h) && !slices.Contains(p.queue, h) && !slices.Contains(fresh, h) {
			fresh = append(fresh, h)
		}
	}
	p.room -= len(fresh)
	p.queue = append(fresh, p.queue...)
}

// Step tells the planner what happened at now, in the fixed order: apply the
// outcome, expire all that is due, then begin what can begin. It reports
// whether the event named something under way. KAD-5.1.
func (p *Planner) Step(now mono.Time, ev Event, env Env) bool {
	if p.end != Running {
		return false
	}
	hit := p.Tell(now, ev, env)
	if ev.What == Cancel {
		p.finish(now, Cut)
		return true
	}
	p.expire(now)
	if p.deadline.Due(now) {
		p.finish(now, Late)
		return hit
	}
	p.begin(now, env)
	p.conclude(now)
	return hit
}

// Tell is the first stage of Step alone: it stores one outcome and reports
// whether that was under way. For several outcomes that are known at the same
// moment, of which a Step has to follow: none of them may expire because another
// was told first.
func (p *Planner) Tell(now mono.Time, ev Event, env Env) bool {
	if p.end != Running {
		return false
	}
	if ev.What == Lingers {
		return p.lingers(ev.Attempt, env)
	}
	a, ok := p.take(ev)
	if !ok {
		return false
	}
	switch {
	case a.kind == Walk:
		p.walkEnded(now, a, ev.Step, ev.Enough, env)
	case a.kind == Resolve && ev.What == Resolved:
		p.resolved(ev.Peers)
	case a.kind == Probe && ev.What == Answered:
		p.seedStep.Answered++
	default:
		p.failed(a, ev.Failure, ev.Reason)
	}
	return true
}

// failed counts an attempt that led nowhere.
func (p *Planner) failed(a attempt, how contact.Failure, reason string) {
	step := &p.seedStep
	if a.kind == Resolve {
		step = &p.nameStep
	}
	step.Failures[how]++
	if reason != "" {
		step.Reason = reason
	}
}

// walkEnded files the step of a walk. The walk for the node itself, however it
// came out, opens the buckets: a refresh does not depend on it. KAD-5.2.
func (p *Planner) walkEnded(now mono.Time, a attempt, how Step, enough bool, env Env) {
	how.Name, how.Began, how.Ended = a.step.Name, a.since, now
	p.steps = append(p.steps, how)
	if a.aim == Self {
		p.ready = (how.End == Done || enough) && env.Full()
		p.survey(env)
	}
}

// lingers notes that a walk only waits for the late: it no longer holds up what
// comes after it. Else each step of a bootstrap would wait for its own silent
// peers, one after the other, though nothing in the next depends on them. KAD-5.15.
func (p *Planner) lingers(id Attempt, env Env) bool {
	for i := range p.open {
		a := &p.open[i]
		if a.id != id || a.kind != Walk || a.late {
			continue
		}
		a.late = true
		if a.aim == Self {
			p.survey(env)
		}
		return true
	}
	return false
}

// survey plans the refresh of the buckets that are known of now.
func (p *Planner) survey(env Env) {
	p.filled = true
	for most := min(env.Deepest(), params.Buckets-1); p.deepest < most; p.planned++ {
		p.deepest++
		p.buckets = append(p.buckets, p.deepest)
	}
}

// fits says which outcomes the kinds of attempt can have.
var fits = [...][]What{Probe: {Answered, Failed}, Resolve: {Resolved, Failed}, Walk: {Walked}}

// take removes the attempt that an event ends from those under way. An event
// of the wrong type ends nothing.
func (p *Planner) take(ev Event) (attempt, bool) {
	for i, a := range p.open {
		if a.id == ev.Attempt && slices.Contains(fits[a.kind], ev.What) {
			p.open = slices.Delete(p.open, i, i+1)
			return a, true
		}
	}
	return attempt{}, false
}

// expire ends everything under way whose own deadline is due: no outcome may be
// relied upon to arrive. Walks have none but the whole's.
func (p *Planner) expire(now mono.Time) {
	for i := 0; i < len(p.open); {
		a := p.open[i]
		if !a.hard.Due(now) {
			i++
			continue
		}
		p.open = slices.Delete(p.open, i, i+1)
		p.actions = append(p.actions, Action{Kind: Drop, Attempt: a.id, Expired: true})
		p.failed(a, contact.Silent, "")
	}
}

// begin starts whatever may start now.
func (p *Planner) begin(now mono.Time, env Env) {
	if p.last == 0 {
		p.nameStep.Began, p.seedStep.Began = now, now
	}
	for _, name := range p.names {
		p.nameStep.Asked++
		p.start(now, attempt{kind: Resolve, name: name, hard: now.Add(params.DNSDeadline)}, 0)
	}
	p.names = nil
	for !p.walked && len(p.queue) > 0 && p.count(Probe) < params.ProbeWidth && p.seedStep.Answered == 0 {
		h := p.queue[0]
		p.queue, p.tried = p.queue[1:], append(p.tried, h)
		_, hard := env.Patience(h)
		p.seedStep.Asked++
		p.start(now, attempt{kind: Probe, peer: h, hard: now.Add(hard)}, 0)
	}
	if !p.walked && p.mayWalk(env) {
		p.walked = true
		p.start(now, attempt{kind: Walk, step: Step{Name: "self"}, hard: mono.Never}, Self)
	}
	for p.filled && len(p.buckets) > 0 && p.busy() < params.RefreshWidth && p.count(Walk) < params.RefreshMost {
		b := p.buckets[0]
		p.buckets = p.buckets[1:]
		p.start(now, attempt{kind: Walk, step: Step{Name: fmt.Sprintf("bucket %d", b)}, hard: mono.Never}, b)
	}
	if p.filled && !p.checked && len(p.buckets) == 0 && p.busy() == 0 && p.count(Walk) < params.RefreshMost {
		p.checked = true
		p.start(now, attempt{kind: Walk, step: Step{Name: "verify"}, hard: mono.Never}, Verify)
	}
}

// mayWalk reports whether the walk for the node itself can begin: somebody has
// answered, or nobody is left to be probed but the table knows somebody.
func (p *Planner) mayWalk(env Env) bool {
	if p.seedStep.Answered > 0 {
		return true
	}
	return len(p.queue) == 0 && p.count(Probe) == 0 && p.count(Resolve) == 0 && env.Deepest() >= 0
}

// start puts an attempt under way.
func (p *Planner) start(now mono.Time, a attempt, bucket int) {
	p.last++
	a.id, a.since, a.aim = p.last, now, bucket
	p.open = append(p.open, a)
	p.actions = append(p.actions, Action{
		Kind: a.kind, Attempt: a.id, Peer: a.peer, Name: a.name, Bucket: bucket,
		Deadline: mono.Earlier(a.hard, p.deadline), Cut: a.kind == Probe && p.deadline.Before(a.hard),
	})
}

// count returns how many attempts of a kind are under way.
func (p *Planner) count(kind ActionKind) (n int) {
	for _, a := range p.open {
		if a.kind == kind {
			n++
		}
	}
	return n
}

// busy returns how many walks are under way that do not linger.
func (p *Planner) busy() (n int) {
	for _, a := range p.open {
		if a.kind == Walk && !a.late {
			n++
		}
	}
	return n
}

// conclude files the steps that have ended and ends the bootstrap when nothing
// is under way, which means that nothing could be begun either.
func (p *Planner) conclude(now mono.Time) {
	if p.nameStep.Asked > 0 && p.nameStep.End == Running && p.count(Resolve) == 0 {
		p.file(now, &p.nameStep)
	}
	sought := p.seedStep.Asked > 0 || !p.walked // a mere refresh has no such step
	if p.seedStep.End == Running && sought && p.count(Probe) == 0 && p.count(Resolve) == 0 && (p.walked || len(p.queue) == 0) {
		p.file(now, &p.seedStep)
	}
	if len(p.open) > 0 && !p.idle() {
		return
	}
	if p.walked {
		p.finish(now, Done)
	} else {
		p.finish(now, Nobody)
	}
}

// idle reports whether all that is under way is a probe or a name too many:
// the table is filled and verified, and they could only add another seed.
func (p *Planner) idle() bool {
	return p.checked && len(p.buckets) == 0 && p.count(Walk) == 0
}

// file appends a step that has ended to the report.
func (p *Planner) file(now mono.Time, s *Step) {
	s.Ended, s.End = now, Done
	if s.Answered == 0 {
		s.End = Nobody
	}
	p.steps = append(p.steps, *s)
}

// finish ends the bootstrap in this very step. Steps that it cuts off are in
// the report too, with the reason.
func (p *Planner) finish(now mono.Time, why End) {
	for _, a := range p.open {
		p.actions = append(p.actions, Action{Kind: Drop, Attempt: a.id})
		if a.kind == Walk {
			p.steps = append(p.steps, Step{Name: a.step.Name, End: why, Began: a.since, Ended: now})
		} else {
			p.failed(a, contact.Cancelled, "")
		}
	}
	for _, s := range []*Step{&p.nameStep, &p.seedStep} {
		switch {
		case s.End != Running || s.Asked == 0:
		case why == Done:
			p.file(now, s)
		default:
			s.Ended, s.End = now, why
			p.steps = append(p.steps, *s)
		}
	}
	p.open, p.queue, p.names, p.buckets = nil, nil, nil, nil
	p.end = why
}

// Next returns the next thing to do, in order, until there is nothing.
func (p *Planner) Next() (Action, bool) {
	if p.next == len(p.actions) {
		p.actions, p.next = p.actions[:0], 0
		return Action{}, false
	}
	p.next++
	return p.actions[p.next-1], true
}

// Wake returns when the planner wants a Tick at the latest, and false once it
// is done.
func (p *Planner) Wake() (mono.Time, bool) {
	if p.end != Running {
		return 0, false
	}
	wake := p.deadline
	for _, a := range p.open {
		wake = mono.Earlier(wake, a.hard)
	}
	return wake, true
}

// End returns how the bootstrap came out, or Running.
func (p *Planner) End() End { return p.end }

// Ready reports whether the walk for the node itself converged and the table
// was as full as it could be: the node is useful, whatever is still refreshed.
// KAD-5.3.
func (p *Planner) Ready() bool { return p.ready }

// Steps returns the steps that have ended, in the order in which they did, and
// how many are still to come as far as is known: none once it is over.
func (p *Planner) Steps() (done []Step, remaining int) {
	if p.end != Running {
		return p.steps, 0
	}
	return p.steps, max(0, p.planned-len(p.steps))
}

// Waiting calls f with everything under way, the oldest first.
func (p *Planner) Waiting(f func(id Attempt, kind ActionKind, peer contact.Handle, what string, since, hard mono.Time)) {
	for _, a := range p.open {
		what := a.name
		if a.kind == Walk {
			what = a.step.Name
		}
		f(a.id, a.kind, a.peer, what, a.since, mono.Earlier(a.hard, p.deadline))
	}
}

// Clone returns an independent copy.
func (p *Planner) Clone() *Planner {
	c := *p
	c.queue, c.tried, c.names = slices.Clone(p.queue), slices.Clone(p.tried), slices.Clone(p.names)
	c.buckets, c.open = slices.Clone(p.buckets), slices.Clone(p.open)
	c.steps, c.actions = slices.Clone(p.steps), slices.Clone(p.actions)
	return &c
}

// Package lookup is the walk towards a key: whom to ask next, how long to wait for each, when it is over.
//
// It may not know messages, addresses, the table or other operations; peers are handles with keys.
// Start reading at [Lookup.Step], whose order of four stages is the heart of the guarantee.
package lookup

import (
	"math"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Config holds the numbers of one lookup; Defaults gives those of params.
type Config struct {
	K                    int // result size, and how many answers must be closer to end the search beyond them
	Alpha, Spare         int // requests in flight that are not overdue; overdue ones beside them
	AlphaLast, SpareLast int // the same in the last round
	MaxPeers, MaxDepth   int // P and H of the bound
	AttemptsFresh        int // a: attempts at one peer; a further one only if new addresses came
	Paths                int // disjoint paths, 1 to params.MaxPaths
	ProbePeers           int // region probe: peers asked again in a round
	ProbeRounds          int
	Liars                int // unanswered names after which an informant vouches for nobody; 0 never
}

// Defaults returns the numbers of params for a lookup with the given number
// of disjoint paths (at least one, at most params.MaxPaths).
func Defaults(paths int) Config {
	return Config{
		K: params.K, Alpha: params.Alpha, Spare: params.Spare,
		AlphaLast: params.AlphaLast, SpareLast: params.SpareLast,
		MaxPeers: params.MaxPeers, MaxDepth: params.MaxDepth,
		AttemptsFresh: params.AttemptsFresh,
		Paths:         max(1, min(paths, params.MaxPaths)), Liars: params.LiarNames,
		ProbePeers: params.ProbePeers, ProbeRounds: params.ProbeRounds,
	}
}

// Sound returns the configuration with every number brought to where it makes
// sense, so that no setting makes a lookup stand still or overflow a counter:
// at least one result, slot, peer, hop, attempt and path, nothing less than
// zero, nothing beyond params.MaxNumber; and no more paths than each can have a
// slot and a request of its own.
func (c Config) Sound() Config {
	for _, n := range []*int{&c.K, &c.Alpha, &c.AlphaLast, &c.MaxPeers, &c.MaxDepth, &c.AttemptsFresh, &c.Paths} {
		*n = max(1, min(*n, params.MaxNumber))
	}
	for _, n := range []*int{&c.Spare, &c.SpareLast, &c.ProbePeers, &c.ProbeRounds, &c.Liars} {
		*n = max(0, min(*n, params.MaxNumber))
	}
	c.AttemptsFresh = min(c.AttemptsFresh, math.MaxUint8)
	c.Paths = min(c.Paths, params.MaxPaths, c.Alpha, c.AlphaLast, c.MaxPeers)
	return c
}

// Env is what a lookup asks the rest of the node, at the moment of a step.
type Env interface {
	// Patience returns how long an attempt at the contact may take before it
	// gives up its slot, and in all.
	Patience(h contact.Handle) (soft, hard time.Duration)
	// Doubtful reports whether the contact failed lately, so that it is asked last.
	Doubtful(h contact.Handle) bool
}

// Attempt names one request of one lookup. An outcome repeats it; an outcome
// that names no attempt under way is a no-op.
type Attempt uint32

// Named is a peer that somebody told of, or a seed.
type Named struct {
	Handle contact.Handle
	Key    key.Key
	Fresh  bool // addresses came with it that were not known before
}

// Lookup is one operation: d walks over one table of outcomes. Not safe for
// concurrent use. It is never idle: unless it is done, an attempt with a
// deadline is under way (I1), and no slot is free beside an eligible peer (I2).
type Lookup struct {
	cfg      Config
	target   key.Key
	self     key.Key
	deadline mono.Time
	limit    int // requests in flight that the node grants

	peers    []peer // every peer that any walk has heard of; outcomes live here
	order    []rank // of peers, nearest first
	walks    []walk
	flights  []flight
	overtook mono.Time // the latest beginning of an attempt that was answered
	reserve  []Named   // further seeds for a walk that lost all of its own

	actions []Action
	next    int // actions already taken
	last    Attempt
	end     End
	stats   Stats
}

// state is what the lookup knows of a peer; it belongs to the lookup, not to a walk.
type state uint8

const (
	known    state = iota // not asked
	flying                // asked, and its attempt is under way
	answered              // answered for the target
	failed                // every attempt so far ended without an answer
)

// peer is one row of the table of outcomes.
type peer struct {
	key      key.Key
	handle   contact.Handle
	state    state
	doubtful bool  // asked last: it failed an earlier operation
	fresh    bool  // addresses came to light since the last attempt began
	late     bool  // its attempt is, or was when it failed, overdue
	attempts uint8 // attempts for the target
	asker    int8  // the walk that asks it; no other may
	mute     uint8 // names it gave that stayed unanswered
	good     uint8 // names it gave that answered
	trial    uint8 // names it gave that are being asked
	answered mono.Time
}

// rank is a peer and the first word of its distance from the target, which
// nearly always tells two peers apart: a search reads little else.
type rank struct {
	away uint64
	peer int32
}

// End says why a lookup is over.
type End uint8

// The ends of a lookup.
const (
	Running   End = iota
	Converged     // nobody eligible is left
	Capped        // P peers were asked and more were eligible
	Deadline      // the absolute deadline came
	Nobody        // no peer answered
	Cancelled     // the owner ended it
)

// Stats counts the attempts of a lookup.
type Stats struct {
	Requests  int
	Successes int
	Failures  contact.Failures
	Depth     int // greatest depth of a peer that answered
	Overdue   int // attempts that passed their soft deadline
	Probes    int // attempts of region probes
	Refills   int // reserve seeds that a walk without answers was given
}

// New returns a lookup for target that must end by deadline. Names equal to
// self are ignored. It does nothing before its first Step.
func New(cfg Config, target, self key.Key, deadline mono.Time) *Lookup {
	cfg = cfg.Sound()
	l := &Lookup{cfg: cfg, target: target, self: self, deadline: deadline, limit: cfg.MaxPeers}
	l.walks = make([]walk, cfg.Paths)
	for i := range l.walks {
		l.walks[i] = newWalk(cfg, i)
	}
	return l
}

// What tells the kinds of Event apart.
type What uint8

// What can happen to a lookup.
const (
	Tick     What = iota // time passed
	Answered             // Attempt was answered; Named are the closer peers
	Failed               // Attempt failed; Failure says how
	Cancel               // end now
)

// Event is something that happened, told to Step.
type Event struct {
	What    What
	Attempt Attempt
	Named   []Named
	Failure contact.Failure
}

// ActionKind tells the kinds of Action apart.
type ActionKind uint8

// What a lookup can want.
const (
	Ask  ActionKind = iota // send FIND_NODE; the outcome comes back by Deadline
	Drop                   // nobody waits for Attempt any longer
)

// Action is something that the lookup wants done.
type Action struct {
	Kind     ActionKind
	Attempt  Attempt
	Peer     contact.Handle
	Cause    contact.Handle // who named the peer; zero for a seed
	Path     int
	Depth    int
	Deadline mono.Time
	Cut      bool    // Ask: Deadline is the lookup's; to run into it says nothing of the peer
	Expired  bool    // Drop: the attempt's hard deadline came; Peer stayed silent
	Target   key.Key // the lookup's target, or a sibling region's for a probe
	Bits     int     // how many leading bits of Target matter; key.Bits for the target itself
}

// Step tells the lookup what happened at now. The order is fixed, so that no
// wait can hide behind another (D3): apply the outcome, expire all that is
// due, and then, with the capacity that this leaves, issue requests.
// It reports whether the event named an attempt that was under way. KAD-2.3.
func (l *Lookup) Step(now mono.Time, ev Event, env Env) bool {
	if l.end != Running {
		return false
	}
	hit := l.Tell(now, ev)
	if ev.What == Cancel {
		l.finish(Cancelled)
		return true
	}
	l.expire(now)
	if l.deadline.Due(now) {
		l.finish(Deadline)
		return hit
	}
	l.issue(now, env)
	l.conclude()
	return hit
}

// Tell is the first stage of Step alone: it stores an outcome, once, whoever
// asked, and reports whether that was under way. For several outcomes that are
// known at the same moment, of which a Step has to follow: none of them may
// expire because another was told first.
func (l *Lookup) Tell(now mono.Time, ev Event) bool {
	if l.end != Running {
		return false
	}
	switch ev.What {
	case Answered:
		f, ok := l.land(ev.Attempt)
		if !ok {
			return false
		}
		l.answer(now, f, ev.Named)
	case Failed:
		f, ok := l.land(ev.Attempt)
		if !ok {
			return false
		}
		l.fail(f, ev.Failure)
	}
	return true
}

// answer records that the peer of f answered, and what it told the walk that
// asked; no other walk learns of it.
func (l *Lookup) answer(now mono.Time, f flight, named []Named) {
	p, w := &l.peers[f.peer], &l.walks[f.walk]
	l.stats.Successes++
	l.overtook = max(l.overtook, f.began)
	if !f.probe {
		p.state, p.answered = answered, now
		l.credit(f.peer, f.overdue, true)
		l.stats.Depth = max(l.stats.Depth, w.depthOf(l, f.peer))
	}
	depth := w.depthOf(l, f.peer) + 1
	for _, n := range named[:min(len(named), params.MaxPeersRead)] {
		l.learn(w, n, depth, f.peer)
	}
}

// fail records that an attempt ended without an answer. A probe's failure says
// nothing new of a peer that has answered for the target.
func (l *Lookup) fail(f flight, how contact.Failure) {
	l.stats.Failures[how]++
	if f.probe {
		return
	}
	p := &l.peers[f.peer]
	p.state, p.late = failed, f.overdue
	if !f.overdue && how.Blames() {
		l.credit(f.peer, false, false)
	}
}

// finish ends the lookup in this very step: nothing is left under way.
func (l *Lookup) finish(why End) {
	for _, f := range l.flights {
		l.actions = append(l.actions, Action{Kind: Drop, Attempt: f.attempt})
		l.stats.Failures[contact.Cancelled]++
	}
	l.flights = l.flights[:0]
	if why != Cancelled && l.stats.Successes == 0 {
		why = Nobody
	}
	l.end = why
}

// conclude ends the lookup once no walk has anything to wait for. It has
// converged even if the cap P left somebody unasked whom only discredited
// informants name: they can name more than any cap, and are asked last.
func (l *Lookup) conclude() {
	capped := false
	for i := range l.walks {
		w := &l.walks[i]
		if l.waits(w) {
			return
		}
		if at := l.best(w); at >= 0 { // unasked, so only the cap P can be why
			capped = capped || l.vouched(&w.names[at])
		}
	}
	if capped {
		l.finish(Capped)
		return
	}
	l.finish(Converged)
}

// Next returns the next thing to do, in order, until there is nothing.
func (l *Lookup) Next() (Action, bool) {
	if l.next == len(l.actions) {
		l.actions, l.next = l.actions[:0], 0
		return Action{}, false
	}
	l.next++
	return l.actions[l.next-1], true
}

// Wake returns when the lookup wants a Tick at the latest: the earliest
// deadline, soft or hard, of an attempt, or its own. False once it is done.
func (l *Lookup) Wake() (mono.Time, bool) {
	if l.end != Running {
		return 0, false
	}
	wake := l.deadline
	for i := range l.flights {
		wake = mono.Earlier(wake, l.flights[i].due())
	}
	return wake, true
}

// Grant sets how many requests the node lets the lookup have in flight; it
// takes effect at the next step. Less than one means one.
func (l *Lookup) Grant(n int) { l.limit = max(1, n) }

// End returns why the lookup is over, or Running.
func (l *Lookup) End() End { return l.end }

// Stats returns what the lookup has done so far.
func (l *Lookup) Stats() Stats { return l.stats }

// Target returns the key that the lookup walks towards.
func (l *Lookup) Target() key.Key { return l.target }

// InFlight returns the number of requests under way.
func (l *Lookup) InFlight() int { return len(l.flights) }

// Closest appends the handles of the nearest peers that answered, nearest
// first, at most k. KAD-2.9.
func (l *Lookup) Closest(dst []contact.Handle) []contact.Handle {
	left := l.cfg.K
	for _, r := range l.order {
		if left == 0 {
			break
		}
		if p := &l.peers[r.peer]; p.state == answered {
			dst, left = append(dst, p.handle), left-1
		}
	}
	return dst
}

// AnsweredAt appends when the peers of Closest answered, in the same order.
func (l *Lookup) AnsweredAt(dst []mono.Time) []mono.Time {
	left := l.cfg.K
	for _, r := range l.order {
		if p := &l.peers[r.peer]; p.state == answered && left > 0 {
			dst, left = append(dst, p.answered), left-1
		}
	}
	return dst
}

// Heard calls f with every peer that the lookup has heard of but the first n,
// in the order in which it did: what its owner holds on its behalf.
func (l *Lookup) Heard(n int, f func(contact.Handle)) {
	for i := n; i < len(l.peers); i++ {
		f(l.peers[i].handle)
	}
}

// Known returns how many peers the lookup has heard of.
func (l *Lookup) Known() int { return len(l.peers) }

// Clone returns an independent copy.
func (l *Lookup) Clone() *Lookup {
	c := *l
	c.peers, c.order = slices.Clone(l.peers), slices.Clone(l.order)
	c.flights, c.reserve = slices.Clone(l.flights), slices.Clone(l.reserve)
	c.actions, c.walks = slices.Clone(l.actions), slices.Clone(l.walks)
	for i := range c.walks {
		c.walks[i].names = slices.Clone(c.walks[i].names)
		c.walks[i].probes = slices.Clone(c.walks[i].probes)
	}
	return &c
}

package engine

import (
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/siege"
	"github.com/waymark-dht/waymark/core/table"
	"github.com/waymark-dht/waymark/core/wire"
)

// Config is what an engine may be told. The zero value works.
type Config struct {
	Seeds []Seed // whom to ask when nobody is known; at most params.MaxSeeds, more are left out
	// Remembered are contacts of an earlier life, the most useful first; at
	// most params.MaxRemembered are kept. They are asked together with the seeds.
	Remembered []*contact.Info
	Paths      int           // disjoint paths of a lookup; default 1, at most params.MaxPaths
	Lookup     lookup.Config // numbers of a lookup; the zero value takes lookup.Defaults(Paths)
	Table      table.Config  // sizes and diversity limits of the table
	// Members is a table of the same node and book that is known to be true,
	// which the engine takes over: for simulations. Default: an empty one.
	Members *table.Table
	// Manual keeps everybody out of the table who was not vouched for.
	Manual bool
	// Scratch is shared by the engines of one owner, which then are told
	// requests by pointer (*Send), good until the next step. Default: its own.
	Scratch *Scratch
	// Terse leaves out the facts about single requests, steps and changes of
	// the table, which a simulation of many nodes has no use for.
	Terse bool
	// Deadline is what a lookup is given; default params.OpDeadline, limit
	// params.MaxDeadline.
	Deadline time.Duration
}

// Seed is one bootstrap peer: a contact, or a name that resolves to some.
type Seed struct {
	Peer *contact.Info
	Name string // a DNS multiaddr, used if Peer is nil
}

// Engine is the whole node. Not safe for concurrent use; its driver owns it.
//
// Whatever it has asked for is in attempts, each with an owner, and each
// operation is in ops, with a bound: what is in neither does not exist.
type Engine struct {
	// First what every step reads, close together.
	closed  bool
	changed bool // the table, since the last Publish
	shares  bool // the scratch is others' too
	joined  bool // somebody was connected once: the driver tells of connections
	told    boot.State
	*Scratch
	now       mono.Now
	self      *contact.Info
	book      *contact.Book
	tab       *table.Table
	ops       []*op // running and queued, in the order in which they were started
	queued    []*op // of them, those that wait for a place, the first come first
	attempts  ledger
	admit     admission
	super     boot.Supervisor
	linked    warmth
	last      AttemptID
	committed int  // places that running operations use or are granted
	freed     bool // places, in this step
	memory    lookup.Memory
	patience  lookup.Patience
	given     [2]time.Duration // the longest hard deadline of requests under way, cold and warm

	cfg        Config
	src        *rand.PCG
	rng        *rand.Rand
	seeds      seeds
	greeted    greeting  // when one of them answered last
	naming     []probing // their names that are looked up between bootstraps
	byID       map[OpID]*op
	children   OpID
	remembered past
	nearby     past   // who has announced itself on the local network
	lost       []lost // who left the table since somebody last answered
	spacing    siege.Spacing
	vouchedFor map[contact.ID]bool // if the table is kept by hand: who may be in it
	refreshes  int                 // bootstraps that began with the table alone
}

// New returns an engine for the node self. All contacts live in book; all its
// choices follow from seed.
func New(cfg Config, self *contact.Info, book *contact.Book, seed uint64) *Engine {
	if cfg.Lookup.K == 0 {
		cfg.Lookup = lookup.Defaults(cfg.Paths)
	}
	cfg.Lookup = cfg.Lookup.Sound()
	if cfg.Deadline <= 0 {
		cfg.Deadline = params.OpDeadline
	}
	cfg.Deadline = min(cfg.Deadline, params.MaxDeadline)
	src := rand.NewPCG(seed, 0)
	e := &Engine{
		cfg: cfg, self: self, book: book, tab: cfg.Members, now: mono.Now{Mono: mono.Time(math.MinInt64)},
		src: src, rng: rand.New(src), byID: make(map[OpID]*op),
		given: newlyGiven(), vouchedFor: make(map[contact.ID]bool), Scratch: cfg.Scratch, shares: cfg.Scratch != nil,
	}
	if !e.shares {
		e.Scratch = new(Scratch)
	}
	if e.tab == nil {
		e.tab = table.New(self.Key, book, cfg.Table)
	}
	e.takeSeeds()
	e.remember(cfg.Remembered)
	return e
}

// Step tells the engine what happened, and when; nothing, if all that it is to
// know is the time. It never blocks. What follows from it waits in Next, Wake and
// Facts.
//
// All that is known at one moment belongs into one step, in its order: every
// outcome is applied before anything expires. Who tells of one after the other
// has a request given up, and its peer blamed, whose answer is the next to be
// told. KAD-2.3.
func (e *Engine) Step(now mono.Now, evs ...Event) {
	if e.closed {
		return
	}
	e.now = mono.Now{Mono: max(now.Mono, e.now.Mono), Wall: now.Wall} // a clock that goes back stands still
	for _, ev := range evs {
		if e.apply(ev); e.closed {
			return // nothing begins in the step that ends the node
		}
	}
	e.expire()
	e.startQueued()
	e.spread()
	e.supervise()
	e.startProbes()
	if e.changed {
		e.changed = false
		e.effects = append(e.effects, Publish{})
	}
	e.book.Sweep(params.BookSlack)
}

// apply carries one event to whom it concerns.
func (e *Engine) apply(ev Event) {
	switch ev := ev.(type) {
	case StartLookup:
		e.startLookup(ev)
	case StartBootstrap:
		e.startBootstrap(ev)
	case StartPing:
		e.startPing(ev)
	case StartGet:
		e.startGet(ev)
	case StartPut:
		e.startPut(ev)
	case StartReplicate:
		e.startReplicate(ev)
	case StartProvide:
		e.startProvide(ev)
	case StartFindProviders:
		e.startFind(ev)
	case Chosen:
		e.chosen(ev)
	case Cancel:
		e.cancel(ev.Op)
	case Answered:
		e.answered(&ev)
	case *Answered:
		e.answered(ev)
	case Failed:
		e.failed(ev)
	case *Failed:
		e.failed(*ev)
	case Resolved:
		e.resolved(ev)
	case Connected:
		e.connected(&ev)
	case *Connected:
		e.connected(ev)
	case Disconnected:
		e.disconnected(&ev)
	case *Disconnected:
		e.disconnected(ev)
	case Met:
		e.met(&ev)
	case *Met:
		e.met(ev)
	case Withdrawn:
		e.withdrawn(ev.Peer)
	case Neighbour:
		e.neighbour(ev.Peer)
	case Vouched:
		e.vouched(ev.Peer)
	case ClockJumped:
		e.disrupted("the machine slept or its clock was set")
		e.suspended() // after it, for what is asked again is asked cold
	case NetworkChanged:
		e.disrupted("the network changed")
	case Supervise:
		e.super.Enable(e.now.Mono)
	case Tick:
	case Shutdown:
		e.shutdown()
	}
}

// expire ticks every operation that an outcome was for, or whose deadline, or
// whose attempts' deadline, has come. Operations that end meanwhile leave the list.
func (e *Engine) expire() {
	for _, o := range e.due() {
		if !o.closed {
			e.tick(o)
		}
	}
	e.expireProbes()
	e.bark()
}

// bark states what the watchdogs of the operations have to say.
func (e *Engine) bark() {
	for _, o := range e.ops {
		if alarm := o.dog.Look(e.now.Mono); alarm != boot.Quiet {
			e.facts = append(e.facts, Alarmed{
				At: e.now.Mono, Op: o.id, Parent: o.parent, Kind: o.kind,
				Overdue: alarm == boot.Overdue, Waiting: e.describe(o).InFlight,
			})
		}
	}
}

// due returns the operations that have something to do now.
func (e *Engine) due() (due []*op) {
	for _, o := range e.ops {
		if o.wake.Due(e.now.Mono) {
			due = append(due, o)
		}
	}
	return due
}

// Next returns what must be carried out next, in order, until there is nothing.
func (e *Engine) Next() (Effect, bool) {
	if e.nextEff == len(e.effects) {
		clear(e.effects)
		e.effects, e.sends, e.nextEff = e.effects[:0], e.sends[:0], 0
		return nil, false
	}
	e.nextEff++
	return e.effects[e.nextEff-1], true
}

// Wake returns when the engine wants a Tick at the latest, and false if it
// waits for nothing.
func (e *Engine) Wake() (mono.Time, bool) {
	if e.closed {
		return 0, false
	}
	wake := mono.Earlier(e.probesWake(), e.super.Wake())
	if at := e.memory.DownAt(); e.now.Mono.Before(at) { // the supervisor has to look then
		wake = mono.Earlier(wake, at)
	}
	for _, o := range e.ops {
		wake = mono.Earlier(wake, mono.Earlier(o.wake, o.dog.Wake()))
	}
	return wake, wake != mono.Never
}

// Facts returns what was noticed since the last call, in order.
func (e *Engine) Facts() iter.Seq[Fact] {
	return func(yield func(Fact) bool) {
		facts := e.facts
		e.facts = nil
		for i, f := range facts {
			if !yield(f) {
				e.facts = append(facts[i+1:], e.facts...)
				return
			}
		}
		if e.facts == nil {
			clear(facts)
			e.facts = facts[:0]
		}
	}
}

// Snapshot returns the table as the server may read it, on any goroutine. Each
// contact's encoded form is made once and kept.
func (e *Engine) Snapshot() *table.Snapshot {
	for h := range e.tab.All {
		if info := e.book.Info(h); info.Wire == nil {
			coded := *info
			coded.Wire = wire.EncodeContact(info.FirstHand())
			e.book.Replace(h, &coded)
		}
	}
	return e.tab.Snapshot()
}

// Table returns the table, to be read between steps by the engine's owner.
func (e *Engine) Table() *table.Table { return e.tab }

// Known is one contact of the table, with what is known of it.
type Known struct {
	Info     *contact.Info
	RTT      time.Duration // 0 if it was not measured
	Answered mono.Time     // when it last did, to params.UsefulUnit
}

// Known visits the contacts of the table, between steps.
func (e *Engine) Known() iter.Seq[Known] {
	return func(yield func(Known) bool) {
		for h, entry := range e.tab.All {
			if !yield(Known{e.book.Info(h), entry.RTT, entry.Useful}) {
				return
			}
		}
	}
}

// Self returns the node's own contact.
func (e *Engine) Self() *contact.Info { return e.self }

// Idle reports whether nothing is under way: no operation, no attempt.
func (e *Engine) Idle() bool { return len(e.ops) == 0 && len(e.attempts) == 0 }

// Clone returns an independent copy, in which events can be tried out.
func (e *Engine) Clone() *Engine {
	c := *e
	src := *e.src
	c.src, c.rng = &src, rand.New(&src)
	c.book = e.book.Clone()
	c.tab = e.tab.Clone(c.book)
	c.memory = e.memory.Clone()
	c.linked, c.seeds, c.naming = e.linked.clone(), e.seeds.clone(), slices.Clone(e.naming)
	c.Scratch, c.shares = e.Scratch.clone(), false
	c.admit, c.vouchedFor = e.admit.clone(), cloneMap(e.vouchedFor)
	c.lost = slices.Clone(e.lost)
	c.remembered.handles, c.nearby.handles = slices.Clone(e.remembered.handles), slices.Clone(e.nearby.handles)
	c.cloneOps(e)
	return &c
}

// cloneOps copies the operations, and points all that pointed at them at the
// copies.
func (c *Engine) cloneOps(e *Engine) {
	c.ops, c.byID = make([]*op, len(e.ops)), make(map[OpID]*op, len(e.ops))
	for i, o := range e.ops {
		c.ops[i] = o.clone()
		c.byID[o.id] = c.ops[i]
	}
	for _, o := range c.ops {
		if o.up != nil {
			o.up = c.byID[o.up.id]
		}
	}
	c.queued, c.attempts = slices.Clone(e.queued), slices.Clone(e.attempts)
	for i, o := range c.queued {
		c.queued[i] = c.byID[o.id]
	}
	for i := range c.attempts {
		if a := &c.attempts[i]; a.op != nil {
			a.op = c.byID[a.op.id]
		}
	}
}

func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

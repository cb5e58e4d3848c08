package sim

import (
	"encoding/binary"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/table"
)

// World is one network in virtual time. Not safe for concurrent use.
type World struct {
	opt   Options
	rnd   streams
	now   mono.Time
	queue queue
	book  *contact.Book // every contact once; node n has the handle n+1

	nodes    []node
	requests []request
	free     []uint32 // requests that nobody uses
	plans    plans
	closer   []*contact.Info // scratch: the answer that is being delivered
	told     told
	ahead    ahead

	truth      ring // members that answer
	truthStale bool

	shelves  *shelves           // what the members store, if they do
	wanted   func(key.Key) bool // which keys may be drawn now; nil: any
	liars    ring               // the sybils, if liarsOK
	liarsOK  bool
	ended    func(n uint32, f engine.OpEnded) // what a scenario does with an end
	sent     func(n uint32)                   // with a request
	useful   func(n uint32)                   // and with a node that is of use
	watch    func(n uint32, f engine.Fact)    // who reads every fact
	lastOp   engine.OpID
	trace    uint64
	events   uint64
	tally    tally
	violated error
}

// told is the event that an engine is being told: it keeps none, so each kind
// is made once.
type told struct {
	answered     engine.Answered
	failed       engine.Failed
	connected    engine.Connected
	disconnected engine.Disconnected
	met          engine.Met
}

// node is one member: a hundred bytes and a table. An engine exists only while
// the node acts by itself.
type node struct {
	place place
	state condition
	slow  bool
	side  uint8 // of a partition
	// client says that it asks and does not serve: nobody has it in a table.
	client bool
	tab    *table.Table
	act    *actor
}

// actor is what a node has while it acts.
type actor struct {
	n        uint32
	engine   *engine.Engine
	armed    mono.Time     // the earliest tick in the queue
	requests []uint32      // under way
	open     []engine.OpID // started and not ended
	moved    bool          // something was sent, started or ended since checkOne
	conns    conns

	// A machine that sleeps hears nothing, and its monotonic clock stands.
	asleep bool
	slept  time.Duration
}

// local returns what an actor's clock shows at a moment of the world's.
func (a *actor) local(at mono.Time) mono.Time { return at.Add(-a.slept) }

// world is the way back.
func (a *actor) world(at mono.Time) mono.Time { return at.Add(a.slept) }

// NewWorld returns a world whose members are drawn, with empty tables. If
// Building stops it they are not all there: Fill and Run say so at once.
func NewWorld(opt Options) *World {
	w := &World{opt: opt, rnd: newStreams(opt.Seed), book: contact.NewBook(), truthStale: true}
	w.book.Pin()
	w.opt.Engine.Scratch = new(engine.Scratch)
	w.nodes = make([]node, 0, opt.Nodes)
	for len(w.nodes) < opt.Nodes && w.building(len(w.nodes), 0, drawnBetween) {
		w.settle()
	}
	return w
}

// How many members are drawn, and how many get their tables, between two calls
// of Building: a few hundredths of a second's worth.
const (
	drawnBetween  = 1 << 12
	filledBetween = 1 << 8
)

// building is asked before each turn of a loop that makes the world. It reports
// whether to go on.
func (w *World) building(turn, filled, between int) bool {
	if w.violated == nil && turn%between == 0 && w.opt.Building != nil && !w.opt.Building(filled, w.opt.Nodes) {
		w.violated = ErrStopped
	}
	return w.violated == nil
}

// settle adds one member, with an identifier of its own.
func (w *World) settle() uint32 {
	n := uint32(len(w.nodes))
	for fresh := false; !fresh; {
		before := w.book.Len()
		w.book.Intern(contact.New(w.drawID(), address(n)))
		fresh = w.book.Len() > before // else the identifier was drawn before
	}
	return w.join()
}

// join adds the member that is the last contact of the book.
func (w *World) join() uint32 {
	n := uint32(len(w.nodes))
	at := settle(w.rnd.places)
	if w.opt.Site {
		at = place{access: onSite}
	}
	w.nodes = append(w.nodes, node{place: at, slow: w.rnd.places.Float64() < slowShare})
	w.nodes[n].tab = table.New(w.key(n), w.book, w.opt.Engine.Table)
	w.truthStale = true
	return n
}

// drawID draws an identifier: the next one, or the next one of whose key the
// scenario approves.
func (w *World) drawID() contact.ID {
	for {
		id := contact.ID(binary.BigEndian.AppendUint64(nil, w.rnd.keys.Uint64()))
		if w.wanted == nil || w.wanted(key.Of([]byte(id))) {
			return id
		}
	}
}

// address is the one address of a node: an IPv4 address of its own, spread
// over the /16 groups.
func address(n uint32) contact.Addr {
	ip := uint32(mix(uint64(n)))&0xffff0000 | n&0xffff
	return contact.Addr([]byte{4, byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip), 6, 0, 1})
}

func handle(n uint32) contact.Handle { return contact.Handle(n + 1) }

func (w *World) info(n uint32) *contact.Info { return w.book.Info(handle(n)) }

func (w *World) key(n uint32) key.Key { return w.info(n).Key }

// index returns the node of a contact.
func (w *World) index(info *contact.Info) uint32 {
	h, _ := w.book.Intern(info)
	return uint32(h) - 1
}

// answering returns the members that answer, in order of their keys.
func (w *World) answering() *ring {
	if w.truthStale {
		w.truth = newRing(w, func(n uint32) bool { return w.nodes[n].state.answers() })
		w.truthStale = false
	}
	return &w.truth
}

// progressEvery is how many events happen between two calls of Progress: a
// few hundredths of a second's worth.
const progressEvery = 1 << 13

// Run lets time pass until nothing is left to happen, or until a moment. It
// returns the first broken promise, if there is one.
func (w *World) Run(until mono.Time) error {
	for len(w.queue.heap) > 0 && w.queue.heap[0].at <= until && w.violated == nil {
		e := w.queue.pop()
		w.now = e.at
		w.events++
		if w.events%aheadEvery == 0 && !w.ahead.off {
			w.ahead.look(w)
		}
		w.happen(e)
		if w.opt.Progress != nil && w.events%progressEvery == 0 && !w.opt.Progress(w.now, w.events) && w.violated == nil {
			w.violated = ErrStopped
		}
	}
	if until != mono.Never && w.violated == nil {
		w.now = max(w.now, until)
	}
	return w.violated
}

func (w *World) happen(e event) {
	if e.kind == scene {
		do, serial := w.plans.take(e.ref)
		w.record(uint64(e.at), uint64(e.kind)<<32|uint64(serial))
		do()
		return
	}
	w.record(uint64(e.at), uint64(e.kind)<<32|uint64(e.ref))
	switch e.kind {
	case tick:
		w.wake(e.ref)
	case arrive:
		w.arrived(e.ref)
	case deliver:
		w.delivered(e.ref)
	}
}

// record folds two numbers into the trace hash.
func (w *World) record(a, b uint64) { w.trace = mix(w.trace^a) ^ mix(b) }

// At plans something for a moment; After for some time from now.
func (w *World) At(at mono.Time, do func()) {
	w.queue.push(max(at, w.now), scene, w.plans.add(do))
}

// After plans something for some time from now.
func (w *World) After(d time.Duration, do func()) { w.At(w.now.Add(d), do) }

// wake sends an engine the tick that it wanted, unless it has since come to
// want a later one.
func (w *World) wake(n uint32) {
	a := w.nodes[n].act
	if a == nil || a.asleep || a.armed != w.now {
		return
	}
	a.armed = mono.Never
	if at, ok := a.engine.Wake(); ok && at.Due(a.local(w.now)) {
		w.step(a, engine.Tick{})
	} else if ok {
		w.arm(a, at)
	}
}

// arm makes sure that a tick comes by the engine's Wake. Earlier ones in the
// queue are left there: to come too early costs less than to be taken out.
func (w *World) arm(a *actor, at mono.Time) {
	if a.world(at) < a.armed {
		a.armed = a.world(at)
		w.queue.push(a.armed, tick, a.n)
	}
}

// step tells an engine something and carries out what follows.
func (w *World) step(a *actor, ev engine.Event) {
	now := w.clock()
	now.Mono = a.local(now.Mono)
	a.engine.Step(now, ev)
	for eff, ok := a.engine.Next(); ok; eff, ok = a.engine.Next() {
		switch eff := eff.(type) {
		case *engine.Send:
			w.send(a, eff)
		case engine.Abort:
			w.abort(a, eff.Attempt)
		case engine.Hasten:
			w.hasten(a, eff)
		}
	}
	for f := range a.engine.Facts() {
		w.noticed(a, f)
	}
	wake, waits := a.engine.Wake()
	w.check(a, wake, waits)
	if waits {
		w.arm(a, wake)
	}
}

// clock is the present; the wall clock began in 2026.
func (w *World) clock() mono.Now {
	const epoch = 1_767_225_600 * int64(time.Second)
	return mono.Now{Mono: w.now, Wall: mono.Wall(int64(w.now) + epoch)}
}

// noticed follows the operations of a node from their start to their end.
func (w *World) noticed(a *actor, f engine.Fact) {
	if w.watch != nil {
		w.watch(a.n, f)
	}
	switch f := f.(type) {
	case engine.OpStarted:
		w.opened(a, f)
	case engine.OpEnded:
		w.closed(a, f)
		w.record(uint64(f.Op), uint64(f.Result.Outcome)<<32|uint64(len(f.Result.Closest)))
		if w.ended != nil {
			w.ended(a.n, f)
		}
	case engine.BecameReady:
		if w.useful != nil {
			w.useful(a.n)
		}
	}
}

// actor returns the node's actor, making its engine with the contacts of its
// table if it has none.
func (w *World) actor(n uint32) *actor {
	if a := w.nodes[n].act; a != nil {
		return a
	}
	return w.act(n, w.opt.Engine)
}

// act makes an engine for a node that has none.
func (w *World) act(n uint32, cfg engine.Config) *actor {
	nd := &w.nodes[n]
	cfg.Members = nd.tab
	e := engine.New(cfg, w.info(n), w.book, mix(w.opt.Seed^mix(uint64(n))))
	nd.act = &actor{n: n, engine: e, armed: mono.Never}
	return nd.act
}

// empty takes a node's table away.
func (w *World) empty(n uint32) {
	w.nodes[n].tab = table.New(w.key(n), w.book, w.opt.Engine.Table)
}

// retire takes the engine from a node that has nothing under way; its table
// stays, and goes on serving.
func (w *World) retire(n uint32) {
	if a := w.nodes[n].act; a != nil && a.engine.Idle() && len(a.requests) == 0 {
		w.nodes[n].act = nil
	}
}

// newOp returns an operation's name, new in the whole world.
func (w *World) newOp() engine.OpID {
	w.lastOp++
	return w.lastOp
}

// Now returns the virtual time.
func (w *World) Now() mono.Time { return w.now }

// Trace returns the hash of all that has happened.
func (w *World) Trace() uint64 { return w.trace }

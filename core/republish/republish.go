// Package republish decides when what a node provides is announced again: region by region of the key space, so that the cost grows with regions and not with keys.
//
// It may not know how a lookup or an announcement is made, nor where a schedule is kept; it is told
// what came of them, and turns a schedule into bytes.
// Start reading at [Machine], then [Machine.Step]; one sweep of a region is in explore.go and tell.go.
package republish

import (
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/siege"
)

// Event is something that happened, told to the machine.
type Event interface{ event() }

type (
	// Start provides keys (multihashes) from now on: at once those that were
	// not provided yet, or all with Force; then all once in a cycle. Beyond
	// Room keys are ignored.
	Start struct {
		Keys  [][]byte
		Force bool
	}
	// Once provides keys at once, and not again. Beyond Room they are ignored.
	Once struct{ Keys [][]byte }
	// Stop no longer provides keys. What peers store expires by itself.
	Stop struct{ Keys [][]byte }
	// Clear empties the queue of what is to be provided at once. What was
	// started stays scheduled.
	Clear struct{}
	// Refresh tries again now whatever failed or is overdue: after an outage.
	Refresh struct{}
	// LookedUp is the outcome of a Lookup: the closest peers that answered,
	// nearest first; none if it failed.
	LookedUp struct {
		ID        ID
		Peers     []*contact.Info
		Converged bool          // or else there may be nearer ones
		Network   siege.Network // what is known of how many peers there are
	}
	// Announced is the outcome of an Announce: the peers that took their batch,
	// and those that are not to blame for it that they did not: our own side was
	// overloaded, or down.
	Announced struct {
		ID     ID
		Took   []key.Key
		Spared []key.Key
	}
	// Every has each key provided once in such a cycle from now on, of at least a
	// second.
	Every struct{ Cycle time.Duration }
	// Tick says nothing but the time.
	Tick struct{}
)

func (Start) event()     {}
func (Once) event()      {}
func (Stop) event()      {}
func (Clear) event()     {}
func (Refresh) event()   {}
func (LookedUp) event()  {}
func (Announced) event() {}
func (Every) event()     {}
func (Tick) event()      {}

// ID names a Lookup or an Announce that is under way; its outcome repeats it.
type ID uint64

// Action is something to be carried out. Each has exactly one outcome.
type Action interface{ action() }

type (
	// Lookup asks for the K peers closest to the key of a preimage.
	Lookup struct {
		ID       ID
		Preimage []byte
		Wide     bool // ask for params.MaxWanted of them: the key is besieged
	}
	// Announce tells peers what this node provides.
	Announce struct {
		ID      ID
		Batches []Batch
	}
)

func (Lookup) action()   {}
func (Announce) action() {}

// Batch is what one peer is told: from 1 to params.SweepBatch keys.
type Batch struct {
	Peer *contact.Info
	Keys [][]byte
}

// Swept is what there is to tell of a region once it was provided for.
type Swept struct {
	Prefix  uint64 // the first bits of the region
	Bits    int    // how many they are
	Keys    int    // that were to be provided
	Stored  int    // of them taken by at least params.SweepEnough peers, or by all there are
	Certain int    // of them those whose closest peers were known for certain
	// Besieged are those of which the closest peers are nearer than chance
	// explains: their whole region was told.
	Besieged int
	Lookups  int           // that it took
	Peers    int           // that were met
	Reached  int           // of them those that have taken what they were told
	Told     int           // batches that were sent
	Records  int           // that were taken: of each stored key, by each peer
	Lag      time.Duration // how long after its time it began
	Took     time.Duration // and how long it took
}

// Status is where the schedule stands.
type Status struct {
	Keys    int           // that are provided again and again
	Queued  int           // to be provided at once
	Regions int           // that have keys
	Due     int           // regions whose time has come and that are not under way
	Running int           // regions under way
	Lag     time.Duration // how long the most overdue region has waited
	Next    mono.Wall     // when the next region's time comes, or came; 0 if none waits
	Prefix  uint64        // the first bits of that one
	Bits    int           // how many bits all regions' prefixes have
	Every   time.Duration // the cycle
	Began   mono.Wall     // when the cycle that goes on began
}

// Machine is the schedule. Its owner calls Step, carries out what Next returns,
// and calls Step again at Wake. Not safe for concurrent use.
type Machine struct {
	width   int
	single  bool      // every key is tried once
	epoch   mono.Wall // when the first region's time came first, in whole seconds
	every   mono.Wall // the cycle, in whole seconds
	depth   int       // bits of a region's prefix
	nearest int       // parts of bits (unit) that a target shares with its k closest, smoothed
	samples int       // lookups that nearest is the mean of
	network siege.Network
	items   items
	keep    int       // items that are provided again
	queued  int       // items that are to be provided at once
	regions []*region // that have keys, by prefix
	runs    []*run    // regions under way
	next    ID
	nobody  int       // lookups in a row that found nobody
	hold    mono.Time // nothing begins before
	actions []Action
	facts   []Swept
	now     mono.Now
	dirty   [Shards]bool
}

// New returns a machine with an empty schedule that begins now, with so many
// regions under way at a time.
func New(now mono.Now, width int) *Machine {
	return &Machine{
		width: max(1, width), epoch: mono.Wall(seconds(now.Wall)) * second, every: mono.Wall(params.ProvideEvery), now: now,
	}
}

// NewOnce is New for a schedule that ends: each key is tried once, and forgotten
// whether it was stored or not.
func NewOnce(now mono.Now, width int) *Machine {
	m := New(now, width)
	m.single = true
	return m
}

// Step tells the machine what happened.
func (m *Machine) Step(now mono.Now, ev Event) {
	drift := time.Duration(now.Wall-m.now.Wall) - now.Mono.Sub(m.now.Mono)
	m.now = now
	if drift.Abs() > params.ClockGap {
		m.reckon() // the machine slept, or its clock was set
	}
	m.apply(ev)
	m.goOn()
	m.regroup()
	m.begin()
}

func (m *Machine) apply(ev Event) {
	switch ev := ev.(type) {
	case Start:
		for _, text := range ev.Keys {
			m.start(text, ev.Force)
		}
	case Once:
		for _, text := range ev.Keys {
			m.once(text)
		}
	case Stop:
		for _, text := range ev.Keys {
			m.stop(text)
		}
	case Clear:
		m.clear()
	case Refresh:
		m.nobody, m.hold = 0, 0
		m.reckon()
	case LookedUp:
		m.lookedUp(ev)
	case Announced:
		m.announced(ev)
	case Every:
		m.every = mono.Wall(ev.Cycle.Truncate(time.Second))
		m.reckon()
	case Tick:
	}
}

// Next returns what is to be done, in order.
func (m *Machine) Next() (Action, bool) {
	if len(m.actions) == 0 {
		return nil, false
	}
	a := m.actions[0]
	m.actions = m.actions[1:]
	return a, true
}

// Facts returns the regions that ended since it was called last.
func (m *Machine) Facts() []Swept {
	f := m.facts
	m.facts = nil
	return f
}

// Wake returns when the machine wants a Tick at the latest, if it wants one.
func (m *Machine) Wake() (mono.Time, bool) {
	wake := mono.Never
	for _, r := range m.runs {
		if r.id == 0 {
			wake = mono.Earlier(wake, r.pace)
		}
	}
	if g := m.first(); g != nil && len(m.runs) < m.limit() && !m.misfits() {
		at := m.now.Mono.Add(max(0, time.Duration(g.due-m.now.Wall)))
		wake = mono.Earlier(wake, max(at, m.hold))
	}
	return wake, wake != mono.Never
}

// Room returns how many more keys there is room for.
func (m *Machine) Room() int { return params.ScheduleKeys - m.items.n }

// Has reports whether a key is in the schedule.
func (m *Machine) Has(text []byte) bool { return m.items.get(key.Of(text)[0], string(text)) != nil }

// Fresh returns how many of some keys are not in the schedule.
func (m *Machine) Fresh(keys [][]byte) (n int) {
	for _, text := range keys {
		n += one(!m.Has(text))
	}
	return n
}

// Cycle returns how often each key is provided.
func (m *Machine) Cycle() time.Duration { return time.Duration(m.every) }

// Status returns where the schedule stands.
func (m *Machine) Status() Status {
	s := Status{
		Keys: m.keep, Queued: m.queued, Regions: len(m.regions), Running: len(m.runs), Bits: m.depth,
		Every: m.Cycle(), Began: m.turn(0),
	}
	for _, g := range m.regions {
		if g.busy {
			continue
		}
		if s.Next == 0 || g.due < s.Next {
			s.Next, s.Prefix = g.due, g.lo
		}
		if g.due <= m.now.Wall {
			s.Due++
			s.Lag = max(s.Lag, time.Duration(m.now.Wall-g.due))
		}
	}
	return s
}

// goOn announces the next keys of the regions that waited for their pace.
func (m *Machine) goOn() {
	for n := 0; n < len(m.runs); {
		r := m.runs[n]
		if r.id == 0 && r.pace.Due(m.now.Mono) {
			m.tell(r)
		}
		if n < len(m.runs) && m.runs[n] == r { // else it has ended
			n++
		}
	}
}

// begin starts the regions whose time has come, the most overdue first.
func (m *Machine) begin() {
	for !m.misfits() && m.hold.Due(m.now.Mono) && len(m.runs) < m.limit() {
		g := m.first()
		if g == nil || g.due > m.now.Wall {
			return
		}
		if g.due = m.due(g); g.due <= m.now.Wall { // else what was due is gone since
			m.run(g)
		}
	}
}

// limit is how many regions may be under way: one while it is not known how
// large regions are, or whether anybody is there.
func (m *Machine) limit() int {
	if m.samples == 0 || m.nobody > 0 {
		return 1
	}
	return m.width
}

func (m *Machine) id() ID {
	m.next++
	return m.next
}

const second = mono.Wall(time.Second)

// seconds returns a date in whole seconds, which is how dates are kept.
func seconds(w mono.Wall) uint32 { return uint32(max(0, w) / second) }

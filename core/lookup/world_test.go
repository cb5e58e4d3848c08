package lookup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
)

// world is one real lookup with a model of it beside: whatever a test does to
// the lookup goes through do, and the model checks the guarantee after it.
// The target is the key zero and a peer's name is its distance from it, so
// that a schedule can be read.
type world struct {
	l   *Lookup
	m   *model
	env *town
	now mono.Time

	begun  bool     // the next step is not the first, nor the first with a new grant
	amid   bool     // an outcome was told, and the step that has to follow was not made
	ranked int      // the rank before it
	counts bool     // one that was told counts
	said   []string // what the last move led to, for stories
	broken string   // the first violation; empty if there is none
}

// town is the rest of the node as a lookup sees it.
type town struct {
	soft, hard time.Duration
	doubtful   []int
}

func (t *town) Patience(contact.Handle) (soft, hard time.Duration) { return t.soft, t.hard }

func (t *town) Doubtful(h contact.Handle) bool { return slices.Contains(t.doubtful, int(h)) }

// setting is how a world begins.
type setting struct {
	cfg      Config
	n        int // peers are named 1 to n
	self     int // the node's own name, 0 for one that nobody mentions
	seeds    []int
	reserve  []int
	grant    int // 0 for no limit
	deadline mono.Time
	town     town
}

// at returns the key at a distance from the target: the number is that of the
// first 24 bits, so that there are regions of some bits.
func at(n int) key.Key { return key.Key{uint64(n) << 40} }

// nobody is a name that no peer of a test has.
const nobody = 1 << 23

// hint is what an informant says: a peer, and whether its addresses are news.
type hint struct {
	peer  int
	fresh bool
}

func hints(ns ...int) (hs []hint) {
	for _, n := range ns {
		hs = append(hs, hint{peer: n})
	}
	return hs
}

func named(hs []hint) []Named {
	ns := make([]Named, len(hs))
	for i, h := range hs {
		ns[i] = Named{Handle: contact.Handle(h.peer), Key: at(h.peer), Fresh: h.fresh}
	}
	return ns
}

// begin sets up a world; its first Tick starts the lookup.
func begin(s setting) *world {
	if s.deadline == 0 {
		s.deadline = mono.Never
	}
	self := s.self
	if self == 0 {
		self = nobody
	}
	w := &world{l: New(s.cfg, key.Key{}, at(self), s.deadline), env: &s.town}
	for _, n := range named(hints(s.seeds...)) {
		w.l.Seed(n)
	}
	w.l.Reserve(named(hints(s.reserve...)))
	w.m = newModel(s)
	if s.grant > 0 {
		w.l.Grant(s.grant)
	}
	return w
}

func (w *world) clone() *world {
	c := *w
	c.l, c.m, c.said = w.l.Clone(), w.m.clone(), nil
	return &c
}

// deed tells the kinds of move apart.
type deed uint8

const (
	wait   deed = iota // time passes, and the timer fires
	answer             // peer answers
	fail               // the attempt at peer fails
	cancel
	grant // the node grants so many requests (peer), and says so
)

// move is one thing that the environment does, after a while. A peer stands
// for the attempt at it that is under way, as there is at most one.
type move struct {
	what  deed
	after time.Duration
	peer  int
	names []hint
	how   contact.Failure
	more  bool // it is told together with the next move
}

// String writes a move as a story has it.
func (m move) String() string {
	var b strings.Builder
	fmt.Fprint(&b, [...]string{"wait", "answer", "fail", "cancel", "grant"}[m.what])
	if m.peer != 0 {
		fmt.Fprintf(&b, " %d", m.peer)
	}
	if len(m.names) > 0 {
		var names []string
		for _, h := range m.names {
			names = append(names, fmt.Sprint(h.peer)+map[bool]string{true: "!"}[h.fresh])
		}
		fmt.Fprintf(&b, " names=(%s)", strings.Join(names, ","))
	}
	if m.how > contact.Silent {
		fmt.Fprintf(&b, " how=%s", m.how)
	}
	if m.after > 0 {
		fmt.Fprintf(&b, " after=%s", m.after)
	}
	if m.more {
		b.WriteString(" more")
	}
	return b.String()
}

// do makes a move: the clock advances, the lookup is told, its actions are
// taken, and everything that must hold is checked.
func (w *world) do(mv move) {
	w.now = w.now.Add(mv.after)
	if mv.what == grant {
		w.m.grant, w.begun = mv.peer, false // what the grant allows is asked without an event
		w.l.Grant(mv.peer)
		w.tell(Event{What: Tick})
		return
	}
	ev := Event{Attempt: w.m.attemptAt(mv.peer), Named: named(mv.names), Failure: mv.how}
	ev.What = [...]What{wait: Tick, answer: Answered, fail: Failed, cancel: Cancel}[mv.what]
	if mv.more {
		w.hear(ev)
		return
	}
	w.tell(ev)
}

// hear tells the lookup and its model of an outcome that others follow in the
// same step: nothing comes of it before that.
func (w *world) hear(ev Event) {
	w.said = w.said[:0]
	if !w.amid {
		w.ranked, w.counts = w.m.rank(), false
	}
	w.amid = true
	counts := w.m.end == Running && w.m.landed(ev)
	w.counts = w.counts || counts
	if hit := w.l.Tell(w.now, ev); hit != counts {
		w.m.wrong("an outcome that is told counts: %v, and should: %v", hit, counts)
	}
	if _, acts := w.l.Next(); acts || w.l.End() != Running {
		w.m.wrong("it acts before all is told")
	}
	w.broken = w.m.broken
}

// tell hands an event to the lookup and to its model, and compares.
func (w *world) tell(ev Event) {
	w.said = w.said[:0]
	over := w.m.end != Running
	before := w.m.rank()
	accepted := w.m.happened(w.now, ev)
	if w.amid {
		before, accepted, w.amid = w.ranked, accepted || w.counts, false
	}
	hit := w.l.Step(w.now, ev, w.env)
	acted := false
	for a, ok := w.l.Next(); ok; a, ok = w.l.Next() {
		acted = true
		w.m.act(w.now, a, w.env)
		w.note(a)
	}
	first := !w.begun
	w.begun = true
	switch after := w.m.rank(); {
	case first:
	case over && (hit || acted):
		w.m.wrong("an event after the end is not ignored")
	case over:
	case accepted && w.m.end == Running && after >= before:
		w.m.wrong("the rank is %d after an event that counts, and was %d", after, before)
	case !accepted && after != before:
		w.m.wrong("the rank went from %d to %d though nothing happened", before, after)
	}
	w.m.compare(w.now, w.l)
	w.broken = w.m.broken
}

func (w *world) note(a Action) {
	switch {
	case a.Kind == Ask && a.Bits != key.Bits:
		w.said = append(w.said, fmt.Sprintf("probe %d, path %d, bit %d", a.Peer, a.Path, a.Bits-1))
	case a.Kind == Ask:
		w.said = append(w.said, fmt.Sprintf("ask %d, path %d, depth %d", a.Peer, a.Path, a.Depth))
	case a.Expired:
		w.said = append(w.said, fmt.Sprintf("give up attempt %d", a.Attempt))
	default:
		w.said = append(w.said, fmt.Sprintf("withdraw attempt %d", a.Attempt))
	}
}

var endWords = [...]string{"running", "converged", "capped", "deadline", "nobody", "cancelled"}

func (w *world) result() (peers []int) {
	for _, h := range w.l.Closest(nil) {
		peers = append(peers, int(h))
	}
	return peers
}

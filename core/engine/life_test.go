package engine

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/table"
)

// A life is a whole engine to which anything may happen in any order: many
// operations at once, answers of liars, outcomes that are late, double, of the
// wrong sort or never come, sleeps, changes of network and of clocks, contacts
// that come, go and are forgotten. Beside it stands a ledger that knows the
// guarantee and not the code.
type life struct {
	t   *rapid.T
	rng *rand.Rand // for what nobody would want to see shrunk: who is named
	e   *Engine
	now mono.Time

	pool   []*contact.Info
	told   map[contact.ID]bool // whoever the engine was ever told of
	under  map[AttemptID]Effect
	old    []AttemptID
	asking map[AttemptID]RequestSent // of operations, by the facts
	ops    map[OpID]*course
	open   []OpID
	lastOp OpID
	made   int // strangers
}

// course is what the facts have said of one operation.
type course struct {
	kind  Kind
	bound mono.Time
	ended bool
	count int // steps told
	last  int // facts that said that no more follow
}

// TestAnyLife draws lives: as many as were asked for, but each counts as twenty
// schedules of a single lookup do.
func TestAnyLife(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	n, _ := strconv.Atoi(before)
	if n = max(100, n/20); testing.Short() {
		n = 150
	}
	_ = checks.Value.Set(strconv.Itoa(n))
	defer func() { _ = checks.Value.Set(before) }()
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t)
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			l.something()
		}
		if rapid.Bool().Draw(t, "closes") {
			l.shutdown()
		} else {
			l.silence()
		}
	})
}

func newLife(t *rapid.T) *life {
	l := &life{
		t: t, rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "chance"), 0)), told: map[contact.ID]bool{}, under: map[AttemptID]Effect{},
		asking: map[AttemptID]RequestSent{}, ops: map[OpID]*course{}, now: mono.Time(time.Hour),
	}
	for i := range 60 {
		l.pool = append(l.pool, contact.New(contact.ID(fmt.Sprint("peer ", i)), contact.Addr([]byte{4, 127, byte(i / 3), 0, byte(i), 6, 0, 1})))
	}
	self := contact.New("self")
	l.pool = append(l.pool, self)
	cfg := Config{
		Paths: rapid.IntRange(0, 4).Draw(t, "paths"), Manual: rapid.IntRange(0, 9).Draw(t, "manual") == 0,
		Table: table.Config{NoDiversity: rapid.Bool().Draw(t, "one group")},
	}
	if rapid.Bool().Draw(t, "small") {
		cfg.Lookup = lookup.Defaults(cfg.Paths)
		cfg.Lookup.K, cfg.Lookup.Alpha, cfg.Lookup.MaxPeers = 3, 4, 20
	}
	for _, p := range l.some(40) {
		cfg.Seeds = append(cfg.Seeds, Seed{Peer: p})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "names") {
		cfg.Seeds = append(cfg.Seeds, Seed{Name: fmt.Sprint("name ", i)})
	}
	cfg.Remembered = l.some(40)
	l.e = New(cfg, self, contact.NewBook(), l.rng.Uint64())
	return l
}

// some is up to n contacts, as somebody may name them: known ones, the node
// itself, inventions, with the right addresses and with others, some twice.
func (l *life) some(n int) (cs []*contact.Info) {
	for range l.rng.IntN(n + 1) {
		c := l.pool[l.rng.IntN(len(l.pool))]
		switch l.rng.IntN(8) {
		case 0:
			l.made++
			c = contact.New(contact.ID(fmt.Sprint("invented ", l.made)), contact.Addr([]byte{4, 127, 99, 0, byte(l.made), 6, 0, 1}))
		case 1:
			c = addressed(c, byte(100+l.rng.IntN(5)), l.rng.IntN(2*params.MaxAddrs))
		}
		l.told[c.ID] = true
		cs = append(cs, c)
	}
	return cs
}

func (l *life) one() *contact.Info {
	for {
		if cs := l.some(1); len(cs) > 0 {
			return cs[0]
		}
	}
}

// something lets one thing happen.
func (l *life) something() {
	switch what := rapid.IntRange(0, 29).Draw(l.t, "what"); {
	case what < 6:
		l.start()
	case what < 15:
		l.outcome()
	case what < 20:
		l.time()
	case what == 20:
		l.step(Cancel{Op: l.anyOp()})
	case what == 21:
		l.stale()
	case what == 22:
		l.forget()
	case what == 23:
		l.fork()
	default:
		l.step(l.news())
	}
}

// start begins an operation of any kind.
func (l *life) start() {
	l.lastOp++
	op := l.lastOp
	if l.rng.IntN(20) == 0 {
		op = l.anyOp()
	}
	key := []byte(fmt.Sprint("/v/", l.rng.IntN(4)))
	deadline, paths := mono.Time(0), l.rng.IntN(4)
	switch l.rng.IntN(6) {
	case 0:
		deadline = l.now.Add(time.Duration(l.rng.Int64N(int64(30*time.Second)) - int64(time.Second)))
	case 1:
		deadline = mono.Never
	}
	var near []*contact.Info
	if l.rng.IntN(4) == 0 {
		near = l.some(40)
	}
	kinds := []Event{
		StartLookup{Op: op, Kind: KindLookup, Preimage: key, Deadline: deadline, Paths: paths, Near: near, Want: l.rng.IntN(90)},
		StartLookup{Op: op, Kind: KindFindPeer, Preimage: []byte(l.one().ID), Deadline: deadline, Paths: paths, Near: near},
		StartGet{Op: op, Key: key, Quorum: l.rng.IntN(5), Deadline: deadline, Paths: paths, Near: near, Local: l.value(key)},
		StartPut{Op: op, Record: *valued(string(key), "mine"), To: near, Enough: l.rng.IntN(12), Deadline: deadline, Paths: paths},
		StartProvide{Op: op, Key: key, To: near, Enough: l.rng.IntN(12), Deadline: deadline, Paths: paths},
		StartFindProviders{Op: op, Key: key, Limit: l.rng.IntN(6), Deadline: deadline, Paths: paths, Near: near},
		StartReplicate{Record: *valued(string(key), "kept")},
		StartBootstrap{Op: op, Deadline: deadline},
		StartPing{Op: op, Peer: l.one(), Apart: l.rng.IntN(2) == 0, Deadline: deadline},
	}
	ev := kinds[rapid.IntRange(0, len(kinds)-1).Draw(l.t, "kind")]
	many := 1
	if rapid.IntRange(0, 9).Draw(l.t, "many") == 0 {
		many = 150
	}
	for range many {
		l.step(renamed(ev, op))
		l.lastOp++
		op = l.lastOp
	}
}

// renamed is the event with another name.
func renamed(ev Event, op OpID) Event {
	switch ev := ev.(type) {
	case StartLookup:
		ev.Op = op
		return ev
	case StartGet:
		ev.Op = op
		return ev
	case StartPut:
		ev.Op = op
		return ev
	case StartProvide:
		ev.Op = op
		return ev
	case StartFindProviders:
		ev.Op = op
		return ev
	case StartBootstrap:
		ev.Op = op
		return ev
	case StartPing:
		ev.Op = op
		return ev
	}
	return ev
}

// anyOp is the name of some operation: open, over, a step of another, or none.
func (l *life) anyOp() OpID {
	if len(l.open) > 0 && l.rng.IntN(4) > 0 {
		return l.open[l.rng.IntN(len(l.open))]
	}
	return OpID(l.rng.Uint64N(uint64(l.lastOp) + 3))
}

func (l *life) value(key []byte) *record.Record {
	if l.rng.IntN(3) > 0 {
		return nil
	}
	return valued(string(key), fmt.Sprint(l.rng.IntN(50)))
}

// outcome gives one attempt that is under way an outcome of its sort, in any
// order, and many at a time as often as not: one after the other or, late, all in
// one step.
func (l *life) outcome() {
	together, told := l.rng.IntN(2) == 0, []Event(nil)
	if together && l.rng.IntN(2) == 0 {
		l.now = l.now.Add(time.Duration(l.rng.Int64N(int64(4 * time.Second))))
	}
	for range rapid.IntRange(1, 20).Draw(l.t, "outcomes") {
		ids := make([]AttemptID, 0, len(l.under))
		for id := range l.under {
			ids = append(ids, id)
		}
		if len(ids) == 0 {
			break
		}
		slices.Sort(ids)
		id := ids[l.rng.IntN(len(ids))]
		if ev := l.of(l.under[id], id); together {
			told = append(told, ev)
		} else {
			l.step(ev)
		}
	}
	if together {
		l.step(told...)
	}
}

// of is an outcome of an effect.
func (l *life) of(eff Effect, id AttemptID) Event {
	switch eff := eff.(type) {
	case Choose:
		return Chosen{Attempt: id, Best: l.rng.IntN(len(eff.Values)+3) - 1}
	case Resolve:
		if l.rng.IntN(3) == 0 {
			return Resolved{Attempt: id, Err: "no such name"}
		}
		return Resolved{Attempt: id, Seeds: l.some(60)}
	case Send:
		if l.rng.IntN(3) == 0 {
			return Failed{Attempt: id, Failure: contact.Failure(1 + l.rng.IntN(int(contact.Liar))), Detail: "drawn"}
		}
		a := Answered{Attempt: id, Closer: l.some(60), Unwanted: l.rng.IntN(8) == 0, Record: l.value(eff.Key)}
		if a.Providers = l.some(8); l.rng.IntN(2) == 0 {
			a.From = addressed(eff.To, byte(l.rng.IntN(90)), 1+l.rng.IntN(3))
		}
		if l.rng.IntN(20) == 0 {
			a.From = l.one()
		}
		return a
	}
	return nil
}

// stale tells an outcome that is nobody's: of an attempt that has ended, that
// never was, or of the wrong sort.
func (l *life) stale() {
	id := AttemptID(l.rng.Uint64N(1 << 20))
	if len(l.old) > 0 && l.rng.IntN(3) > 0 {
		id = l.old[l.rng.IntN(len(l.old))]
	}
	ids := []AttemptID{id}
	for id := range l.under {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids[:min(len(ids), 4)] {
		for _, ev := range []Event{Answered{Attempt: id, Closer: l.some(30)}, Failed{Attempt: id, Failure: contact.Silent}, Resolved{Attempt: id, Seeds: l.some(9)}, Chosen{Attempt: id}} {
			if l.fits(ev, l.under[id]) {
				continue
			}
			before := len(l.e.attempts)
			l.step(ev)
			if _, is := l.under[id]; is && !l.e.attempts.has(id) || len(l.e.attempts) < before && l.e.attempts.has(id) {
				l.t.Fatalf("%T has ended an attempt that it is no outcome of", ev)
			}
		}
	}
}

func (l *life) fits(ev Event, eff Effect) bool {
	switch eff.(type) {
	case Send:
		_, answered := ev.(Answered)
		_, failed := ev.(Failed)
		return answered || failed
	case Resolve:
		_, is := ev.(Resolved)
		return is
	case Choose:
		_, is := ev.(Chosen)
		return is
	}
	return false
}

// time moves to the next thing that is due, a little, or far.
func (l *life) time() {
	wake, wakes := l.e.Wake()
	switch how := rapid.IntRange(0, 9).Draw(l.t, "how"); {
	case how < 5 && wakes && wake < l.now.Add(time.Hour):
		l.now = wake
	case how == 8:
		l.now = l.now.Add(time.Minute)
	case how == 9: // a clock that goes back
		l.e.Step(mono.Now{Mono: l.now.Add(-time.Minute)}, Tick{})
		l.after()
	default:
		l.now = l.now.Add(time.Duration(l.rng.Int64N(int64(time.Second))))
	}
	l.step(Tick{})
}

// news is what the host or the owner tells.
func (l *life) news() Event {
	p := l.one()
	switch rapid.IntRange(0, 9).Draw(l.t, "news") {
	case 0:
		return Supervise{}
	case 1:
		return ClockJumped{Gap: 1 << 40}
	case 2:
		return NetworkChanged{}
	case 3:
		return Connected{Peer: p.ID}
	case 4:
		return Disconnected{Peer: p.ID}
	case 5:
		return Withdrawn{Peer: p.ID}
	case 6:
		return Neighbour{Peer: p}
	case 7:
		return Vouched{Peer: p}
	default:
		return Met{Peer: p, Called: l.rng.IntN(2) == 0}
	}
}

// forget has the book forget whom nobody holds, and gives away their handles.
func (l *life) forget() {
	l.e.book.Sweep(0)
	for range 50 {
		l.made++
		l.e.book.Intern(contact.New(contact.ID(fmt.Sprint("untold ", l.made))))
	}
}

// fork goes on with a clone. What happens to the other one is nothing to it.
func (l *life) fork() {
	was := l.e
	l.e = was.Clone()
	for _, ev := range []Event{ClockJumped{}, NetworkChanged{}, Shutdown{}} {
		was.Step(mono.Now{Mono: l.now.Add(time.Hour)}, ev)
	}
}

// step tells the engine what happened, and checks all that must hold after it.
func (l *life) step(evs ...Event) {
	l.e.Step(mono.Now{Mono: l.now, Wall: mono.Wall(l.rng.Int64())}, evs...)
	l.after()
}

func (l *life) after() {
	l.effects()
	for f := range l.e.Facts() {
		l.fact(f)
	}
	l.ledger()
	l.waits()
}

// effects takes what is to be done.
func (l *life) effects() {
	for eff, ok := l.e.Next(); ok; eff, ok = l.e.Next() {
		id := AttemptID(0)
		switch eff := eff.(type) {
		case Send:
			id = eff.Attempt
			if eff.To.ID == l.e.self.ID {
				l.t.Fatalf("the node asks itself %v", eff.Ask)
			}
			if !l.told[eff.To.ID] {
				l.t.Fatalf("%s is asked, of whom nobody has told", eff.To.ID)
			}
			if eff.Deadline > l.now.Add(params.MaxDeadline) || eff.Deadline < l.e.now.Mono {
				l.t.Fatalf("a request has until %v", eff.Deadline.Sub(l.now))
			}
		case Resolve:
			id = eff.Attempt
		case Choose:
			id = eff.Attempt
		case Abort:
			if l.under[eff.Attempt] == nil {
				l.t.Fatalf("attempt %d is withdrawn, and not under way", eff.Attempt)
			}
			delete(l.under, eff.Attempt)
			l.old = append(l.old, eff.Attempt)
			continue
		default:
			continue
		}
		if l.under[id] != nil || slices.Contains(l.old, id) {
			l.t.Fatalf("attempt %d is made twice", id)
		}
		l.under[id] = eff
	}
	for id := range l.under {
		if !l.e.attempts.has(id) {
			delete(l.under, id)
			l.old = append(l.old, id)
		}
	}
	slices.Sort(l.old)
}

// fact enters a fact into the ledger.
func (l *life) fact(f Fact) {
	switch f := f.(type) {
	case OpStarted:
		if l.ops[f.Op] != nil && !l.ops[f.Op].ended {
			l.t.Fatalf("operation %d begins twice", f.Op)
		}
		l.ops[f.Op] = &course{kind: f.Kind, bound: f.Bound}
		l.open = append(l.open, f.Op)
		if f.Bound < l.e.now.Mono || f.Bound > l.e.now.Mono.Add(params.MaxDeadline) {
			l.t.Fatalf("operation %d has a bound of %v", f.Op, f.Bound.Sub(l.now))
		}
	case RequestSent:
		for _, other := range l.asking {
			if other.Op == f.Op && other.Peer.ID == f.Peer.ID {
				l.t.Fatalf("operation %d asks %s twice at a time", f.Op, f.Peer.ID)
			}
		}
		l.asking[f.Attempt] = f
	case RequestEnded:
		if _, is := l.asking[f.Attempt]; !is {
			l.t.Fatalf("attempt %d of operation %d ends, and was not under way", f.Attempt, f.Op)
		}
		delete(l.asking, f.Attempt)
	case Progressed:
		c := l.ops[f.Op]
		if c == nil || c.ended || f.Count < c.count || c.last > 0 {
			l.t.Fatalf("operation %d goes on: %+v after %+v", f.Op, f, c)
		}
		if c.count = f.Count; f.Last {
			c.last++
		}
	case OpEnded:
		l.end(f)
	}
}

// end checks what an operation leaves.
func (l *life) end(f OpEnded) {
	c := l.ops[f.Op]
	if c == nil || c.ended {
		l.t.Fatalf("operation %d ends, and is not open", f.Op)
	}
	c.ended = true
	l.open = slices.DeleteFunc(l.open, func(id OpID) bool { return id == f.Op })
	r := f.Result
	if r.Bound != c.bound || r.Outcome == 0 || r.Outcome == Rejected {
		l.t.Fatalf("operation %d: %v, bound %v, said to be %v", f.Op, r.Outcome, r.Bound, c.bound)
	}
	if f.Kind != KindBootstrap && r.Pending == 0 && r.Stats.Requests != r.Stats.Successes+r.Stats.Failures.Total() {
		l.t.Fatalf("operation %d of kind %v: %d requests, %d answered, %d failed", f.Op, f.Kind, r.Stats.Requests, r.Stats.Successes, r.Stats.Failures.Total())
	}
	if f.Kind == KindPing {
		return
	}
	for i, p := range r.Closest {
		if p.ID == l.e.self.ID || slices.Contains(r.Closest[:i], p) {
			l.t.Fatalf("operation %d found %s, which is the node itself or there twice", f.Op, p.ID)
		}
	}
	if f.Kind == KindPut && (r.Outcome == Stored) != (len(r.Stored) > 0) && r.Outcome != Stopped {
		l.t.Fatalf("operation %d: %v, on %d peers", f.Op, r.Outcome, len(r.Stored))
	}
}

// ledger compares what is under way with what the engine has in its books.
func (l *life) ledger() {
	if len(l.under) != len(l.e.attempts) {
		l.t.Fatalf("%d attempts are under way, and %d on the books", len(l.under), len(l.e.attempts))
	}
	requests := 0
	for _, a := range l.e.attempts {
		if a.sort == reply {
			requests++
		}
	}
	if requests > params.MaxInFlight {
		l.t.Fatalf("%d requests are under way, %d may be", requests, params.MaxInFlight)
	}
	for id, sent := range l.asking {
		if l.under[id] == nil {
			l.t.Fatalf("the end of attempt %d of operation %d was not told", id, sent.Op)
		}
	}
	used := 0
	for _, o := range l.e.ops {
		used += o.used
	}
	if used != l.e.committed || used > params.LookupSlots {
		l.t.Fatalf("%d places are used, %d on the books, %d there", used, l.e.committed, params.LookupSlots)
	}
	if n := len(l.e.admit.waiting); n > params.AdmissionQueue+params.MaxSeeds || len(l.e.admit.open) > params.AdmissionProbes {
		l.t.Fatalf("%d checks wait, %d are under way", n, len(l.e.admit.open))
	}
	if len(l.e.queued) > params.MaxQueued+params.Buckets || len(l.e.seeds.list) > params.MaxSeeds {
		l.t.Fatalf("%d operations wait, %d seeds", len(l.e.queued), len(l.e.seeds.list))
	}
}

// waits sees that no operation waits in silence or for longer than it may.
func (l *life) waits() {
	now := l.e.now.Mono
	wake, wakes := l.e.Wake()
	if wakes && wake <= now {
		l.t.Fatalf("the engine wants to be woken %v ago, for %s", now.Sub(wake), l.whose(wake))
	}
	for _, id := range l.open {
		if c := l.ops[id]; c.bound <= now || !wakes || wake > c.bound {
			l.t.Fatalf("operation %d of kind %v has to be over at %d; it is %d, and the next wake is at %d", id, c.kind, c.bound, now, wake)
		}
	}
	for _, o := range l.e.ops {
		if o.wake <= now || wake > o.wake {
			l.t.Fatalf("operation %d is to be woken at %d, the engine at %d", o.id, o.wake, wake)
		}
		if o.short() && l.e.grant(o, l.e.share()) > o.granted {
			l.t.Fatalf("operation %d of kind %v has %d places, and could have more", o.id, o.kind, o.granted)
		}
		if !o.queued && l.idle(o) {
			l.t.Fatalf("operation %d of kind %v waits for nothing", o.id, o.kind)
		}
	}
	if len(l.e.queued) > 0 && l.e.committed+params.MinShare <= params.LookupSlots {
		l.t.Fatalf("%d operations wait beside %d places", len(l.e.queued), params.LookupSlots-l.e.committed)
	}
}

// whose says who wants to be woken at a moment.
func (l *life) whose(at mono.Time) string {
	switch {
	case l.e.probesWake() == at:
		return "its checks"
	case l.e.super.Wake() == at:
		return "its supervisor"
	}
	for _, o := range l.e.ops {
		if o.wake == at || o.dog.Wake() == at {
			return fmt.Sprintf("operation %d of kind %v, which is %s, in place %v, its watchdog %v", o.id, o.kind, l.e.describe(o).Phase, !o.queued, o.dog.Wake() == at)
		}
	}
	return "nobody"
}

// idle reports whether an operation that has its place has nothing under way.
func (l *life) idle(o *op) bool {
	if o.plan == nil {
		return len(l.e.attemptsOf(o)) == 0
	}
	waits := 0
	o.plan.Waiting(func(_ boot.Attempt, kind boot.ActionKind, _ contact.Handle, _ string, _, _ mono.Time) {
		waits++
		if kind == boot.Walk && !slices.ContainsFunc(l.e.ops, func(child *op) bool { return child.up == o }) {
			l.t.Fatalf("bootstrap %d waits for a walk that is not there", o.id)
		}
	})
	return waits == 0
}

// shutdown ends the life, and whatever happens after it is nothing.
func (l *life) shutdown() {
	l.step(Shutdown{})
	l.rested()
	for _, ev := range []Event{StartLookup{Op: 1 << 40, Kind: KindLookup, Preimage: []byte("a")}, Supervise{}, NetworkChanged{}, Tick{}} {
		l.e.Step(mono.Now{Mono: l.now.Add(time.Hour)}, ev)
		if _, more := l.e.Next(); more {
			l.t.Fatal("it lives on after its end")
		}
	}
}

// silence leaves the node alone: nothing has an outcome any more, and all that
// is under way ends by itself.
func (l *life) silence() {
	for end := l.now.Add(params.MaxDeadline); len(l.open) > 0 || len(l.under) > 0; l.step(Tick{}) {
		l.now, _ = l.e.Wake()
		if l.e.super.Health().Next != mono.Never || l.e.super.Health().Running {
			l.shutdown() // it looks after itself, for ever
			return
		}
		if l.now > end {
			l.t.Fatalf("%d operations and %d attempts are left", len(l.open), len(l.under))
		}
	}
	l.rested()
}

// rested sees that nothing is left, and nobody held but by whom it should be.
func (l *life) rested() {
	if len(l.open)+len(l.under)+len(l.asking)+len(l.e.ops)+len(l.e.byID)+len(l.e.queued) > 0 || l.e.committed != 0 {
		l.t.Fatalf("left: operations %v, attempts %v, %d places", l.open, l.under, l.e.committed)
	}
	held := map[contact.Handle]bool{}
	for _, list := range [][]contact.Handle{l.e.seeds.list, l.e.remembered.handles, l.e.nearby.handles, l.e.admit.waiting} {
		for _, h := range list {
			held[h] = true
		}
	}
	for _, later := range l.e.admit.later {
		held[later.peer] = true
	}
	for _, lost := range l.e.lost {
		held[lost.peer] = true
	}
	linked := l.e.linked.known.Clone()
	linked.Clear(func(h contact.Handle) { held[h] = true })
	spares := 0
	for _, b := range l.e.tab.Buckets(nil) {
		spares += b.Replacements
	}
	for h := range l.e.tab.All {
		held[h] = true
	}
	l.e.book.Sweep(0)
	if n := l.e.book.Len(); n < len(held) || n > len(held)+spares {
		l.t.Fatalf("%d contacts are held, %d by lists and members, and %d replacements there are", n, len(held), spares)
	}
}

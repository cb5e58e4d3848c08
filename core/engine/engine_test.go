package engine

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/table"
)

// village is a network small enough for a test: every member knows all others
// and answers after a millisecond, unless it is mute.
type village struct {
	t       *testing.T
	e       *Engine
	now     mono.Time
	wall    mono.Wall // the wall clock, which stands unless a test moves it
	members []*contact.Info
	mute    map[contact.ID]bool
	due     []arrival
	aborted map[AttemptID]bool
	facts   []Fact

	hastened map[AttemptID]mono.Time
	asked    map[contact.ID]int // how often

	late  map[contact.ID]bool        // mute to what is to be stored
	serve func(Effect) Event         // what comes of an effect; nil answers FIND_NODE
	names map[string][]*contact.Info // whom they stand for; nil is mute
}

type arrival struct {
	at mono.Time
	ev Event
}

func newVillage(t *testing.T, n int, cfg Config) *village {
	v := &village{t: t, mute: map[contact.ID]bool{}, asked: map[contact.ID]int{}, aborted: map[AttemptID]bool{}, hastened: map[AttemptID]mono.Time{}, late: map[contact.ID]bool{}}
	for i := range n {
		v.members = append(v.members, contact.New(contact.ID(fmt.Sprintf("member %d", i)), "\x04\x7f\x00\x00\x01\x06\x00\x01"))
	}
	cfg.Table.NoDiversity = true
	cfg.Seeds = append(cfg.Seeds, Seed{Peer: v.members[0]})
	v.e = New(cfg, contact.New("self"), contact.NewBook(), 1)
	return v
}

// step tells the engine of an event and carries out the effects.
func (v *village) step(ev Event) {
	v.e.Step(mono.Now{Mono: v.now, Wall: v.wall}, ev)
	for eff, ok := v.e.Next(); ok; eff, ok = v.e.Next() {
		switch eff := eff.(type) {
		case Send:
			v.asked[eff.To.ID]++
			if !v.mute[eff.To.ID] && !(v.late[eff.To.ID] && eff.Ask == AskStore) {
				v.answer(eff, Answered{Attempt: eff.Attempt, Closer: v.nearest(eff.Key)})
			}
		case Choose:
			v.answer(eff, Chosen{Attempt: eff.Attempt})
		case Resolve:
			if v.names != nil {
				v.due = append(v.due, arrival{v.now.Add(time.Millisecond), v.resolve(eff)})
			}
		case Abort:
			v.aborted[eff.Attempt] = true
		case Hasten:
			v.hastened[eff.Attempt] = eff.Deadline
		}
	}
	slices.SortStableFunc(v.due, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	for f := range v.e.Facts() {
		v.facts = append(v.facts, f)
	}
}

// answer queues what comes of an effect.
func (v *village) answer(eff Effect, plain Event) {
	if v.serve != nil {
		plain = v.serve(eff)
	}
	if plain != nil {
		v.due = append(v.due, arrival{v.now.Add(time.Millisecond), plain})
	}
}

func (v *village) resolve(eff Resolve) Resolved {
	if len(v.names[eff.Name]) == 0 {
		return Resolved{Attempt: eff.Attempt, Err: "no such name"}
	}
	return Resolved{Attempt: eff.Attempt, Seeds: v.names[eff.Name]}
}

func (v *village) nearest(preimage []byte) []*contact.Info {
	all := v.ranked(preimage)
	return all[:min(params.K, len(all))]
}

// ranked is all members, the nearest first.
func (v *village) ranked(preimage []byte) []*contact.Info {
	target := key.Of(preimage)
	all := slices.Clone(v.members)
	slices.SortFunc(all, func(a, b *contact.Info) int { return target.Closer(a.Key, b.Key) })
	return all
}

// run moves time to whatever comes next until the engine waits for nothing.
func (v *village) run() {
	for range 1_000_000 {
		if !v.next() {
			return
		}
	}
	v.t.Fatal("the engine never comes to rest")
}

// next moves time to whatever comes next. It reports false if nothing does.
func (v *village) next() bool {
	wake, waits := v.e.Wake()
	switch {
	case len(v.due) > 0 && (!waits || v.due[0].at <= wake):
		a := v.due[0]
		v.due = v.due[1:]
		v.now = max(v.now, a.at)
		v.step(a.ev)
	case waits:
		v.now = max(v.now, wake)
		v.step(Tick{})
	default:
		return false
	}
	return true
}

// result returns the one result of an operation.
func (v *village) result(id OpID) Result {
	v.t.Helper()
	var ended []Result
	for _, f := range v.facts {
		if e, ok := f.(OpEnded); ok && e.Op == id {
			ended = append(ended, e.Result)
		}
	}
	if len(ended) != 1 {
		v.t.Fatalf("operation %d ended %d times, want once", id, len(ended))
	}
	if r := ended[0]; r.Ended > r.Bound {
		v.t.Fatalf("operation %d ended %v after its bound", id, r.Ended.Sub(r.Bound))
	}
	return ended[0]
}

// requests is how many were sent.
func (v *village) requests() (n int) {
	for _, times := range v.asked {
		n += times
	}
	return n
}

func (v *village) rested() {
	v.t.Helper()
	if !v.e.Idle() || v.e.committed != 0 {
		v.t.Fatalf("left behind: %d operations, %d attempts, %d places", len(v.e.ops), len(v.e.attempts), v.e.committed)
	}
}

func TestBootstrapThroughOneSeed(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.step(StartBootstrap{Op: 1})
	v.run()
	r := v.result(1)
	if r.Outcome != Ready || v.e.tab.Len() < 40 {
		t.Fatalf("outcome %v, table %d", r.Outcome, v.e.tab.Len())
	}
	v.rested()
	v.step(StartLookup{Op: 2, Kind: KindLookup, Preimage: []byte("some key")})
	v.run()
	if r := v.result(2); r.Outcome != Converged || !slices.Equal(r.Closest, v.nearest([]byte("some key"))) {
		t.Fatalf("outcome %v with %d peers", r.Outcome, len(r.Closest))
	}
	v.rested()
}

func TestWithoutSeedsABootstrapEndsAtOnce(t *testing.T) {
	e := New(Config{}, contact.New("self"), contact.NewBook(), 1)
	e.Step(mono.Now{Mono: 5}, StartBootstrap{Op: 1})
	for f := range e.Facts() {
		if end, ok := f.(OpEnded); ok {
			if end.Result.Outcome != NoPeers || end.At != 5 {
				t.Fatalf("%+v", end)
			}
			return
		}
	}
	t.Fatal("it waits, for nobody")
}

func TestADeadSeedEndsTheBootstrapWithinOneAttempt(t *testing.T) {
	v := newVillage(t, 5, Config{})
	v.mute[v.members[0].ID] = true
	v.step(StartBootstrap{Op: 1})
	v.run()
	if r := v.result(1); r.Outcome != NoPeers || r.Ended.Sub(r.Started) > params.HardMax {
		t.Fatalf("outcome %v after %v", r.Outcome, r.Ended.Sub(r.Started))
	}
	v.rested()
}

func TestAThirdOfTheVillageIsMute(t *testing.T) {
	v := newVillage(t, 200, Config{})
	for i, m := range v.members {
		v.mute[m.ID] = i%3 == 1
	}
	v.step(StartBootstrap{Op: 1})
	v.run()
	if r := v.result(1); r.Outcome != Ready {
		t.Fatalf("outcome %v", r.Outcome)
	}
	for i := range OpID(20) {
		v.step(StartLookup{Op: 2 + i, Kind: KindLookup, Preimage: []byte{byte(i)}, Paths: 1 + int(i)%3})
	}
	v.run()
	for i := range OpID(20) {
		if r := v.result(2 + i); r.Outcome != Converged || len(r.Closest) != params.K {
			t.Fatalf("lookup %d: %v with %d peers", i, r.Outcome, len(r.Closest))
		}
	}
	v.rested()
}

func TestAThousandOperationsShareThePlaces(t *testing.T) {
	v := newVillage(t, 100, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	for i := range OpID(1000) {
		v.step(StartLookup{Op: 1 + i, Kind: KindLookup, Preimage: []byte{byte(i), byte(i >> 8)}})
		if n := len(v.e.attempts); n > params.LookupSlots {
			t.Fatalf("%d requests in flight, cap %d", n, params.LookupSlots)
		}
	}
	v.run()
	for i := range OpID(1000) {
		v.result(1 + i)
	}
	v.rested()
}

func TestAnOperationThatWaitsForItsPlaceIsSaidToStall(t *testing.T) {
	v := newVillage(t, 5, Config{})
	v.e.committed = params.LookupSlots // all places are taken, for ever
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("x")})
	v.runUntil(mono.Time(params.StallWindow))
	if open := v.e.Open(); len(open) != 1 || !open[0].Stalled || open[0].Phase != "queued" {
		t.Fatalf("open: %+v", open)
	}
	v.run()
	var alarms []Alarmed
	for _, f := range v.facts {
		if a, ok := f.(Alarmed); ok {
			alarms = append(alarms, a)
		}
	}
	if len(alarms) != 1 || alarms[0].At != mono.Time(params.StallWindow) || alarms[0].Overdue {
		t.Fatalf("alarms: %+v", alarms)
	}
	if r := v.result(1); r.Outcome != PartialDeadline {
		t.Fatalf("outcome %v", r.Outcome)
	}
}

func TestTooManyOperationsAreRefusedAtOnce(t *testing.T) {
	v := newVillage(t, 100, Config{})
	for _, m := range v.members {
		v.mute[m.ID] = true
		v.step(Vouched{Peer: m})
	}
	refused := 0
	for i := range OpID(params.MaxQueued + 500) {
		v.step(StartLookup{Op: 1 + i, Kind: KindLookup, Preimage: []byte{byte(i), byte(i >> 8)}})
	}
	for _, f := range v.facts {
		if _, ok := f.(Refused); ok {
			refused++
		}
	}
	if refused == 0 {
		t.Fatal("nobody was refused")
	}
	v.run()
	v.rested()
}

func TestShutdownLeavesNothing(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.step(StartBootstrap{Op: 1})
	v.step(StartBootstrap{Op: 2}) // joins
	v.step(StartPing{Op: 3, Peer: v.members[3]})
	v.step(Shutdown{})
	for id := range OpID(3) {
		if r := v.result(1 + id); r.Outcome != Stopped {
			t.Fatalf("operation %d: %v", 1+id, r.Outcome)
		}
	}
	v.rested()
	if _, waits := v.e.Wake(); waits {
		t.Fatal("a closed engine waits for something")
	}
	v.step(StartPing{Op: 4, Peer: v.members[3]})
	if len(v.e.ops) != 0 {
		t.Fatal("a closed engine took an operation")
	}
}

func TestFindPeerEndsWhenThePeerAnswers(t *testing.T) {
	v := newVillage(t, 60, Config{Table: table.Config{}})
	v.step(StartBootstrap{Op: 1})
	v.run()
	v.step(StartLookup{Op: 2, Kind: KindFindPeer, Preimage: []byte(v.members[42].ID)})
	v.run()
	if r := v.result(2); r.Outcome != Found || r.Found.ID != v.members[42].ID {
		t.Fatalf("outcome %v", r.Outcome)
	}
	v.mute[v.members[41].ID] = true
	v.step(StartLookup{Op: 3, Kind: KindFindPeer, Preimage: []byte(v.members[41].ID)})
	v.run()
	if r := v.result(3); r.Outcome != NotFound {
		t.Fatalf("outcome %v", r.Outcome)
	}
	v.rested()
}

func TestACloneGoesItsOwnWay(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.step(StartBootstrap{Op: 1})
	c := v.e.Clone()
	v.run()
	c.Step(mono.Now{Mono: 1}, Shutdown{})
	if v.result(1).Outcome != Ready || !c.Idle() || c.tab.Len() != 0 {
		t.Fatal("clone and original share state")
	}
}

func TestAPutOfACloneGoesItsOwnWay(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.step(Vouched{Peer: v.members[3]})
	v.step(StartProvide{Op: 1, Key: []byte("x"), Enough: params.EarlyPeers})
	c := v.e.Clone()
	c.askRegion(c.byID[1]) // which needs all to acknowledge it
	if enough := v.e.byID[1].put.enough; enough != params.EarlyPeers {
		t.Fatalf("%d acknowledgements end the original", enough)
	}
}

func TestAFullQueueRefusesNoStepOfABootstrap(t *testing.T) {
	v := newVillage(t, 60, Config{})
	for _, m := range v.members[:30] {
		v.step(Vouched{Peer: m})
	}
	for i := range OpID(params.MaxQueued + 500) {
		v.step(StartLookup{Op: 10 + i, Kind: KindLookup, Preimage: []byte{byte(i), byte(i >> 8)}})
	}
	v.step(StartBootstrap{Op: 1})
	v.run()
	if r := v.result(1); r.Outcome != Ready || r.Ended.Sub(r.Started) > params.OpDeadline {
		t.Fatalf("outcome %v after %v: %+v", r.Outcome, r.Ended.Sub(r.Started), r.Report)
	}
	v.rested()
}

func TestAShortDeadlineBlamesNobody(t *testing.T) {
	v := newVillage(t, 20, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
		v.mute[m.ID] = true
	}
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("key"), Deadline: v.now.Add(100 * time.Millisecond)})
	v.step(StartPing{Op: 2, Peer: v.members[0], Deadline: v.now.Add(100 * time.Millisecond)})
	v.now = v.now.Add(90 * time.Millisecond)
	for id := range AttemptID(5) { // the driver, too, says that they ran out of time
		v.step(Failed{Attempt: 1 + id, Failure: contact.Silent})
	}
	v.run()
	if v.e.tab.Len() != len(v.members) || v.e.memory.Len() != 0 {
		t.Fatalf("%d of %d contacts left, %d failures remembered", v.e.tab.Len(), len(v.members), v.e.memory.Len())
	}
	for id := range OpID(2) {
		v.result(1 + id)
	}
	v.rested()
}

// A change of network under a bootstrap has another begin at its end: but not
// if that is the node's end.
func TestNothingBeginsInTheStepThatEndsTheNode(t *testing.T) {
	for name, before := range map[string][]Event{
		"a bootstrap that is to begin again": {Supervise{}, NetworkChanged{}},
		"a bootstrap that is due":            {Supervise{}, Cancel{Op: 1<<63 | 1}, NetworkChanged{}},
	} {
		v := newVillage(t, 30, Config{})
		for _, ev := range before {
			v.step(ev)
		}
		asked := v.requests()
		v.step(Shutdown{})
		if v.requests() != asked {
			t.Errorf("%s: somebody was asked in the step that ends the node", name)
		}
		if _, wakes := v.e.Wake(); wakes {
			t.Errorf("%s: the node wants to be woken after its end", name)
		}
		v.rested()
	}
}

// A step of a bootstrap that never found its place has ended all the same, and
// the bootstrap must not wait for it until its own end.
func TestAStepThatFoundNoPlaceEndsForItsBootstrapToo(t *testing.T) {
	for name, end := range map[string]func(*village){
		"its time is over": func(v *village) {
			for self := v.e.queued[0]; !self.closed; {
				v.next()
			}
		},
		"it is cancelled": func(v *village) { v.step(Cancel{Op: v.e.queued[0].id}) },
	} {
		v := newVillage(t, 30, Config{})
		v.serve = func(eff Effect) Event {
			if s := eff.(Send); s.Seed {
				return Answered{Attempt: s.Attempt}
			}
			return nil
		}
		v.step(StartBootstrap{Op: 1})
		v.e.committed += params.LookupSlots // as if others had all places
		v.next()
		end(v)
		if waits, under := v.walks(1); waits != under {
			t.Errorf("%s: the bootstrap waits for %d walks, and %d are there", name, waits, under)
		}
	}
}

// walks returns for how many walks a bootstrap waits, and how many it has.
func (v *village) walks(id OpID) (waits, under int) {
	o := v.e.byID[id]
	if o == nil {
		return 0, 0
	}
	o.plan.Waiting(func(_ boot.Attempt, kind boot.ActionKind, _ contact.Handle, _ string, _, _ mono.Time) {
		if kind == boot.Walk {
			waits++
		}
	})
	for _, child := range v.e.ops {
		if child.up == o {
			under++
		}
	}
	return waits, under
}

// Places that others leave are taken in the same step by those who have somebody
// to ask, and not when the next of their own requests ends. I2.
func TestPlacesThatBecomeFreeAreTakenAtOnce(t *testing.T) {
	v := newVillage(t, 200, Config{})
	v.serve = func(Effect) Event { return nil }
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	const many = 100
	for op := OpID(1); op <= many; op++ {
		v.step(StartLookup{Op: op, Kind: KindLookup, Preimage: []byte("anything")})
	}
	v.step(StartPut{Op: many + 1, Record: *valued("/v/a", "1"), To: v.members})
	for op := OpID(1); op < many; op++ {
		v.step(Cancel{Op: op})
	}
	if n := v.e.byID[many].walk.InFlight(); n != params.Alpha {
		t.Errorf("a lookup that is alone has %d requests under way, not %d", n, params.Alpha)
	}
	if n := len(v.e.byID[many+1].store.flying); n != params.AlphaLast {
		t.Errorf("a put that has its place has %d requests under way, not %d", n, params.AlphaLast)
	}
}

package engine

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// outage is a story of a village that falls silent for a while.
type outage struct {
	groups bool // its members live in many IP groups, so an outage can be told from the failure of a few
	used   bool // somebody looks things up meanwhile
	name   bool // a seed is a name that never resolves
}

// TestTheWayBackWhenTheFaultEndsAtAnyMoment lets an outage end at every moment
// of the node's attempts to end it: in a pause, amid the names, the seeds, the
// walk for itself and the refreshes.
func TestTheWayBackWhenTheFaultEndsAtAnyMoment(t *testing.T) {
	step := 7
	if testing.Short() {
		step = 29
	}
	for _, o := range []outage{{}, {used: true}, {groups: true}, {groups: true, used: true}, {groups: true, used: true, name: true}} {
		worst, after := time.Duration(0), 0
		for lasts := 1; lasts < 200; lasts += step {
			if took := o.tell(t, lasts); took > worst {
				worst, after = took, lasts
			}
		}
		t.Logf("%+v: %v at most, after an outage of %d s, of %v", o, worst, after, boot.BoundBack(false))
		if worst > boot.BoundBack(false) {
			t.Errorf("%+v: the way back took %v after an outage of %d s", o, worst, after)
		}
	}
}

// begin makes a village fall silent.
func (o outage) begin(t *testing.T, cfg Config, members int) *village {
	v := newVillage(t, members, cfg)
	for i, m := range v.members[1:] { // the seed keeps its address
		if o.groups {
			v.members[1+i] = contact.New(m.ID, contact.Addr([]byte{4, 127, byte(i), 0, 1, 6, 0, 1}))
		}
	}
	v.step(Supervise{})
	v.runUntil(mono.Time(time.Minute))
	for _, m := range v.members {
		v.step(Connected{Peer: m.ID})
	}
	v.muteAll(true)
	for _, m := range v.members {
		v.step(Disconnected{Peer: m.ID})
	}
	return v
}

// tell returns how long the way back takes after an outage of so many seconds.
func (o outage) tell(t *testing.T, lasts int) time.Duration {
	cfg := Config{Terse: true}
	if o.name {
		cfg.Seeds = []Seed{{Name: "a name"}}
	}
	v := o.begin(t, cfg, 120)
	for s := range lasts {
		if o.used && s%5 == 0 {
			v.step(StartLookup{Op: OpID(1 + s), Kind: KindLookup, Preimage: []byte{byte(s)}})
		}
		v.runUntil(v.now.Add(time.Second))
	}
	v.muteAll(false)
	ended := v.now
	v.facts = nil
	for range 300 {
		v.runUntil(v.now.Add(time.Second))
		for _, f := range v.facts {
			if r, ok := f.(BecameReady); ok {
				return r.At.Sub(ended)
			}
		}
	}
	t.Fatalf("%+v: no way back after %d s: %+v", o, lasts, v.e.Health())
	return 0
}

// TestAnOutageCostsNoMoreDialsThanStated counts the requests of an idle node in
// every minute of an outage, in towns of one IP group and of many; beside a dead
// network each is a dial.
func TestAnOutageCostsNoMoreDialsThanStated(t *testing.T) {
	for _, members := range []int{1, 2, 6, params.OutageFailures, 40, 250} {
		for _, groups := range []bool{false, true} {
			v := outage{groups: groups}.begin(t, Config{}, members)
			table := v.e.tab.Len()
			v.facts = nil
			v.runUntil(v.now.Add(20 * time.Minute))
			worst, all := v.worstMinute()
			most := boot.DialsOffline(1, table) // a seed; nobody is remembered, for nobody is lost
			t.Logf("groups %v: table of %d, then %d; %d requests in 20 minutes, %d in the worst, %d stated",
				groups, table, v.e.tab.Len(), all, worst, most)
			if worst > most || all == 0 {
				t.Errorf("%d requests in a minute, %d are stated", worst, most)
			}
		}
	}
}

// worstMinute returns how many requests were sent in the worst minute, and in all.
func (v *village) worstMinute() (worst, all int) {
	var at []mono.Time
	for _, f := range v.facts {
		if r, ok := f.(RequestSent); ok {
			at = append(at, r.At)
		}
	}
	first := 0
	for i := range at {
		for at[i].Sub(at[first]) >= time.Minute {
			first++
		}
		worst = max(worst, i-first+1)
	}
	return worst, len(at)
}

// TestAnOutageLeavesATownInOnePlaceItsTable: where all live in one IP group, or
// are two or three, the table that leads back is whole when the outage ends.
func TestAnOutageLeavesATownInOnePlaceItsTable(t *testing.T) {
	for _, members := range []int{1, 2, 5, params.OutageFailures, 40, 120} {
		for _, used := range []bool{false, true} {
			v := outage{}.begin(t, Config{}, members)
			before := v.e.tab.Len()
			for s := range 180 {
				if used && s%5 == 0 {
					v.step(StartLookup{Op: OpID(1 + s), Kind: KindLookup, Preimage: []byte{byte(s)}})
				}
				v.runUntil(v.now.Add(time.Second))
			}
			if h := v.e.Health(); h.State != boot.Offline || v.e.tab.Len() != before {
				t.Errorf("%d members, used: %v: %v with %d contacts of %d", members, used, h.State, v.e.tab.Len(), before)
			}
			for h := range v.e.tab.All {
				if info := v.e.book.Info(h); v.e.memory.Doubtful(info, v.now) {
					t.Errorf("%d members, used: %v: %s is blamed", members, used, info.ID)
				}
			}
			v.muteAll(false)
			v.runUntil(v.now.Add(boot.BoundBack(false)))
			if h := v.e.Health(); h.State != boot.Ready || v.e.tab.Len() < before {
				t.Errorf("%d members, used: %v: afterwards %+v with %d contacts of %d", members, used, h, v.e.tab.Len(), before)
			}
		}
	}
}

// TestWhoLostAllOthersAtOnceLooksForThem: one lookup is all that tells it, while
// the last answer is too fresh to say that it is offline, and nobody asks again.
func TestWhoLostAllOthersAtOnceLooksForThem(t *testing.T) {
	v := newVillage(t, 3, Config{})
	v.step(Supervise{})
	v.runUntil(mono.Time(time.Minute))
	v.ask(1, v.members[1])
	v.step(StartLookup{Op: 2, Kind: KindLookup, Preimage: []byte("x")})
	v.runUntil(v.now.Add(time.Second)) // they answer
	v.muteAll(true)
	v.facts = nil
	v.step(StartLookup{Op: 3, Kind: KindLookup, Preimage: []byte("y")})
	v.runUntil(v.now.Add(params.HardMax))
	if h := v.e.Health(); h.State != boot.Ready || !v.e.memory.Ours() {
		t.Fatalf("%+v before it is sure, %v", h, v.e.memory.Ours())
	}
	v.runUntil(v.now.Add(params.HardSlow))
	if h := v.e.Health(); h.State != boot.Offline || len(v.bootstraps()) == 0 {
		t.Errorf("%+v after %d bootstraps", h, len(v.bootstraps()))
	}
}

// TestWhoIsCalledInAnOutageLooksAtOnce: one of those who are in the table still was
// the first to notice that the outage is over, and dials.
func TestWhoIsCalledInAnOutageLooksAtOnce(t *testing.T) {
	for _, members := range []int{2, 40, 120} {
		v := outage{}.begin(t, Config{}, members)
		v.runUntil(v.now.Add(10 * time.Minute))
		v.muteAll(false)
		caller, back := v.members[1], v.now
		if !v.has(caller) {
			t.Fatalf("of %d: it is not in the table", members)
		}
		v.step(Connected{Peer: caller.ID})
		v.step(Met{Peer: caller, Called: true})
		v.runUntil(back.Add(2 * params.RetryFirst))
		if h := v.e.Health(); h.State != boot.Ready {
			t.Errorf("of %d: %+v, %v after it was called", members, h, v.now.Sub(back))
		}
	}
}

// TestADeadTownDoesNotKeepItsPlaces: it was no outage of ours, all have gone for
// good. Then somebody is met who lives: the node does not wait for its next try,
// and does not go on with the dead.
func TestADeadTownDoesNotKeepItsPlaces(t *testing.T) {
	for _, members := range []int{2, 5, 40} {
		v := outage{}.begin(t, Config{}, members)
		v.runUntil(v.now.Add(10 * time.Minute))
		if v.e.tab.Len() != members {
			t.Fatalf("%d contacts of %d", v.e.tab.Len(), members)
		}
		v.facts = nil
		alive := contact.New("alive", "\x04\x7f\x00\x00\x01\x06\x00\x02")
		v.members = append(v.members, alive)
		met := v.now
		v.step(Connected{Peer: alive.ID})
		v.step(Met{Peer: alive, Called: true})
		v.runUntil(v.now.Add(2 * params.RetryFirst))
		if tries := v.bootstraps(); len(tries) == 0 || time.Duration(met)+2*params.RetryFirst < tries[0] {
			t.Errorf("of %d: bootstraps %v, it was met at %v", members, tries, time.Duration(met))
		}
		v.runUntil(v.now.Add(time.Minute))
		if h := v.e.Health(); v.e.tab.Len() != 1 || h.State == boot.Offline {
			t.Errorf("of %d: %+v with %d contacts, one is alive", members, h, v.e.tab.Len())
		}
	}
}

// TestWhoFailedJustBeforeTheNetworkChangedIsPardoned: too few have failed for it
// to be our fault, and then the interface says whose it was.
func TestWhoFailedJustBeforeTheNetworkChangedIsPardoned(t *testing.T) {
	for _, changed := range []bool{false, true} {
		v, _ := joined(t, 40)
		before, asked := v.e.tab.Len(), OpID(100)
		ask := func(members []*contact.Info, ev Event) {
			v.serve = func(eff Effect) Event {
				switch ev := ev.(type) {
				case Failed:
					ev.Attempt = eff.(Send).Attempt
					return ev
				default:
					return Answered{Attempt: eff.(Send).Attempt}
				}
			}
			for _, m := range members {
				asked++
				v.now++ // after the answer before
				v.step(StartPing{Op: asked, Peer: m, Key: []byte("key")})
				v.run()
			}
		}
		refused := Failed{Failure: contact.Refused, Detail: "nobody"}
		ask(v.members[:5], refused)
		if v.e.tab.Len() != before-5 {
			t.Fatalf("%d of %d contacts", v.e.tab.Len(), before)
		}
		if changed {
			v.step(NetworkChanged{})
		} else { // another one answers: it was nothing of ours. And then it is
			ask(v.members[10:11], Answered{})
			ask(v.members[12:], refused)
			if !v.e.memory.Down(mono.Never) {
				t.Error("all others failed after that")
			}
		}
		if got, want := v.e.tab.Len(), map[bool]int{true: before, false: before - 5}[changed]; got != want || len(v.e.lost) != 0 {
			t.Errorf("changed: %v: %d of %d contacts, want %d; %d are still lost", changed, got, before, want, len(v.e.lost))
		}
	}
}

// TestWhoServesNoLongerIsNotPardoned: it said so itself, in the outage.
func TestWhoServesNoLongerIsNotPardoned(t *testing.T) {
	v, _ := joined(t, 40)
	before := v.e.tab.Len()
	v.serve = func(eff Effect) Event {
		return Failed{Attempt: eff.(Send).Attempt, Failure: contact.Refused, Detail: "nobody"}
	}
	for i, m := range v.members[:20] {
		v.step(StartPing{Op: OpID(100 + i), Peer: m, Key: []byte("key")})
		v.run()
		if i == 3 {
			v.step(Withdrawn{Peer: v.members[2].ID})
		}
	}
	if v.e.tab.Len() != before-1 || v.e.tab.Has(v.e.book.Find(v.members[2].ID)) {
		t.Errorf("%d of %d contacts", v.e.tab.Len(), before)
	}
}

package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// Rows of docs/HANGS.md that are told best with a whole engine.

// Row 3: an answer that names us costs nothing.
func TestWhereEverybodyNamesOnlyUsALookupEndsAtOnce(t *testing.T) {
	v := newVillage(t, 30, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	v.serve = func(eff Effect) Event {
		return Answered{Attempt: eff.(Send).Attempt, Closer: []*contact.Info{v.e.Self()}}
	}
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("anything")})
	v.run()
	if r := v.result(1); r.Outcome != Converged || r.Ended > mono.Time(10*time.Millisecond) {
		t.Errorf("%v after %v", r.Outcome, time.Duration(r.Ended))
	}
	v.rested()
}

// Row 27: a seed that lives and knows nobody is not asked for bucket after
// bucket.
func TestASeedThatKnowsNobodyEndsTheBootstrapSoon(t *testing.T) {
	v := newVillage(t, 1, Config{})
	v.serve = func(eff Effect) Event { return Answered{Attempt: eff.(Send).Attempt} }
	v.step(StartBootstrap{Op: 1})
	v.run()
	r := v.result(1)
	if r.Ended > mono.Time(params.HardMax) || r.Stats.Requests > params.Buckets {
		t.Errorf("%v after %v and %d requests", r.Outcome, time.Duration(r.Ended), r.Stats.Requests)
	}
	v.rested()
}

// Row 30: many queries that all meet one silent peer wait for it side by side.
func TestOneSilentPeerCostsManyQueriesOneDeadline(t *testing.T) {
	const queries = 20
	v := newVillage(t, 60, Config{})
	v.mute[v.members[7].ID] = true
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	for op := range OpID(queries) {
		v.step(StartLookup{Op: op + 1, Kind: KindFindPeer, Preimage: []byte(v.members[7].ID)})
	}
	v.run()
	for op := range OpID(queries) {
		if r := v.result(op + 1); r.Ended > mono.Time(params.HardMax+100*time.Millisecond) {
			t.Errorf("query %d ended %v after %v", op, r.Outcome, time.Duration(r.Ended))
		}
	}
	v.rested()
}

// Row 33: lookups that nobody can answer end at once and leave nothing.
func TestTenThousandLookupsWithAnEmptyTableLeaveNothing(t *testing.T) {
	v := newVillage(t, 1, Config{})
	for op := range OpID(10_000) {
		v.step(StartLookup{Op: op + 1, Kind: KindLookup, Preimage: fmt.Append(nil, op)})
		if r := v.facts[len(v.facts)-1].(OpEnded).Result; r.Outcome != NoPeers || r.Ended != 0 {
			t.Fatalf("lookup %d: %v after %v", op, r.Outcome, time.Duration(r.Ended))
		}
		v.facts = v.facts[:0]
	}
	v.rested()
}

// Row 65: servers that are checked before they may enter the table are not in
// the way of a lookup, however slowly they answer.
func TestSlowAdmissionsHoldUpNoLookup(t *testing.T) {
	v := newVillage(t, 40, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	for i := range 2 * params.AdmissionProbes {
		slow := contact.New(contact.ID(fmt.Sprintf("slow %d", i)), "\x04\x7f\x00\x00\x01\x06\x00\x02")
		v.mute[slow.ID] = true
		v.step(Met{Peer: slow})
	}
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("anything")})
	v.run()
	if r := v.result(1); r.Outcome != Converged || r.Ended > mono.Time(10*time.Millisecond) {
		t.Errorf("%v after %v", r.Outcome, time.Duration(r.Ended))
	}
	v.rested()
}

// Rows 80 and 81: no deadline is on the wall clock, which here jumps to and fro
// by an hour with every request.
func TestTheWallClockSetsNoDeadline(t *testing.T) {
	var ends [2][]Result
	for i := range ends {
		v := newVillage(t, 60, Config{})
		for n := 0; n < 60; n += 3 {
			v.mute[v.members[n].ID] = n > 0
		}
		hour := mono.Wall(time.Hour)
		v.serve = func(eff Effect) Event {
			if i == 1 {
				v.wall, hour = v.wall+hour, -hour
			}
			s := eff.(Send)
			return Answered{Attempt: s.Attempt, Closer: v.nearest(s.Key)}
		}
		v.step(StartBootstrap{Op: 1})
		v.run()
		v.step(StartLookup{Op: 2, Kind: KindLookup, Preimage: []byte("anything")})
		v.run()
		ends[i] = []Result{v.result(1), v.result(2)}
		v.rested()
	}
	for n, still := range ends[0] {
		if jumps := ends[1][n]; jumps.Ended != still.Ended || jumps.Outcome != still.Outcome || len(jumps.Closest) != len(still.Closest) {
			t.Errorf("operation %d: %v after %v; with a wall clock that jumps %v after %v", n+1, still.Outcome, time.Duration(still.Ended), jumps.Outcome, time.Duration(jumps.Ended))
		}
	}
}

// Rows 41 and 42: the closest are found fast and fall silent when they are to
// store something. That costs one deadline more, and is told as it is.
func TestAPutToPeersThatFallSilentEndsAfterOneDeadline(t *testing.T) {
	for _, ev := range []Event{
		StartPut{Op: 1, Record: record.Record{Key: []byte("/v/a"), Value: []byte("1")}},
		StartProvide{Op: 1, Key: []byte("content")},
	} {
		v, _ := joined(t, 60)
		plain := v.serve
		v.serve = func(eff Effect) Event {
			if s, ok := eff.(Send); ok && s.Ask != AskPeers {
				return nil
			}
			return plain(eff)
		}
		v.step(ev)
		v.run()
		r := v.result(1)
		if r.Outcome != Unstored || len(r.Stored) != 0 || len(r.Unstored) == 0 || r.Ended.Sub(r.Started) > params.HardMax+100*time.Millisecond {
			t.Errorf("%T: %v after %v, %d stored, %d not", ev, r.Outcome, r.Ended.Sub(r.Started), len(r.Stored), len(r.Unstored))
		}
		v.rested()
	}
}

// Row 67: who was asked and stayed silent is not found, and nothing is stored
// with it.
func TestSilentNeighboursAreNotCountedAsFound(t *testing.T) {
	v, s := joined(t, 60)
	near := v.nearest([]byte("/v/a"))
	for i, m := range near {
		v.mute[m.ID] = i%2 == 0
	}
	v.step(StartPut{Op: 1, Record: record.Record{Key: []byte("/v/a"), Value: []byte("1")}})
	v.run()
	r := v.result(1)
	if r.Outcome != Stored || len(r.Stored) != params.K {
		t.Fatalf("%v: stored by %d", r.Outcome, len(r.Stored))
	}
	for _, m := range append(r.Closest, r.Stored...) {
		if v.mute[m.ID] {
			t.Errorf("%s is silent and counts as found", m.ID)
		}
	}
	for i, m := range near {
		if i%2 == 1 && s.values[m.ID] == nil {
			t.Errorf("%s answers, is one of the closest, and has nothing", m.ID)
		}
	}
	v.rested()
}

// Row 7: a node that knows nobody and has no seeds tries once a pause, for
// hours, and sends nothing.
func TestWithoutSeedsThereIsOneTryAPause(t *testing.T) {
	v := newVillage(t, 1, Config{})
	v.e = New(Config{}, contact.New("self"), contact.NewBook(), 1)
	v.step(Supervise{})
	v.runUntil(mono.Time(time.Hour))
	tries := len(v.bootstraps())
	if most := 6 + int(time.Hour/params.RetryMax); tries < most/2 || tries > most {
		t.Errorf("%d tries in an hour", tries)
	}
	if len(v.due) > 0 {
		t.Error("something was sent")
	}
}

// Rows 55 and 93: of the checks of newly met servers too nothing of before a
// sleep is waited for.
func TestASleepForgetsTheChecksThatWereUnderWay(t *testing.T) {
	v := newVillage(t, 1, Config{})
	for i := range 3 {
		slow := contact.New(contact.ID(fmt.Sprintf("slow %d", i)), "\x04\x7f\x00\x00\x01\x06\x00\x02")
		v.mute[slow.ID] = true
		v.step(Met{Peer: slow})
	}
	if v.e.Idle() {
		t.Fatal("nobody is checked")
	}
	v.step(ClockJumped{Gap: int64(time.Hour)})
	if len(v.aborted) != 3 {
		t.Errorf("%d of 3 checks were withdrawn", len(v.aborted))
	}
	v.rested()
}

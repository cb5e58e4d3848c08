package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
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

package engine

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/table"
)

// No configuration makes an operation endless, and none makes it exceed the
// bound that it was told.
func TestNoConfigurationMakesAnOperationEndless(t *testing.T) {
	for name, cfg := range map[string]Config{
		"everything negative": {
			Paths: -1, Deadline: -time.Second,
			Lookup: lookup.Config{K: -1, Alpha: -1, Spare: -1, MaxPeers: -1, MaxDepth: -1, ProbeRounds: -1, Liars: -1},
			Table:  table.Config{Sizes: []int{-1, -5}, MaxPerGroup: -1, MaxPerGroupBucket: -1},
		},
		"a result and nothing else": {Lookup: lookup.Config{K: 1}},
		"everything immense": {
			Paths: math.MaxInt, Deadline: math.MaxInt64,
			Lookup: lookup.Config{K: math.MaxInt, Alpha: math.MaxInt, Spare: math.MaxInt, MaxPeers: math.MaxInt, MaxDepth: math.MaxInt, AttemptsFresh: math.MaxInt},
			Table:  table.Config{Sizes: []int{math.MaxInt, math.MaxInt}, MaxPerGroup: math.MaxInt, MaxPerGroupBucket: math.MaxInt},
		},
	} {
		v := newVillage(t, 60, cfg)
		for i, m := range v.members {
			v.mute[m.ID] = i%3 == 1
		}
		v.step(StartBootstrap{Op: 1})
		v.run()
		v.step(StartLookup{Op: 2, Kind: KindLookup, Preimage: []byte("anything"), Paths: -3, Want: -1})
		v.step(StartPut{Op: 3, Record: record.Record{Key: []byte("/v/a"), Value: []byte("1")}, Enough: -1, Paths: math.MaxInt})
		v.step(StartGet{Op: 4, Key: []byte("/v/a"), Quorum: -1})
		v.step(StartFindProviders{Op: 5, Key: []byte("c"), Limit: -1})
		v.run()
		for op := OpID(1); op <= 5; op++ {
			if r := v.result(op); r.Bound.Sub(r.Started) > params.MaxDeadline || r.Bound < r.Started {
				t.Errorf("%s: operation %d has the bound %v", name, op, r.Bound.Sub(r.Started))
			} else if len(r.Closest) == 0 {
				t.Errorf("%s: operation %d found nobody: %v", name, op, r.Outcome)
			}
		}
		if r := v.result(3); (r.Outcome == Stored) != (len(r.Stored) > 0) {
			t.Errorf("%s: %v on %d", name, r.Outcome, len(r.Stored))
		}
		v.rested()
	}
}

// Deadlines that have passed, that never come, or that are farther than any
// operation may take.
func TestDeadlinesAreBroughtToReason(t *testing.T) {
	for _, wanted := range []mono.Time{math.MinInt64, -1, 1, mono.Never} {
		v := newVillage(t, 30, Config{})
		v.now = mono.Time(time.Hour)
		v.e.committed = params.LookupSlots // nothing finds its place
		for i, ev := range []Event{
			StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("a"), Deadline: wanted},
			StartGet{Op: 2, Key: []byte("/v/a"), Deadline: wanted},
			StartPing{Op: 3, Peer: v.members[0], Deadline: wanted},
			StartPut{Op: 4, Record: record.Record{Key: []byte("/v/a")}, Deadline: wanted, To: v.members},
			StartBootstrap{Op: 5, Deadline: wanted},
		} {
			v.step(ev)
			if wake, wakes := v.e.Wake(); v.e.byID[OpID(i+1)] != nil && (!wakes || wake > v.now.Add(params.MaxDeadline)) {
				t.Errorf("%T until %d: nothing wakes it", ev, wanted)
			}
		}
		v.runUntil(v.now.Add(params.MaxDeadline))
		for op := OpID(1); op <= 5; op++ {
			v.result(op)
		}
	}
}

// A clock that goes back does not have anything wait for longer.
func TestAClockThatGoesBackStandsStill(t *testing.T) {
	v := newVillage(t, 30, Config{})
	v.muteAll(true)
	v.now = mono.Time(time.Hour)
	v.step(StartBootstrap{Op: 1})
	v.now = mono.Time(time.Minute)
	v.step(Tick{})
	v.step(StartLookup{Op: 2, Kind: KindLookup, Preimage: []byte("a")})
	if wake, wakes := v.e.Wake(); wakes && wake < mono.Time(time.Hour) {
		t.Errorf("it wants to be woken at %v, an hour after that had gone", time.Duration(wake))
	}
	v.run()
	for op := OpID(1); op <= 2; op++ {
		v.result(op)
	}
}

// An outcome of the wrong kind is none, whatever it says. KAD-2.6.
func TestAnOutcomeOfTheWrongKindIsNone(t *testing.T) {
	v := newVillage(t, 60, Config{Seeds: []Seed{{Name: "seeds.example"}}})
	v.serve = func(Effect) Event { return nil }
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	v.step(Met{Peer: contact.New("newcomer")})
	v.step(StartGet{Op: 1, Key: []byte("/v/a")})
	for i, a := range v.e.attemptsOf(v.e.byID[1])[:2] {
		v.step(Answered{Attempt: a, Record: valued("/v/a", fmt.Sprint(i))})
	}
	v.step(StartBootstrap{Op: 2})
	kinds := map[string]int{}
	for _, a := range append(ledger(nil), v.e.attempts...) {
		wrong := []Event{Resolved{Attempt: a.id}, Chosen{Attempt: a.id, Best: 1}}
		switch {
		case a.peer != 0 && a.op == nil:
			kinds["check"]++
		case a.peer != 0:
			kinds["request"]++
		default:
			wrong = []Event{Answered{Attempt: a.id, Closer: v.members[:3]}, Failed{Attempt: a.id, Failure: contact.Silent}}
			if kinds["name or choice"]++; a.op.plan == nil {
				wrong = append(wrong, Resolved{Attempt: a.id})
			} else {
				wrong = append(wrong, Chosen{Attempt: a.id})
			}
		}
		for _, ev := range wrong {
			v.e.Step(mono.Now{Mono: v.now}, ev)
			if !v.e.attempts.has(a.id) {
				t.Errorf("%T ended an attempt that it is not the outcome of", ev)
			}
		}
	}
	if kinds["check"] == 0 || kinds["request"] == 0 || kinds["name or choice"] < 2 {
		t.Errorf("not everything is under way: %v", kinds)
	}
}

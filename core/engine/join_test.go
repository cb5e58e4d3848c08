package engine

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/params"
)

// Whoever joins a bootstrap is an operation like any other: its ID must be new,
// there are only so many, and its own deadline holds.
func TestWhoJoinsABootstrapIsAnOperationLikeAnyOther(t *testing.T) {
	v := newVillage(t, 30, Config{})
	v.muteAll(true)
	v.step(StartBootstrap{Op: 1, Deadline: v.now.Add(params.MaxDeadline)})
	v.step(StartBootstrap{Op: 3})
	v.step(StartBootstrap{Op: 4, Deadline: v.now.Add(time.Second)})
	for _, used := range []OpID{0, 1, 3} {
		before := len(factsOf[Refused](v))
		v.step(StartBootstrap{Op: used})
		if len(factsOf[Refused](v)) != before+1 {
			t.Errorf("a bootstrap may be called %d, which is in use", used)
		}
	}
	v.step(StartLookup{Op: 3, Kind: KindLookup, Preimage: []byte("anything")})
	if n := len(factsOf[Refused](v)); n != 4 {
		t.Error("a lookup may be called as one who has joined")
	}
	for op := OpID(10); op < 10+2*params.MaxQueued; op++ {
		v.step(StartBootstrap{Op: op})
	}
	if n := len(v.e.byID[1].joined); n > params.MaxQueued {
		t.Errorf("%d have joined", n)
	}
	v.run()
	for _, op := range []OpID{1, 3, 4} {
		v.result(op)
	}
	v.rested()
}

// Who joins a bootstrap that was given ten minutes waits for no longer than
// they were told, and has what there is by then.
func TestWhoJoinsABootstrapKeepsTheirOwnBound(t *testing.T) {
	v := newVillage(t, 30, Config{Deadline: params.MaxDeadline})
	v.e.committed = params.LookupSlots // as if others had all places
	v.step(StartBootstrap{Op: 1, Deadline: v.now.Add(params.MaxDeadline)})
	v.runUntil(v.now.Add(5 * time.Second))
	v.step(StartBootstrap{Op: 2})
	v.step(StartBootstrap{Op: 3, Deadline: v.now.Add(3 * time.Second)})
	v.runUntil(v.now.Add(2 * time.Minute))
	for op, within := range map[OpID]time.Duration{2: params.BootDeadline, 3: 3 * time.Second} {
		if r := v.result(op); r.Bound.Sub(r.Started) != within || r.Outcome != PartialDeadline || r.Report == nil {
			t.Errorf("operation %d: %v, bound %v, with %v", op, r.Outcome, r.Bound.Sub(r.Started), r.Report)
		}
	}
	if v.e.byID[1] == nil {
		t.Fatal("the bootstrap itself has ended")
	}
	v.step(Shutdown{})
	v.result(1)
}

package sim

import (
	"testing"
	"time"
)

// To look ahead changes nothing.
func TestLookingAheadChangesNothing(t *testing.T) {
	run := func(off bool) (uint64, uint64) {
		town := newTown("ahead", Options{Nodes: 120, Seed: 5, Dead: 15})
		town.w.ahead.off = off
		if err := town.inhabit(); err != nil {
			t.Fatal(err)
		}
		town.churn()
		if err := town.use(2 * time.Minute); err != nil {
			t.Fatal(err)
		}
		if (town.w.ahead.sum == 0) != off {
			t.Errorf("off is %v, and what was read is %d", off, town.w.ahead.sum)
		}
		return town.w.trace, town.w.events
	}
	trace, events := run(false)
	if without, as := run(true); trace != without || events != as {
		t.Errorf("%d events, trace %x; without %d, %x; repeat with: go test ./sim -run TestLookingAhead", events, trace, as, without)
	}
}

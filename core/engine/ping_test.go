package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// A thousand pings at once are more than the driver has workers for: they take
// their places in turn, and a lookup that begins with them has its own.
func TestAThousandPingsShareThePlaces(t *testing.T) {
	v := newVillage(t, 60, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	const pings = 1000
	most := 0
	v.serve = func(eff Effect) Event {
		most = max(most, len(v.e.attempts))
		s := eff.(Send)
		return Answered{Attempt: s.Attempt, Closer: v.nearest(s.Key)}
	}
	deadline := v.now.Add(params.HardSlow)
	for i := range pings {
		v.step(StartPing{Op: OpID(i + 1), Peer: contact.New(contact.ID(fmt.Sprint("pinged ", i))), Deadline: deadline})
	}
	v.step(StartLookup{Op: pings + 1, Kind: KindLookup, Preimage: []byte("anything")})
	v.run()
	for i := range pings {
		if r := v.result(OpID(i + 1)); r.Outcome != Found {
			t.Fatalf("ping %d: %v", i, r.Outcome)
		}
	}
	if r := v.result(pings + 1); r.Outcome != Converged || r.Ended > deadline.Add(-time.Second) {
		t.Errorf("the lookup: %v after %v", r.Outcome, time.Duration(r.Ended))
	}
	if most > params.MaxInFlight {
		t.Errorf("%d requests under way at a time, %d are possible", most, params.MaxInFlight)
	}
	v.rested()
}

// A ping whose place comes late has what is left of its time, and to run out of
// that blames nobody.
func TestAPingThatWaitedForItsPlaceBlamesNobody(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.serve = func(Effect) Event { return nil }
	for op := OpID(1); op <= params.LookupSlots; op++ {
		v.step(StartPing{Op: op, Peer: contact.New(contact.ID(fmt.Sprint("silent ", op))), Apart: true})
	}
	late := contact.New("late")
	v.step(StartPing{Op: 1000, Peer: late, Deadline: v.now.Add(params.HardMax + 10*time.Millisecond)})
	if v.asked[late.ID] != 0 {
		t.Fatal("it found a place at once")
	}
	v.run()
	if r := v.result(1000); v.asked[late.ID] != 1 || r.Ended > r.Bound {
		t.Errorf("asked %d times, ended %v after its bound", v.asked[late.ID], r.Ended.Sub(r.Bound))
	}
	if v.e.memory.Doubtful(late, v.now) {
		t.Error("it is blamed for what little time it had")
	}
	v.rested()
}

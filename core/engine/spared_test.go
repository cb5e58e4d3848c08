package engine

import (
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// Who did not take a record because our own side had no room for the request, or
// was down, is spared; who let it time out while others took it is not.
func TestWhoIsNotToBlameForItThatARecordWasNotTaken(t *testing.T) {
	for _, c := range []struct {
		name   string
		how    contact.Failure
		among  int // of sixty
		spared int
	}{
		{"no room of ours", contact.NotSent, 10, 10},
		{"the machine slept", contact.Suspended, 10, 10},
		{"silent, while others took it", contact.Silent, 10, 0},
		{"declined", contact.Reset, 10, 0},
		{"everybody silent", contact.BlackHole, 60, 60},
	} {
		v, s := joined(t, 60)
		for _, m := range v.members[:c.among] {
			s.refuse[m.ID] = c.how
		}
		v.step(StartProvide{Op: 1, Key: []byte("content"), To: v.members})
		v.run()
		r := v.result(1)
		if got := len(r.Spared()); got != c.spared || len(r.Unstored) != c.among || r.Outage != (c.among == 60) {
			t.Errorf("%s: %d of %d are spared, outage %v", c.name, got, len(r.Unstored), r.Outage)
		}
	}
}

// A lookup tells how many peers there are, by what is known.
func TestALookupTellsHowManyPeersThereAre(t *testing.T) {
	v, _ := joined(t, 60)
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("anything")})
	v.run()
	if n := v.result(1).Network.Peers; n < 60/4 || n > 60*4 {
		t.Errorf("%.0f of 60", n)
	}
	v.step(StartLookup{Op: 2, Kind: KindLookup, Preimage: []byte("anything"), Want: params.MaxWanted})
	v.run()
	if r := v.result(2); len(r.Closest) != 60 {
		t.Errorf("%d of 60 are found by a wide one", len(r.Closest))
	}
}

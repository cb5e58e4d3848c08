package sim

import (
	"testing"

	"github.com/waymark-dht/waymark/core/params"
)

// A sample of what .ci/full sweep does: a twelfth of the nodes, of which some are
// dead, and a twenty-fifth of the keys.
func TestASweepReachesTheClosestWithFewLookups(t *testing.T) {
	for _, dead := range []int{0, 15} {
		r, err := Sweep(Options{Nodes: 800, Keys: 4000, Seed: 1, Dead: dead})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.Swept {
			if s.Keys != 4000 || s.Lookups == 0 || s.Lookups > 150 || s.Least < params.K-2 || s.Mean < params.K-.1 {
				t.Errorf("%d %% dead: %+v", dead, s)
			}
			t.Logf("%d %% dead: %+v", dead, s)
		}
	}
}

// A sweep whose promise breaks says so: here nobody keeps what it is told.
func TestASweepThatReachesNobodyBreaksItsPromise(t *testing.T) {
	opt := Options{Nodes: 200, Keys: 300, Seed: 1}.defaults("sweep", sweepNodes, 1)
	w := NewWorld(opt)
	w.Fill()
	s := newSweeping(w)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	for n := range uint32(len(w.nodes)) {
		w.shelves.clear(n)
	}
	s.count()
	s.rows[1] = s.row
	if err := s.verdict(nil); err == nil || s.row.Below != 300 {
		t.Errorf("nobody has anything: %v, %+v", err, s.row)
	}
}

// Among a few there are not as many closest as a key should have, and alone
// nobody at all: that breaks no promise.
func TestASweepAmongAFewKeepsItsPromise(t *testing.T) {
	for _, nodes := range []int{1, 2, 3, 10, 25} {
		for _, dead := range []int{0, 90} {
			if _, err := Sweep(Options{Nodes: nodes, Keys: 20, Seed: 1, Dead: dead}); err != nil {
				t.Errorf("%d nodes, %d %% dead: %v", nodes, dead, err)
			}
		}
	}
}

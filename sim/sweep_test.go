package sim

import (
	"testing"

	"github.com/waymark-dht/waymark/core/params"
)

// A thousandth of the work that .ci/full sweep does: a tenth of the nodes, of
// which some are dead, and of the keys.
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

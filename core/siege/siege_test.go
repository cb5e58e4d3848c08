package siege

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/waymark-dht/waymark/core/params"
)

// The node learns from its lookups how many peers there are, to 10 %, and who
// sits close to a third of its targets does not change that.
func TestTheNumberOfPeersIsLearnt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	for _, besieged := range []int{0, 10} {
		var s Spacing
		for i := range params.SpacingSamples {
			sum := 0.
			for range params.K {
				sum += r.ExpFloat64()
			}
			if i < besieged {
				sum = .1
			}
			s.Add(Distance(sum / 10_000 * (1 << 64)))
		}
		tolerance := .1
		if besieged > 0 {
			tolerance = .2
		}
		if got := s.Network(); math.Abs(got.Peers/10_000-1) > tolerance || got.Deviation < .02 || got.Deviation > .1 {
			t.Errorf("%d besieged: %+v, of 10000", besieged, got)
		}
	}
	if got := new(Spacing).Network(); got.Peers != 0 {
		t.Errorf("%+v, of no lookup", got)
	}
}

// drawn is the distances of so many random peers, nearest first.
func drawn(r *rand.Rand, peers int) []Distance {
	far := make([]Distance, peers)
	for i := range far {
		far[i] = r.Uint64()
	}
	slices.Sort(far)
	return far
}

func TestOnlyACrowdIsACrowd(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	n := Network{Peers: 2000, Deviation: .05}
	for i := range 400 {
		if n.Crowded(drawn(r, 2000)[:params.K]) {
			t.Errorf("network %d is said to be besieged", i)
		}
	}
	near := drawn(r, 2000)[:params.K]
	for i := range near[:params.CrowdLeast] { // ten accomplices next to the key
		near[i] = Distance(i+1) << 40
	}
	slices.Sort(near)
	if !n.Crowded(near) {
		t.Error("ten accomplices next to a key are not noticed")
	}
	if n.Crowded(near[:params.CrowdLeast-1]) {
		t.Error("of fewer than CrowdLeast chance says too little")
	}
	if (Network{}).Crowded(near) || (Network{Peers: params.K}).Crowded(near) {
		t.Error("somebody is suspected who knows nothing of the network, or everybody in it")
	}
}

// A record goes to all who are to be expected in the region, and to k at least.
func TestTheRegionIsWhereTwiceKAreToBeExpected(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 0))
	n := Network{Peers: 2000}
	for range 200 {
		near := drawn(r, 2000)[:params.MaxWanted]
		got := n.Region(near)
		want := slices.IndexFunc(near, func(d Distance) bool { return float64(d)/(1<<64)*2000 > params.CrowdRegion*params.K })
		if want < 0 {
			want = len(near)
		}
		if got != max(params.K, want) {
			t.Fatalf("%d, not %d", got, want)
		}
	}
	far := make([]Distance, 30)
	for i := range far {
		far[i] = 1 << 63
	}
	if got := n.Region(far); got != params.K {
		t.Errorf("%d of those who are far away", got)
	}
	if got := n.Region(far[:5]); got != 5 {
		t.Errorf("%d of five", got)
	}
}

// Whoever estimates by how far the k nearest to one key are is off by a fourth,
// and that is not taken for a crowd.
func TestAnEstimateFromOneKeyIsNoReasonForSuspicion(t *testing.T) {
	r, wrong := rand.New(rand.NewPCG(3, 0)), 0
	for range 400 {
		size := int(2000 * math.Exp(r.NormFloat64()/math.Sqrt(params.K)))
		wrong += map[bool]int{true: 1}[Estimated(size).Crowded(drawn(r, 2000)[:params.K])]
	}
	if wrong > 0 {
		t.Errorf("%d of 400", wrong)
	}
}

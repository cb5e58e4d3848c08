package sim

import (
	"flag"
	"testing"
	"time"
)

var (
	worldsLookups = flag.Int("worlds", 0, "lookups of callers over all scenarios and shares of dead members; 0 leaves the test out")
	worldsSeed    = flag.Uint64("worlds.seed", 1, "the seed of every world")
)

// deadShares are those of the guarantee.
var deadShares = []int{0, 5, 15, 26, 40, 52}

// worldsOptions are those of one world of the big run. Scenarios that last for
// days are made short, and what fills the time of others is left to them.
func worldsOptions(s Scenario, dead, lookups int) Options {
	opt := Options{Seed: *worldsSeed, Dead: dead, Lookups: lookups}
	switch s.Name {
	case "lookups":
		opt.Nodes = 2000
	case "soak":
		opt.Duration = 12 * time.Hour
	case "values", "providers": // these are items to be stored
		opt.Nodes, opt.Lookups, opt.Duration = 200, max(20, lookups/100), 2*time.Hour
	}
	return opt
}

// callersLook reports whether a scenario makes the lookups that Options asks for.
func callersLook(s Scenario) bool {
	switch s.Name {
	case "bootstrap", "sweep", "values", "providers":
		return false
	}
	return true
}

// TestWorlds is the big run, .ci/full worlds: every scenario with every share
// of dead members. No operation may be overdue, stand still or exceed its
// bound. That enough is found is the promise of single scenarios; here it is
// reported.
func TestWorlds(t *testing.T) {
	if *worldsLookups == 0 {
		t.Skip("-worlds N makes N lookups")
	}
	makers := len(Scenarios)
	for _, s := range Scenarios {
		if !callersLook(s) {
			makers--
		}
	}
	each := *worldsLookups/makers/len(deadShares) + 50 // churn makes a few less than it is told
	var sum Result
	t.Logf("| scenario | dead | nodes | bootstraps | lookups | walks | recall | most of a bound | overdue | stalled | promise |")
	t.Logf("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|")
	for _, s := range Scenarios {
		for _, dead := range deadShares {
			opt := worldsOptions(s, dead, each)
			r, err := s.Run(opt)
			promise := "kept"
			if err != nil {
				promise = err.Error()
			}
			t.Logf("| `%s` | %d %% | %d | %d | %d | %d | %.4f | %.3f | %d | %d | %s |",
				s.Name, dead, r.Nodes, r.Booted, r.Lookups, r.Walks, r.Recall, r.OfBound, r.Overdue, r.Stalled, promise)
			if r.Overdue > 0 || r.Stalled > 0 || r.MaxOverBound > 0 || r.Events == 0 {
				t.Errorf("%s, %d %% dead: %v\n%+v", s.Name, dead, err, r)
			}
			sum.Booted, sum.Lookups, sum.Walks = sum.Booted+r.Booted, sum.Lookups+r.Lookups, sum.Walks+r.Walks
			sum.Events, sum.Operations, sum.OfBound = sum.Events+r.Events, sum.Operations+r.Operations, max(sum.OfBound, r.OfBound)
		}
	}
	t.Logf("together: %d bootstraps, %d lookups of callers, %d walks in all, %d operations, %d events; at most %.3f of a bound",
		sum.Booted, sum.Lookups, sum.Walks, sum.Operations, sum.Events, sum.OfBound)
	if sum.Lookups < *worldsLookups || sum.Booted < uint64(*worldsLookups/100) {
		t.Errorf("%d lookups and %d bootstraps are fewer than were asked for", sum.Lookups, sum.Booted)
	}
}

package sim

import (
	"errors"
	"testing"

	"github.com/waymark-dht/waymark/core/mono"
)

// Whoever stops a network that is still being made stops it there: of every
// scenario, at every moment at which the run asks, and nothing happens in it.
func TestEveryScenarioStopsWhileItsNetworkIsBuilt(t *testing.T) {
	for _, s := range Scenarios {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			stopped := 0
			for at := 1; stopAt(t, s, at); at++ {
				stopped++
			}
			if want := looksWhileBuilding(s.Name); stopped < want {
				t.Errorf("it could be stopped at %d moments, want %d", stopped, want)
			}
		})
	}
}

// buildNodes is small, and more than get their tables between two looks.
const buildNodes = filledBetween + 2

// looksWhileBuilding is how often the first network of a scenario asks: before
// its first member and, if it fills tables, before some of them.
func looksWhileBuilding(scenario string) int {
	switch scenario {
	case "bootstrap", "seeds-down":
		return 1
	case "flash-crowd": // it begins with half of the members
		return 2
	}
	return 3
}

// stopAt runs a scenario until the given look at Building, and reports whether
// there was such a look before anything happened in the network.
func stopAt(t *testing.T, s Scenario, at int) bool {
	looks, began := 0, false
	r, err := s.Run(Options{
		Nodes: buildNodes, Seed: 1, Lookups: 4, Keys: 10,
		Building: func(done, of int) bool {
			looks++
			if done < 0 || done >= of {
				t.Errorf("look %d: %d of %d tables", looks, done, of)
			}
			return looks < at
		},
		Progress: func(mono.Time, uint64) bool { began = true; return false },
	})
	if began || looks < at {
		return false
	}
	if !errors.Is(err, ErrStopped) || looks != at || r.Events > 0 {
		t.Fatalf("stopped at look %d: %d looks, %d events, %v", at, looks, r.Events, err)
	}
	return true
}

// What was not made when the run was stopped is not made any more.
func TestANetworkThatIsStoppedIsLeftAsItIs(t *testing.T) {
	stop := 0
	opt := Options{Nodes: 3 * drawnBetween, Seed: 1}.defaults("lookups", 0, 1)
	opt.Building = func(done, _ int) bool { return done < stop }
	if w := NewWorld(opt); len(w.nodes) != 0 || !errors.Is(w.Fill(), ErrStopped) || !errors.Is(w.Run(mono.Never), ErrStopped) {
		t.Errorf("stopped at once: %d members, %v", len(w.nodes), w.violated)
	}
	stop = filledBetween + 1
	w := NewWorld(opt)
	err, filled := w.Fill(), 0
	for _, nd := range w.nodes {
		if nd.tab.Len() > 0 {
			filled++
		}
	}
	if !errors.Is(err, ErrStopped) || len(w.nodes) != opt.Nodes || filled != 2*filledBetween {
		t.Errorf("stopped after %d tables: %d of %d members have one, want %d; %v", stop, filled, len(w.nodes), 2*filledBetween, err)
	}
}

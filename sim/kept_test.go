package sim

import (
	"testing"
	"time"
)

// restless is a small network whose members stay for a quarter of an hour.
func restless(again time.Duration) Options {
	return Options{Nodes: 40, Seed: 1, Lookups: 30, Duration: 4 * time.Hour, Scale: 12 * time.Minute, Shape: 50, Again: again}
}

// What is stored again every ten minutes outlives four hours of such members;
// what is not does not, and the scenario says so.
func TestWhatIsStoredAgainOutlivesItsMembers(t *testing.T) {
	if testing.Short() {
		t.Skip("hours of a restless network: not in -short")
	}
	for name, run := range map[string]func(Options) (Result, error){"values": Values, "providers": Providers} {
		t.Run(name, func(t *testing.T) {
			r, err := run(restless(10 * time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			last := r.Kept[len(r.Kept)-1]
			if last.Hours != 4 || last.There != 1 || last.Found != last.Tries || last.Tries < 50 || last.Holders < 12 {
				t.Errorf("stored again: %+v", r.Kept)
			}
			r, err = run(restless(-1))
			last = r.Kept[len(r.Kept)-1]
			if err == nil || last.There > .98 || last.Holders > 6 {
				t.Errorf("not stored again: %v, %+v", err, r.Kept)
			}
		})
	}
}

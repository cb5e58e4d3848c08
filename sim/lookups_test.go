package sim

import (
	"reflect"
	"strconv"
	"testing"
	"time"
)

// faulty is a faulty world small enough for every run of the tests.
func faulty(seed uint64) Options {
	return Options{Nodes: 500, Seed: seed, Dead: 26, Lookups: 20, Seasoned: 1}
}

func TestTwentySeedsOfAFaultyWorld(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel() // worlds share nothing
			r, err := Lookups(faulty(seed))
			if err != nil {
				t.Fatal(err)
			}
			if r.Lookups != 20 || r.Stalled != 0 || r.Overdue != 0 {
				t.Fatalf("%+v", r)
			}
			if r.Recall < .97 {
				t.Errorf("recall %.3f; repeat with: %s", r.Recall, faulty(seed).Command())
			}
		})
	}
}

func TestOneSeedIsOneRun(t *testing.T) {
	first, err := Lookups(faulty(7))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Lookups(faulty(7))
	other, _ := Lookups(faulty(8))
	if !reflect.DeepEqual(first, again) {
		t.Errorf("the same seed gave\n%+v\nand\n%+v", first, again)
	}
	if first.TraceHash == other.TraceHash {
		t.Error("two seeds gave the same trace")
	}
}

// Each scenario run twice is one run: the same figures and the same trace.
func TestEveryScenarioRepeats(t *testing.T) {
	if testing.Short() {
		t.Skip("each scenario is run once, by other tests")
	}
	for _, s := range Scenarios {
		opt := Options{Nodes: 80, Seed: 11, Dead: 15, Lookups: 20, Duration: 2 * time.Minute, Rest: time.Minute}
		first, err := s.Run(opt)
		if err != nil && first.Events == 0 {
			t.Fatal(err)
		}
		if again, _ := s.Run(opt); !reflect.DeepEqual(again, first) {
			t.Errorf("%s: the same seed gave\n%+v\nand\n%+v", s.Name, first, again)
		}
		opt.Seed++
		if other, _ := s.Run(opt); other.TraceHash == first.TraceHash {
			t.Errorf("%s: two seeds gave the same trace", s.Name)
		}
	}
}

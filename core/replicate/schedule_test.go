package replicate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

func newSchedule(seed uint64) *Schedule {
	return New(time.Hour, rand.New(rand.NewPCG(seed, 0)))
}

// Twenty peers have a value since the same moment, and whoever is first gives
// it to the others, which takes a while: in a day some 24 act, and not 20 times
// as many.
func TestOneActsForAll(t *testing.T) {
	const trip = 5 * time.Second // until the others have it
	var peers []*Schedule
	for i := range params.K {
		peers = append(peers, newSchedule(uint64(i)))
		peers[i].Stored("v", 0)
	}
	acts := 0
	var arrives []mono.Wall
	for now := mono.Wall(0); now < mono.Wall(24*time.Hour); now += mono.Wall(time.Second) {
		if len(arrives) > 0 && arrives[0] <= now {
			arrives = arrives[1:]
			for _, p := range peers {
				p.Stored("v", now)
			}
		}
		for _, p := range peers {
			if _, due := p.Take(now); due {
				acts++
				arrives = append(arrives, now+mono.Wall(trip))
			}
		}
	}
	if acts < 20 || acts > 30 {
		t.Errorf("%d times in a day", acts)
	}
}

func TestEveryKeyIsDueOnceInAPeriod(t *testing.T) {
	s := newSchedule(1)
	for i := range 1000 {
		s.Stored(fmt.Sprint(i), mono.Wall(i))
	}
	s.Forget("7")
	s.Forget("never stored")
	var taken []string
	last := mono.Wall(time.Hour * 3 / 2)
	for next, ok := s.Next(); ok && next < last; next, ok = s.Next() {
		if next < mono.Wall(time.Hour) {
			t.Fatalf("due after %v", time.Duration(next))
		}
		key, due := s.Take(next)
		if !due {
			t.Fatal("what was due next was not")
		}
		taken = append(taken, key)
	}
	slices.Sort(taken)
	if taken = slices.Compact(taken); len(taken) != 999 || slices.Contains(taken, "7") {
		t.Errorf("%d keys were due", len(taken))
	}
}

func TestAnEarlierLifeIsCaughtUpWithOverAPeriod(t *testing.T) {
	s := newSchedule(1)
	now := mono.Wall(100 * time.Hour)
	s.Found("lately", now-mono.Wall(time.Minute), now)
	for i := range 100 {
		s.Found(fmt.Sprint(i), 0, now)
	}
	s.Found("tomorrow", now+mono.Wall(24*time.Hour), now) // a date that cannot be
	soon := 0
	for next, _ := s.Next(); next < now+mono.Wall(time.Hour/2); next, _ = s.Next() {
		s.Take(next)
		soon++
	}
	if soon < 30 || soon > 70 {
		t.Errorf("%d of 101 in the first half of the period", soon)
	}
	if e := s.at["lately"]; e.due < now+mono.Wall(59*time.Minute) {
		t.Error("what was stored lately is due at once")
	}
}

func TestAClockThatIsSetBackHoldsNothingUp(t *testing.T) {
	s := newSchedule(1)
	s.Stored("v", mono.Wall(1000*time.Hour))
	if _, due := s.Take(0); due {
		t.Error("it was due at once")
	}
	if next, _ := s.Next(); next > mono.Wall(time.Hour) {
		t.Errorf("it is due in %v", time.Duration(next))
	}
}

func TestTheScheduleIsBounded(t *testing.T) {
	s := newSchedule(1)
	for i := range params.StoreValues + 10 {
		s.Stored(fmt.Sprint(i), 0)
	}
	if s.Len() != params.StoreValues {
		t.Errorf("%d keys", s.Len())
	}
}

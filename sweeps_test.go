package waymark

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/republish"
)

// TestSumsAreOfTheLastCycle holds them to a plain list of what was counted when.
func TestSumsAreOfTheLastCycle(t *testing.T) {
	const every, step = 10 * time.Hour, 7 * time.Minute
	var s sweeps
	var when []mono.Time
	now := mono.Time(0)
	for i := range 2000 {
		if i%300 == 0 {
			now = now.Add(time.Duration(i) * 3 * time.Minute) // nothing for hours, or for days
		}
		now = now.Add(step)
		s.add(now, every, republish.Swept{Keys: 2, Stored: 1, Took: time.Second})
		when = append(when, now)
		least, most := 0, 0 // what must be in the sum, and what may be
		for _, at := range when {
			if age := now.Sub(at); age <= every {
				least, most = least+1, most+1
			} else if age <= every+every/10 {
				most++
			}
		}
		got := s.cycle(now, every)
		if got.Regions < least || got.Regions > most || got.Keys != 2*got.Regions || got.Stored != got.Regions || got.Took != time.Duration(got.Regions)*time.Second {
			t.Fatalf("at %v: %+v, and from %d to %d were counted in the last cycle", now, got, least, most)
		}
	}
	if s.all.Regions != 2000 {
		t.Errorf("%d of 2000 were counted", s.all.Regions)
	}
	if got := s.cycle(now, time.Hour); got.Regions != 0 {
		t.Errorf("%d are in the sum of a cycle that has just begun to count", got.Regions)
	}
}

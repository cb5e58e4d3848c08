package sim

import "testing"

// The places of plans are used again, and the trace tells of serials that are not.
func TestPlansTakeNoMoreRoomThanThereAreAtATime(t *testing.T) {
	var p plans
	var waiting []uint32
	ran, serials := 0, uint32(0)
	for i := range 100_000 {
		waiting = append(waiting, p.add(func() { ran++ }))
		if i < 7 {
			continue
		}
		do, serial := p.take(waiting[i%8]) // not in the order in which they came
		do()
		waiting[i%8] = waiting[len(waiting)-1]
		waiting, serials = waiting[:len(waiting)-1], max(serials, serial)
	}
	if len(p.all) != 8 || ran != 100_000-7 || serials < 99_990 {
		t.Errorf("%d places, %d were done, serials up to %d", len(p.all), ran, serials)
	}
	for _, at := range p.free {
		if p.all[at].do != nil {
			t.Errorf("place %d holds what is done", at)
		}
	}
}

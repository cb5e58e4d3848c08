package lookup

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/params"
)

const ms = time.Millisecond

// By hand, after RFC 6298: the first sample R gives SRTT = R, RTTVAR = R/2 and
// RTO = SRTT + 4·RTTVAR = 3R; each further one RTTVAR = 3/4·RTTVAR + 1/4·|SRTT-R|
// and then SRTT = 7/8·SRTT + 1/8·R.
func TestPatienceByHand(t *testing.T) {
	var p Patience
	samples := []struct{ took, rto, hard time.Duration }{
		{0, time.Second, 2 * time.Second},  // no sample yet: FirstRTO; 4 of them are more than HardMax
		{100 * ms, 300 * ms, 1200 * ms},    // SRTT 100, RTTVAR 50
		{100 * ms, 250 * ms, 1000 * ms},    // 100, 37.5
		{180 * ms, 302.5 * 1e6, 1210 * ms}, // 110, 48.125
		{110 * ms, 254.375 * 1e6, 1017.5 * 1e6},
	}
	for _, s := range samples {
		if s.took > 0 {
			p.Sample(false, 0, s.took)
		}
		if soft, hard := p.Timers(false, 0); soft != s.rto || hard != s.hard {
			t.Errorf("after %v: %v and %v, by hand %v and %v", s.took, soft, hard, s.rto, s.hard)
		}
	}
	if soft, hard := p.Timers(true, 0); soft != time.Second || hard != 2*time.Second {
		t.Errorf("warm: %v and %v, though nothing warm was measured", soft, hard)
	}
}

func TestPatienceHasFloorsAndCeilings(t *testing.T) {
	var fast, slow, slower Patience
	fast.Sample(false, 0, ms)
	fast.Sample(true, 0, ms)
	if soft, hard := fast.Timers(false, 0); soft != params.SoftMin || hard != params.HardMinCold {
		t.Errorf("fast and cold: %v and %v", soft, hard)
	}
	if soft, hard := fast.Timers(true, 0); soft != params.SoftMin || hard != params.HardMinWarm {
		t.Errorf("fast and warm: %v and %v", soft, hard)
	}
	slow.Sample(false, 0, 400*ms) // RTO 1.2 s, SRTT below the quarter of HardMax
	if soft, hard := slow.Timers(false, 0); soft != 1200*ms || hard != params.HardMax {
		t.Errorf("slow: %v and %v", soft, hard)
	}
	slower.Sample(false, 0, 600*ms) // a slow link: SRTT above it
	if soft, hard := slower.Timers(false, 0); soft != 1800*ms || hard != params.HardSlow {
		t.Errorf("a slow link: %v and %v", soft, hard)
	}
	if soft, hard := slower.Doubtful(false, 0); soft != 1800*ms || hard != soft {
		t.Errorf("a doubtful peer: %v and %v, it has but the time of a slot", soft, hard)
	}
}

func TestPatienceOfAKnownPeerIsAMultipleOfItsOwnTime(t *testing.T) {
	var p Patience
	p.Sample(true, 100*ms, 200*ms) // twice its time: multiples 2, 1 and so 6
	if soft, hard := p.Timers(true, 50*ms); soft != 300*ms || hard != 1200*ms {
		t.Errorf("known: %v and %v", soft, hard)
	}
	if soft, _ := p.Timers(true, 0); soft != 600*ms { // its 200 ms are a sample of the whole class too
		t.Errorf("unknown: %v", soft)
	}
}

func TestOneSlowAnswerCountsAsTwoAtMost(t *testing.T) {
	var p, q Patience
	p.Sample(false, 0, 100*ms)
	q.Sample(false, 0, 100*ms)
	p.Sample(false, 0, time.Minute)
	q.Sample(false, 0, 600*ms) // twice the retransmission time
	if p != q {
		t.Error("a minute counts for more than twice the retransmission time")
	}
	var zero Patience
	for range 3 {
		zero.Sample(false, 0, -1) // a clock that went back
	}
	zero.Sample(false, 0, 400*ms)
	if soft, _ := zero.Timers(false, 0); soft <= params.SoftMin {
		t.Error("a first sample of zero keeps the class at zero for ever")
	}
}

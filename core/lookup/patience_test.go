package lookup

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/params"
)

const ms = time.Millisecond

// By hand, after RFC 6298: the first sample R gives SRTT = R, RTTVAR = R/2 and
// RTO = SRTT + 4·RTTVAR = 3R; each further one RTTVAR = 3/4·RTTVAR + 1/4·|SRTT-R|
// and then SRTT = 7/8·SRTT + 1/8·R. Soft is SRTT + RTTVAR; hard is HardMax until
// PatienceSamples were measured.
func TestPatienceByHand(t *testing.T) {
	var p Patience
	samples := []struct{ took, soft, rto time.Duration }{
		{0, 500 * ms, time.Second},             // no sample yet: FirstSoft, FirstRTO
		{100 * ms, 150 * ms, 300 * ms},         // SRTT 100, RTTVAR 50
		{100 * ms, 137.5 * 1e6, 250 * ms},      // 100, 37.5
		{180 * ms, 158.125 * 1e6, 302.5 * 1e6}, // 110, 48.125
		{110 * ms, 146.09375 * 1e6, 254.375 * 1e6},
	}
	for _, s := range samples {
		if s.took > 0 {
			p.Sample(false, 0, s.took)
		}
		if soft, hard := p.Timers(false, 0); soft != s.soft || hard != params.HardMax {
			t.Errorf("after %v: %v and %v, by hand %v", s.took, soft, hard, s.soft)
		}
		if _, once := p.Doubtful(false, 0); once != s.rto {
			t.Errorf("after %v: a doubtful peer has %v, by hand %v", s.took, once, s.rto)
		}
	}
	if soft, hard := p.Timers(true, 0); soft != params.FirstSoft || hard != params.HardMax {
		t.Errorf("warm: %v and %v, though nothing warm was measured", soft, hard)
	}
}

// learn gives a class as many samples as it needs to shorten hard deadlines.
func learn(p *Patience, warm bool, rtt, took time.Duration) {
	for range params.PatienceSamples {
		p.Sample(warm, rtt, took)
	}
}

func TestTheNearestPeersShortenNobodysHardDeadline(t *testing.T) {
	var p Patience
	for i := range params.PatienceSamples {
		if _, hard := p.Timers(false, 0); hard != params.HardMax {
			t.Fatalf("after %d samples of 20 ms: %v", i, hard)
		}
		p.Sample(false, 0, 20*ms)
	}
	if _, hard := p.Timers(false, 0); hard != params.HardMinCold {
		t.Errorf("after enough of them: %v", hard)
	}
}

func TestPatienceHasFloorsAndCeilings(t *testing.T) {
	var fast, slow, slower Patience
	learn(&fast, false, 0, ms)
	learn(&fast, true, 0, ms)
	if soft, hard := fast.Timers(false, 0); soft != params.SoftMin || hard != params.HardMinCold {
		t.Errorf("fast and cold: %v and %v", soft, hard)
	}
	if soft, hard := fast.Timers(true, 0); soft != params.SoftMin || hard != params.HardMinWarm {
		t.Errorf("fast and warm: %v and %v", soft, hard)
	}
	slow.Sample(false, 0, 900*ms) // SRTT below the half of HardMax
	if soft, hard := slow.Timers(false, 0); soft != 1350*ms || hard != params.HardMax {
		t.Errorf("slow: %v and %v", soft, hard)
	}
	slower.Sample(false, 0, 1200*ms) // a slow link: SRTT above it
	if soft, hard := slower.Timers(false, 0); soft != 1800*ms || hard != params.HardSlow {
		t.Errorf("a slow link: %v and %v", soft, hard)
	}
	if soft, hard := slower.Doubtful(false, 0); soft != 1800*ms || hard != 3600*ms {
		t.Errorf("a doubtful peer: %v and %v, by hand one retransmission time", soft, hard)
	}
}

func TestPatienceOfAKnownPeerIsAMultipleOfItsOwnTime(t *testing.T) {
	var p Patience
	p.Sample(true, 100*ms, 200*ms) // twice its time: SRTT 2 and RTTVAR 1 times it, RTO 6
	if soft, _ := p.Timers(true, 50*ms); soft != 150*ms {
		t.Errorf("known: %v", soft)
	}
	if _, once := p.Doubtful(true, 50*ms); once != 300*ms {
		t.Errorf("known and doubtful: %v", once)
	}
	if soft, _ := p.Timers(true, 0); soft != 300*ms { // its 200 ms are a sample of the whole class too
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

// What is not measured yet of a class is taken from the next more general one:
// a warm request is no slower than a cold one, and a peer whose time is known no
// slower than others, but for that time.
func TestWhatIsNotMeasuredIsTakenFromWhatIs(t *testing.T) {
	var p Patience
	learn(&p, false, 0, 20*ms)
	if _, hard := p.Timers(true, 0); hard != params.HardMinWarm {
		t.Errorf("warm: %v, though dials took 20 ms", hard)
	}
	if _, hard := p.Timers(true, 10*ms); hard != params.HardMinWarm {
		t.Errorf("warm and known: %v", hard)
	}
	if _, hard := p.Timers(true, 300*ms); hard != params.HardRTOs*300*ms {
		t.Errorf("far away: %v, though its way alone takes 300 ms", hard)
	}
	learn(&p, true, 0, 400*ms) // one that is slower than what is behind it
	if _, hard := p.Timers(true, 0); hard != params.HardMinWarm {
		t.Errorf("warm: %v, longer than a dial may take", hard)
	}
}

func TestOnePeersMultipleIsNoSlowLink(t *testing.T) {
	var p Patience
	p.Sample(true, 2*ms, 60*ms) // thirty times its time, on a busy machine
	if _, hard := p.Timers(true, 50*ms); hard != params.HardMax {
		t.Errorf("%v for a peer 50 ms away", hard)
	}
	if _, hard := p.Timers(true, 1100*ms); hard != params.HardSlow {
		t.Errorf("%v for a peer 1.1 s away", hard)
	}
}

// Of requests that were sent together the slowest answer last. They do not
// decide alone what the next are given.
func TestTheLastOfManyDoNotOutweighThem(t *testing.T) {
	var p Patience
	for range params.PatienceMemory {
		p.Sample(false, 0, 30*ms)
	}
	for range 3 {
		p.Sample(false, 0, 200*ms)
	}
	if _, hard := p.Timers(false, 0); hard > params.HardMax/2 {
		t.Errorf("three of %d answers put the hard deadline up to %v", params.PatienceMemory+3, hard)
	}
	for range params.PatienceMemory { // and a link that has turned slow is noticed
		p.Sample(false, 0, time.Second)
	}
	if _, hard := p.Timers(false, 0); hard < params.HardMax {
		t.Errorf("%v on a link on which every answer takes a second", hard)
	}
}

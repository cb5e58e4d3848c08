package lookup

import (
	"time"

	"github.com/waymark-dht/waymark/core/params"
)

// Patience learns how long answers take, and so how long to wait for one:
// retransmission times after RFC 6298, kept per class of attempt. Warm means
// that a connection is open; known means that the peer's own round-trip time
// is, in which case the class learns by which multiple of it answers come.
// All operations of a node share one Patience. The zero value is ready.
type Patience struct {
	classes [2][2]estimator // [warm][known]
}

// estimator is SRTT and RTTVAR of RFC 6298; 64-bit integers, so that a run is
// the same on every machine. Nanoseconds, or for a known peer 1/1024ths of its
// round-trip time.
type estimator struct {
	srtt, rttvar int64
	any          bool
}

const unit = 1024 // one round-trip time, in the known classes

// sample is RFC 6298, clauses 2.2 and 2.3, except that one answer counts as
// twice the retransmission time at most: a class is many peers, and a single
// slow one must not make the node wait longer for all of them. A link that
// turns slow still doubles the time with every few answers.
func (e *estimator) sample(r int64) {
	if !e.any {
		e.srtt, e.rttvar, e.any = r, r/2, true
		return
	}
	if most := 2 * (e.srtt + 4*e.rttvar); most > 0 { // else the first was zero and says nothing
		r = min(r, most)
	}
	delta := e.srtt - r
	if delta < 0 {
		delta = -delta
	}
	e.rttvar += (delta - e.rttvar) / 4
	e.srtt += (r - e.srtt) / 8
}

// Sample tells that an attempt was answered after took. rtt is what was known
// of the peer's round-trip time before, zero for nothing. Attempts that failed
// are no samples: nobody knows how long they would have taken (Karn).
func (p *Patience) Sample(warm bool, rtt, took time.Duration) {
	took = max(0, took)
	if rtt > 0 {
		p.classes[index(warm)][1].sample(int64(took) * unit / int64(rtt))
	}
	p.classes[index(warm)][0].sample(int64(took))
}

// Timers returns how long an attempt may take before it gives up its slot
// (soft) and in all (hard). rtt is the peer's own round-trip time, zero if
// unknown. KAD-3.2, KAD-3.3.
func (p *Patience) Timers(warm bool, rtt time.Duration) (soft, hard time.Duration) {
	rto, srtt := p.rto(warm, rtt)
	floor, limit := params.HardMinCold, params.HardMax
	if warm {
		floor = params.HardMinWarm
	}
	if srtt*params.HardRTOs > params.HardMax {
		limit = params.HardSlow // a link that is measured to be slow
	}
	hard = max(floor, min(params.HardRTOs*rto, limit))
	return max(params.SoftMin, min(rto, hard)), hard
}

// Doubtful is Timers for a peer that failed lately and so has had its full
// hard deadline already: what it is given once more is the time in which a
// regular request would give up its slot.
func (p *Patience) Doubtful(warm bool, rtt time.Duration) (soft, hard time.Duration) {
	soft, _ = p.Timers(warm, rtt)
	return soft, soft
}

// rto returns the retransmission time of a class and its smoothed time, zero
// while nothing was measured.
func (p *Patience) rto(warm bool, rtt time.Duration) (rto, srtt time.Duration) {
	if e := p.classes[index(warm)][1]; rtt > 0 && e.any {
		scale := func(n int64) time.Duration { return time.Duration(n * int64(rtt) / unit) }
		return scale(e.srtt + 4*e.rttvar), scale(e.srtt)
	}
	if e := p.classes[index(warm)][0]; e.any {
		return time.Duration(e.srtt + 4*e.rttvar), time.Duration(e.srtt)
	}
	return params.FirstRTO, 0
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

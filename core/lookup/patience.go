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
	samples      int64 // at most params.PatienceMemory
}

const unit = 1024 // one round-trip time, in the known classes

// sample is RFC 6298, clauses 2.2 and 2.3, with three changes. One answer counts
// as twice the retransmission time at most: a class is many peers, and a single
// slow one must not make the node wait longer for all of them; a link that turns
// slow still doubles the time with every few answers. The gains are smaller, as
// RFC 7323 has it (appendix G.1) where several samples come in one round trip:
// of requests that were sent together the slowest answer last, and would decide
// alone what the next are given. And until there are as many samples as the
// gains remember, all count alike: else the first would outweigh the others.
func (e *estimator) sample(r int64) {
	e.samples = min(e.samples+1, params.PatienceMemory)
	if e.samples == 1 {
		e.srtt, e.rttvar = r, r/2
		return
	}
	if most := 2 * (e.srtt + 4*e.rttvar); most > 0 { // else the first was zero and says nothing
		r = min(r, most)
	}
	delta := e.srtt - r
	if delta < 0 {
		delta = -delta
	}
	e.rttvar += (delta - e.rttvar) / max(4, min(e.samples, params.PatienceMemory/2))
	e.srtt += (r - e.srtt) / max(8, e.samples)
}

// Sample tells that an attempt was answered after took. rtt is what was known
// of the peer's round-trip time before, zero for nothing. Attempts that failed
// are no samples: nobody knows how long they would have taken (Karn).
func (p *Patience) Sample(warm bool, rtt, took time.Duration) {
	took = max(0, min(took, params.HardSlow)) // no attempt has longer: the rest is a clock that jumped
	if rtt > 0 {
		p.classes[index(warm)][1].sample(int64(took) * unit / int64(rtt))
	}
	p.classes[index(warm)][0].sample(int64(took))
}

// Timers returns how long an attempt may take before it gives up its slot
// (soft) and in all (hard). rtt is the peer's own round-trip time, zero if
// unknown.
//
// The soft time is what answers mostly take, and no more: a late answer still
// counts, so to be hasty costs a request and to wait costs everybody's time.
// The hard time gives up on somebody, so it is not shortened before enough was
// measured: the first answers to come are those of the nearest peers, and what
// they suggest is too short for all others.
func (p *Patience) Timers(warm bool, rtt time.Duration) (soft, hard time.Duration) {
	t := p.times(warm, rtt)
	floor, limit := params.HardMinCold, params.HardMax
	if warm {
		floor = params.HardMinWarm
	}
	if max(p.times(warm, 0).srtt, rtt)*params.SlowRTTs > params.HardMax {
		limit = params.HardSlow // a link that is measured to be slow
	}
	hard = limit
	if rto := p.known(warm, rtt); rto > 0 {
		hard = max(floor, min(params.HardRTOs*rto, limit))
	}
	return max(params.SoftMin, min(t.soft, hard)), hard
}

// known returns the retransmission time of a class if enough was measured to
// rely on it, or that of a more general class if it is less; zero if there is
// none. Who is asked over an open connection needs no longer than who has to be
// dialled; and of whom the round-trip time is known needs no longer than others,
// unless that alone is longer.
func (p *Patience) known(warm bool, rtt time.Duration) (rto time.Duration) {
	switch {
	case rtt > 0:
		if rto = p.known(warm, 0); rto > 0 {
			rto = max(rto, rtt)
		}
	case warm:
		rto = p.known(false, 0)
	}
	e := &p.classes[index(warm)][index(rtt > 0)]
	if t := p.times(warm, rtt); e.samples >= params.PatienceSamples && (rto == 0 || t.rto < rto) {
		rto = t.rto
	}
	return rto
}

// Doubtful is Timers for a peer that failed lately and so has had its full
// hard deadline already: once more it is given one retransmission time.
func (p *Patience) Doubtful(warm bool, rtt time.Duration) (soft, hard time.Duration) {
	soft, hard = p.Timers(warm, rtt)
	return soft, max(soft, min(hard, p.times(warm, rtt).rto))
}

// times is what an estimator makes of its samples.
type times struct {
	srtt, soft, rto time.Duration
}

// times returns those of a class, scaled by the peer's own round-trip time if
// that and its multiples are known.
func (p *Patience) times(warm bool, rtt time.Duration) times {
	class, scale := &p.classes[index(warm)], func(n int64) time.Duration { return time.Duration(n) }
	e := &class[0]
	if rtt > 0 && class[1].samples > 0 {
		e, scale = &class[1], func(n int64) time.Duration { return time.Duration(n * int64(rtt) / unit) }
	}
	if e.samples == 0 {
		return times{soft: params.FirstSoft, rto: params.FirstRTO}
	}
	return times{
		srtt: scale(e.srtt), soft: scale(e.srtt + e.rttvar), rto: scale(e.srtt + 4*e.rttvar),
	}
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

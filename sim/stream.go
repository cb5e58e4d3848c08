package sim

import "math/rand/v2"

// streams is the world's randomness: one source for each purpose, so that a
// new draw in one place shifts no other.
type streams struct {
	keys, places, fill, latency, faults, churn, targets *rand.Rand
}

func newStreams(seed uint64) streams {
	purpose := uint64(0)
	next := func() *rand.Rand {
		purpose++
		return rand.New(rand.NewPCG(seed, purpose))
	}
	return streams{next(), next(), next(), next(), next(), next(), next()}
}

// mix scrambles a number (the finisher of splitmix64): for seeds of engines
// and for the trace hash.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

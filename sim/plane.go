package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// The latency model: nodes live on a plane on which a distance is a round-trip
// time in milliseconds, and each has a way to the plane, its access. Such an
// embedding fits measured city matrices to a few percent. The regions below
// are invented; what they were fitted to is the distribution of round-trip
// times between random members: p10 35, p50 144, p90 293 ms.
var regions = [...]struct{ x, y, spread, share float64 }{
	{-89, 15, 14, .36}, // Europe
	{0, 0, 12, .22},    // North America, east
	{60, 5, 9, .12},    // North America, west
	{184, 10, 16, .13}, // East Asia
	{208, 92, 18, .07}, // South-East Asia and Oceania
	{24, 121, 18, .05}, // South America
	{-165, 107, 16, .05},
}

// place is where a node is: on the plane, and how far from it.
type place struct{ x, y, access float32 }

// settle draws a place: half of the nodes are in data centres (access 0.5 to
// 1.5 ms), half in homes (5 ms and an exponential 10 ms).
func settle(r *rand.Rand) place {
	i, u := 0, r.Float64()
	for i < len(regions)-1 && u >= regions[i].share {
		u -= regions[i].share
		i++
	}
	reg := regions[i]
	p := place{x: float32(reg.x + r.NormFloat64()*reg.spread), y: float32(reg.y + r.NormFloat64()*reg.spread)}
	if r.IntN(2) == 0 {
		p.access = .5 + r.Float32()
	} else {
		p.access = 5 + 10*float32(r.ExpFloat64())
	}
	return p
}

// onSite is the access of members that are all on one site: what a handshake
// costs the machines there, and hardly any way.
const onSite = 2

// rtt returns the round-trip time between two places, without jitter.
func rtt(a, b place) time.Duration {
	ms := math.Hypot(float64(a.x-b.x), float64(a.y-b.y)) + float64(a.access) + float64(b.access)
	return time.Duration(ms * float64(time.Millisecond))
}

const (
	jitter       = .05                  // of each round trip, one standard deviation
	serverMedian = 2 * time.Millisecond // how long a server thinks, log-normal
	serverSigma  = 1.98                 // which puts its 99th percentile at 200 ms
	slowFactor   = 10                   // how much longer a slow host thinks
	slowShare    = .015                 // how many hosts are slow
)

// jittered varies a duration, never to less than half of it.
func jittered(r *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(float64(d) * max(.5, 1+jitter*r.NormFloat64()))
}

// thinking draws how long a server takes for one answer.
func thinking(r *rand.Rand, slow bool) time.Duration {
	t := float64(serverMedian) * math.Exp(serverSigma*r.NormFloat64())
	if slow {
		t *= slowFactor
	}
	return time.Duration(t)
}

// Transport is how connections are made.
type Transport uint8

// The transports: what a new connection costs before the request can go.
const (
	QUIC Transport = iota // one round trip
	TCP                   // three: TCP, Noise, yamux
)

// handshake returns the round trips that a new connection takes.
func (t Transport) handshake() float64 {
	if t == TCP {
		return 3
	}
	return 1
}

// String returns the transport's name.
func (t Transport) String() string { return [...]string{"quic", "tcp"}[t] }

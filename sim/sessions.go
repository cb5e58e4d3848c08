package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// Sessions is how long members stay: Weibull distributed, as measured in the
// large networks. Who has been there for long stays for longer.
type Sessions struct {
	Shape float64
	Scale time.Duration
}

// Ordinary is what the guarantee asks to be tried: k = 0.61, λ = 3.66 h.
var Ordinary = Sessions{.61, 13_176 * time.Second}

// sessions are those that were set, or the ordinary ones.
func (o *Options) sessions() Sessions {
	s := Ordinary
	if o.Scale > 0 {
		s.Scale = o.Scale
	}
	if o.Shape > 0 {
		s.Shape = float64(o.Shape) / 100
	}
	return s
}

// draw is how long a member stays that comes now.
func (s Sessions) draw(r *rand.Rand) time.Duration { return s.of(r.ExpFloat64()) }

// rest is how much longer a member stays that is met at a random moment, in a
// network that has been so for long. It is among the longer ones, as they are
// there to be met: its whole session has the distribution weighted by length,
// of which any part may be over.
func (s Sessions) rest(r *rand.Rand) time.Duration {
	return time.Duration((1 - r.Float64()) * float64(s.of(gamma(r, 1+1/s.Shape))))
}

// of turns the exponent of Weibull's law into a time.
func (s Sessions) of(x float64) time.Duration {
	return time.Duration(float64(s.Scale) * math.Pow(x, 1/s.Shape))
}

// gamma draws from the gamma distribution of a shape of at least 1 (Marsaglia
// and Tsang).
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

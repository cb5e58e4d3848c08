package sim

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The distributions are those that the guarantee reckons with: of members met
// at a random moment 33.5 % are there ten hours later and 13.5 % after 22, so
// that all of 20 are gone by then in 5.5 % of cases.
func TestSessionsAreThoseOfTheGuarantee(t *testing.T) {
	const draws = 400_000
	r := rand.New(rand.NewPCG(1, 0))
	fresh, ten, night := 0, 0, 0
	var mean float64
	for range draws {
		d := Ordinary.draw(r)
		mean += d.Hours() / draws
		if d > Ordinary.Scale {
			fresh++
		}
		rest := Ordinary.rest(r)
		if rest > 10*time.Hour {
			ten++
		}
		if rest > 22*time.Hour {
			night++
		}
	}
	gone := math.Pow(1-float64(night)/draws, 20)
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"a session beyond its scale", float64(fresh) / draws, math.Exp(-1)},
		{"the mean session, hours", mean / 10, .539},
		{"there after 10 hours", float64(ten) / draws, .335},
		{"all of 20 gone after 22 hours", gone, .055},
	} {
		if math.Abs(c.got-c.want) > .006 {
			t.Errorf("%s: %.4f, want %.3f", c.what, c.got, c.want)
		}
	}
}

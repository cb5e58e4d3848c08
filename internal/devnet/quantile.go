package devnet

import (
	"slices"
	"time"
)

// Quantile returns the least of some durations that at least percent of them,
// from 1 to 100, do not exceed; zero if there is none.
func Quantile(took []time.Duration, percent int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[(len(sorted)*percent+99)/100-1]
}

// Millis is a duration in milliseconds, as rows of figures have it.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

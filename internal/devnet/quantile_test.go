package devnet

import (
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	took := []time.Duration{5, 1, 4, 2, 3, 7, 6, 10, 9, 8}
	for percent, want := range map[int]time.Duration{1: 1, 10: 1, 11: 2, 50: 5, 95: 10, 100: 10} {
		if got := Quantile(took, percent); got != want {
			t.Errorf("%d %%: %d, want %d", percent, got, want)
		}
	}
	if Quantile(nil, 50) != 0 {
		t.Error("of nothing")
	}
}

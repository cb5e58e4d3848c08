package mono

import (
	"testing"
	"time"
)

func TestAddSaturatesAtNever(t *testing.T) {
	if got := Never.Add(time.Second); got != Never {
		t.Fatalf("Never + 1s = %d, want Never", got)
	}
	if got := Time(5).Add(-2); got != 3 {
		t.Fatalf("5ns - 2ns = %d, want 3", got)
	}
}

func TestDueIncludesTheDeadlineItself(t *testing.T) {
	// A timer that fires exactly at its deadline must find it due, or the
	// driver would arm it again for the same instant, for ever.
	if !Time(7).Due(7) || Time(8).Due(7) {
		t.Fatal("a deadline is due at its own instant and not before")
	}
}

func TestWallRoundTrip(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC)
	if got := WallOf(at).Time(); !got.Equal(at) {
		t.Fatalf("got %v, want %v", got, at)
	}
}

func TestEarlier(t *testing.T) {
	if Earlier(3, Never) != 3 || Earlier(9, 4) != 4 {
		t.Fatal("Earlier picked the later moment")
	}
}

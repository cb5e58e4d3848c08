package boot

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

func TestTheWatchdogBarksOnceForEachReason(t *testing.T) {
	const start = mono.Time(time.Minute)
	w := Watch(start, start.Add(params.OpDeadline))
	stall := start.Add(params.StallWindow)
	for _, c := range []struct {
		at   mono.Time
		want Alarm
	}{
		{start, Quiet},
		{stall - 1, Quiet},
		{stall, Stalled},
		{stall + 1, Quiet},
		{start.Add(params.OpDeadline), Quiet}, // the running time of Epsilon is allowed for
		{start.Add(params.OpDeadline + params.Epsilon), Overdue},
		{start.Add(time.Hour), Quiet},
	} {
		if got := w.Look(c.at); got != c.want {
			t.Errorf("after %v: alarm %d, want %d", c.at.Sub(start), got, c.want)
		}
	}
	if w.Wake() != mono.Never {
		t.Error("it has said all, and waits")
	}
}

func TestWhoMovesStallsAnew(t *testing.T) {
	w := Watch(0, mono.Time(time.Hour))
	first := mono.Time(params.StallWindow)
	if w.Wake() != first || w.Look(first) != Stalled {
		t.Fatal("it did not wake for the stall")
	}
	if stalled, since := w.Stalled(first + 5); !stalled || since != params.StallWindow+5 {
		t.Errorf("stalled %v since %v", stalled, since)
	}
	w.Moved(first + 10)
	if stalled, _ := w.Stalled(first + 10); stalled || w.Wake() != first.Add(params.StallWindow)+10 {
		t.Error("it moved, and still stands still")
	}
	if w.Look(first.Add(params.StallWindow)+10) != Stalled {
		t.Error("a second stall is not told")
	}
}

package boot

import (
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Watchdog watches one operation: does it still get anywhere, and is it over
// when it must be? It changes nothing. By the rules of the engine neither
// alarm can be raised by peers, however they behave, except that an operation
// which waits for a place may stall; so what it raises is news.
type Watchdog struct {
	bound   mono.Time // when the operation has to be over
	moved   mono.Time // when it last got anywhere
	stalled bool      // said already
	overdue bool      // said already
}

// Alarm is what a watchdog has to say.
type Alarm uint8

// The alarms.
const (
	Quiet   Alarm = iota
	Stalled       // no attempt has ended for params.StallWindow
	Overdue       // the bound has passed, and params.Epsilon with it
)

// Watch begins to watch an operation that has to be over at bound.
func Watch(now, bound mono.Time) Watchdog { return Watchdog{bound: bound, moved: now} }

// Moved tells that the operation got somewhere: an attempt of it has ended,
// one way or the other, or it was given its place.
func (w *Watchdog) Moved(now mono.Time) { w.moved, w.stalled = now, false }

// Look returns the alarm that is due, each once: Stalled again after the
// operation has moved in between, Overdue never again.
func (w *Watchdog) Look(now mono.Time) Alarm {
	switch {
	case !w.overdue && w.limit().Due(now):
		w.overdue = true
		return Overdue
	case !w.stalled && w.moved.Add(params.StallWindow).Due(now):
		w.stalled = true
		return Stalled
	}
	return Quiet
}

// limit is when the operation is overdue.
func (w *Watchdog) limit() mono.Time { return w.bound.Add(params.Epsilon) }

// Wake returns when the next alarm would be due, or Never.
func (w *Watchdog) Wake() mono.Time {
	wake := mono.Never
	if !w.stalled {
		wake = w.moved.Add(params.StallWindow)
	}
	if !w.overdue {
		wake = mono.Earlier(wake, w.limit())
	}
	return wake
}

// Stalled reports whether the operation stands still, and for how long.
func (w *Watchdog) Stalled(now mono.Time) (bool, time.Duration) { return w.stalled, now.Sub(w.moved) }

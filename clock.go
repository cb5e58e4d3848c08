package waymark

import (
	"slices"
	"sync"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// systemClock is the clock of a live node: package time, which in a synctest
// bubble is virtual. Its monotonic reading stops while a Linux machine sleeps.
type systemClock struct{ start time.Time }

func newSystemClock() *systemClock { return &systemClock{start: time.Now()} }

func (c *systemClock) Mono() time.Duration { return time.Since(c.start) }

// Wall drops the monotonic reading, or subtracting two of its results would
// tell monotonic time.
func (c *systemClock) Wall() time.Time { return time.Now().Round(0) }

// timeline is a node's own time: a Clock, counted from the node's start.
type timeline struct {
	clock  Clock
	origin time.Duration // Mono at the start

	mu    sync.Mutex
	dates []moment // of the start, and of the last params.ClockJumps jumps, in order
}

// moment is a moment of the node's time with its date.
type moment struct {
	at   mono.Time
	date time.Time
}

func newTimeline(c Clock) *timeline {
	return &timeline{clock: c, origin: c.Mono(), dates: []moment{{0, c.Wall()}}}
}

// jumped takes note that the clocks went apart: dates before now are what they
// were, and those from now on go by the wall clock as it is.
func (t *timeline) jumped(now mono.Now) {
	m := moment{now.Mono, now.Wall.Time().Local()}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.dates) > params.ClockJumps {
		t.dates = slices.Delete(t.dates, 0, 1)
	}
	t.dates = append(t.dates, m)
}

// now returns the present for the engine.
func (t *timeline) now() mono.Now {
	return mono.Now{Mono: t.mono(), Wall: mono.WallOf(t.clock.Wall())}
}

func (t *timeline) mono() mono.Time { return mono.Time(t.clock.Mono() - t.origin) }

// until returns how long it is until a moment of the node's time.
func (t *timeline) until(at mono.Time) time.Duration { return at.Sub(t.mono()) }

// date converts a moment of the node's time to a date.
func (t *timeline) date(at mono.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := len(t.dates) - 1
	for i > 0 && at.Before(t.dates[i].at) {
		i--
	}
	return t.dates[i].date.Add(at.Sub(t.dates[i].at))
}

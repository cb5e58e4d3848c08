package waymark

import (
	"time"

	"github.com/waymark-dht/waymark/core/mono"
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
	began  time.Time     // Wall at the start
}

func newTimeline(c Clock) timeline { return timeline{clock: c, origin: c.Mono(), began: c.Wall()} }

// now returns the present for the engine.
func (t *timeline) now() mono.Now {
	return mono.Now{Mono: t.mono(), Wall: mono.WallOf(t.clock.Wall())}
}

func (t *timeline) mono() mono.Time { return mono.Time(t.clock.Mono() - t.origin) }

// until returns how long it is until a moment of the node's time.
func (t *timeline) until(at mono.Time) time.Duration { return at.Sub(t.mono()) }

// date converts a moment of the node's time to a date.
func (t *timeline) date(at mono.Time) time.Time { return t.began.Add(time.Duration(at)) }

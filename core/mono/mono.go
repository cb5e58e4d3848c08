// Package mono is time as plain numbers: what the clocks said, handed in by whoever owns them.
//
// It may not know a clock. Nothing on the ground floor asks what time it is; it is told.
// Start reading at [Now].
package mono

import "time"

// Time is a moment on one node's monotonic clock, in nanoseconds since an
// arbitrary origin. Deadlines, timers and ages use it; it never goes back and,
// on a live node, does not advance while the machine sleeps.
type Time int64

// Never is later than every deadline: the moment that does not come.
const Never = Time(1<<63 - 1)

// Add returns the moment d after t. It saturates at Never.
func (t Time) Add(d time.Duration) Time {
	sum := t + Time(d)
	if d > 0 && sum < t {
		return Never
	}
	return sum
}

// Sub returns how long after u the moment t is.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Before reports whether t comes earlier than u.
func (t Time) Before(u Time) bool { return t < u }

// Due reports whether a deadline t has been reached at now.
func (t Time) Due(now Time) bool { return t <= now }

// Wall is a date: nanoseconds since the Unix epoch, from a clock that people
// and NTP may set. Only what the protocol dates (expiry, republish) uses it.
type Wall int64

// WallOf converts a date of package time.
func WallOf(t time.Time) Wall { return Wall(t.UnixNano()) }

// Time converts to a date of package time, in UTC.
func (w Wall) Time() time.Time { return time.Unix(0, int64(w)).UTC() }

// Now is the present as every machine on the ground floor is told it.
type Now struct {
	Mono Time // for deadlines and ages
	Wall Wall // for dates
}

// Earlier returns the earlier of two moments.
func Earlier(a, b Time) Time {
	if a < b {
		return a
	}
	return b
}

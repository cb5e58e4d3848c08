package record

import (
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Received returns when a stored record came, by the date that it was given
// then, or never (zero) if it has none.
func (r *Record) Received() mono.Wall {
	t, err := time.Parse(time.RFC3339Nano, r.TimeReceived)
	if err != nil {
		return 0
	}
	return mono.WallOf(t)
}

// Ends returns when a stored record is of no use any more: its time to live
// after it came, and params.ValueAge at most. KAD-10.8.
func (r *Record) Ends() mono.Wall { return r.Received() + mono.Wall(r.kept()) }

func (r *Record) kept() time.Duration {
	if r.TTL > 0 {
		return min(params.ValueAge, time.Duration(r.TTL)*time.Second)
	}
	return params.ValueAge
}

// Arrive dates a record that is stored at now in the place of another one of
// the same key, or of none (nil). The same value again ends when the later of
// the two does: who stores it again says what is left of its time, and that
// must not shorten what its publisher has asked for since.
func (r *Record) Arrive(now mono.Wall, before *Record) {
	ends := now + mono.Wall(r.kept())
	if before != nil && string(before.Value) == string(r.Value) {
		ends = max(ends, before.Ends())
	}
	r.TimeReceived = now.Time().Format(time.RFC3339Nano)
	r.TTL = seconds(ends - now)
}

// Leave says, in a copy of a stored record that is about to be sent, what is
// left of its time: so that whoever stores it does not keep it for longer than
// it was meant to be kept. A record that has just ended has a second.
func (r *Record) Leave(now mono.Wall) { r.TTL = max(1, seconds(r.Ends()-now)) }

// seconds rounds up, so that nothing ends early.
func seconds(d mono.Wall) uint32 {
	return uint32(max(0, (time.Duration(d)+time.Second-1)/time.Second))
}

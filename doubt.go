package waymark

import (
	"sync/atomic"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
)

// doubt is the moment of the last change under which connections may have died
// without a word: a sleep, another network, an outage. The other side has
// forgotten them, or a NAT has, and the muxer here finds out after half a
// minute or more, which is more than the way back may take. KAD-5.9.
type doubt struct{ at atomic.Pointer[time.Time] }

// raise doubts every connection that is open now.
func (d *doubt) raise() {
	now := time.Now()
	d.at.Store(&now)
}

// excuse returns the failure of an attempt as the engine is to learn of it. If
// time ran out on a doubtful connection, that says nothing of the peer: the
// connection is ended, so that the next attempt dials.
func (d *doubt) excuse(a *attempt, f contact.Failure, detail string) (contact.Failure, string) {
	at := d.at.Load()
	a.mu.Lock()
	conn := a.conn
	a.mu.Unlock()
	if at == nil || conn == nil || !f.RanOut() || !conn.Stat().Opened.Before(*at) {
		return f, detail
	}
	go a.hangUp()
	return contact.Suspended, "the connection did not survive a change: " + detail
}

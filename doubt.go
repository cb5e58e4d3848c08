package waymark

import (
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

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

// of returns the connection that is to blame for the failure of an attempt, or
// nil: if time ran out on a doubtful one, that says nothing of the peer. Nor does
// it if that was cut: by a peer that has forgotten it, or by us, when the first
// of several requests on it had run out.
func (d *doubt) of(a *attempt, f contact.Failure) network.Conn {
	at := d.at.Load()
	a.mu.Lock()
	conn := a.conn
	a.mu.Unlock()
	if at == nil || conn == nil || !(f.RanOut() || f == contact.Reset) || !conn.Stat().Opened.Before(*at) {
		return nil
	}
	return conn
}

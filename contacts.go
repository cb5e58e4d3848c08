package waymark

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
)

// Known is a contact of the routing table, with what is known of it.
type Known struct {
	peer.AddrInfo
	RTT      time.Duration // 0 if it was not measured
	Answered time.Time     // when it last did, to params.UsefulUnit
}

// Contacts returns who is in the routing table, and when each
// answered last, in no order. It waits for the engine no longer than params.Epsilon,
// and returns nil once the node is closed.
func (d *DHT) Contacts() []Known {
	got := make(chan []Known, 1)
	if d.mail.ask(func(e *engine.Engine) {
		var all []Known
		for c := range e.Known() {
			all = append(all, Known{infoOf(c.Info), c.RTT, d.time.date(c.Answered)})
		}
		got <- all
	}) != nil {
		return nil
	}
	timer := time.NewTimer(params.Epsilon)
	defer timer.Stop()
	select {
	case all := <-got:
		return all
	case <-d.stopped:
	case <-timer.C:
	}
	return nil
}

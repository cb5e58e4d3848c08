package waymark

import (
	"net/netip"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
)

// lan hands on whom the local network tells of. Its calls into Config.LAN are
// on goroutines of their own, for they open sockets and wait.
type lan struct {
	*DHT
	budget *windowed[netip.Prefix]
	begun  chan struct{} // Start has returned
	ended  chan struct{}
}

func startLAN(d *DHT) *lan {
	l := &lan{
		DHT: d, budget: newWindowed[netip.Prefix](params.MaxNeighbours, params.NeighbourWindow),
		begun: make(chan struct{}), ended: make(chan struct{}),
	}
	if d.cfg.LAN == nil {
		close(l.begun)
		return l
	}
	go func() {
		defer close(l.begun)
		if err := d.cfg.LAN.Start(l.found); err != nil {
			d.logs.line("peers on the local network cannot be looked for", "error", err.Error())
		}
	}()
	return l
}

// found tells the engine of a peer, unless the network tells of too many.
func (l *lan) found(p peer.AddrInfo) {
	if p.ID.Validate() != nil || p.ID == l.host.ID() || !l.budget.allow(netip.Prefix{}) {
		return
	}
	c := contact.New(contact.ID(p.ID))
	for _, a := range p.Addrs {
		if len(c.Addrs) < params.MaxAddrs && startsWithIP(a) && !isRelay(a) {
			c.Addrs = append(c.Addrs, contact.Addr(a.Bytes()))
		}
	}
	if len(c.Addrs) > 0 {
		_ = l.mail.send(engine.Neighbour{Peer: c}) // a node with no room for it hears of it again
	}
}

// stop ends the search once it has begun.
func (l *lan) stop() <-chan struct{} {
	go func() {
		defer close(l.ended)
		<-l.begun
		if l.cfg.LAN != nil {
			if err := l.cfg.LAN.Close(); err != nil {
				l.logs.line("the search on the local network did not end well", "error", err.Error())
			}
		}
	}()
	return l.ended
}

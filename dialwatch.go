package waymark

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// DialWatch tells a peer that accepts a connection and is then mute in the
// security handshake from one that is not there. When time runs out libp2p
// does not say which it was, so the host's TCP transport has to be told:
//
//	watch := new(waymark.DialWatch)
//	h, err := libp2p.New(
//		libp2p.Transport(tcp.NewTCPTransport, tcp.WithDialerForAddr(watch.Dialer)), …)
//	dht, err := waymark.New(h, waymark.Config{DialWatch: watch})
//
// A transport with a dialer of its own does not dial from its listening port.
// That is no loss to a short-lived client; a node that others shall reach
// behind a NAT does better without. The zero value is ready for use.
type DialWatch struct {
	mu   sync.Mutex
	made map[string]time.Time // when a TCP connection to the address was made last
}

// Dialer is a tcp.DialerForAddr.
func (w *DialWatch) Dialer(ma.Multiaddr) (tcp.ContextDialer, error) { return (*watchedDialer)(w), nil }

type watchedDialer DialWatch

// DialContext implements tcp.ContextDialer.
func (d *watchedDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err == nil {
		(*DialWatch)(d).note(address)
	}
	return conn, err
}

func (w *DialWatch) note(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.made == nil || len(w.made) >= params.MemoryEntries {
		w.made = make(map[string]time.Time) // what is forgotten reads as a black hole
	}
	w.made[address] = time.Now()
}

// reached reports whether a TCP connection to any of the addresses was made
// since a moment. A nil watch has seen nothing.
func (w *DialWatch) reached(addrs []contact.Addr, since time.Time) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range unpacked(addrs) {
		if network, address, err := manet.DialArgs(a); err == nil && network[:3] == "tcp" {
			if at, ok := w.made[address]; ok && !at.Before(since) {
				return true
			}
		}
	}
	return false
}

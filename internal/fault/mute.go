package fault

import (
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
)

// startMuteHandshake accepts TCP connections, reads them and never writes.
func (p *Peer) startMuteHandshake() error {
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(loopback4), 0)))
	if err != nil {
		return err
	}
	m := &muteListener{listen: l, conns: make(map[net.Conn]struct{})}
	m.work.Go(m.accept)
	p.owns(m)
	p.at(l.Addr().(*net.TCPAddr).AddrPort())
	return nil
}

// startMuteIdentify takes streams below the host, where they are not yet
// negotiated, and leaves them as they are.
func (p *Peer) startMuteIdentify() error {
	if err := p.startHost(); err != nil {
		return err
	}
	p.host.Network().SetStreamHandler(func(network.Stream) {})
	return nil
}

// muteListener holds connections until their dialers give up.
type muteListener struct {
	listen *net.TCPListener

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
	work   sync.WaitGroup
}

func (m *muteListener) accept() {
	for {
		c, err := m.listen.Accept()
		if err != nil {
			return
		}
		m.work.Go(func() { m.hold(c) })
	}
}

func (m *muteListener) hold(c net.Conn) {
	defer c.Close()
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.conns[c] = struct{}{}
	m.mu.Unlock()
	_, _ = io.Copy(io.Discard, c)
	m.mu.Lock()
	delete(m.conns, c)
	m.mu.Unlock()
}

// Close ends all connections and waits for their goroutines.
func (m *muteListener) Close() error {
	err := m.listen.Close()
	m.mu.Lock()
	m.closed = true
	for c := range m.conns {
		_ = c.Close()
	}
	m.mu.Unlock()
	m.work.Wait()
	return err
}

package fault

import (
	"context"
	"net/netip"
	"sync"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Transport returns the option that puts a host on the wire. Above the wire
// everything is real: multistream, TLS or Noise, yamux, identify.
func (s *Switch) Transport() libp2p.Option {
	return libp2p.Transport(func(u transport.Upgrader, rcmgr network.ResourceManager) *memTransport {
		return &memTransport{sw: s, upgrader: u, rcmgr: rcmgr, ip: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	})
}

// memTransport is one host's plug in the switch.
type memTransport struct {
	sw       *Switch
	upgrader transport.Upgrader
	rcmgr    network.ResourceManager

	mu sync.Mutex
	ip netip.Addr // that we dial from: the one we listen on
}

var _ transport.Transport = (*memTransport)(nil)

// CanDial accepts an IP and a TCP port, and nothing above them.
func (t *memTransport) CanDial(addr ma.Multiaddr) bool {
	parts := addr.Protocols()
	return len(parts) == 2 && parts[1].Code == ma.P_TCP && manet.IsThinWaist(addr)
}

// Protocols says that the transport is the host's TCP.
func (t *memTransport) Protocols() []int { return []int{ma.P_TCP} }

// Proxy is false: addresses are those of the peers.
func (t *memTransport) Proxy() bool { return false }

// Dial connects and upgrades, like the TCP transport.
func (t *memTransport) Dial(ctx context.Context, addr ma.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	scope, err := t.rcmgr.OpenConnection(network.DirOutbound, true, addr)
	if err != nil {
		return nil, err
	}
	if err := scope.SetPeer(p); err != nil {
		scope.Done()
		return nil, err
	}
	conn, err := t.connect(ctx, addr)
	if err != nil {
		scope.Done()
		return nil, err
	}
	return t.upgrader.Upgrade(ctx, t, conn, network.DirOutbound, p, scope)
}

func (t *memTransport) connect(ctx context.Context, addr ma.Multiaddr) (manet.Conn, error) {
	to, err := addrPort(addr)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	from := t.ip
	t.mu.Unlock()
	conn, err := t.sw.dial(ctx, from, to)
	if err != nil {
		return nil, err
	}
	return manet.WrapNetConn(conn)
}

// Listen takes an address of the switch.
func (t *memTransport) Listen(addr ma.Multiaddr) (transport.Listener, error) {
	at, err := addrPort(addr)
	if err != nil {
		return nil, err
	}
	l, err := t.sw.listen(at)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.ip = at.Addr()
	t.mu.Unlock()
	ml, err := manet.WrapNetListener(l)
	if err != nil {
		return nil, err
	}
	return t.upgrader.UpgradeGatedMaListener(t, t.upgrader.GateMaListener(ml)), nil
}

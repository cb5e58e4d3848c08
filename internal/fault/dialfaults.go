package fault

import (
	"net"
	"net/netip"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Faults that a dial meets before there is a connection.

func (p *Peer) startRefused() error {
	s, err := bindTCP(loopback4)
	if err != nil {
		return err
	}
	p.owns(s)
	p.at(s.on(loopback4))
	return nil
}

func (p *Peer) startBlackHole() error {
	if p.opts.QUIC {
		return p.startUDPHole()
	}
	h, err := newTCPHole()
	if err != nil {
		return err
	}
	p.owns(h)
	p.at(h.on(loopback4))
	return nil
}

// startUDPHole binds a UDP port that nobody reads.
func (p *Peer) startUDPHole() error {
	c, err := listenUDP()
	if err != nil {
		return err
	}
	p.owns(c)
	return p.atQUIC(c.LocalAddr())
}

// startWrongPeer serves honestly, but advertises somebody else's name.
func (p *Peer) startWrongPeer() error {
	if err := p.startServer(); err != nil {
		return err
	}
	p.info.ID = idOf(NewKey(p.rng))
	return nil
}

func listenUDP() (*net.UDPConn, error) {
	return net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(loopback4), 0)))
}

// atQUIC makes a UDP address what the peer advertises.
func (p *Peer) atQUIC(addr net.Addr) error {
	udp, err := manet.FromNetAddr(addr)
	if err != nil {
		return err
	}
	quic, err := ma.NewMultiaddr("/quic-v1")
	if err != nil {
		return err
	}
	p.info.Addrs = []ma.Multiaddr{udp.Encapsulate(quic)}
	return nil
}

//go:build !linux

package fault

import (
	"errors"
	"net"
	"net/netip"
)

// bindTCP finds a free TCP port of an address. Elsewhere than on Linux nobody
// holds it, so another program may get it in the meantime.
func bindTCP(ip [4]byte) (*socket, error) {
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(ip), 0)))
	if err != nil {
		return nil, err
	}
	return &socket{port: l.Addr().(*net.TCPAddr).AddrPort().Port()}, l.Close()
}

// Close has nothing to give back.
func (s *socket) Close() error { return nil }

// listen would need to know what this kernel does with a full queue.
func (s *socket) listen() error { return errors.New("fault: a black hole over TCP needs Linux") }

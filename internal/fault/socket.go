package fault

import "net/netip"

// loopback4 is where every fault lives.
var loopback4 = [4]byte{127, 0, 0, 1}

// socket is a bare TCP socket that Go's poller does not know: package net can
// neither bind without listening nor listen with a queue of its own length.
type socket struct {
	fd   int
	port uint16
}

// on returns the socket's port at an address.
func (s *socket) on(ip [4]byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4(ip), s.port)
}

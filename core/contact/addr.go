package contact

import (
	"encoding/binary"
	"slices"
)

// Group is an IP neighbourhood, the unit in which diversity is counted: an
// IPv4 /16 or an IPv6 /32. Zero means that the address names no IP.
type Group uint64

// Multicodec codes of the first part of a multiaddr (multiformats table).
const (
	codeIP4     = 0x04
	codeIP6     = 0x29
	codeIP6Zone = 0x2a
)

// ip returns the IP at the front of an address and its family (4, 6, or 0).
func (a Addr) ip() (ip string, family int) {
	rest := string(a)
	for len(rest) > 0 {
		switch rest[0] {
		case codeIP4:
			if len(rest) >= 5 {
				return rest[1:5], 4
			}
			return "", 0
		case codeIP6:
			if len(rest) >= 17 {
				return rest[1:17], 6
			}
			return "", 0
		case codeIP6Zone: // a zone names an interface and stands before its IP
			n, size := binary.Uvarint([]byte(rest[1:min(len(rest), 11)]))
			if size <= 0 || n >= uint64(len(rest)-1-size) {
				return "", 0
			}
			rest = rest[1+size+int(n):]
		default:
			return "", 0
		}
	}
	return "", 0
}

// Group returns the address's IP neighbourhood, or zero if it names no IP.
func (a Addr) Group() Group {
	switch ip, family := a.ip(); family {
	case 4:
		return 4<<32 | Group(ip[0])<<8 | Group(ip[1])
	case 6:
		return 6<<32 | Group(binary.BigEndian.Uint32([]byte(ip[:4])))
	}
	return 0
}

// Loopback reports whether the address is in 127.0.0.0/8 or is ::1.
func (a Addr) Loopback() bool {
	switch ip, family := a.ip(); family {
	case 4:
		return ip[0] == 127
	case 6:
		return ip == "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	}
	return false
}

// Group returns the neighbourhood of the contact's first address that has one.
func (i *Info) Group() Group {
	for _, a := range i.Addrs {
		if g := a.Group(); g != 0 {
			return g
		}
	}
	return 0
}

// Places returns in how many IP neighbourhoods some contacts live. If loopback is
// apart, each that lives there counts as a neighbourhood of its own.
func Places(contacts []*Info, loopbackApart bool) (n int) {
	var seen []Group
	for _, c := range contacts {
		switch g := c.Group(); {
		case loopbackApart && len(c.Addrs) > 0 && c.Addrs[0].Loopback():
			n++
		case !slices.Contains(seen, g):
			seen = append(seen, g)
			n++
		}
	}
	return n
}

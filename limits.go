package waymark

import (
	"net/netip"
	"sync"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/waymark-dht/waymark/core/params"
)

// windowed counts events by where they come from or go to, or by whom, in windows
// of a fixed length. It holds at most params.MaxWindowed places; when they are all
// taken, places that are not known count as one.
type windowed[K comparable] struct {
	mu     sync.Mutex
	length time.Duration
	limit  int
	began  time.Time
	counts map[K]int
}

func newWindowed[K comparable](limit int, length time.Duration) *windowed[K] {
	return &windowed[K]{length: length, limit: limit, counts: make(map[K]int)}
}

// allow counts one more event and reports whether it is within the limit.
func (w *windowed[K]) allow(at K) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.began) >= w.length {
		w.began = now
		clear(w.counts)
	}
	if _, known := w.counts[at]; !known && len(w.counts) >= params.MaxWindowed {
		at = *new(K)
	}
	w.counts[at]++
	return w.counts[at] <= w.limit
}

// neighbourhood returns the IP network that an address is in: a /24 for IPv4,
// a /48 for IPv6, which is what one site gets. It reports false for addresses
// without an IP and, if exempt, for those of this machine.
func neighbourhood(a ma.Multiaddr, exempt bool) (netip.Prefix, bool) {
	return prefixOf(a, 24, 48, exempt)
}

// household returns the address itself for IPv4 and its /64 for IPv6: what one
// host or household can change at will. On one site all live in one /64, and
// nobody is a stranger: there it is the address itself.
func (p policy) household(a ma.Multiaddr) (netip.Prefix, bool) {
	six := 64
	if p.oneSite {
		six = 128
	}
	return prefixOf(a, 32, six, p.loopback)
}

func prefixOf(a ma.Multiaddr, four, six int, exempt bool) (netip.Prefix, bool) {
	slice, err := manet.ToIP(a)
	if err != nil {
		return netip.Prefix{}, false
	}
	ip, ok := netip.AddrFromSlice(slice)
	if ip = ip.Unmap(); !ok || exempt && ip.IsLoopback() {
		return netip.Prefix{}, false
	}
	bits := six
	if ip.Is4() {
		bits = four
	}
	p, err := ip.Prefix(bits)
	return p, err == nil
}

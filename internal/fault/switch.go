package fault

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Switch is the wire that joins in-memory hosts. Whatever passes, passes at
// once; what should go wrong is told to the switch or to one of its links.
// Inside a testing/synctest bubble, make the switch in the bubble too.
type Switch struct {
	mu        sync.Mutex
	listeners map[netip.AddrPort]*memListener
	faults    map[netip.AddrPort]dialFault
	unplugged map[netip.Addr]bool
	links     []*Link
	onLink    func(*Link)
	port      uint16 // the last ephemeral port that was given out
	hosts     int
}

// dialFault is what a dial to an address meets.
type dialFault int

const (
	dialWorks dialFault = iota
	dialRefused
	dialBlackHole
)

// firstEphemeral is where the ports begin that nobody asked for by number.
const firstEphemeral = 32768

// hostPort is the port of every host that the switch makes; they differ by IP,
// so that each is a network address of its own, as in the world.
const hostPort = 4001

// NewSwitch returns a wire with nobody on it.
func NewSwitch() *Switch {
	return &Switch{
		listeners: make(map[netip.AddrPort]*memListener),
		faults:    make(map[netip.AddrPort]dialFault),
		unplugged: make(map[netip.Addr]bool),
		port:      firstEphemeral,
	}
}

// Host makes a host on the wire that listens on the next address of
// 127.1.0.0/16. Options come after those of [LoopbackOptions].
func (s *Switch) Host(priv crypto.PrivKey, opts ...libp2p.Option) (host.Host, error) {
	base := append(LoopbackOptions(priv), s.Transport(), libp2p.ListenAddrs(s.nextAddr()))
	return libp2p.New(append(base, opts...)...)
}

func (s *Switch) nextAddr() ma.Multiaddr {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts++
	ip := netip.AddrFrom4([4]byte{127, 1, byte(s.hosts >> 8), byte(s.hosts)})
	return multiaddr(netip.AddrPortFrom(ip, hostPort))
}

// Refuse makes dials to an address fail at once.
func (s *Switch) Refuse(addr ma.Multiaddr) error { return s.setFault(addr, dialRefused) }

// BlackHole makes dials to an address block until their context ends.
func (s *Switch) BlackHole(addr ma.Multiaddr) error { return s.setFault(addr, dialBlackHole) }

// Heal undoes Refuse and BlackHole for dials that begin from now on.
func (s *Switch) Heal(addr ma.Multiaddr) error { return s.setFault(addr, dialWorks) }

func (s *Switch) setFault(addr ma.Multiaddr, f dialFault) error {
	at, err := addrPort(addr)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[at] = f
	return nil
}

// Unplug takes the IP of an address off the wire: its connections are cut, and
// dials to it and from it fail at once, also those that were under way.
func (s *Switch) Unplug(addr ma.Multiaddr) error {
	at, err := addrPort(addr)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.unplugged[at.Addr()] = true
	links := slices.Clone(s.links)
	s.mu.Unlock()
	for _, l := range links {
		if l.Dialer.Addr() == at.Addr() || l.Listener.Addr() == at.Addr() {
			l.Cut()
		}
	}
	return nil
}

// Plug undoes Unplug.
func (s *Switch) Plug(addr ma.Multiaddr) error {
	at, err := addrPort(addr)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unplugged, at.Addr())
	return nil
}

// OnLink has f called with every new connection before its first byte. f must
// not block.
func (s *Switch) OnLink(f func(*Link)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onLink = f
}

// Links returns the connections that are open, the oldest first.
func (s *Switch) Links() []*Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.links)
}

// CutAll cuts every connection.
func (s *Switch) CutAll() {
	for _, l := range s.Links() {
		l.Cut()
	}
}

// listen takes an address; port 0 is any that is free.
func (s *Switch) listen(at netip.AddrPort) (*memListener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Port() == 0 {
		at = s.ephemeral(at.Addr())
	}
	if s.listeners[at] != nil {
		return nil, netError("listen", at, syscall.EADDRINUSE)
	}
	l := newMemListener(s, at)
	s.listeners[at] = l
	return l, nil
}

// ephemeral returns a port that nobody listens on. Two dialers may share one
// after 32 768 dials: links are told apart by themselves, not by their port.
func (s *Switch) ephemeral(ip netip.Addr) netip.AddrPort {
	for {
		if s.port++; s.port < firstEphemeral {
			s.port = firstEphemeral
		}
		if at := netip.AddrPortFrom(ip, s.port); s.listeners[at] == nil {
			return at
		}
	}
}

func (s *Switch) unlisten(at netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, at)
}

// dial joins the address to from by a new link.
func (s *Switch) dial(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	s.mu.Lock()
	fault, l := s.faults[to], s.listeners[to]
	s.mu.Unlock()
	if fault == dialBlackHole {
		<-ctx.Done()
		return nil, netError("dial", to, ctx.Err())
	}
	if err := ctx.Err(); err != nil {
		return nil, netError("dial", to, err)
	}
	if fault == dialRefused || l == nil {
		return nil, netError("dial", to, os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	link := s.join(from, to)
	if link == nil {
		return nil, netError("dial", to, os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	dialer, listener := link.ends()
	if !l.offer(listener) {
		link.Cut()
		return nil, netError("dial", to, os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	return dialer, nil
}

// join makes the link of a dial, unless either end is unplugged.
func (s *Switch) join(from netip.Addr, to netip.AddrPort) *Link {
	s.mu.Lock()
	if s.unplugged[from] || s.unplugged[to.Addr()] {
		s.mu.Unlock()
		return nil
	}
	link := newLink(s.ephemeral(from), to, s.forget)
	s.links = append(s.links, link)
	tell := s.onLink
	s.mu.Unlock()
	if tell != nil {
		tell(link)
	}
	return link
}

func (s *Switch) forget(link *Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.links, link); i >= 0 {
		s.links = slices.Delete(s.links, i, i+1)
	}
}

// addrPort reads the IP and the TCP port of a multiaddr.
func addrPort(addr ma.Multiaddr) (netip.AddrPort, error) {
	na, err := manet.ToNetAddr(addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	at, err := netip.ParseAddrPort(na.String())
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), err
}

// multiaddr is addrPort the other way round. Whatever it is given has been a
// loopback address of ours, so it cannot fail.
func multiaddr(at netip.AddrPort) ma.Multiaddr {
	addr, err := manet.FromNetAddr(net.TCPAddrFromAddrPort(at))
	if err != nil {
		panic(err)
	}
	return addr
}

func netError(op string, at netip.AddrPort, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: net.TCPAddrFromAddrPort(at), Err: err}
}

package fault

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// trickleStep is how long a slow sender takes for each byte.
const trickleStep = 100 * time.Millisecond

// backPatience is how long a host behind a proxy may take to accept.
const backPatience = 2 * time.Second

// Proxy is a TCP port on loopback whose connections are carried on to another
// one byte by byte, and misbehave on the way: what Switch is for hosts in a
// bubble, for hosts on real sockets.
type Proxy struct {
	target atomic.Pointer[netip.AddrPort]
	listen *net.TCPListener
	onLink func(*ProxyLink)

	mu     sync.Mutex
	links  map[*ProxyLink]struct{}
	closed bool
	work   sync.WaitGroup
}

// NewProxy opens a port. Until SetTarget is called, connections are closed.
// onLink, which may be nil, is called with each connection before its first
// byte is carried.
func NewProxy(onLink func(*ProxyLink)) (*Proxy, error) {
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(loopback4), 0)))
	if err != nil {
		return nil, err
	}
	p := &Proxy{listen: l, onLink: onLink, links: make(map[*ProxyLink]struct{})}
	p.work.Go(p.accept)
	return p, nil
}

// Addr returns the port that is advertised.
func (p *Proxy) Addr() netip.AddrPort { return p.listen.Addr().(*net.TCPAddr).AddrPort() }

// SetTarget says where connections that come from now on are carried to.
func (p *Proxy) SetTarget(to netip.AddrPort) { p.target.Store(&to) }

// Close ends everything and waits for it.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		l.drop()
	}
	p.mu.Unlock()
	err := p.listen.Close()
	p.work.Wait()
	return err
}

// From returns the link whose backend connection has the given local address:
// the one by which the host behind the proxy knows it.
func (p *Proxy) From(local netip.AddrPort) *ProxyLink {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if l.back.LocalAddr().(*net.TCPAddr).AddrPort() == local {
			return l
		}
	}
	return nil
}

func (p *Proxy) accept() {
	for {
		front, err := p.listen.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			<-time.After(trickleStep) // out of file descriptors: let some be closed
			continue
		}
		if err := p.carry(front); err != nil {
			_ = front.Close()
		}
	}
}

var errNoTarget = errors.New("fault: the proxy has nowhere to go")

// carry joins a connection to the target and starts both directions.
func (p *Proxy) carry(front *net.TCPConn) error {
	to := p.target.Load()
	if to == nil {
		return errNoTarget
	}
	back, err := net.DialTimeout("tcp4", to.String(), backPatience)
	if err != nil {
		return err
	}
	l := newProxyLink(front, back.(*net.TCPConn))
	if !p.add(l) {
		l.drop()
		return nil
	}
	if p.onLink != nil {
		p.onLink(l)
	}
	p.work.Go(func() {
		defer p.remove(l)
		l.run()
	})
	return nil
}

// add counts the link's goroutine as work before Close can have waited.
func (p *Proxy) add(l *ProxyLink) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *ProxyLink) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

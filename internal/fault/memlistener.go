package fault

import (
	"net"
	"net/netip"
	"sync"
)

// backlog is how many connections wait for Accept, as in a kernel's queue.
const backlog = 128

// memListener is a net.Listener on a switch.
type memListener struct {
	sw      *Switch
	at      netip.AddrPort
	waiting chan *memConn
	closing chan struct{}
	once    sync.Once
}

func newMemListener(sw *Switch, at netip.AddrPort) *memListener {
	return &memListener{
		sw: sw, at: at,
		waiting: make(chan *memConn, backlog), closing: make(chan struct{}),
	}
}

// offer hands over the far end of a dial. A full queue refuses, unlike a
// kernel's, which drops: a silent drop should come from BlackHole alone.
func (l *memListener) offer(c *memConn) bool {
	select {
	case <-l.closing:
		return false
	default:
	}
	select {
	case l.waiting <- c:
		return true
	default:
		return false
	}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case <-l.closing:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.waiting:
		return c, nil
	case <-l.closing:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }

func (l *memListener) Close() error {
	l.once.Do(func() {
		l.sw.unlisten(l.at)
		close(l.closing)
		l.dropWaiting()
	})
	return nil
}

func (l *memListener) dropWaiting() {
	for range backlog {
		select {
		case c := <-l.waiting:
			c.link.Cut()
		default:
			return
		}
	}
}

var _ net.Listener = (*memListener)(nil)

package fault

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Direction is one of the two ways of a connection.
type Direction int

// The ways: up is from the dialer to the listener, down is the answer's way.
const (
	Up Direction = iota
	Down
)

// String returns the word for the direction.
func (d Direction) String() string { return [...]string{"up", "down"}[d] }

// Link is one connection as the switch sees it: whose it is, what has passed,
// and the knobs. All methods are safe for concurrent use.
type Link struct {
	// Dialer and Listener are the addresses of the two ends.
	Dialer, Listener netip.AddrPort

	ways [2]*pipe
	gone func(*Link)
	once sync.Once
}

func newLink(dialer, listener netip.AddrPort, gone func(*Link)) *Link {
	return &Link{
		Dialer: dialer, Listener: listener,
		ways: [2]*pipe{newPipe(), newPipe()}, gone: gone,
	}
}

// Passed returns how many bytes the sender of a direction has got rid of.
func (l *Link) Passed(d Direction) uint64 {
	p := l.ways[d]
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

// Cut ends the connection at once: what has passed is still read, then comes
// EOF; whoever writes gets a reset.
func (l *Link) Cut() {
	for _, p := range l.ways {
		p.sever()
	}
	l.forget()
}

// CutAfter cuts the connection when n more bytes have passed in a direction,
// wherever in a frame that is.
func (l *Link) CutAfter(d Direction, n int) {
	if n <= 0 {
		l.Cut()
		return
	}
	l.ways[d].set(func() { l.ways[d].fuse = int64(n) })
}

// Stall stops delivery in a direction: the sender may fill the window, the
// reader sees nothing more, not even the other end's Close.
func (l *Link) Stall(d Direction) {
	l.ways[d].set(func() { l.ways[d].stall = true })
}

// ZeroWindow is Stall with the window shut: the sender's next write blocks.
func (l *Link) ZeroWindow(d Direction) {
	l.ways[d].set(func() { l.ways[d].stall, l.ways[d].window = true, 0 })
}

// Resume undoes Stall and ZeroWindow; nothing was lost.
func (l *Link) Resume(d Direction) {
	l.ways[d].set(func() { l.ways[d].stall, l.ways[d].window = false, window })
}

func (l *Link) forget() { l.once.Do(func() { l.gone(l) }) }

// ends returns the two connections that the link joins.
func (l *Link) ends() (dialer, listener *memConn) {
	dialer = &memConn{link: l, in: l.ways[Down], out: l.ways[Up], local: l.Dialer, remote: l.Listener}
	listener = &memConn{link: l, in: l.ways[Up], out: l.ways[Down], local: l.Listener, remote: l.Dialer}
	return dialer, listener
}

// memConn is one end of a link: a net.Conn.
type memConn struct {
	link          *Link
	in, out       *pipe
	local, remote netip.AddrPort
}

func (c *memConn) Read(b []byte) (int, error) { return c.in.Read(b) }

func (c *memConn) Write(b []byte) (int, error) {
	n, burnt, err := c.out.Write(b)
	if burnt {
		c.link.Cut()
	}
	return n, err
}

func (c *memConn) Close() error {
	c.in.closeRead()
	c.out.closeWrite()
	c.link.forget()
	return nil
}

func (c *memConn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *memConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

func (c *memConn) SetReadDeadline(at time.Time) error {
	c.in.arm(&c.in.readBy, at)
	return nil
}

func (c *memConn) SetWriteDeadline(at time.Time) error {
	c.out.arm(&c.out.writeBy, at)
	return nil
}

func (c *memConn) SetDeadline(at time.Time) error {
	_ = c.SetReadDeadline(at)
	return c.SetWriteDeadline(at)
}

package fault

import (
	"io"
	"net"
	"sync"
	"time"
)

// ProxyLink is one connection through a Proxy, with the knobs of Link. Up is
// from whoever dialled to the host behind.
type ProxyLink struct {
	front, back *net.TCPConn
	gates       [2]*gate
	ended       chan struct{}
	hungUp      chan struct{}
	once        sync.Once
}

func newProxyLink(front, back *net.TCPConn) *ProxyLink {
	// Small frames go out as they come: a fault is timed by the fault alone.
	_, _ = front.SetNoDelay(true), back.SetNoDelay(true)
	l := &ProxyLink{front: front, back: back, ended: make(chan struct{}), hungUp: make(chan struct{})}
	for d := range l.gates {
		l.gates[d] = &gate{fuse: neverCut, changed: make(chan struct{})}
	}
	return l
}

// Passed returns how many bytes were carried in a direction.
func (l *ProxyLink) Passed(d Direction) (n uint64) {
	l.gates[d].set(func(g *gate) { n = g.passed })
	return n
}

// HungUp is closed when the host behind has ended the connection, or the link
// was cut.
func (l *ProxyLink) HungUp() <-chan struct{} { return l.hungUp }

// lastWords is how long the dialer may go on sending after a cut.
const lastWords = time.Second

// Cut ends the connection at once. The dialer sees EOF after the last byte
// that was carried. It is a FIN and what the dialer still sends is taken, as
// a reset could reach its writer before its reader has seen the end.
func (l *ProxyLink) Cut() {
	l.once.Do(func() {
		close(l.ended)
		_ = l.back.Close()
		_ = l.front.CloseWrite()
		_ = l.front.SetReadDeadline(time.Now().Add(lastWords))
	})
}

// drop is Cut without last words.
func (l *ProxyLink) drop() {
	l.Cut()
	_ = l.front.Close()
}

// CutAfter cuts when n more bytes were carried in a direction.
func (l *ProxyLink) CutAfter(d Direction, n int) {
	if n <= 0 {
		l.Cut()
		return
	}
	l.gates[d].set(func(g *gate) { g.fuse = int64(n) })
}

// Stall carries nothing more in a direction, and reads nothing: the sender's
// window shuts when the kernel's buffers are full. Nor is the sender's Close
// noticed, until the link is resumed or cut.
func (l *ProxyLink) Stall(d Direction) { l.gates[d].set(func(g *gate) { g.stall = true }) }

// Trickle carries one byte per 100 ms in a direction.
func (l *ProxyLink) Trickle(d Direction) { l.gates[d].set(func(g *gate) { g.trickle = true }) }

// Swallow takes everything in a direction and carries nothing, not even the
// sender's Close: what a half-open connection looks like to the receiver.
func (l *ProxyLink) Swallow(d Direction) { l.gates[d].set(func(g *gate) { g.swallow = true }) }

// Resume undoes Stall and Trickle. What was swallowed is lost, so Swallow is
// for ever.
func (l *ProxyLink) Resume(d Direction) {
	l.gates[d].set(func(g *gate) { g.stall, g.trickle = false, false })
}

// run carries both directions until the connection ends.
func (l *ProxyLink) run() {
	var up sync.WaitGroup
	up.Go(func() {
		l.pump(l.gates[Up], l.front, l.back)
		l.Cut() // even if that was secret: whoever dialled is gone
		_, _ = io.Copy(io.Discard, l.front)
		_ = l.front.Close()
	})
	secret := l.pump(l.gates[Down], l.back, l.front)
	close(l.hungUp)
	if !secret {
		l.Cut()
	}
	up.Wait()
}

// pump carries one direction until it ends, and reports whether that is kept
// secret from the receiver.
func (l *ProxyLink) pump(g *gate, from, to *net.TCPConn) (secret bool) {
	buf := make([]byte, 16<<10)
	for g.wait(l.ended, nil) {
		n, err := from.Read(buf)
		secret = g.swallows()
		if !secret && !l.pass(g, to, buf[:n]) || err != nil {
			break
		}
	}
	return secret
}

// pass carries b through the gate, or says that the connection has ended.
func (l *ProxyLink) pass(g *gate, to *net.TCPConn, b []byte) bool {
	for len(b) > 0 {
		if !g.wait(l.ended, nil) {
			return false
		}
		n, slow := g.take(len(b))
		if slow && !g.wait(l.ended, time.After(trickleStep)) {
			return false
		}
		if _, err := to.Write(b[:n]); err != nil || g.burnt() {
			return false
		}
		b = b[n:]
	}
	return true
}

// gate is what a direction's knobs have been set to.
type gate struct {
	mu      sync.Mutex
	changed chan struct{} // closed by the next change
	passed  uint64
	fuse    int64
	stall   bool
	trickle bool
	swallow bool
}

func (g *gate) set(change func(*gate)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
	close(g.changed)
	g.changed = make(chan struct{})
}

// wait waits for a pause, which may be nil, and then until the gate is open.
// It reports whether the connection still lives.
func (g *gate) wait(ended <-chan struct{}, pause <-chan time.Time) bool {
	if pause != nil {
		select {
		case <-pause:
		case <-ended:
			return false
		}
	}
	for {
		g.mu.Lock()
		stall, changed := g.stall, g.changed
		g.mu.Unlock()
		if !stall {
			return true
		}
		select {
		case <-changed:
		case <-ended:
			return false
		}
	}
}

// take says how many of n bytes may pass now, and whether slowly.
func (g *gate) take(n int) (int, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.trickle {
		n = 1
	}
	n = int(min(int64(n), g.fuse))
	g.passed += uint64(n)
	if g.fuse != neverCut {
		g.fuse -= int64(n)
	}
	return n, g.trickle
}

func (g *gate) swallows() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.swallow
}

func (g *gate) burnt() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fuse == 0
}

package fault

import (
	"io"
	"math"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes one direction of a connection holds that nobody
// has read yet, as a TCP socket does: yamux writes small frames without
// waiting for the reader, so an unbuffered pipe would deadlock two writers.
const window = 256 << 10

// neverCut is a fuse that does not burn.
const neverCut = math.MaxInt64

// pipe is one direction of a connection: bytes in order, a window, and the
// ways in which it can go wrong.
//
// Waiting is done on a sync.Cond and deadlines are timers, so everything that
// a testing/synctest bubble wants to see blocked is durably blocked.
type pipe struct {
	mu     sync.Mutex
	change sync.Cond

	buf    []byte // written, not read
	window int    // how long buf may get
	passed uint64 // bytes taken from the writer
	fuse   int64  // bytes that may still pass before the cut
	stall  bool   // nothing reaches the reader

	readEnd, writeEnd error // why the reader, the writer gets no further

	readBy, writeBy deadline
}

func newPipe() *pipe {
	p := &pipe{window: window, fuse: neverCut}
	p.change.L = &p.mu
	return p
}

// Read takes what there is, or waits for it, for the end or for the deadline.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.readEnd == net.ErrClosed:
			return 0, net.ErrClosed
		case p.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case len(p.buf) > 0 && !p.stall:
			n := copy(b, p.buf)
			p.buf = p.buf[n:]
			p.change.Broadcast()
			return n, nil
		case p.readEnd != nil && !p.stall:
			return 0, p.readEnd
		}
		p.change.Wait()
	}
}

// Write puts all of b into the window as it opens. burnt says that the fuse
// has burnt down and the connection must be cut.
func (p *pipe) Write(b []byte) (n int, burnt bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.writeEnd != nil:
			return n, false, p.writeEnd
		case p.writeBy.passed():
			return n, false, os.ErrDeadlineExceeded
		case n == len(b):
			return n, false, nil
		}
		if room := p.window - len(p.buf); room > 0 {
			n += p.take(b[n:], room)
			if p.fuse == 0 {
				return n, true, syscall.ECONNRESET
			}
			continue
		}
		p.change.Wait()
	}
}

// take moves into the window what fits it and the fuse.
func (p *pipe) take(b []byte, room int) int {
	n := int(min(int64(len(b)), int64(room), p.fuse))
	p.buf = append(p.buf, b[:n]...)
	p.passed += uint64(n)
	if p.fuse != neverCut {
		p.fuse -= int64(n)
	}
	p.change.Broadcast()
	return n
}

// set changes the pipe under its lock and wakes whoever waits on it.
func (p *pipe) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.change.Broadcast()
}

// closeRead is the reader's Close: the writer learns it at its next write.
func (p *pipe) closeRead() {
	p.set(func() {
		p.buf, p.readEnd = nil, net.ErrClosed
		p.readBy.stop()
		p.endWrite(syscall.ECONNRESET)
	})
}

// closeWrite is the writer's Close: the reader still gets what was written.
func (p *pipe) closeWrite() {
	p.set(func() {
		p.writeEnd = net.ErrClosed
		p.writeBy.stop()
		p.endRead(io.EOF)
	})
}

// sever ends the pipe for both, past any stall: the reader gets what had
// passed and then io.EOF, which within a frame is an unexpected EOF.
func (p *pipe) sever() {
	p.set(func() {
		p.stall = false
		p.endRead(io.EOF)
		p.endWrite(syscall.ECONNRESET)
	})
}

func (p *pipe) endRead(why error) {
	if p.readEnd == nil {
		p.readEnd = why
	}
}

func (p *pipe) endWrite(why error) {
	if p.writeEnd == nil {
		p.writeEnd = why
	}
}

// arm sets a deadline of the pipe; the zero time is none.
func (p *pipe) arm(d *deadline, at time.Time) {
	p.set(func() {
		d.stop()
		*d = deadline{}
		if at.IsZero() {
			return
		}
		due := new(bool)
		d.due = due
		if wait := time.Until(at); wait > 0 {
			d.timer = time.AfterFunc(wait, func() { p.set(func() { *due = true }) })
			return
		}
		*due = true
	})
}

// deadline is when reading or writing must end. A timer that fires late sets
// the mark of its own deadline, never that of a newer one.
type deadline struct {
	timer *time.Timer
	due   *bool
}

func (d *deadline) passed() bool { return d.due != nil && *d.due }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

package waymark

import (
	"context"
	"sync"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Facts streams what the node notices from now on. The channel is closed when
// ctx ends or the node closes; what it still holds can be read after that.
//
// A reader that falls behind loses facts but never the end of an operation:
// an engine.Missed stands in the place of what was lost. A reader that is
// behind by params.FactBuffer ended operations has stopped reading: its
// channel is closed.
func (d *DHT) Facts(ctx context.Context) <-chan Fact {
	s := d.facts.subscribe()
	stop := context.AfterFunc(ctx, func() { d.facts.drop(s) })
	d.facts.onDrop(s, stop)
	return s.out
}

// hub copies facts to whoever reads them. It never blocks and starts no
// goroutine: a reader is a channel with room, written under the hub's lock.
type hub struct {
	mu      sync.Mutex
	readers map[*reader]func() bool // and what to undo with each
	at      mono.Time               // of the last fact
	closed  bool
}

// reader is one stream of facts. Half of its room is kept for ends.
type reader struct {
	out    chan Fact
	missed int
}

func newHub() *hub { return &hub{readers: make(map[*reader]func() bool)} }

func (h *hub) subscribe() *reader {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &reader{out: make(chan Fact, 2*params.FactBuffer)}
	if h.closed {
		close(r.out)
		return r
	}
	h.readers[r] = nil
	return r
}

// onDrop remembers what to undo when the reader goes, or does so at once.
func (h *hub) onDrop(r *reader, undo func() bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, here := h.readers[r]; here {
		h.readers[r] = undo
	} else {
		undo()
	}
}

func (h *hub) drop(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropLocked(r)
}

func (h *hub) dropLocked(r *reader) {
	undo, here := h.readers[r]
	if !here {
		return
	}
	delete(h.readers, r)
	if r.missed > 0 {
		select {
		case r.out <- engine.Missed{At: h.at, Count: r.missed}:
		default: // it has stopped reading
		}
	}
	close(r.out)
	if undo != nil {
		undo()
	}
}

// publish hands a fact to every reader.
func (h *hub) publish(at mono.Time, f Fact) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = at
	for r := range h.readers {
		if !r.take(at, f) {
			h.dropLocked(r)
		}
	}
}

// close ends every stream.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for r := range h.readers {
		h.dropLocked(r)
	}
}

// take puts a fact into the reader's channel if there is room for its kind,
// and reports false if the reader cannot be told what it was promised.
func (r *reader) take(at mono.Time, f Fact) bool {
	limit := params.FactBuffer
	if isEnd(f) {
		limit = cap(r.out) - 1 // and one for Missed
	}
	if len(r.out) >= limit {
		r.missed++
		return !isEnd(f)
	}
	if r.missed > 0 {
		r.out <- engine.Missed{At: at, Count: r.missed}
		r.missed = 0
	}
	r.out <- f
	return true
}

// isEnd reports whether a fact is the last of its operation.
func isEnd(f Fact) bool {
	switch f.(type) {
	case engine.OpEnded, engine.Refused:
		return true
	}
	return false
}

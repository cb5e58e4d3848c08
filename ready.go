package waymark

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
)

// readiness is what the engine's supervisor thinks of the node, where callers
// can read it and wait for it.
type readiness struct {
	mu      sync.Mutex
	health  boot.Health
	useful  bool     // a bootstrap has left a useful table, and nothing was lost since
	reasons []string // what went wrong in the last bootstrap
	closed  bool
	changed chan struct{} // closed and replaced at every change
}

func newReadiness() *readiness { return &readiness{changed: make(chan struct{})} }

// change alters what is known and wakes whoever waits.
func (r *readiness) change(alter func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	alter()
	close(r.changed)
	r.changed = make(chan struct{})
}

// update takes the supervisor's opinion, after every turn of the driver.
func (r *readiness) update(h boot.Health) {
	r.mu.Lock()
	same, moved := r.health == h, r.health.State != h.State
	r.mu.Unlock()
	if same {
		return
	}
	r.change(func() {
		r.health = h
		if moved {
			r.useful = h.State == boot.Ready
		}
	})
}

// notice takes the facts that bear on it.
func (r *readiness) notice(f engine.Fact) {
	switch f := f.(type) {
	case engine.BecameReady:
		r.change(func() { r.useful = true })
	case engine.OpEnded:
		if f.Kind == engine.KindBootstrap && f.Result.Outcome != engine.Stopped {
			r.change(func() { r.reasons = reportOf(f.Result).Reasons() })
		}
	}
}

func (r *readiness) close() { r.change(func() { r.closed, r.useful = true, false }) }

func (r *readiness) is() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.useful
}

// fill describes the node's state.
func (r *readiness) fill(h *Health, now mono.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h.State = r.health.State.String()
	switch {
	case r.closed:
		h.State, h.Next = "closed", "nothing: make a new node"
		return
	case r.health.Running:
		h.Next = "the bootstrap that is under way ends"
	case r.health.Next == mono.Never || r.health == boot.Health{}:
		h.Next = "nothing, until Bootstrap is called"
	default:
		h.Next = fmt.Sprintf("a bootstrap begins in %v", max(0, r.health.Next.Sub(now)).Round(time.Millisecond))
	}
	if r.health.State != boot.Ready {
		h.Reasons = r.why()
	}
}

// why lists the reasons for not being ready. The caller holds the lock.
func (r *readiness) why() (why []string) {
	if r.health.Reason != "" {
		why = append(why, r.health.Reason)
	}
	for _, line := range r.reasons {
		if line != r.health.Reason {
			why = append(why, line)
		}
	}
	return why
}

// wait returns nil once the node is of use.
func (r *readiness) wait(ctx context.Context, stopped <-chan struct{}) error {
	for {
		r.mu.Lock()
		useful, changed := r.useful, r.changed
		why := append([]string{r.health.State.String()}, r.why()...)
		r.mu.Unlock()
		if useful {
			return nil
		}
		select {
		case <-changed:
		case <-stopped:
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("%w (%s): %w", ErrNotReady, strings.Join(why, "; "), ctx.Err())
		}
	}
}

package waymark_test

import (
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// heavyClock is a clock whose reader is held up while it is shut, as the driver
// is by a processor that is taken away.
type heavyClock struct {
	start time.Time
	mu    sync.Mutex
	gate  chan struct{} // nil is open
}

func (c *heavyClock) Mono() time.Duration {
	c.mu.Lock()
	gate := c.gate
	c.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return time.Since(c.start)
}

func (c *heavyClock) Wall() time.Time { return time.Now().Round(0) }

func (c *heavyClock) shut() (open func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	gate := make(chan struct{})
	c.gate = gate
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.gate = nil
		close(gate)
	}
}

// TestAnswersThatCameWhileTheNodeWasHeldUpCount: a turn of the driver that is
// late finds the answers of all peers and, at the same time, that the deadlines
// of their requests are over. They came in time, and nobody was silent.
func TestAnswersThatCameWhileTheNodeWasHeldUpCount(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		clock := &heavyClock{start: time.Now()}
		d := w.Node(waymark.Config{Mode: waymark.ModeClient, Clock: clock})
		for range params.Alpha {
			w.Check(d.Admit(addrOf(w.Peer(func(s network.Stream) {
				readSome(s)
				testkit.Pass(100 * time.Millisecond)
				s.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode}))
			}))))
		}
		ended := make(chan waymark.Result, 1)
		go func() { r, err := d.Lookup(t.Context(), "key"); w.Check(err); ended <- r }()
		testkit.Pass(50 * time.Millisecond)
		open := clock.shut()
		testkit.Pass(params.HardMax) // less than what counts as a sleep
		open()
		r := <-ended
		if r.Outcome != engine.Converged || len(r.Peers) != params.Alpha || r.Stats.Failures.Total() != 0 {
			t.Errorf("%v: of %d that answered %d are in the result; failures: %v", r.Outcome, params.Alpha, len(r.Peers), r.Stats.Failures)
		}
		if n := d.RoutingTable().Size; n != params.Alpha {
			t.Errorf("%d of %d are left in the table", n, params.Alpha)
		}
	})
}

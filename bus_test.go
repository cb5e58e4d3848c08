package waymark_test

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// stuckHost is a host whose events wait for a subscriber that does not read: so
// does who changes its protocols, and who subscribes.
type stuckHost struct {
	host.Host
	event.Bus
	reads chan struct{} // closed when it reads
}

func (h *stuckHost) SetStreamHandler(p protocol.ID, f network.StreamHandler) {
	h.Host.SetStreamHandler(p, f)
	<-h.reads
}

func (h *stuckHost) RemoveStreamHandler(p protocol.ID) {
	h.Host.RemoveStreamHandler(p)
	<-h.reads
}

func (h *stuckHost) EventBus() event.Bus { return h }

func (h *stuckHost) Subscribe(kinds any, opts ...event.SubscriptionOpt) (event.Subscription, error) {
	if h.Bus == nil {
		<-h.reads
		return h.Host.EventBus().Subscribe(kinds, opts...)
	}
	return h.Bus.Subscribe(kinds, opts...)
}

// within fails if a call takes longer than a limit.
func within(t *testing.T, limit time.Duration, what string, call func()) {
	t.Helper()
	began := time.Now()
	if call(); time.Since(began) > limit {
		t.Errorf("%s took %v of %v", what, time.Since(began), limit)
	}
}

// TestAStuckSubscriberHoldsUpNobodyWhoServes: to begin and to end to serve is
// told to all who listen for it.
func TestAStuckSubscriberHoldsUpNobodyWhoServes(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		h := w.Host()
		stuck := &stuckHost{h, h.EventBus(), make(chan struct{})}
		var d *waymark.DHT
		within(t, params.HostDeadline, "New", func() { d = w.NodeOn(stuck, waymark.Config{Mode: waymark.ModeServer}) })
		s := asking(w, w.Host(), d) // it serves all the same
		w.Check(s.SetReadDeadline(time.Now().Add(params.HostDeadline)))
		_, err := s.Write(findNode("key"))
		w.Check(err)
		if _, err := readAnswer(s); err != nil {
			t.Errorf("a request: %v", err)
		}
		within(t, params.HostDeadline, "SetMode", func() {
			if err := d.SetMode(waymark.ModeAuto); !errors.Is(err, waymark.ErrDeadline) {
				t.Errorf("SetMode: %v", err)
			}
		})
		flip(t, w, h)
		within(t, d.Bound(waymark.OpClose), "Close", func() {
			if err := d.Close(); !errors.Is(err, waymark.ErrLeftover) {
				t.Errorf("Close: %v", err)
			}
		})
		synctest.Wait()
		if n := d.Health().Streams; n != 0 {
			t.Errorf("a closed node serves %d streams", n)
		}
		if err := d.SetMode(waymark.ModeServer); !errors.Is(err, waymark.ErrClosed) {
			t.Errorf("SetMode after Close: %v", err)
		}
		close(stuck.reads)
		synctest.Wait()
		for _, p := range h.Mux().Protocols() {
			if p == waymark.DefaultProtocol {
				t.Error("a closed node serves")
			}
		}
	})
}

// flip tells a host a hundred times that it is reachable, and that it is not, and
// sees that not each time a goroutine waits for its subscribers.
func flip(t *testing.T, w *testkit.World, h host.Host) {
	t.Helper()
	tell, err := h.EventBus().Emitter(new(event.EvtLocalReachabilityChanged))
	w.Check(err)
	defer tell.Close()
	before := runtime.NumGoroutine()
	for i := range 100 {
		is := []network.Reachability{network.ReachabilityPublic, network.ReachabilityPrivate}[i%2]
		w.Check(tell.Emit(event.EvtLocalReachabilityChanged{Reachability: is}))
	}
	synctest.Wait()
	if n := runtime.NumGoroutine() - before; n > 10 {
		t.Errorf("%d goroutines wait for the host", n)
	}
}

// TestAStuckSubscriberHoldsUpNobodyWhoSubscribes: New cannot do without.
func TestAStuckSubscriberHoldsUpNobodyWhoSubscribes(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		stuck := &stuckHost{Host: w.Host(), reads: make(chan struct{})}
		within(t, params.HostDeadline, "New", func() {
			if _, err := waymark.New(stuck, waymark.Config{}); !errors.Is(err, waymark.ErrDeadline) {
				t.Errorf("New: %v", err)
			}
		})
		close(stuck.reads)
		synctest.Wait()
	})
}

package waymark_test

import (
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
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

// answersAfter is a peer that knows nobody, and takes its time to say so.
func answersAfter(w *testkit.World, d time.Duration, opts ...libp2p.Option) host.Host {
	h := w.Host(opts...)
	h.SetStreamHandler(waymark.DefaultProtocol, func(s network.Stream) {
		request := make([]byte, 1024)
		for {
			if _, err := s.Read(request); err != nil {
				return
			}
			testkit.Pass(d)
			s.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode}))
		}
	})
	return h
}

// amongQuick is a node that has learned that peers answer at once.
func amongQuick(w *testkit.World, opts ...libp2p.Option) *waymark.DHT {
	d := w.Node(waymark.Config{Mode: waymark.ModeClient})
	for range 2 * params.K {
		w.Check(d.Admit(addrOf(answersAfter(w, 10*time.Millisecond, opts...))))
	}
	for i := range 5 {
		_, err := d.Lookup(w.Context(), keyOf(i))
		w.Check(err)
	}
	return d
}

// asked has a node look up a peer that it has just met, and returns how its
// request to that peer ended.
func asked(w *testkit.World, d *waymark.DHT, to peer.AddrInfo) (end engine.RequestEnded) {
	w.Check(d.Admit(to))
	facts := d.Facts(w.Context())
	_, err := d.Lookup(w.Context(), string(to.ID))
	w.Check(err)
	for end.Peer == nil || end.Peer.ID != contact.ID(to.ID) {
		end, _ = (<-facts).(engine.RequestEnded)
	}
	return end
}

// farAway is a gater that takes its time to let anybody in.
type farAway struct {
	connmgr.ConnectionGater
	takes time.Duration
}

func (g farAway) InterceptAccept(network.ConnMultiaddrs) bool { testkit.Pass(g.takes); return true }

func (farAway) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

func (farAway) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// TestWhoTookLongToConnectHasAsLongToAnswer: among peers that are far away, and
// answer at once over connections that are open, one is given up no sooner than
// after the time that its connection took.
func TestWhoTookLongToConnectHasAsLongToAnswer(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		far := libp2p.ConnectionGater(farAway{takes: 350 * time.Millisecond})
		d := amongQuick(w, far)
		end := asked(w, d, addrOf(answersAfter(w, params.HardMinWarm+50*time.Millisecond, far)))
		if end.Failure != contact.None || end.Took < 600*time.Millisecond {
			t.Errorf("%v after %v", end.Failure, end.Took)
		}
	})
}

// TestAnswersThatCameWhileTheNodeWasHeldUpCount: a turn of the driver that is
// late finds the answers of all peers and, at the same time, that the deadlines
// of their requests are over. They came in time, and nobody was silent.
func TestAnswersThatCameWhileTheNodeWasHeldUpCount(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		clock := &heavyClock{start: time.Now()}
		d := w.Node(waymark.Config{Mode: waymark.ModeClient, Clock: clock})
		for range params.Alpha {
			w.Check(d.Admit(addrOf(answersAfter(w, 100*time.Millisecond))))
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

// TestWhoIsConnectedAndMuteIsGivenUpAsSuch: once it is connected to a peer that it
// had to dial, a node waits for the answer as long as for that of any other that is.
func TestWhoIsConnectedAndMuteIsGivenUpAsSuch(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := amongQuick(w)
		for _, c := range []struct {
			peer func() peer.AddrInfo
			how  contact.Failure
			took time.Duration
		}{
			{func() peer.AddrInfo { return addrOf(w.Peer(testkit.Silent)) }, contact.Silent, params.HardMinWarm},
			{func() peer.AddrInfo {
				h := w.Host()
				w.Check(w.Wire.BlackHole(h.Addrs()[0]))
				return addrOf(h)
			}, contact.BlackHole, params.HardMinCold},
		} {
			end := asked(w, d, c.peer())
			if end.Failure != c.how || end.Took < c.took-params.DriverLead || end.Took > c.took {
				t.Errorf("%v after %v, and not %v after %v", end.Failure, end.Took, c.how, c.took)
			}
		}
	})
}

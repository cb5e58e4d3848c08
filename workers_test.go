package waymark_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/wire"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// gatedHost is a host of which a node learns the connections when the gate opens.
type gatedHost struct {
	host.Host
	net *gatedNetwork
}

func (h *gatedHost) Network() network.Network { return h.net }

type gatedNetwork struct {
	network.Network
	mu   sync.Mutex
	gate chan struct{} // nil is open
	wrap func(network.Conn) network.Conn
}

func (n *gatedNetwork) shut() (open func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gate = make(chan struct{})
	return sync.OnceFunc(func() { close(n.gate) })
}

func (n *gatedNetwork) ConnsToPeer(id peer.ID) []network.Conn {
	n.mu.Lock()
	gate := n.gate
	n.mu.Unlock()
	if gate != nil {
		<-gate
	}
	conns := slices.Clone(n.Network.ConnsToPeer(id))
	for i, c := range conns {
		if n.wrap != nil {
			conns[i] = n.wrap(c)
		}
	}
	return conns
}

// streamsOf counts the streams of this DHT on a host's connections to a peer.
func streamsOf(h host.Host, id peer.ID) (n int) {
	for _, c := range h.Network().ConnsToPeer(id) {
		for _, s := range c.GetStreams() {
			if s.Protocol() == waymark.DefaultProtocol {
				n++
			}
		}
	}
	return n
}

// TestARequestThatIsWithdrawnAsItBeginsLeavesNoStream: the stream that was kept
// for it is neither used nor put back.
func TestARequestThatIsWithdrawnAsItBeginsLeavesNoStream(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s, h := w.Servers(1, waymark.Config{})[0], w.Host()
		net := &gatedNetwork{Network: h.Network()}
		d := w.NodeOn(&gatedHost{h, net}, waymark.Config{Mode: waymark.ModeClient})
		knows(d, s.Host())
		_, err := d.Ping(t.Context(), s.PeerID())
		w.Check(err)
		if n := streamsOf(h, s.PeerID()); n != 1 {
			t.Fatalf("%d streams are kept; the story wants one", n)
		}
		open := net.shut()
		defer open()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { synctest.Wait(); cancel() }() // it has the stream, and has not begun
		if _, err := d.Ping(ctx, s.PeerID()); !errors.Is(err, context.Canceled) {
			t.Errorf("a ping that is cancelled: %v", err)
		}
		testkit.Pass(params.ZombieGrace / 2)
		open()
		synctest.Wait()
		if n := streamsOf(h, s.PeerID()); n != 0 {
			t.Errorf("%d streams are left", n)
		}
	})
}

// heldRules is a validator that does not return until it is released.
type heldRules struct{ released chan struct{} }

func (s *heldRules) Validate(string, []byte) error { <-s.released; return nil }

func (s *heldRules) Select(string, [][]byte) (int, error) { <-s.released; return 0, nil }

// halting has the value that it is asked for at once, and answers FIND_NODE in
// two halves.
func halting(s network.Stream, m *wire.Message) bool {
	if m.Type == wire.GetValue {
		s.Write(wire.AppendFrame(nil, &wire.Message{
			Type: m.Type, Key: m.Key, Record: &record.Record{Key: m.Key, Value: []byte("value")},
		}))
		return true
	}
	out := wire.AppendFrame(nil, &wire.Message{Type: m.Type, Key: m.Key})
	s.Write(out[:2])
	testkit.Pass(200 * time.Millisecond)
	s.Write(out[2:])
	return true
}

// TestAStreamBelongsToOneRequestAtATime: once the answer is there the stream is
// the next request's, and the end of the first one, whose answer is still being
// validated, does not cut it.
func TestAStreamBelongsToOneRequestAtATime(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		stuck := &heldRules{make(chan struct{})}
		d := w.Node(waymark.Config{Mode: waymark.ModeClient, Validators: map[string]waymark.Validator{"v": stuck}})
		h := w.Peer(testkit.Answering(halting))
		knows(d, h)
		first, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 2)
		go func() { _, err := d.Ask(first, h.ID(), engine.AskValue, "/v/a"); ended <- err }()
		synctest.Wait() // it is being validated
		go func() { _, err := d.Ask(t.Context(), h.ID(), engine.AskPeers, "key"); ended <- err }()
		testkit.Pass(100 * time.Millisecond) // and that is half answered
		if n := streamsOf(d.Host(), h.ID()); n != 1 {
			t.Errorf("there are %d streams; the story wants one", n)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the first request: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("the second request: %v", err)
		}
		close(stuck.released)
		testkit.Pass(time.Second) // the peer is still at it if that was cut
	})
}

// TestAValidatorThatIsStuckBlamesNobody: the peers whose values it has are not
// to blame for its slowness, and lose neither their name nor their connection.
func TestAValidatorThatIsStuckBlamesNobody(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		stuck := &heldRules{make(chan struct{})}
		d := w.Node(waymark.Config{Mode: waymark.ModeClient, Validators: map[string]waymark.Validator{"v": stuck}})
		facts := d.Facts(t.Context())
		for range params.MaxZombiesPerPeer + 1 {
			h := w.Peer(testkit.Answering(halting))
			knows(d, h)
			_, err := d.Ask(t.Context(), h.ID(), engine.AskValue, "/v/a")
			if end := lastFailure(t, facts); end.Failure.Blames() {
				t.Errorf("%v, and the peer is blamed: %v: %s", err, end.Failure, end.Detail)
			}
			testkit.Pass(time.Second)
			if d.Host().Network().Connectedness(h.ID()) != network.Connected {
				t.Error("its connection was ended")
			}
			if _, err := d.Ping(t.Context(), h.ID()); err != nil {
				t.Errorf("a ping after that: %v", err)
			}
			lastFailure(t, facts)
		}
		if n := d.Health().Zombies; n != params.MaxZombiesPerPeer {
			t.Errorf("%d calls of validators are stuck; no more are made after %d", n, params.MaxZombiesPerPeer)
		}
		close(stuck.released)
		synctest.Wait()
		if h := d.Health(); h.Zombies+h.InFlight != 0 {
			t.Errorf("left: %+v", h)
		}
	})
}

// stuckConn is a connection that gives no stream and does not close, until it is
// released from either.
type stuckConn struct {
	network.Conn
	opening, closing chan struct{}
}

func (c *stuckConn) NewStream(context.Context) (network.Stream, error) {
	<-c.opening
	return nil, errors.New("released")
}

func (c *stuckConn) Close() error { <-c.closing; return nil }

// TestAConnectionThatDoesNotCloseIsInTheLedger, for it holds a goroutine.
func TestAConnectionThatDoesNotCloseIsInTheLedger(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s, h := w.Servers(1, waymark.Config{})[0], w.Host()
		w.Check(h.Connect(t.Context(), addrOf(s.Host())))
		opening, closing := make(chan struct{}), make(chan struct{})
		net := &gatedNetwork{Network: h.Network(), wrap: func(c network.Conn) network.Conn { return &stuckConn{c, opening, closing} }}
		d := w.NodeOn(&gatedHost{h, net}, waymark.Config{Mode: waymark.ModeClient, ManualAdmission: true})
		facts := d.Facts(t.Context())
		_, err := d.Ping(t.Context(), s.PeerID())
		if end := lastFailure(t, facts); err == nil || end.Failure != contact.NoStream {
			t.Errorf("%v, %v", err, end.Failure)
		}
		testkit.Pass(2 * params.ZombieGrace)
		close(opening)
		synctest.Wait()
		if got := d.Health(); got.Zombies != 1 || got.InFlight != 1 {
			t.Errorf("%d zombies among %d calls, and the connection is being closed", got.Zombies, got.InFlight)
		}
		if err := d.Close(); !errors.Is(err, waymark.ErrLeftover) {
			t.Errorf("close: %v", err)
		}
		close(closing)
		synctest.Wait()
		if got := d.Health(); got.Zombies != 0 || got.InFlight != 0 {
			t.Errorf("%d zombies among %d calls at the end", got.Zombies, got.InFlight)
		}
	})
}

// TestALookupGoesOnAfterASleep: what was under way is lost, and what is asked
// because of that is not.
func TestALookupGoesOnAfterASleep(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		clock := &jumpingClock{start: time.Now()}
		d := w.Node(waymark.Config{Mode: waymark.ModeClient, Clock: clock})
		for range 2 * params.K {
			w.Check(d.Admit(addrOf(w.Peer(func(s network.Stream) {
				readSome(s)
				testkit.Pass(100 * time.Millisecond)
				s.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode}))
			}))))
		}
		ended := make(chan waymark.Result, 1)
		go func() { r, err := d.Lookup(t.Context(), "key"); w.Check(err); ended <- r }()
		testkit.Pass(50 * time.Millisecond)
		clock.jump(time.Hour)
		w.Check(d.Admit(addrOf(w.Peer(testkit.Silent)))) // anything that makes the node look up
		if r := <-ended; r.Outcome != engine.Converged || r.Stats.Failures[contact.Suspended] > params.Alpha {
			t.Errorf("%v, %d peers; %d requests were suspended, of %d under way", r.Outcome, len(r.Peers),
				r.Stats.Failures[contact.Suspended], params.Alpha)
		}
	})
}

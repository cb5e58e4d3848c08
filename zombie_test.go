package waymark_test

import (
	"context"
	"errors"
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
	"github.com/waymark-dht/waymark/internal/testkit"
)

// deafHost is a host whose dials to some peers ignore their context, as a
// transport with a bug does.
type deafHost struct {
	host.Host
	net *deafNetwork
}

type deafNetwork struct {
	network.Network
	mu      sync.Mutex
	deaf    map[peer.ID]bool
	release chan struct{}
}

func deafen(h host.Host, to ...peer.ID) *deafHost {
	n := &deafNetwork{Network: h.Network(), deaf: make(map[peer.ID]bool), release: make(chan struct{})}
	for _, id := range to {
		n.deaf[id] = true
	}
	return &deafHost{Host: h, net: n}
}

func (h *deafHost) Network() network.Network { return h.net }

func (n *deafNetwork) DialPeer(ctx context.Context, id peer.ID) (network.Conn, error) {
	n.mu.Lock()
	deaf := n.deaf[id]
	n.mu.Unlock()
	if deaf {
		<-n.release
		return nil, errors.New("released")
	}
	return n.Network.DialPeer(ctx, id)
}

func TestATransportThatIgnoresItsContextCostsOnlyItsPeer(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		good := w.Servers(3, waymark.Config{})
		bad := w.Host()
		h := deafen(w.Host(), bad.ID())
		d := w.NodeOn(h, waymark.Config{})
		knows(d, bad)
		facts := d.Facts(t.Context())
		for i := range params.MaxZombiesPerPeer {
			began := time.Now()
			_, err := d.Ping(t.Context(), bad.ID())
			end := lastFailure(t, facts)
			if !errors.Is(err, waymark.ErrNoAnswer) || end.Failure != contact.BlackHole ||
				time.Since(began) > d.Bound(waymark.OpPing) {
				t.Errorf("ping %d: %v (%v) after %v", i, err, end.Failure, time.Since(began))
			}
		}
		testkit.Pass(2 * params.ZombieGrace)
		_, err := d.Ping(t.Context(), bad.ID()) // the peer is in quarantine
		if end := lastFailure(t, facts); err == nil || end.Failure != contact.NotSent {
			t.Errorf("with %d zombies: %v, %v", params.MaxZombiesPerPeer, err, end.Failure)
		}
		for _, s := range good {
			knows(d, s.Host())
			if _, err := d.Ping(t.Context(), s.PeerID()); err != nil {
				t.Errorf("another peer: %v", err)
			}
		}
		if got := d.Health(); got.Zombies != params.MaxZombiesPerPeer || got.ZombiesPeak != got.Zombies {
			t.Errorf("%d zombies, %d at most", got.Zombies, got.ZombiesPeak)
		}
		began := time.Now()
		err = d.Close()
		if !errors.Is(err, waymark.ErrLeftover) || time.Since(began) > d.Bound(waymark.OpClose) {
			t.Errorf("close: %v after %v", err, time.Since(began))
		}
		close(h.net.release) // the bubble ends only if all goroutines do
	})
}

func TestTheLedgerOfZombiesIsBounded(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		var ids []peer.ID
		for range params.MaxCalls {
			id, err := peer.IDFromPrivateKey(w.Key())
			w.Check(err)
			ids = append(ids, id)
		}
		h := deafen(w.Host(), ids...)
		d := w.NodeOn(h, waymark.Config{})
		var pings sync.WaitGroup
		for range 3 { // more each time than there is room for
			for _, id := range ids {
				pings.Go(func() {
					if _, err := d.Ping(t.Context(), id); err == nil {
						t.Error("a dial that never ends has succeeded")
					}
				})
			}
			pings.Wait()
			testkit.Pass(2 * params.ZombieGrace)
			if got := d.Health(); got.Zombies > params.MaxZombies || got.InFlight > params.MaxCalls {
				t.Errorf("%d zombies among %d calls", got.Zombies, got.InFlight)
			}
		}
		if d.Health().Zombies != params.MaxZombies {
			t.Errorf("%d zombies; the story wants the ledger full", d.Health().Zombies)
		}
		close(h.net.release)
		synctest.Wait()
		if got := d.Health(); got.Zombies != 0 || got.InFlight != 0 || got.ZombiesPeak != params.MaxZombies {
			t.Errorf("after all have returned: %+v", got.InFlight)
		}
	})
}

// jumpingClock is a clock whose wall time can be set.
type jumpingClock struct {
	start time.Time
	mu    sync.Mutex
	ahead time.Duration
}

func (c *jumpingClock) Mono() time.Duration { return time.Since(c.start) }
func (c *jumpingClock) Wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Round(0).Add(c.ahead)
}

func (c *jumpingClock) jump(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += by
}

// pinged has a node ping a peer that says nothing, and something happen to its
// clock meanwhile; it returns how the ping failed once the node has looked up.
func pinged(w *testkit.World, clock waymark.Clock, meanwhile func()) engine.RequestEnded {
	mute := w.Peer(testkit.Silent)
	d := w.Node(waymark.Config{Clock: clock})
	knows(d, mute)
	facts := d.Facts(w.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Ping(w.Context(), mute.ID()) }()
	synctest.Wait()
	meanwhile()
	w.Check(d.Admit(addrOf(mute))) // anything that makes the node look up
	end := lastFailure(w.T, facts)
	<-done
	return end
}

func TestAfterASleepWhatWasUnderWayBlamesNobody(t *testing.T) {
	for _, gap := range []time.Duration{time.Hour, -time.Hour} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			clock := &jumpingClock{start: time.Now()}
			if end := pinged(w, clock, func() { clock.jump(gap) }); end.Failure != contact.Suspended {
				t.Errorf("the clock went by %v: %v", gap, end.Failure)
			}
		})
	}
}

// stoppedClock goes on while the process is stopped, which happens to it right
// after it was read.
type stoppedClock struct {
	start time.Time
	mu    sync.Mutex
	ahead time.Duration
	stop  time.Duration // for so long, at the next reading
}

func (c *stoppedClock) Mono() time.Duration { return c.read().Sub(c.start) }

func (c *stoppedClock) Wall() time.Time {
	now := c.read().Round(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.stop = c.ahead+c.stop, 0
	return now
}

func (c *stoppedClock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func TestAStopAmidATurnIsNoticed(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		clock := &stoppedClock{start: time.Now()}
		end := pinged(w, clock, func() {
			clock.mu.Lock()
			defer clock.mu.Unlock()
			clock.stop = params.ClockCheck + params.ClockGap + time.Second
		})
		if end.Failure != contact.Suspended {
			t.Errorf("the process was stopped: %v", end.Failure)
		}
	})
}

func TestFactsSayWhenTheyHappened(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{})
		s := w.Servers(1, waymark.Config{})[0]
		knows(d, s.Host())
		facts := d.Facts(t.Context())
		began := time.Now()
		_, err := d.Ping(t.Context(), s.PeerID())
		w.Check(err)
		for f := range facts {
			if start, ok := f.(engine.OpStarted); ok {
				if got := d.Time(start.At); !got.Equal(began) {
					t.Errorf("started at %v, and the fact says %v", began, got)
				}
				return
			}
		}
	})
}

// TestDatesAreRightAfterASleep, and those from before it stay what they were.
func TestDatesAreRightAfterASleep(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		clock := &jumpingClock{start: time.Now()}
		d := w.Node(waymark.Config{Clock: clock})
		s := w.Servers(1, waymark.Config{})[0]
		knows(d, s.Host())
		began := func() engine.OpStarted {
			facts := d.Facts(t.Context())
			_, err := d.Ping(t.Context(), s.PeerID())
			w.Check(err)
			for f := range facts {
				if start, ok := f.(engine.OpStarted); ok {
					return start
				}
			}
			return engine.OpStarted{}
		}
		before, date := began(), clock.Wall()
		for night := range 2 * params.ClockJumps {
			testkit.Pass(time.Minute)
			clock.jump(8 * time.Hour)
			testkit.Pass(time.Minute)
			if got := d.Time(before.At); night < params.ClockJumps && !got.Equal(date) {
				t.Errorf("after %d nights: it was %v, and the fact says %v", night+1, date, got)
			}
		}
		if got := d.Time(began().At); !got.Equal(clock.Wall()) {
			t.Errorf("it is %v, and the fact says %v", clock.Wall(), got)
		}
	})
}

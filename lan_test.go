package waymark_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// village is a local network that sends nothing.
type village struct {
	mu     sync.Mutex
	found  func(peer.AddrInfo)
	closed int
	err    error
}

func (v *village) Start(found func(peer.AddrInfo)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.found = found
	return v.err
}

func (v *village) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed++
	return nil
}

func (v *village) announce(p peer.AddrInfo) {
	v.mu.Lock()
	found := v.found
	v.mu.Unlock()
	found(p)
}

// TestAPeerOnTheLANIsAWayBack: a node that knows nobody at all is of use soon
// after somebody has announced itself, whatever its retries have come to.
func TestAPeerOnTheLANIsAWayBack(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(25, waymark.Config{})
		v := &village{}
		d := w.Node(waymark.Config{LAN: v})
		if _, err := d.RunBootstrap(t.Context()); !errors.Is(err, waymark.ErrNoPeers) {
			t.Fatalf("without anybody: %v", err)
		}
		testkit.Pass(5 * time.Minute)
		began := time.Now()
		v.announce(addrOf(servers[0].Host()))
		w.Check(d.WaitReady(t.Context()))
		if took := time.Since(began); took > 2*params.RetryFirst {
			t.Errorf("it took %v", took)
		}
		w.Check(d.Close())
		if v.closed != 1 {
			t.Errorf("closed %d times", v.closed)
		}
	})
}

// TestAFloodOnTheLANIsNoWayToSteerANode: invented peers neither make it try for
// ever nor take the places of those it remembers.
func TestAFloodOnTheLANIsNoWayToSteerANode(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(25, waymark.Config{})
		for _, s := range servers {
			w.Check(w.Wire.Refuse(s.Host().Addrs()[0]))
		}
		v := &village{}
		var remembered []peer.AddrInfo
		for _, s := range servers[:5] {
			remembered = append(remembered, addrOf(s.Host()))
		}
		d := w.Node(waymark.Config{LAN: v, Remembered: remembered})
		w.Check(d.Bootstrap(t.Context()))
		facts := d.Facts(t.Context())
		synctest.Wait() // the search has begun
		nowhere, err := ma.NewMultiaddr("/ip4/127.9.9.9/tcp/9")
		w.Check(err)
		for range 60 { // minutes
			for range 20 {
				id, err := peer.IDFromPrivateKey(w.Key())
				w.Check(err)
				v.announce(peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{nowhere}})
			}
			testkit.Pass(time.Minute)
		}
		tries := 0
		for len(facts) > 0 {
			if end, is := (<-facts).(engine.OpEnded); is && end.Kind == engine.KindBootstrap {
				tries++
			}
		}
		if tries == 0 || tries > 60*4 {
			t.Errorf("%d bootstraps in an hour", tries)
		}
		for _, s := range servers {
			w.Check(w.Wire.Heal(s.Host().Addrs()[0]))
		}
		w.Check(d.WaitReady(t.Context())) // by those it remembers
	})
}

func TestALANThatCannotStartIsDoneWithout(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(3, waymark.Config{})
		d := w.Node(waymark.Config{LAN: &village{err: errors.New("no multicast here")}, Seeds: seedsAt(t, servers[0])})
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestAutoNATsSecondVersionDecides: it tests addresses, and knows better than
// the first, which judges the host.
func TestAutoNATsSecondVersionDecides(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		h := w.Host()
		d := w.NodeOn(h, waymark.Config{})
		first, err := h.EventBus().Emitter(new(event.EvtLocalReachabilityChanged))
		w.Check(err)
		defer first.Close()
		second, err := h.EventBus().Emitter(new(event.EvtHostReachableAddrsChanged))
		w.Check(err)
		defer second.Close()
		a, b := h.Addrs()[:1], []ma.Multiaddr{ma.StringCast("/ip4/127.9.9.9/tcp/9")}
		says := func(is network.Reachability) func() error {
			return func() error { return first.Emit(event.EvtLocalReachabilityChanged{Reachability: is}) }
		}
		tests := func(reachable, unreachable, unknown []ma.Multiaddr) func() error {
			return func() error {
				return second.Emit(event.EvtHostReachableAddrsChanged{Reachable: reachable, Unreachable: unreachable, Unknown: unknown})
			}
		}
		for i, c := range []struct {
			tell func() error
			want waymark.Mode
		}{
			{says(network.ReachabilityPrivate), waymark.ModeClient},
			{tests(nil, nil, a), waymark.ModeClient},                // nothing is known yet
			{says(network.ReachabilityPublic), waymark.ModeServer},  // only the first has spoken
			{tests(nil, b, a), waymark.ModeServer},                  // one is left to be tested
			{tests(nil, append(b, a...), nil), waymark.ModeClient},  // none can be reached
			{says(network.ReachabilityPublic), waymark.ModeClient},  // the first is not asked any more
			{tests(a, b, nil), waymark.ModeServer},                  // one is enough
			{says(network.ReachabilityPrivate), waymark.ModeServer}, // whatever the first thinks of the host
			{tests(nil, nil, append(b, a...)), waymark.ModeServer},  // moved: until it is tested, it stays
			{tests(nil, append(b, a...), nil), waymark.ModeClient},  // and then not
		} {
			w.Check(c.tell())
			synctest.Wait()
			if got := d.Mode(); got != c.want {
				t.Errorf("step %d: %v, want %v", i, got, c.want)
			}
		}
	})
}

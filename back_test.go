package waymark_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// way back: no more than this after the fault ends, on a node that nobody
// tells that it has ended. Guarantee, promise 2.
var tBack = waymark.BoundBack(false)

// comesBack waits for the node and says how long that took.
func comesBack(t *testing.T, d *waymark.DHT) time.Duration {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), tBack)
	defer cancel()
	if err := d.WaitReady(ctx); err != nil {
		t.Errorf("after %v: %v; %v", time.Since(began), err, d.Health())
	}
	return time.Since(began)
}

func TestSeedsThatWereDownAtTheStartAreEnoughOnceTheyAreUp(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(10, waymark.Config{})
		for _, s := range servers {
			w.Check(w.Wire.BlackHole(s.Host().Addrs()[0]))
		}
		d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0], servers[1])})
		w.Check(d.Bootstrap(t.Context()))
		testkit.Pass(10 * time.Minute)
		if h := d.Health(); h.State != "offline" {
			t.Errorf("without any seed: %v", h)
		}
		for _, s := range servers {
			w.Check(w.Wire.Heal(s.Host().Addrs()[0]))
		}
		comesBack(t, d)
		if n := d.RoutingTable().Size; n != len(servers) {
			t.Errorf("%d of %d servers are in the table", n, len(servers))
		}
	})
}

func TestAfterEveryConnectionWasCutTheNodeComesBack(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(10, waymark.Config{})
		d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0])})
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		hosts := []host.Host{d.Host()} // which a server may dial, too
		for _, s := range servers {
			hosts = append(hosts, s.Host())
		}
		w.Wire.CutAll()
		for _, h := range hosts {
			w.Check(w.Wire.Refuse(h.Addrs()[0]))
		}
		for i := range 20 { // use finds out
			d.Lookup(t.Context(), keyOf(i))
			testkit.Pass(time.Second)
		}
		if h := d.Health(); h.State == "ready" {
			t.Errorf("cut off: %v", h)
		}
		for _, h := range hosts {
			w.Check(w.Wire.Heal(h.Addrs()[0]))
		}
		comesBack(t, d)
		if r, err := d.Lookup(t.Context(), "key"); err != nil || len(r.Peers) != len(servers) {
			t.Errorf("a lookup finds %d peers: %v", len(r.Peers), err)
		}
	})
}

func TestANewAddressMakesTheNodeLookAtOnce(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(10, waymark.Config{})
		for _, s := range servers {
			w.Check(w.Wire.Refuse(s.Host().Addrs()[0]))
		}
		h := &movingHost{Host: w.Host()}
		d := w.NodeOn(h, waymark.Config{Seeds: seedsAt(t, servers[0])})
		w.Check(d.Bootstrap(t.Context()))
		testkit.Pass(20 * time.Minute) // the pauses between tries are at their longest
		for _, s := range servers {
			w.Check(w.Wire.Heal(s.Host().Addrs()[0]))
		}
		tell, err := h.EventBus().Emitter(new(event.EvtLocalAddressesUpdated))
		w.Check(err)
		defer tell.Close()
		h.moved.Store(true)
		w.Check(tell.Emit(event.EvtLocalAddressesUpdated{Diffs: true}))
		if took := comesBack(t, d); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// movingHost is a host that gets another address.
type movingHost struct {
	host.Host
	moved atomic.Bool
}

func (h *movingHost) Addrs() []ma.Multiaddr {
	if h.moved.Load() {
		return []ma.Multiaddr{ma.StringCast("/ip4/127.9.9.9/tcp/4001")}
	}
	return h.Host.Addrs()
}

// dns is a resolver that is mute, ignoring its context too, until it is let go.
type dns struct {
	zone map[string][]ma.Multiaddr
	late chan struct{}
}

func (r *dns) Resolve(_ context.Context, name ma.Multiaddr) ([]ma.Multiaddr, error) {
	<-r.late
	if a, ok := r.zone[name.String()]; ok {
		return a, nil
	}
	return nil, errors.New("no such name")
}

func TestDNSThatComesLateIsEnough(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(5, waymark.Config{})
		const name = "/dnsaddr/seeds.example"
		r := &dns{zone: map[string][]ma.Multiaddr{name: seedsAt(t, servers[0])}, late: make(chan struct{})}
		d := w.Node(waymark.Config{Seeds: []ma.Multiaddr{ma.StringCast(name)}, Resolver: r})
		began := time.Now()
		report, err := d.RunBootstrap(t.Context())
		if !errors.Is(err, waymark.ErrNoPeers) || report.Outcome != engine.NoPeers || time.Since(began) > 2*params.DNSDeadline {
			t.Errorf("with mute DNS: %v, %v after %v", err, report.Outcome, time.Since(began))
		}
		testkit.Pass(10 * time.Minute)
		if n := d.Health().Zombies; n > params.MaxZombiesPerPeer {
			t.Errorf("%d calls to the resolver are still open", n)
		}
		close(r.late)
		comesBack(t, d)
	})
}

// zone is a resolver that knows names, as long as they stand.
type zone struct {
	mu      sync.Mutex
	records map[string][]ma.Multiaddr
	asked   int
}

func (z *zone) Resolve(_ context.Context, name ma.Multiaddr) ([]ma.Multiaddr, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	if a := z.records[name.String()]; len(a) > 0 {
		return a, nil
	}
	return nil, errors.New("no such name")
}

func (z *zone) set(name string, to ...ma.Multiaddr) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records[name] = to
}

// TestANameIsLookedUpAgainWhenEverybodyIsLost: while the node was of use, the name
// came to stand for others, and then all whom it knew went away.
func TestANameIsLookedUpAgainWhenEverybodyIsLost(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		const name = "/dnsaddr/seeds.example"
		old := w.Servers(10, waymark.Config{})
		z := &zone{records: make(map[string][]ma.Multiaddr)}
		z.set(name, seedsAt(t, old[0])...)
		d := w.Node(waymark.Config{Seeds: []ma.Multiaddr{ma.StringCast(name)}, Resolver: z})
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		testkit.Pass(time.Hour)
		if z.asked != 1 {
			t.Errorf("in an hour in which all is well the name was looked up %d times", z.asked)
		}
		z.set(name, seedsAt(t, w.Servers(10, waymark.Config{})[0])...)
		for _, s := range old {
			w.Check(w.Wire.Refuse(s.Host().Addrs()[0]))
		}
		w.Wire.CutAll()
		began := time.Now()
		d.Lookup(t.Context(), "key") // which finds out
		comesBack(t, d)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v to look the name up again", took)
		}
		if r, err := d.Lookup(t.Context(), "key"); err != nil || len(r.Peers) != 10 {
			t.Errorf("a lookup finds %d of those who are there now: %v", len(r.Peers), err)
		}
	})
}

// TestConnectionsThatDiedInSilenceDoNotHoldUpTheWayBack lets all of them die
// while the machine sleeps: no FIN, no reset, and whoever is asked over them
// is testkit.Silent. New ones can be made.
func TestConnectionsThatDiedInSilenceDoNotHoldUpTheWayBack(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(10, waymark.Config{})
		clock := &jumpingClock{start: time.Now()}
		d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0]), Clock: clock})
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, l := range w.Wire.Links() {
			l.Stall(fault.Up)
			l.Stall(fault.Down)
		}
		clock.jump(8 * time.Hour)
		facts := d.Facts(t.Context())
		began := time.Now()
		took := becomesReady(t, facts)
		if most := waymark.BoundBack(true) + params.ClockCheck; took > most || took > 15*time.Second {
			t.Errorf("it took %v, of %v", took, most)
		}
		if r, err := d.Lookup(t.Context(), "key"); err != nil || len(r.Peers) != len(servers) {
			t.Errorf("%v after the sleep a lookup finds %d peers: %v", time.Since(began), len(r.Peers), err)
		}
		if n := d.RoutingTable().Size; n != len(servers) {
			t.Errorf("%d of %d servers are in the table: others were blamed for our sleep", n, len(servers))
		}
	})
}

// becomesReady waits until a bootstrap has left a useful table.
func becomesReady(t *testing.T, facts <-chan waymark.Fact) time.Duration {
	t.Helper()
	began := time.Now()
	timer := time.NewTimer(2 * tBack)
	defer timer.Stop()
	for {
		select {
		case f := <-facts:
			if _, is := f.(engine.BecameReady); is {
				return time.Since(began)
			}
		case <-timer.C:
			t.Fatalf("not ready again after %v", time.Since(began))
		}
	}
}

// TestAnIdleNodeThatLostEveryConnectionLooksForItself has nobody use the node.
func TestAnIdleNodeThatLostEveryConnectionLooksForItself(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(10, waymark.Config{})
		d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0])})
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		testkit.Pass(time.Minute)
		for _, s := range servers {
			w.Check(w.Wire.BlackHole(s.Host().Addrs()[0]))
		}
		w.Wire.CutAll()
		testkit.Pass(params.RetryMax * 2)
		if h := d.Health(); h.State == "ready" {
			t.Errorf("cut off and idle: %v", h)
		}
		for _, s := range servers {
			w.Check(w.Wire.Heal(s.Host().Addrs()[0]))
		}
		comesBack(t, d)
	})
}

func TestADialToASeedLiftsTheSuspicionOfABlackHole(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		blocked := &swarm.BlackHoleSuccessCounter{N: 5, MinSuccesses: 1, Name: "UDP"}
		fine := &swarm.BlackHoleSuccessCounter{N: 5, MinSuccesses: 1, Name: "IPv6"}
		for i := range 5 {
			blocked.RecordResult(false)
			fine.RecordResult(i == 0)
		}
		if s := blocked.State().String(); s != "Blocked" {
			t.Fatalf("the counter is %s", s)
		}
		dead := w.Host()
		w.Check(w.Wire.Refuse(dead.Addrs()[0]))
		d := w.Node(waymark.Config{Seeds: []ma.Multiaddr{seedOf(t, dead)}, BlackHoles: []*swarm.BlackHoleSuccessCounter{blocked, fine}})
		d.RunBootstrap(t.Context())
		if a, b := blocked.State().String(), fine.State().String(); a != "Probing" || b != "Allowed" {
			t.Errorf("after a try of the seeds they are %s and %s", a, b)
		}
	})
}

package waymark_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
)

func TestAFreshNodeBootstrapsAndFindsTheTruth(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(40, waymark.Config{})
		fresh := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0]), Mode: waymark.ModeClient})
		report, err := fresh.RunBootstrap(t.Context())
		if err != nil || report.Outcome != engine.Ready || report.Table == 0 {
			t.Fatalf("%v, %+v", err, report)
		}
		for i := range 10 {
			got, err := fresh.GetClosestPeers(t.Context(), keyOf(i))
			if want := nearest(servers, keyOf(i), params.K); err != nil || !slices.Equal(got, want) {
				t.Errorf("%q: %v\n%v\n%v", keyOf(i), err, got, want)
			}
		}
		if h := fresh.Health(); h.State != "ready" || h.Overdue != 0 || h.Mode != waymark.ModeClient {
			t.Errorf("health: %#v", h)
		}
	})
}

// TestHowARequestFails asks one peer for each way to fail, and minds the word
// for it and how long it took.
//
// A reset overtakes what was written before it, so that peers wait a moment.
func TestHowARequestFails(t *testing.T) {
	write := func(b ...byte) network.StreamHandler {
		return func(s network.Stream) { readSome(s); s.Write(b); testkit.Silent(s) }
	}
	for _, c := range []struct {
		name string
		want contact.Failure
		once bool // at once, or else at the deadline
		peer func(w *testkit.World, d *waymark.DHT) peer.AddrInfo
	}{
		{"silent", contact.Silent, false, answering(testkit.Silent)},
		{"slow", contact.Slow, false, answering(write(40))},
		{"reset", contact.Reset, true, answering(func(s network.Stream) { readSome(s); testkit.Pass(time.Millisecond); s.Reset() })},
		{"no stream", contact.NoStream, true, func(w *testkit.World, _ *waymark.DHT) peer.AddrInfo {
			h := w.Host()
			h.Network().SetStreamHandler(func(s network.Stream) { s.Reset() })
			return addrOf(h)
		}},
		{"no answer", contact.Reset, true, answering(func(s network.Stream) { readSome(s); s.Close() })},
		{"garbage", contact.Garbage, true, answering(write(3, 0xff, 0xff, 0xff))},
		{"too long", contact.Garbage, true, answering(write(0xff, 0xff, 0xff, 0x7f))},
		{"another answer", contact.Garbage, true, answering(write(2, 8, 5))}, // a PING
		{"no protocol", contact.NoProtocol, true, func(w *testkit.World, _ *waymark.DHT) peer.AddrInfo { return addrOf(w.Host()) }},
		{"mute", contact.MuteIdentify, false, func(w *testkit.World, _ *waymark.DHT) peer.AddrInfo {
			h := w.Host()
			h.Network().SetStreamHandler(testkit.Silent)
			return addrOf(h)
		}},
		{"refused", contact.Refused, true, func(w *testkit.World, _ *waymark.DHT) peer.AddrInfo {
			h := w.Host()
			w.Check(w.Wire.Refuse(h.Addrs()[0]))
			return addrOf(h)
		}},
		{"black hole", contact.BlackHole, false, func(w *testkit.World, _ *waymark.DHT) peer.AddrInfo {
			h := w.Host()
			w.Check(w.Wire.BlackHole(h.Addrs()[0]))
			return addrOf(h)
		}},
		{"wrong peer", contact.WrongPeer, true, func(w *testkit.World, _ *waymark.DHT) peer.AddrInfo {
			return peer.AddrInfo{ID: w.Host().ID(), Addrs: w.Host().Addrs()}
		}},
		{"no address", contact.NoAddress, true, func(w *testkit.World, _ *waymark.DHT) peer.AddrInfo {
			return peer.AddrInfo{ID: w.Host().ID()}
		}},
		{"stalled wire", contact.MuteIdentify, false, stalled((*fault.Link).Stall, fault.Down)},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
				d := w.Node(waymark.Config{})
				facts := d.Facts(t.Context())
				to := c.peer(w, d)
				d.Host().Peerstore().AddAddrs(to.ID, to.Addrs, time.Hour)
				began := time.Now()
				_, err := d.Ping(t.Context(), to.ID)
				took := time.Since(began)
				end := lastFailure(t, facts)
				if !errors.Is(err, waymark.ErrNoAnswer) || end.Failure != c.want || end.Detail == "" {
					t.Fatalf("%v; %v: %s", err, end.Failure, end.Detail)
				}
				if c.once && took > 100*time.Millisecond || took > d.Bound(waymark.OpPing) {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func answering(h network.StreamHandler) func(*testkit.World, *waymark.DHT) peer.AddrInfo {
	return func(w *testkit.World, _ *waymark.DHT) peer.AddrInfo { return addrOf(w.Peer(h)) }
}

// stalled connects to a server and then does something to the wire.
func stalled(what func(*fault.Link, fault.Direction), way fault.Direction) func(*testkit.World, *waymark.DHT) peer.AddrInfo {
	return func(w *testkit.World, d *waymark.DHT) peer.AddrInfo {
		h := w.Peer(testkit.Silent)
		w.Check(d.Host().Connect(w.Context(), addrOf(h)))
		synctest.Wait()
		for _, l := range w.Wire.Links() {
			what(l, way)
		}
		return addrOf(h)
	}
}

// TestACutInTheMiddleOfAFrameEndsTheRequestAtOnce is the event with which
// rust-libp2p #5432 begins: the connection dies with a yamux frame half
// delivered, and nothing else happens on the node.
func TestACutInTheMiddleOfAFrameEndsTheRequestAtOnce(t *testing.T) {
	for _, left := range []int{1, 7, 12, 13, 40} { // within the muxer's header, and beyond
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			h := w.Peer(func(s network.Stream) {
				readSome(s)
				for _, l := range w.Wire.Links() {
					l.CutAfter(fault.Down, left)
				}
				s.Write(make([]byte, 1000))
			})
			d := w.Node(waymark.Config{})
			facts := d.Facts(t.Context())
			knows(d, h)
			began := time.Now()
			_, err := d.Ping(t.Context(), h.ID())
			end := lastFailure(t, facts)
			if took := time.Since(began); took > 10*time.Millisecond || !errors.Is(err, waymark.ErrNoAnswer) {
				t.Errorf("cut after %d bytes: %v after %v", left, err, took)
			}
			if end.Failure != contact.Reset {
				t.Errorf("cut after %d bytes: %v: %s", left, end.Failure, end.Detail)
			}
		})
	}
}

func TestWithOnlyDeadSeedsABootstrapEndsByItself(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		hole, mute := w.Host(), w.Peer(testkit.Silent)
		w.Check(w.Wire.BlackHole(hole.Addrs()[0]))
		d := w.Node(waymark.Config{Seeds: []ma.Multiaddr{seedOf(t, hole), seedOf(t, mute)}})
		began := time.Now()
		report, err := d.RunBootstrap(t.Context())
		if took := time.Since(began); !errors.Is(err, waymark.ErrNoPeers) || took > 2*params.HardMax {
			t.Errorf("%v after %v: %+v", err, took, report)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.WaitReady(ctx); !errors.Is(err, waymark.ErrNotReady) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitReady: %v", err)
		}
		if h := d.Health(); h.State != "offline" || len(h.Reasons) == 0 || h.Next == "" {
			t.Errorf("health: %+v", h)
		}
	})
}

func TestAThousandOperationsAtOnceAllEnd(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(12, waymark.Config{})
		dead := make([]host.Host, 4)
		d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0], servers[1])})
		for i := range dead {
			dead[i] = w.Peer(testkit.Silent)
			w.Check(d.Admit(addrOf(dead[i])))
		}
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		var fine, refused atomic.Int64
		for i := range 1000 {
			all.Go(func() {
				began := time.Now()
				r, err := d.Lookup(t.Context(), keyOf(i))
				switch {
				case err == nil && len(r.Peers) > 0:
					fine.Add(1)
				case errors.Is(err, waymark.ErrOverloaded):
					refused.Add(1)
				default:
					t.Errorf("lookup %d: %v, %v", i, r.Outcome, err)
				}
				if took := time.Since(began); took > d.Bound(waymark.OpLookup) {
					t.Errorf("lookup %d took %v", i, took)
				}
			})
		}
		all.Wait()
		open := slices.DeleteFunc(d.Open(), func(o waymark.OpenOp) bool { return o.Kind == engine.KindBootstrap || o.Parent != 0 })
		if fine.Load() < 900 || d.Overdue() != 0 || len(open) != 0 { // the node itself may be looking for more peers
			t.Errorf("%d fine, %d refused, %d overdue, open %v", fine.Load(), refused.Load(), d.Overdue(), open)
		}
	})
}

func TestAReaderOfFactsThatStopsHoldsUpNobody(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(20, waymark.Config{})
		d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0])})
		stuck := d.Facts(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		gone := d.Facts(ctx)
		cancel()
		const lookups = 100
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range lookups {
			if _, err := d.Lookup(t.Context(), keyOf(i)); err != nil {
				t.Fatal(err)
			}
		}
		d.Close()
		ends, missed := 0, 0
		for f := range stuck { // it ends, for the node is closed
			switch f := f.(type) {
			case engine.OpEnded:
				if f.Kind == engine.KindLookup {
					ends++
				}
			case engine.Missed:
				missed += f.Count
			}
		}
		if ends != lookups || missed == 0 {
			t.Errorf("%d ends of %d lookups were told, %d facts counted as missed", ends, lookups, missed)
		}
		for range gone { // it ends too
		}
	})
}

func TestCancelReturnsAtOnceWithWhatThereIs(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(5, waymark.Config{})
		d := w.Node(waymark.Config{})
		for _, s := range servers {
			w.Check(d.Admit(addrOf(s.Host())))
		}
		for range 5 {
			w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
		}
		stop, done := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, done)
		began := time.Now()
		r, err := d.Lookup(stop, "some key")
		if !errors.Is(err, context.Canceled) || len(r.Peers) != 5 || time.Since(began) > 60*time.Millisecond {
			t.Errorf("cancelled: %v, %d peers after %v", err, len(r.Peers), time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		began = time.Now()
		r, err = d.Lookup(ctx, "another key")
		if err != nil || len(r.Peers) != 5 || time.Since(began) > 50*time.Millisecond {
			t.Errorf("a caller's deadline: %v, %v, %d peers", err, r.Outcome, len(r.Peers))
		}
		if open := d.Open(); len(open) != 0 {
			t.Errorf("still open: %+v", open)
		}
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{})
		hole := w.Host()
		w.Check(w.Wire.BlackHole(hole.Addrs()[0]))
		w.Check(d.Admit(addrOf(hole)))
		w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
		ended := make(chan error, 3)
		go func() { _, err := d.Lookup(t.Context(), "key"); ended <- err }()
		go func() { _, err := d.RunBootstrap(t.Context()); ended <- err }()
		go func() { ended <- d.WaitReady(t.Context()) }()
		synctest.Wait()
		began := time.Now()
		if err := d.Close(); err != nil || time.Since(began) > params.ZombieGrace {
			t.Errorf("close: %v after %v", err, time.Since(began))
		}
		for range 3 {
			if err := <-ended; !errors.Is(err, waymark.ErrClosed) {
				t.Errorf("an operation under way: %v", err)
			}
		}
		_, err := d.Lookup(t.Context(), "key")
		if !errors.Is(err, waymark.ErrClosed) || !errors.Is(d.Bootstrap(t.Context()), waymark.ErrClosed) || d.Close() != nil {
			t.Errorf("after Close: %v", err)
		}
		if h := d.Health(); h.State != "closed" || h.InFlight != 0 {
			t.Errorf("health: %+v", h)
		}
	})
}

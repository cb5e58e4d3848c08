package dual_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/dual"
	"github.com/waymark-dht/waymark/internal/testkit"
	"github.com/waymark-dht/waymark/store/memory"
)

// The world of these tests is 127.1.0.0/16, and its one LAN is 127.2.0.0/16.
func worldAddr(a ma.Multiaddr) bool { return strings.HasPrefix(a.String(), "/ip4/127.1.") }
func lanAddr(a ma.Multiaddr) bool   { return strings.HasPrefix(a.String(), "/ip4/127.2.") }

// longest prefers the longest value.
type longest struct{}

func (longest) Validate(_ string, value []byte) error {
	if len(value) == 0 {
		return errors.New("empty")
	}
	return nil
}

func (longest) Select(_ string, values [][]byte) (best int, _ error) {
	for i, v := range values {
		if len(v) > len(values[best]) {
			best = i
		}
	}
	return best, nil
}

var rules = map[string]waymark.Validator{"v": longest{}}

// town is some servers of each network, and a node that is on both.
type town struct {
	*testkit.World
	wan, lan []*waymark.DHT
	both     *dual.DHT
}

func newTown(w *testkit.World, wan, lan int) *town {
	t := &town{World: w}
	for range wan {
		t.wan = append(t.wan, w.Node(waymark.Config{Mode: waymark.ModeServer, Validators: rules, Addrs: worldAddr}))
	}
	for i := range lan {
		t.lan = append(t.lan, w.NodeOn(t.local(i+1), waymark.Config{
			Protocol: dual.LANProtocol, Mode: waymark.ModeServer, Validators: rules, Addrs: lanAddr, OneSite: true,
		}))
	}
	d, err := dual.New(t.local(200), dual.Config{
		WAN: waymark.Config{AllowLoopback: true, Seed: 1, Validators: rules, Addrs: worldAddr},
		LAN: waymark.Config{Seed: 2, Addrs: lanAddr}, // one IP group, for all that the table knows
	})
	w.Check(err)
	w.Cleanup(func() { w.Check(d.Close()) })
	t.both = d
	for _, n := range t.wan {
		w.Introduce(n, t.wan...)
	}
	for _, n := range t.lan {
		w.Introduce(n, t.lan...)
	}
	w.Introduce(d.WAN, t.wan...)
	w.Introduce(d.LAN, t.lan...)
	testkit.Pass(time.Millisecond) // they take note
	return t
}

// local is a host that is on the LAN too.
func (t *town) local(i int) host.Host {
	return t.Host(libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/127.2.0.%d/tcp/4001", i)))
}

func TestWhereNobodyOfTheWorldIsKnownTheLANDoes(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := newTown(w, 0, 5)
		w.Check(c.both.PutValue(t.Context(), "/v/a", []byte("one")))
		if v, err := c.lan[0].GetValue(t.Context(), "/v/a"); err != nil || string(v) != "one" {
			t.Errorf("in the LAN: %q, %v", v, err)
		}
		if v, err := c.both.GetValue(t.Context(), "/v/a"); err != nil || string(v) != "one" {
			t.Errorf("the value: %q, %v", v, err)
		}
		w.Check(c.both.Provide(t.Context(), testkit.CID("x"), true))
		if found, err := c.lan[0].FindProviders(t.Context(), testkit.CID("x")); err != nil || len(found) != 1 {
			t.Errorf("the provider in the LAN: %v, %v", found, err)
		} else if !slices.ContainsFunc(found[0].Addrs, lanAddr) || slices.ContainsFunc(found[0].Addrs, worldAddr) {
			t.Errorf("it is announced in the LAN at %v", found[0].Addrs)
		}
		if ids, err := c.both.GetClosestPeers(t.Context(), "key"); err != nil || len(ids) != 5 {
			t.Errorf("%d peers, %v", len(ids), err)
		}
	})
}

func TestWhereTheWorldIsKnownItComesFirst(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := newTown(w, 5, 5)
		w.Check(c.both.PutValue(t.Context(), "/v/a", []byte("one")))
		w.Check(c.both.Provide(t.Context(), testkit.CID("x"), true))
		w.Check(c.both.ProvideMany(t.Context(), []multihash.Multihash{testkit.CID("y").Hash()}))
		for i, n := range []*waymark.DHT{c.wan[0], c.lan[0]} {
			_, err := n.GetValue(t.Context(), "/v/a", routing.Offline)
			if here := err == nil; here != (i == 0) {
				t.Errorf("network %d has the value: %v", i, err)
			}
		}
		for _, text := range []string{"x", "y"} {
			found, err := c.wan[0].FindProviders(t.Context(), testkit.CID(text))
			if err != nil || len(found) != 1 || slices.ContainsFunc(found[0].Addrs, lanAddr) {
				t.Errorf("%s in the world: %v, %v", text, found, err)
			}
			// Of the LAN, only the provider itself was told, and says so if asked.
			w.Introduce(c.lan[0], c.both.LAN)
			if found, err := c.lan[0].FindProviders(t.Context(), testkit.CID(text)); err != nil || len(found) != 1 {
				t.Errorf("%s at the provider itself: %v, %v", text, found, err)
			}
		}
	})
}

func TestProvidersOfBothNetworksAreMerged(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := newTown(w, 5, 5)
		w.Check(c.wan[1].Provide(t.Context(), testkit.CID("x"), true))
		w.Check(c.wan[2].Provide(t.Context(), testkit.CID("x"), true))
		w.Check(c.lan[1].Provide(t.Context(), testkit.CID("x"), true))
		for count, want := range map[int]int{0: 3, 1: 1, 2: 2, 7: 3} {
			began := time.Now()
			out := c.both.FindProvidersAsync(t.Context(), testkit.CID("x"), count)
			if time.Since(began) > 0 {
				t.Error("it did not return at once")
			}
			seen := make(map[peer.ID]bool)
			for p := range out {
				seen[p.ID] = true
			}
			if len(seen) != want {
				t.Errorf("count %d: %d providers, and not %d", count, len(seen), want)
			}
		}
		if found, err := c.both.FindProviders(t.Context(), testkit.CID("x")); err != nil || len(found) != 3 {
			t.Errorf("%v, %v", found, err)
		}
		if _, err := c.both.FindProviders(t.Context(), testkit.CID("none")); !errors.Is(err, waymark.ErrNotFound) {
			t.Errorf("of nothing: %v", err)
		}
		if _, open := <-c.both.FindProvidersAsync(t.Context(), testkit.CID("x"), -1); open {
			t.Error("fewer than no providers")
		}
	})
}

func TestValuesOfBothNetworksAreCompared(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := newTown(w, 5, 5)
		w.Check(c.wan[1].PutValue(t.Context(), "/v/a", []byte("worse")))
		w.Check(c.lan[1].PutValue(t.Context(), "/v/a", []byte("better by far")))
		out, err := c.both.SearchValue(t.Context(), "/v/a", waymark.Quorum(0))
		w.Check(err)
		var got []string
		for v := range out {
			got = append(got, string(v))
		}
		if len(got) == 0 || got[len(got)-1] != "better by far" || !slices.IsSortedFunc(got, func(a, b string) int { return len(a) - len(b) }) {
			t.Errorf("the search gave %q", got)
		}
		w.Check(c.lan[1].PutValue(t.Context(), "/v/b", []byte("of the LAN alone")))
		if v, err := c.both.GetValue(t.Context(), "/v/b"); err != nil || string(v) != "of the LAN alone" {
			t.Errorf("%q, %v", v, err)
		}
		out, err = c.both.SearchValue(t.Context(), "/v/none")
		if _, open := <-out; open || err != nil {
			t.Errorf("of nothing a search has something, or an error: %v", err)
		}
		if v, err := c.both.GetValue(t.Context(), "/v/none"); !errors.Is(err, waymark.ErrNotFound) || v != nil {
			t.Errorf("of nothing: %q, %v", v, err)
		}
		if _, err := c.both.SearchValue(t.Context(), "/w/a"); !errors.Is(err, waymark.ErrNamespace) {
			t.Errorf("of an unknown namespace: %v", err)
		}
	})
}

func TestAPeerOfBothNetworksHasBothItsAddresses(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := newTown(w, 3, 3)
		h := c.local(99)
		n, err := dual.New(h, dual.Config{
			WAN: waymark.Config{AllowLoopback: true, Mode: waymark.ModeServer, Addrs: worldAddr},
			LAN: waymark.Config{AllowLoopback: true, Addrs: lanAddr},
		})
		w.Check(err)
		defer n.Close()
		for _, s := range c.wan {
			w.Introduce(s, n.WAN)
		}
		for _, s := range c.lan {
			w.Introduce(s, n.LAN)
		}
		got, err := c.both.FindPeer(t.Context(), h.ID())
		if err != nil || !slices.ContainsFunc(got.Addrs, worldAddr) || !slices.ContainsFunc(got.Addrs, lanAddr) {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := c.both.FindPeer(t.Context(), c.lan[2].PeerID()); err != nil || len(got.Addrs) == 0 {
			t.Errorf("one of the LAN alone: %v, %v", got, err)
		}
		if _, err := c.both.FindPeer(t.Context(), w.Host().ID()); !errors.Is(err, waymark.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
}

// TestTheLANIsNotWaitedForWhereTheWorldHasTheValue.
func TestTheLANIsNotWaitedForWhereTheWorldHasTheValue(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := newTown(w, 5, 0)
		w.Check(c.wan[0].PutValue(t.Context(), "/v/a", []byte("one")))
		for i := range 40 {
			h := c.local(i)
			h.SetStreamHandler(dual.LANProtocol, testkit.Silent)
			w.Check(c.both.LAN.Admit(peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}))
		}
		testkit.Pass(time.Millisecond)
		began := time.Now()
		v, err := c.both.GetValue(t.Context(), "/v/a")
		if took := time.Since(began); err != nil || string(v) != "one" || took > params.CancelGrace {
			t.Errorf("%q, %v after %v", v, err, took)
		}
	})
}

// TestWhoCallsFromAfarIsNotOfTheLAN, whatever it speaks and says of itself.
func TestWhoCallsFromAfarIsNotOfTheLAN(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := newTown(w, 0, 2)
		speaks := func(i int) host.Host {
			h := c.local(i)
			n := w.NodeOn(h, waymark.Config{Protocol: dual.LANProtocol, Mode: waymark.ModeServer, Addrs: lanAddr})
			w.Introduce(n, c.lan...)
			return h
		}
		near, far := speaks(50), speaks(51)
		// It is our side that calls, by an address of the LAN or of the world.
		for h, by := range map[host.Host]func(ma.Multiaddr) bool{near: lanAddr, far: worldAddr} {
			w.Check(c.both.Host().Connect(t.Context(), peer.AddrInfo{ID: h.ID(), Addrs: ma.FilterAddrs(h.Addrs(), by)}))
		}
		testkit.Pass(10 * time.Second)
		have := make(map[peer.ID]bool)
		for _, b := range c.both.LAN.RoutingTable().Buckets {
			for _, p := range b.Contacts {
				have[p.ID] = true
			}
		}
		if !have[near.ID()] || have[far.ID()] {
			t.Errorf("the near one is in the table: %v; the far one: %v", have[near.ID()], have[far.ID()])
		}
	})
}

func TestEachNetworkKeepsToItsAddresses(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := newTown(w, 4, 4)
		// Servers of each network know the others' hosts under every address.
		for _, n := range append(slices.Clone(c.wan), c.lan...) {
			for _, o := range append(slices.Clone(c.wan), c.lan...) {
				if n != o {
					w.Check(n.Admit(peer.AddrInfo{ID: o.PeerID(), Addrs: o.Host().Addrs()}))
				}
			}
		}
		for range 3 {
			_, err := c.both.WAN.Lookup(t.Context(), "key")
			w.Check(err)
			_, err = c.both.LAN.Lookup(t.Context(), "key")
			w.Check(err)
		}
		testkit.Pass(time.Second)
		for name, have := range map[string]struct {
			table waymark.Table
			ok    func(ma.Multiaddr) bool
		}{"wan": {c.both.WAN.RoutingTable(), worldAddr}, "lan": {c.both.LAN.RoutingTable(), lanAddr}} {
			if have.table.Size != 4 {
				t.Errorf("%s knows %d", name, have.table.Size)
			}
			for _, b := range have.table.Buckets {
				for _, p := range b.Contacts {
					if slices.ContainsFunc(p.Addrs, func(a ma.Multiaddr) bool { return !have.ok(a) }) {
						t.Errorf("%s has %v", name, p)
					}
				}
			}
		}
	})
}

func TestWhereEverybodyIsDeadItEndsInTimeWithBothErrors(t *testing.T) {
	verbs := map[string]func(context.Context, *town) error{
		"put":     func(ctx context.Context, c *town) error { return c.both.PutValue(ctx, "/v/a", []byte("one")) },
		"provide": func(ctx context.Context, c *town) error { return c.both.Provide(ctx, testkit.CID("x"), true) },
		"get":     func(ctx context.Context, c *town) error { _, err := c.both.GetValue(ctx, "/v/none"); return err },
		"find":    func(ctx context.Context, c *town) error { _, err := c.both.FindPeer(ctx, c.Host().ID()); return err },
		"ready": func(ctx context.Context, c *town) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return c.both.WaitReady(ctx)
		},
	}
	for name, verb := range verbs {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			c := newTown(w, 0, 0)
			for i := range 50 {
				h := c.local(i)
				n := []*waymark.DHT{c.both.WAN, c.both.LAN}[i%2]
				h.SetStreamHandler(waymark.DefaultProtocol, testkit.Silent)
				h.SetStreamHandler(dual.LANProtocol, testkit.Silent)
				w.Check(n.Admit(peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}))
			}
			testkit.Pass(time.Millisecond)
			began := time.Now()
			err := verb(t.Context(), c)
			if took := time.Since(began); err == nil || took > 2*params.HardMax {
				t.Errorf("%s: %v after %v", name, err, took)
			}
			if name == "ready" && !errors.Is(err, waymark.ErrNotReady) || name != "ready" && !errors.Is(err, waymark.ErrNoPeers) {
				t.Errorf("%s: %v", name, err)
			}
			if n := c.both.Overdue(); n != 0 {
				t.Errorf("%d are overdue", n)
			}
		})
	}
}

// TestASlowNetworkDoesNotHoldUpThePeerThatTheOtherFound, nor the bound.
func TestASlowNetworkDoesNotHoldUpThePeerThatTheOtherFound(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := newTown(w, 5, 0)
		for i := range 40 {
			h := c.local(i)
			h.SetStreamHandler(dual.LANProtocol, testkit.Silent)
			w.Check(c.both.LAN.Admit(peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}))
		}
		testkit.Pass(time.Millisecond)
		began := time.Now()
		got, err := c.both.FindPeer(t.Context(), c.wan[0].PeerID())
		if took := time.Since(began); err != nil || len(got.Addrs) == 0 || took > params.DualGrace+params.CancelGrace {
			t.Errorf("%v, %v after %v", got, err, took)
		}
	})
}

func TestACancelledSearchClosesItsChannel(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := newTown(w, 0, 0)
		for range 25 {
			w.Dead(c.both.WAN)
		}
		ctx, cancel := context.WithCancel(t.Context())
		out := c.both.FindProvidersAsync(ctx, testkit.CID("x"), 0)
		values, err := c.both.SearchValue(ctx, "/v/a")
		w.Check(err)
		cancel()
		began := time.Now()
		_, open := <-out
		_, also := <-values
		if open || also || time.Since(began) > 2*params.CancelGrace {
			t.Errorf("open: %v, %v, after %v", open, also, time.Since(began))
		}
	})
}

func TestTwoNodesOfOneProtocolOrStoreAreRefused(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s := memory.New(memory.Config{})
		if _, err := dual.New(w.Host(), dual.Config{WAN: waymark.Config{Store: s}, LAN: waymark.Config{Store: s}}); !errors.Is(err, waymark.ErrBadConfig) {
			t.Error(err)
		}
		_, err := dual.New(w.Host(), dual.Config{LAN: waymark.Config{Protocol: waymark.DefaultProtocol}})
		if !errors.Is(err, waymark.ErrBadConfig) {
			t.Error(err)
		}
		_, err = dual.New(w.Host(), dual.Config{LAN: waymark.Config{Protocol: "bad"}})
		if !errors.Is(err, waymark.ErrBadConfig) || !strings.HasPrefix(err.Error(), "lan: ") {
			t.Error(err)
		}
	})
}

func TestTheDefaultFiltersTellTheWorldFromTheLAN(t *testing.T) {
	for text, want := range map[string][2]bool{
		"/ip4/8.8.8.8/tcp/4001":                      {true, false},
		"/ip4/192.168.1.7/udp/4001/quic-v1":          {false, true},
		"/ip4/10.0.0.1/tcp/4001":                     {false, true},
		"/ip4/127.0.0.1/tcp/4001":                    {false, true},
		"/ip4/169.254.3.4/tcp/4001":                  {false, true},
		"/ip6/fe80::1/tcp/4001":                      {false, true},
		"/ip6/fd00::1/tcp/4001":                      {false, true},
		"/ip6/::1/tcp/4001":                          {false, true},
		"/ip6/2001:4860:4860::8888/udp/4001/quic-v1": {true, false},
		"/ip4/192.0.2.1/tcp/4001":                    {false, false}, // for documentation only
	} {
		a := ma.StringCast(text)
		if got := [2]bool{dual.PublicAddr(a), dual.LocalAddr(a)}; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestASearchOfBothNetworksSaysWhyItEnded(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := newTown(w, 5, 5)
		w.Check(c.wan[1].Provide(t.Context(), testkit.CID("x"), true))
		w.Check(c.lan[1].Provide(t.Context(), testkit.CID("x"), true))
		for _, want := range []struct {
			text         string
			count, found int
			outcome      waymark.Outcome
			err          error
		}{
			{"x", 0, 2, engine.Found, nil},
			{"x", 1, 1, engine.Found, nil},
			{"none", 0, 0, engine.NotFound, waymark.ErrNotFound},
		} {
			n := 0
			o, err := c.both.SearchProviders(t.Context(), testkit.CID(want.text), want.count, func(peer.AddrInfo) { n++ })
			if n != want.found || o != want.outcome || !errors.Is(err, want.err) {
				t.Errorf("%s, %d of them: %d found, %v, %v", want.text, want.count, n, o, err)
			}
		}
		if r, err := c.both.Lookup(t.Context(), "key"); err != nil || len(r.Peers) != 5 || len(r.Peers[0].Addrs) == 0 {
			t.Errorf("%+v, %v", r, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.both.SearchProviders(ctx, testkit.CID("x"), 0, func(peer.AddrInfo) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

func TestTheZeroConfigKeepsTheNetworksApart(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d, err := dual.New(w.Host(), dual.Config{})
		w.Check(err)
		defer d.Close()
		if own := d.LAN.FilteredAddrs(); len(own) == 0 || len(d.FilteredAddrs()) != 0 {
			t.Errorf("a host on loopback alone is %v in its LAN and %v in the world", own, d.FilteredAddrs())
		}
		if d.LAN.Mode() != waymark.ModeServer || d.Ready() || !slices.Contains(d.Host().Mux().Protocols(), dual.LANProtocol) {
			t.Errorf("the LAN's is a %v that serves %v; ready: %v", d.LAN.Mode(), d.Host().Mux().Protocols(), d.Ready())
		}
	})
}

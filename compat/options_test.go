package dht

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// anything accepts every value that is not empty.
type anything struct{}

func (anything) Validate(_ string, value []byte) error {
	if len(value) == 0 {
		return errors.New("empty")
	}
	return nil
}
func (anything) Select(string, [][]byte) (int, error) { return 0, nil }

var private = ProtocolPrefix("/private")

func node(w *testkit.World, h host.Host, opts ...Option) *IpfsDHT {
	w.Helper()
	d, err := New(context.Background(), h, append([]Option{private, Mode(ModeServer), NamespacedValidator("v", anything{})}, opts...)...)
	w.Check(err)
	w.Cleanup(func() { w.Check(d.Close()) })
	return d
}

func infoOf(d *IpfsDHT) peer.AddrInfo { return peer.AddrInfo{ID: d.PeerID(), Addrs: d.Host().Addrs()} }

// ready waits until a refresh has ended well.
func ready(w *testkit.World, nodes ...*IpfsDHT) {
	w.Helper()
	for _, d := range nodes {
		w.Check(<-d.RefreshRoutingTable())
	}
	testkit.Pass(time.Second)
}

func TestOptionsNameTheProtocol(t *testing.T) {
	for want, opts := range map[protocol.ID][]Option{
		"/ipfs/kad/1.0.0":       nil,
		"/ipfs/lan/kad/1.0.0":   {ProtocolExtension("/lan")},
		"/app/kad/1.0.0":        {ProtocolPrefix("/app")},
		"/app/x/kad/1.0.0":      {ProtocolExtension("/x"), ProtocolPrefix("/app")},
		"/own/protocol/of/mine": {V1ProtocolOverride("/own/protocol/of/mine"), ProtocolPrefix("/app")},
	} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			d, err := New(t.Context(), w.Host(), append(opts, Mode(ModeServer))...)
			w.Check(err)
			defer d.Close()
			if !slices.Contains(d.Host().Mux().Protocols(), want) {
				t.Errorf("it serves %v, and not %s", d.Host().Mux().Protocols(), want)
			}
		})
	}
}

// TestAPartOfTheNetworkHasItsOwnRules: with an extension it is not the public
// network any more, which alone has fixed namespaces.
func TestAPartOfTheNetworkHasItsOwnRules(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d, err := New(t.Context(), w.Host(), ProtocolExtension("/app"), NamespacedValidator("v", anything{}), DisableProviders())
		w.Check(err)
		w.Check(d.Close())
	})
}

func TestOptionsThatCannotBeMeantSoAreErrors(t *testing.T) {
	for name, opts := range map[string][]Option{
		"another bucket size":            {private, BucketSize(7)},
		"a mode that is none":            {Mode(9)},
		"no validator":                   {Validator(nil)},
		"a namespace of the public net":  {NamespacedValidator("v", anything{})},
		"a validator for the public net": {Validator(anything{})},
		"a namespace for such a one":     {private, Validator(anything{}), NamespacedValidator("v", anything{})},
		"no values in the public net":    {DisableValues()},
		"no providers in the public net": {DisableProviders()},
		"no time between refreshes":      {RoutingTableRefreshPeriod(0)},
		"a negative age":                 {MaxRecordAge(-1)},
		"a prefix without a slash":       {ProtocolPrefix("app")},
	} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			if d, err := New(t.Context(), w.Host(), opts...); err == nil {
				d.Close()
				t.Errorf("%s is accepted", name)
			}
		})
	}
}

func TestOptionsWithoutEffectAreAccepted(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		node(w, w.Host(), Concurrency(3), Resiliency(3), LookupCheckConcurrency(1), RoutingTableLatencyTolerance(1),
			RoutingTableRefreshQueryTimeout(1), ValueGCInterval(1), EnableOptimisticProvide(), OptimisticProvideJobsPoolSize(1),
			BucketSize(20))
	})
}

func TestBootstrapPeersAreAskedFor(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first := node(w, w.Host())
		var given atomic.Pointer[[]peer.AddrInfo]
		given.Store(new([]peer.AddrInfo))
		var calls atomic.Int64
		late := node(w, w.Host(), BootstrapPeersFunc(func() []peer.AddrInfo { calls.Add(1); return *given.Load() }))
		testkit.Pass(10 * time.Second)
		if late.RoutingTable().Size() != 0 || calls.Load() == 0 {
			t.Fatalf("%d peers are known; the function was called %d times", late.RoutingTable().Size(), calls.Load())
		}
		given.Store(&[]peer.AddrInfo{infoOf(first)})
		testkit.Pass(2 * time.Minute)
		if late.RoutingTable().Size() != 1 || late.RoutingTable().Find(first.PeerID()) == "" {
			t.Errorf("%d peers are known after %d calls", late.RoutingTable().Size(), calls.Load())
		}
		by := node(w, w.Host(), BootstrapPeers(infoOf(first)))
		ready(w, by)
		if ids := by.RoutingTable().ListPeers(); len(ids) == 0 || by.RoutingTable().IsEmpty() {
			t.Errorf("by a bootstrap peer: %v", ids)
		}
	})
}

// TestBootstrapPeersMayHaveManyAddresses: the limit is one of peers. The last of
// a few, of which each has many addresses, is the one that lives.
func TestBootstrapPeersMayHaveManyAddresses(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first := node(w, w.Host())
		var peers []peer.AddrInfo
		for range 5 {
			dead := peer.AddrInfo{ID: w.Host().ID()}
			for port := range 8 {
				dead.Addrs = append(dead.Addrs, ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", 1+port)))
			}
			peers = append(peers, dead)
		}
		d := node(w, w.Host(), BootstrapPeers(append(peers, infoOf(first))...))
		ready(w, d)
		if d.RoutingTable().Find(first.PeerID()) == "" {
			t.Errorf("the last bootstrap peer was not asked: %v", d.RoutingTable().ListPeers())
		}
	})
}

// TestOfManyBootstrapPeersNoneIsLeftOut though a bootstrap asks 32: the last of
// more, of whom it alone lives, is asked sooner or later.
func TestOfManyBootstrapPeersNoneIsLeftOut(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first := node(w, w.Host())
		var peers []peer.AddrInfo
		for range params.MaxSeeds + 8 {
			id, err := peer.IDFromPrivateKey(w.Key())
			w.Check(err)
			peers = append(peers, peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/1")}})
		}
		d := node(w, w.Host(), BootstrapPeers(append(peers, infoOf(first))...))
		for range 500 { // each bootstrap asks half or more of them
			if d.RoutingTable().Size() > 0 {
				return
			}
			testkit.Pass(params.RetryMax)
		}
		t.Error("the last bootstrap peer was not asked in 500 tries")
	})
}

// TestABootstrapPeerWithoutAddressesIsDialledWhereThePeerstoreHasIt as the
// incumbent does, whose bootstrap is a host's Connect.
func TestABootstrapPeerWithoutAddressesIsDialledWhereThePeerstoreHasIt(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first := node(w, w.Host())
		for _, option := range []Option{
			BootstrapPeers(peer.AddrInfo{ID: first.PeerID()}),
			BootstrapPeersFunc(func() []peer.AddrInfo { return []peer.AddrInfo{{ID: first.PeerID()}} }),
		} {
			h := w.Host()
			h.Peerstore().AddAddrs(first.PeerID(), first.Host().Addrs(), time.Hour)
			d := node(w, h, option)
			ready(w, d)
			if d.RoutingTable().Find(first.PeerID()) == "" {
				t.Errorf("it was not asked: %v", d.RoutingTable().ListPeers())
			}
		}
	})
}

func TestWithoutAutoRefreshTheTableIsLeftAlone(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first := node(w, w.Host())
		d := node(w, w.Host(), DisableAutoRefresh(), BootstrapPeers(infoOf(first)))
		testkit.Pass(time.Hour)
		if n := d.RoutingTable().Size(); n != 0 {
			t.Errorf("%d peers are known", n)
		}
		ready(w, d)
		if n := d.RoutingTable().Size(); n != 1 {
			t.Errorf("%d peers are known after a refresh", n)
		}
	})
}

func TestValuesAndProvidersInAnOwnDatastore(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		one, values, providers := testkit.MapStore(), testkit.MapStore(), testkit.MapStore()
		first := node(w, w.Host(), Datastore(one))
		other := node(w, w.Host(), ValueDatastore(values), ProviderDatastore(providers), BootstrapPeers(infoOf(first)))
		ready(w, other)
		w.Check(other.PutValue(t.Context(), "/v/a", []byte("x")))
		w.Check(other.Provide(t.Context(), testkit.CID("x"), true))
		if v, err := first.GetValue(t.Context(), "/v/a", Quorum(1)); err != nil || string(v) != "x" {
			t.Errorf("%q, %v", v, err)
		}
		if found, err := first.FindProviders(t.Context(), testkit.CID("x")); err != nil || len(found) != 1 {
			t.Errorf("%v, %v", found, err)
		}
		if found, err := first.FindProviders(t.Context(), testkit.CID("nothing")); err != nil || len(found) != 0 {
			t.Errorf("of nothing: %v, %v", found, err)
		}
		for what, c := range map[string]struct {
			in       ds.Batching
			below    string
			expected int
		}{
			"values of one store":          {one, "/v", 1},
			"providers of one store":       {one, "/providers", 1},
			"values of the value store":    {values, "/v", 1},
			"no providers there":           {values, "/providers", 0},
			"providers in the other store": {providers, "/providers", 1},
			"no values there":              {providers, "/v", 0},
		} {
			if n := w.Keys(c.in, c.below); n != c.expected {
				t.Errorf("%s: %d", what, n)
			}
		}
		w.Check(first.Close())
		again := node(w, w.Host(), Datastore(one)) // it takes up where the first left
		if v, err := again.GetValue(t.Context(), "/v/a", routing.Offline); err != nil || string(v) != "x" {
			t.Errorf("after a restart: %q, %v", v, err)
		}
	})
}

// A provider that an earlier node has stored is told of with those addresses of
// the peerstore's alone that the network may know; and what was stored under the
// namespace that every node has is read again too.
func TestARestartTellsNobodyWhatThePeerstoreAloneShouldKnow(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		kept := testkit.MapStore()
		first := node(w, w.Host(), Datastore(kept))
		other := node(w, w.Host(), BootstrapPeers(infoOf(first)))
		ready(w, other)
		w.Check(other.Provide(t.Context(), testkit.CID("x"), true))
		public, err := crypto.MarshalPublicKey(other.Host().Peerstore().PubKey(other.PeerID()))
		w.Check(err)
		w.Check(first.PutValue(t.Context(), routing.KeyForPublicKey(other.PeerID()), public, routing.Offline))
		w.Check(first.Close())
		h := w.Host()
		secret, told := ma.StringCast("/ip4/127.9.9.9/tcp/1"), ma.StringCast("/ip4/127.8.8.8/tcp/1")
		h.Peerstore().AddAddrs(other.PeerID(), []ma.Multiaddr{secret, told}, time.Hour)
		again := node(w, h, Datastore(kept), AddressFilter(func(addrs []ma.Multiaddr) []ma.Multiaddr {
			return ma.FilterAddrs(addrs, func(a ma.Multiaddr) bool { return !a.Equal(secret) })
		}))
		n := 0
		for p, err := range again.LocalProviders(t.Context()) {
			w.Check(err)
			n++
			if fmt.Sprint(p.Peer.Addrs) != fmt.Sprint([]ma.Multiaddr{told}) {
				t.Errorf("it is told at %v", p.Peer.Addrs)
			}
		}
		if _, err := again.GetValue(t.Context(), routing.KeyForPublicKey(other.PeerID()), routing.Offline); n != 1 || err != nil {
			t.Errorf("%d provider records came back; the public key: %v", n, err)
		}
	})
}

func TestFiltersAreAsked(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first, banned, shy := node(w, w.Host()), node(w, w.Host()), node(w, w.Host())
		ready(w, joins(w, first, banned), joins(w, first, shy))
		var d *IpfsDHT
		given := make(chan any, 100)
		d = node(w, w.Host(), BootstrapPeers(infoOf(first)),
			QueryFilter(func(dht any, p peer.AddrInfo) bool { given <- dht; return p.ID != banned.PeerID() }),
			RoutingTableFilter(func(dht any, p peer.ID) bool { given <- dht; return p != shy.PeerID() }),
			AddressFilter(func(addrs []ma.Multiaddr) []ma.Multiaddr { return addrs }))
		ready(w, d)
		if ids := d.RoutingTable().ListPeers(); slices.Contains(ids, banned.PeerID()) || slices.Contains(ids, shy.PeerID()) || len(ids) != 1 {
			t.Errorf("the table has %v", ids)
		}
		if len(given) == 0 {
			t.Error("no filter was asked")
		}
		for len(given) > 0 {
			if got := <-given; got != any(d) {
				t.Errorf("a filter was given %v", got)
			}
		}
		none := node(w, w.Host(), BootstrapPeers(infoOf(first)), AddressFilter(func([]ma.Multiaddr) []ma.Multiaddr { return nil }))
		<-none.RefreshRoutingTable()
		if addrs := none.FilteredAddrs(); len(addrs) != 0 {
			t.Errorf("without any address that is allowed it announces %v", addrs)
		}
	})
}

// joins has one node know another.
func joins(w *testkit.World, first, d *IpfsDHT) *IpfsDHT {
	w.Helper()
	w.Check(d.Admit(infoOf(first)))
	return d
}

// TestAFilterMayAskAboutTheNodeThatIsBeingMade connects before there is a node.
func TestAFilterMayAskAboutTheNodeThatIsBeingMade(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first := node(w, w.Host())
		ready(w, joins(w, first, node(w, w.Host())))
		h := w.Host()
		w.Check(h.Connect(t.Context(), infoOf(first)))
		testkit.Pass(time.Second)
		d := node(w, h, DisableAutoRefresh(), RoutingTableFilter(func(dht any, p peer.ID) bool {
			return dht.(*IpfsDHT).RoutingTable().Size() == 0 && p != ""
		}), QueryFilter(func(dht any, p peer.AddrInfo) bool { return dht.(*IpfsDHT).PeerID() != p.ID }))
		testkit.Pass(10 * time.Second)
		if n := d.RoutingTable().Size(); n != 1 {
			t.Errorf("%d peers are known", n)
		}
	})
}

// TestAQueryFilterIsNeverGivenHalfANode: an answer may come before New has
// returned.
func TestAQueryFilterIsNeverGivenHalfANode(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		h := w.Host()
		d := &IpfsDHT{cfg: defaults(h), made: make(chan struct{})}
		asked := make(chan bool, 1)
		d.cfg.queryFilter = func(dht any, _ peer.AddrInfo) bool { asked <- dht.(*IpfsDHT).DHT != nil; return true }
		cfg, err := d.translated(t.Context(), h)
		w.Check(err)
		go cfg.Approve.Query(peer.AddrInfo{ID: h.ID()})
		testkit.Pass(time.Second)
		d.DHT = w.Node(waymark.Config{})
		close(d.made)
		if !<-asked {
			t.Error("the filter was given a node that was not there yet")
		}
	})
}

func TestWhatIsSwitchedOffIsNotSupported(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first := node(w, w.Host())
		off := node(w, w.Host(), DisableValues(), DisableProviders())
		w.Check(first.Admit(infoOf(off)))
		w.Check(off.Admit(infoOf(first)))
		for name, verb := range map[string]func() error{
			"put":     func() error { return off.PutValue(t.Context(), "/v/a", []byte("x")) },
			"get":     func() error { _, err := off.GetValue(t.Context(), "/v/a"); return err },
			"search":  func() error { _, err := off.SearchValue(t.Context(), "/v/a"); return err },
			"provide": func() error { return off.Provide(t.Context(), testkit.CID("x"), true) },
			"many":    func() error { return off.ProvideMany(t.Context(), nil) },
			"find":    func() error { _, err := off.FindProviders(t.Context(), testkit.CID("x")); return err },
		} {
			if err := verb(); !errors.Is(err, routing.ErrNotSupported) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, open := <-off.FindProvidersAsync(t.Context(), testkit.CID("x"), 0); open {
			t.Error("it finds providers")
		}
		if err := first.PutValue(t.Context(), "/v/a", []byte("x")); !errors.Is(err, waymark.ErrNotStored) {
			t.Errorf("it serves values: %v", err)
		}
		if err := first.Provide(t.Context(), testkit.CID("x"), true); !errors.Is(err, waymark.ErrNotStored) {
			t.Errorf("it serves providers: %v", err)
		}
	})
}

func TestAValidatorWithoutNamespacesIsForEveryKey(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		one, err := New(t.Context(), w.Host(), private, Mode(ModeServer), Validator(anything{}))
		w.Check(err)
		defer one.Close()
		other, err := New(t.Context(), w.Host(), private, Validator(anything{}), BootstrapPeers(infoOf(one)))
		w.Check(err)
		defer other.Close()
		ready(w, other)
		w.Check(other.PutValue(t.Context(), "any key", []byte("x")))
		if v, err := one.GetValue(t.Context(), "any key"); err != nil || string(v) != "x" {
			t.Errorf("%q, %v", v, err)
		}
		// A map that was given is not changed.
		spaces := record.NamespacedValidator{"v": anything{}}
		third, err := New(t.Context(), w.Host(), private, Validator(spaces), NamespacedValidator("w", anything{}))
		w.Check(err)
		defer third.Close()
		if len(spaces) != 1 {
			t.Errorf("the validator that was given is now %v", spaces)
		}
	})
}

func TestModeAutoServerServesUnlessNobodyReachesIt(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		h := w.Host()
		d := node(w, h, Mode(ModeAutoServer))
		emit, err := h.EventBus().Emitter(new(event.EvtLocalReachabilityChanged))
		w.Check(err)
		defer emit.Close()
		for _, c := range []struct {
			told  network.Reachability
			serve bool
		}{{network.ReachabilityUnknown, true}, {network.ReachabilityPrivate, false}, {network.ReachabilityPublic, true}} {
			w.Check(emit.Emit(event.EvtLocalReachabilityChanged{Reachability: c.told}))
			testkit.Pass(time.Second)
			if got := slices.Contains(h.Mux().Protocols(), "/private/kad/1.0.0"); got != c.serve {
				t.Errorf("told %v it serves: %v", c.told, got)
			}
		}
		if d.Mode() != ModeAutoServer {
			t.Errorf("its mode is %v", d.Mode())
		}
	})
}

func TestTheTableIsRefreshedAsOftenAsWanted(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first := node(w, w.Host())
		d := node(w, w.Host(), BootstrapPeers(infoOf(first)), RoutingTableRefreshPeriod(time.Minute))
		facts := d.Facts(t.Context())
		testkit.Pass(9*time.Minute + time.Second)
		w.Check(d.Close())
		runs := 0
		for f := range facts {
			if end, is := f.(engine.OpEnded); is && end.Kind == engine.KindBootstrap {
				runs++
			}
		}
		if runs < 9 {
			t.Errorf("%d bootstraps in nine minutes", runs)
		}
	})
}

func TestANodeEndsWithItsContext(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		ctx, cancel := context.WithCancel(t.Context())
		d, err := New(ctx, w.Host(), private)
		w.Check(err)
		cancel()
		testkit.Pass(5 * time.Second)
		if h := d.Health(); h.State != "closed" {
			t.Errorf("it is %v", h)
		}
		w.Check(d.Close())
	})
}

func TestTheConstructorsOfOldStillWork(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := NewDHT(t.Context(), w.Host(), testkit.MapStore())
		c := NewDHTClient(t.Context(), w.Host(), testkit.MapStore())
		if d.Mode() != ModeAuto || c.Mode() != ModeClient || len(d.PeerKey()) != 32 {
			t.Errorf("%v, %v, a key of %d bytes", d.Mode(), c.Mode(), len(d.PeerKey()))
		}
		d.Host().Peerstore().AddAddrs(c.PeerID(), c.Host().Addrs(), time.Hour)
		if err := d.Ping(t.Context(), c.PeerID()); !errors.Is(err, waymark.ErrNoAnswer) {
			t.Errorf("a ping to a client: %v", err)
		}
		if _, err := d.NetworkSize(); !errors.Is(err, waymark.ErrNotReady) {
			t.Errorf("the size of nothing: %v", err)
		}
		if here := d.FindLocal(t.Context(), c.PeerID()); here.ID != c.PeerID() || len(here.Addrs) == 0 {
			t.Errorf("who was pinged is connected, and known as %v", here)
		}
		if here := d.FindLocal(t.Context(), w.Host().ID()); here.ID != "" {
			t.Errorf("who was not is known as %v", here)
		}
		if d.BucketSize() != 20 || d.Context().Err() != nil {
			t.Errorf("k is %d; the node's context has ended: %v", d.BucketSize(), d.Context().Err())
		}
		if d.RoutingTable().NPeersForCpl(0) != 0 {
			t.Error("somebody is in bucket 0")
		}
		w.Check(errors.Join(d.Close(), c.Close()))
		if d.Context().Err() == nil {
			t.Error("the node is closed, and its context goes on")
		}
	})
}

// TestTheTableSaysWhoAnsweredWhen, with the names of go-libp2p-kbucket.
func TestTheTableSaysWhoAnsweredWhen(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first := node(w, w.Host())
		d := node(w, w.Host(), BootstrapPeers(infoOf(first)))
		ready(w, d)
		list := d.RoutingTable().GetPeerInfos()
		if len(list) != 1 || list[0].Id != first.PeerID() || time.Since(list[0].LastUsefulAt) > time.Minute ||
			list[0].LastUsefulAt != list[0].LastSuccessfulOutboundQueryAt {
			t.Errorf("%+v", list)
		}
		testkit.Pass(time.Hour)
		dates := d.RoutingTable().GetTrackedCplsForRefresh()
		if deepest := len(dates) - 1; deepest < 0 || d.RoutingTable().NPeersForCpl(uint(deepest)) != 1 ||
			dates[deepest].IsZero() || time.Since(dates[deepest]) > 2*params.RefreshEvery {
			t.Errorf("after an hour buckets were refreshed at %v", dates)
		}
		if d.Waymark() != d.DHT {
			t.Error("there is another node in it")
		}
	})
}

// TestATableMayTakeAnyNumberOfOneIPGroup or few, as the option has it.
func TestATableMayTakeAnyNumberOfOneIPGroup(t *testing.T) {
	for name, c := range map[string]struct {
		opts  []Option
		limit bool
	}{
		"the public network":            {nil, true},
		"the public network, unlimited": {[]Option{RoutingTablePeerDiversityFilter(nil)}, false},
		"one's own":                     {[]Option{private}, false},
		"one's own, limited":            {[]Option{private, RoutingTablePeerDiversityFilter(NewRTPeerDiversityFilter(nil, 2, 3))}, true},
	} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			h := w.Host()
			cfg := defaults(h)
			for _, o := range c.opts {
				w.Check(o(&cfg))
			}
			got, err := (&IpfsDHT{cfg: cfg}).translated(t.Context(), h)
			w.Check(err)
			if got.OneSite == c.limit {
				t.Errorf("%s is limited: %v", name, !got.OneSite)
			}
		})
	}
}

func TestTheSeedsOfThePublicNetworkArePeers(t *testing.T) {
	infos := GetDefaultBootstrapPeerAddrInfos()
	if len(infos) != len(DefaultBootstrapPeers) || len(infos) == 0 {
		t.Fatalf("%d of %d", len(infos), len(DefaultBootstrapPeers))
	}
	for _, p := range infos {
		if len(p.Addrs) == 0 {
			t.Errorf("%v has no address", p.ID)
		}
	}
}

// stuckDS is a datastore whose disk blocks for an hour at a time, once it is told to.
type stuckDS struct {
	ds.Batching
	stuck atomic.Bool
}

func (s *stuckDS) Sync(ctx context.Context, below ds.Key) error {
	if s.stuck.Load() {
		testkit.Pass(time.Hour)
	}
	return s.Batching.Sync(ctx, below)
}

func TestADatastoreThatBlocksDoesNotHoldUpTheEnd(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		disk := &stuckDS{Batching: dssync.MutexWrap(ds.NewMapDatastore())}
		d, err := New(context.Background(), w.Host(), private, Mode(ModeServer), Datastore(disk))
		w.Check(err)
		testkit.Pass(time.Second)
		disk.stuck.Store(true)
		if err := d.Provide(t.Context(), testkit.CID("a"), false); err == nil {
			t.Error("a record is said to be stored, and is not written")
		}
		began := time.Now()
		err = d.Close()
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > d.Bound(waymark.OpClose)+params.StoreDeadline {
			t.Errorf("%v after %v", err, took)
		}
		disk.stuck.Store(false)
		testkit.Pass(3 * time.Hour) // the disk wakes up
	})
}

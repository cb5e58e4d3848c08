package boxo

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ipfs/boxo/bootstrap"
	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/path"
	helpers "github.com/libp2p/go-libp2p-routing-helpers"
	"github.com/libp2p/go-libp2p/core/discovery"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	finder "github.com/libp2p/go-libp2p/p2p/discovery/routing"
	"github.com/libp2p/go-libp2p/p2p/host/routed"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/dual"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"

	dht "github.com/waymark-dht/waymark/interop/boxo/standin/go-libp2p-kad-dht"
)

// What the ecosystem finds out by type assertions.
var (
	_ helpers.ProvideManyRouter = (*waymark.DHT)(nil)
	_ helpers.ReadyAbleRouter   = (*waymark.DHT)(nil)
	_ helpers.Bootstrap         = (*waymark.DHT)(nil)
	_ helpers.ProvideManyRouter = (*dual.DHT)(nil)
	_ helpers.ReadyAbleRouter   = (*dual.DHT)(nil)
	_ routing.Routing           = (*dual.DHT)(nil)
	_ routing.PubKeyFetcher     = (*waymark.DHT)(nil)
	_ routedhost.Routing        = (*waymark.DHT)(nil)
	_ interface {
		GetClosestPeers(context.Context, string) ([]peer.ID, error)
	} = (*waymark.DHT)(nil)
)

// TestRoutersThatAreComposedWork wraps the node as Kubo and Rainbow do, beside a
// router that never answers.
func TestRoutersThatAreComposedWork(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, d := town(w)
		_, err := d.RunBootstrap(t.Context())
		w.Check(err)
		for name, r := range map[string]interface {
			routing.Routing
			helpers.ProvideManyRouter
			helpers.ReadyAbleRouter
		}{
			"parallel": helpers.NewComposableParallel([]*helpers.ParallelRouter{
				{Router: d, Timeout: time.Minute},
				{Router: helpers.Null{}, Timeout: time.Second, IgnoreError: true},
			}),
			"sequential": helpers.NewComposableSequential([]*helpers.SequentialRouter{
				{Router: helpers.Null{}, Timeout: time.Second, IgnoreError: true},
				{Router: d, Timeout: time.Minute},
			}),
		} {
			c := block(name).Cid()
			if err := r.Provide(t.Context(), c, true); err != nil && !errors.Is(err, routing.ErrNotSupported) {
				t.Errorf("%s: provide: %v", name, err)
			}
			if err := r.ProvideMany(t.Context(), []multihash.Multihash{block(name + " too").Cid().Hash()}); err != nil {
				t.Errorf("%s: provide many: %v", name, err)
			}
			w.Check(servers[1].Provide(t.Context(), c, true))
			n := 0
			for range r.FindProvidersAsync(t.Context(), c, 0) {
				n++
			}
			if n == 0 || !r.Ready() {
				t.Errorf("%s: %d providers; ready: %v", name, n, r.Ready())
			}
			if p, err := r.FindPeer(t.Context(), servers[3].PeerID()); err != nil || len(p.Addrs) == 0 {
				t.Errorf("%s: %v, %v", name, p, err)
			}
			key, value := published(w, 1)
			if err := r.PutValue(t.Context(), key, value); err != nil {
				t.Errorf("%s: put: %v", name, err)
			}
			if got, err := r.GetValue(t.Context(), key); err != nil || string(got) != string(value) {
				t.Errorf("%s: get: %v", name, err)
			}
			if _, err := r.GetValue(t.Context(), "/ipns/"+string(w.Host().ID())); !errors.Is(err, routing.ErrNotFound) {
				t.Errorf("%s: of nothing: %v", name, err)
			}
		}
	})
}

// published is an IPNS record of a new name.
func published(w *testkit.World, seq uint64) (key string, value []byte) {
	w.Helper()
	priv := fault.NewKey(nil)
	id, err := peer.IDFromPrivateKey(priv)
	w.Check(err)
	to, err := path.NewPath("/ipfs/" + block("page").Cid().String())
	w.Check(err)
	r, err := ipns.NewRecord(priv, to, seq, time.Now().Add(time.Hour), time.Minute)
	w.Check(err)
	value, err = ipns.MarshalRecord(r)
	w.Check(err)
	return string(ipns.NameFromPeer(id).RoutingKey()), value
}

// TestANameIsPublishedAndResolved does what namesys does, which itself would
// bring another DHT: PutValue of a record, then SearchValue with a quorum of 16
// in the incumbent's option, of which the last value is the answer.
func TestANameIsPublishedAndResolved(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, d := town(w)
		key, value := published(w, 7)
		w.Check(servers[0].PutValue(t.Context(), key, value))
		values, err := d.SearchValue(t.Context(), key, dht.Quorum(16))
		w.Check(err)
		var last []byte
		for v := range values {
			last = v
		}
		r, err := ipns.UnmarshalRecord(last)
		if err != nil {
			t.Fatal(err)
		}
		if seq, err := r.Sequence(); err != nil || seq != 7 {
			t.Errorf("%d, %v", seq, err)
		}
		// That the option is understood: one value is enough for a quorum of one,
		// and for none everybody is asked.
		few, err := d.Get(t.Context(), key, dht.Quorum(1))
		w.Check(err)
		all, err := d.Get(t.Context(), key, dht.Quorum(0))
		w.Check(err)
		if few.Agree != 1 || all.Agree < len(servers) {
			t.Errorf("a quorum of one asked %d, one of zero %d of %d", few.Agree, all.Agree, len(servers))
		}
	})
}

func TestBoxosBootstrapBootstrapsTheNode(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, _ := town(w)
		d := w.Node(waymark.Config{})
		// Without backup peers a goroutine of boxo v0.43.0 waits for ever.
		backup := bootstrap.WithBackupPeers(
			func(context.Context) []peer.AddrInfo { return nil }, func(context.Context, []peer.AddrInfo) {})
		seeds := []peer.AddrInfo{infoOf(servers[0])}
		stop, err := bootstrap.Bootstrap(d.PeerID(), d.Host(), d, bootstrap.BootstrapConfigWithPeers(seeds, backup))
		w.Check(err)
		defer stop.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		w.Check(d.WaitReady(ctx))
		if n := d.RoutingTable().Size; n != len(servers) {
			t.Errorf("%d of %d are known", n, len(servers))
		}
	})
}

func TestPeersMeetByANameAndConnectByIDAlone(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, d := town(w)
		_, err := finder.NewRoutingDiscovery(servers[2]).Advertise(t.Context(), "a place")
		w.Check(err)
		found, err := finder.NewRoutingDiscovery(d).FindPeers(t.Context(), "a place", discovery.Limit(5))
		w.Check(err)
		p, open := <-found
		if !open || p.ID != servers[2].PeerID() {
			t.Fatalf("%v, %v", p, open)
		}
		d.Host().Peerstore().ClearAddrs(p.ID)
		w.Check(d.Host().Network().ClosePeer(p.ID))
		h := routedhost.Wrap(d.Host(), d)
		w.Check(h.Connect(t.Context(), peer.AddrInfo{ID: p.ID}))
	})
}

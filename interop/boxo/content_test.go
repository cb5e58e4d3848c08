package boxo

import (
	"context"
	"testing"
	"time"

	"github.com/ipfs/boxo/bitswap"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	"github.com/ipfs/boxo/blockstore"
	"github.com/ipfs/boxo/provider"
	"github.com/ipfs/boxo/routing/providerquerymanager"
	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// exchange is bitswap on a host, with a node to find providers.
func exchange(w *testkit.World, h host.Host, d routing.ContentDiscovery) (*bitswap.Bitswap, blockstore.Blockstore) {
	store := blockstore.NewBlockstore(dssync.MutexWrap(ds.NewMapDatastore()))
	net := bsnet.NewFromIpfsHost(h)
	ctx, cancel := context.WithCancel(context.Background())
	b := bitswap.New(ctx, net, d, store)
	net.Start(b)
	w.Cleanup(func() {
		w.Check(b.Close())
		net.Stop()
		cancel()
	})
	return b, store
}

func TestBitswapFetchesABlockThatItFoundThroughTheDHT(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, _ := town(w)
		has, wants := joining(w, w.Host(), servers), joining(w, w.Host(), servers)
		_, store := exchange(w, has.Host(), has)
		client, _ := exchange(w, wants.Host(), wants)
		b := block("a block")
		w.Check(store.Put(t.Context(), b))
		w.Check(has.Provide(t.Context(), b.Cid(), true))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		got, err := client.GetBlock(ctx, b.Cid())
		if err != nil || string(got.RawData()) != "a block" {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		t.Logf("fetched after %v", time.Since(began))
	})
}

func TestAProviderSystemProvidesAndProvidesAgain(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, d := town(w)
		var all []cid.Cid
		for _, text := range []string{"one", "two", "three"} {
			all = append(all, block(text).Cid())
		}
		asked := &counting{DHT: d}
		sys, err := provider.New(dssync.MutexWrap(ds.NewMapDatastore()), provider.Online(asked),
			provider.KeyProvider(func(context.Context) (<-chan cid.Cid, error) {
				out := make(chan cid.Cid, len(all))
				defer close(out)
				for _, c := range all[1:] {
					out <- c
				}
				return out, nil
			}))
		w.Check(err)
		defer sys.Close()
		_, err = d.RunBootstrap(t.Context())
		w.Check(err)
		w.Check(sys.Provide(t.Context(), all[0], true))
		testkit.Pass(2 * time.Minute) // its first round begins by itself after one
		w.Check(sys.Reprovide(t.Context()))
		for _, c := range all {
			found, err := servers[0].FindProviders(t.Context(), c)
			if err != nil || len(found) != 1 || found[0].ID != d.PeerID() {
				t.Errorf("%v, %v", found, err)
			}
		}
		if stat, err := sys.Stat(); err != nil || stat.LastReprovideBatchSize != 2 || asked.many == 0 {
			t.Errorf("%+v, %v; ProvideMany was called %d times", stat, err, asked.many)
		}
	})
}

func TestTheProviderQueryManagerConnectsToWhoProvides(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, d := town(w)
		for i := range 3 {
			w.Check(servers[i].Provide(t.Context(), block("x").Cid(), true))
		}
		m, err := providerquerymanager.New(d.Host(), d, providerquerymanager.WithFindPeerFallback(d))
		w.Check(err)
		defer m.Close()
		seen := make(map[peer.ID]bool)
		for p := range m.FindProvidersAsync(t.Context(), block("x").Cid(), 0) {
			seen[p.ID] = true
		}
		if len(seen) != 3 {
			t.Errorf("%d of 3", len(seen))
		}
	})
}

var _ provider.Provide = (*waymark.DHT)(nil)

// counting counts the calls of ProvideMany, which callers find by assertion.
type counting struct {
	*waymark.DHT
	many int
}

func (c *counting) ProvideMany(ctx context.Context, keys []multihash.Multihash) error {
	c.many++
	return c.DHT.ProvideMany(ctx, keys)
}

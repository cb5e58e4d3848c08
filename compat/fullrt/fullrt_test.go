package fullrt_test

import (
	"context"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	dht "github.com/waymark-dht/waymark/compat"
	"github.com/waymark-dht/waymark/compat/fullrt"
	"github.com/waymark-dht/waymark/compat/provider"
	"github.com/waymark-dht/waymark/internal/testkit"
	"github.com/waymark-dht/waymark/validate/unsigned"
)

var rules = map[string]waymark.Validator{"v": unsigned.Validator{}}

// beside starts a client beside a node that serves, on one host and one
// datastore, as Kubo has them.
func beside(w *testkit.World, servers []*waymark.DHT) (*dht.IpfsDHT, *fullrt.FullRT) {
	w.Helper()
	h, d := w.Host(), dssync.MutexWrap(ds.NewMapDatastore())
	opts := []dht.Option{
		dht.NamespacedValidator("v", unsigned.Validator{}), dht.Datastore(d), dht.BucketSize(20),
		dht.BootstrapPeers(peer.AddrInfo{ID: servers[0].PeerID(), Addrs: servers[0].Host().Addrs()}),
	}
	node, err := dht.New(context.Background(), h, append(opts, dht.ProtocolPrefix("/test"), dht.Mode(dht.ModeServer))...)
	w.Check(err)
	w.Cleanup(func() { w.Check(node.Close()) })
	client, err := fullrt.NewFullRT(h, "/test", fullrt.DHTOption(opts...), fullrt.WithCrawlInterval(time.Hour),
		fullrt.WithSuccessWaitFraction(1), fullrt.WithTimeoutPerOperation(time.Second), fullrt.WithBulkSendParallelism(1))
	w.Check(err)
	w.Cleanup(func() { w.Check(client.Close()) })
	return node, client
}

func TestAClientKnowsEverybody(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(30, waymark.Config{Protocol: "/test/kad/1.0.0", Validators: rules, OneSite: true})
		node, client := beside(w, servers)
		w.Check(client.WaitReady(t.Context()))
		all := client.Stat()
		for _, s := range servers {
			found := false
			for _, id := range all {
				found = found || id == s.PeerID()
			}
			if !found {
				t.Errorf("%v is not among the %d that it knows", s.PeerID(), len(all))
			}
		}
		w.Check(client.Provide(t.Context(), testkit.CID("x"), true))
		if found, err := servers[7].FindProviders(t.Context(), testkit.CID("x")); err != nil || len(found) != 1 || found[0].ID != node.PeerID() {
			t.Errorf("%v, %v", found, err)
		}
		w.Check(client.PutValue(t.Context(), "/v/a", []byte("1:x")))
		if v, err := node.GetValue(t.Context(), "/v/a"); err != nil || string(v) != "1:x" {
			t.Errorf("%q, %v", v, err)
		}
		if here := client.FindLocal(servers[0].PeerID()); here.ID != servers[0].PeerID() || client.BucketSize() != 20 {
			t.Errorf("%v, k is %d", here, client.BucketSize())
		}
		if here := client.FindLocal(w.Host().ID()); here.ID != "" {
			t.Errorf("who is not connected is known as %v", here)
		}
		w.Check(client.TriggerRefresh(t.Context()))
		testkit.Pass(time.Minute)
		if s := client.Status(); s.Crawls != 2 {
			t.Errorf("%d crawls after one more was asked for", s.Crawls)
		}
	})
}

// TestTheNodeBesideAClientGoesOnServing: they share a host and a protocol, and the
// client serves nobody.
func TestTheNodeBesideAClientGoesOnServing(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(5, waymark.Config{Protocol: "/test/kad/1.0.0", Validators: rules, OneSite: true})
		node, client := beside(w, servers)
		w.Check(client.WaitReady(t.Context()))
		w.Check(client.Close())
		servers[1].Host().Peerstore().AddAddrs(node.PeerID(), node.Host().Addrs(), time.Hour)
		if _, err := servers[1].Ping(t.Context(), node.PeerID()); err != nil {
			t.Errorf("it does not serve: %v", err)
		}
	})
}

// TestAClientHasAScheduleToo: a provider takes it for its node.
func TestAClientHasAScheduleToo(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(5, waymark.Config{Protocol: "/test/kad/1.0.0", Validators: rules, OneSite: true})
		_, client := beside(w, servers)
		w.Check(client.WaitReady(t.Context()))
		type wrapped struct{ *fullrt.FullRT } // as Kubo has it
		p, err := provider.New(provider.WithRouter(wrapped{client}))
		w.Check(err)
		w.Check(p.StartProviding(false, testkit.CID("x").Hash()))
		testkit.Pass(time.Minute)
		if found, err := servers[3].FindProviders(t.Context(), testkit.CID("x")); err != nil || len(found) != 1 {
			t.Errorf("%v, %v", found, err)
		}
	})
}

func TestAnOptionThatFailsIsSaid(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		if c, err := fullrt.NewFullRT(w.Host(), "/test", fullrt.DHTOption(dht.BucketSize(7))); err == nil {
			c.Close()
			t.Error("another k is accepted")
		}
	})
}

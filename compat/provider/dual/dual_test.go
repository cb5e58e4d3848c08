package dual_test

import (
	"context"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	dht "github.com/waymark-dht/waymark/compat"
	"github.com/waymark-dht/waymark/compat/dual"
	provider "github.com/waymark-dht/waymark/compat/provider/dual"
	"github.com/waymark-dht/waymark/compat/provider/keystore"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// TestBothNetworksAreTold as soon as there is somebody in each.
func TestBothNetworksAreTold(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		lan := w.Servers(4, waymark.Config{Protocol: "/test/lan/kad/1.0.0", OneSite: true})
		d, err := dual.New(w.Host(), dual.DHTOption(dht.ProtocolPrefix("/test"), dht.AddressFilter(nil)),
			dual.WanDHTOption(dht.QueryFilter(func(any, peer.AddrInfo) bool { return true }), dht.RoutingTableFilter(func(any, peer.ID) bool { return true })))
		w.Check(err)
		w.Cleanup(func() { w.Check(d.Close()) })
		w.Introduce(d.LAN.Waymark(), lan...)
		keys, err := keystore.NewResettableKeystore(nil)
		w.Check(err)
		p, err := provider.New(d, provider.WithKeystore(keys), provider.WithReprovideInterval(time.Hour))
		w.Check(err)
		w.Check(p.StartProviding(false, testkit.CID("x").Hash()))
		w.Check(p.ProvideOnce(testkit.CID("once").Hash()))
		testkit.Pass(time.Minute)
		if found, err := lan[1].FindProviders(context.Background(), testkit.CID("x")); err != nil || len(found) != 1 {
			t.Errorf("in the LAN: %v, %v", found, err)
		}
		wan := w.Servers(4, waymark.Config{Protocol: "/test/kad/1.0.0", OneSite: true})
		if s, err := p.WAN.Stats(t.Context()); err != nil || s.Connectivity.Status != "offline" || s.Queues.PendingKeyProvides != 2 {
			t.Errorf("%+v, %v", s, err)
		}
		w.Introduce(d.WAN.Waymark(), wan...)
		w.Check(<-d.WAN.RefreshRoutingTable())
		w.Check(p.RefreshSchedule())
		testkit.Pass(time.Minute)
		if found, err := wan[1].FindProviders(t.Context(), testkit.CID("x")); err != nil || len(found) != 1 {
			t.Errorf("in the world: %v, %v", found, err)
		}
		only := make(chan cid.Cid, 1)
		only <- testkit.CID("y")
		close(only)
		w.Check(keys.ResetCids(t.Context(), only))
		for _, n := range []*dht.IpfsDHT{d.WAN, d.LAN} {
			for k, err := range n.Scheduled() {
				if err != nil || string(k) != string(testkit.CID("y").Hash()) {
					t.Errorf("%v is provided still, %v", k, err)
				}
			}
		}
		w.Check(p.StopProviding(testkit.CID("y").Hash()))
		if n := d.WAN.Schedule().Keys + d.LAN.Schedule().Keys; n != 0 || p.Clear() != 0 {
			t.Errorf("%d keys are provided still", n)
		}
		w.Check(p.Close())
	})
}

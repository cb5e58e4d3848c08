package waymark_test

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/discovery"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	finder "github.com/libp2p/go-libp2p/p2p/discovery/routing"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// routed is a host that asks a node of its own where peers are.
func routed(w *testkit.World, cfg waymark.Config) (h host.Host, d *waymark.DHT) {
	w.Helper()
	h = w.Host(libp2p.Routing(func(h host.Host) (routing.PeerRouting, error) {
		cfg.AllowLoopback, cfg.Seed = true, 1
		var err error
		d, err = waymark.New(h, cfg)
		return d, err
	}))
	w.Cleanup(func() { d.Close() })
	return h, d
}

func TestAHostThatIsRoutedConnectsByIDAlone(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(12, waymark.Config{})
		h, d := routed(w, waymark.Config{Seeds: seedsAt(t, servers[0])})
		_, err := d.RunBootstrap(t.Context())
		w.Check(err)
		to := servers[7].PeerID()
		w.Check(h.Network().ClosePeer(to))
		h.Peerstore().ClearAddrs(to)
		w.Check(h.Connect(t.Context(), peer.AddrInfo{ID: to}))
		if h.Network().Connectedness(to) != network.Connected {
			t.Error("it is not connected")
		}
		w.Check(h.Network().ClosePeer(to))
	})
}

func TestAHostThatIsRoutedGivesUpWithItsContext(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		h, d := routed(w, waymark.Config{})
		for range 25 {
			w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := h.Connect(ctx, peer.AddrInfo{ID: w.Host().ID()})
		if took := time.Since(began); err == nil || took > 300*time.Millisecond+params.CancelGrace {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestPeersFindEachOtherByANameThatTheyAdvertise(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 25)
		for i := range 3 {
			ttl, err := finder.NewRoutingDiscovery(servers[i]).Advertise(t.Context(), "a place to meet")
			if err != nil || ttl <= 0 {
				t.Errorf("%v, %v", ttl, err)
			}
		}
		found, err := finder.NewRoutingDiscovery(client).FindPeers(t.Context(), "a place to meet", discovery.Limit(10))
		w.Check(err)
		n := 0
		for p := range found {
			if n++; len(p.Addrs) == 0 {
				t.Errorf("%v has no address", p.ID)
			}
		}
		if n != 3 {
			t.Errorf("%d of 3", n)
		}
	})
}

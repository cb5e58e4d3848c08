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
)

// routed is a host that asks a node of its own where peers are.
func (w *world) routed(cfg waymark.Config) (h host.Host, d *waymark.DHT) {
	w.Helper()
	h, err := w.wire.Host(newKey(w), libp2p.Routing(func(h host.Host) (routing.PeerRouting, error) {
		cfg.AllowLoopback, cfg.Seed = true, 1
		var err error
		d, err = waymark.New(h, cfg)
		return d, err
	}))
	if err != nil {
		w.Fatal(err)
	}
	w.closes(h)
	w.Cleanup(func() { d.Close() })
	return h, d
}

func TestAHostThatIsRoutedConnectsByIDAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		servers := w.servers(12)
		h, d := w.routed(waymark.Config{Seeds: seedsAt(t, servers[0])})
		_, err := d.RunBootstrap(t.Context())
		w.check(err)
		to := servers[7].PeerID()
		w.check(h.Network().ClosePeer(to))
		h.Peerstore().ClearAddrs(to)
		w.check(h.Connect(t.Context(), peer.AddrInfo{ID: to}))
		if h.Network().Connectedness(to) != network.Connected {
			t.Error("it is not connected")
		}
		w.check(h.Network().ClosePeer(to))
	})
}

func TestAHostThatIsRoutedGivesUpWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h, d := w.routed(waymark.Config{})
		for range 25 {
			w.check(d.Admit(addrOf(w.peer(silent))))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := h.Connect(ctx, peer.AddrInfo{ID: w.host().ID()})
		if took := time.Since(began); err == nil || took > 300*time.Millisecond+params.CancelGrace {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestPeersFindEachOtherByANameThatTheyAdvertise(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		servers, client := town(w, 25)
		for i := range 3 {
			ttl, err := finder.NewRoutingDiscovery(servers[i]).Advertise(t.Context(), "a place to meet")
			if err != nil || ttl <= 0 {
				t.Errorf("%v, %v", ttl, err)
			}
		}
		found, err := finder.NewRoutingDiscovery(client).FindPeers(t.Context(), "a place to meet", discovery.Limit(10))
		w.check(err)
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

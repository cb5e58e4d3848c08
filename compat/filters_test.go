package dht

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark/internal/testkit"
)

func TestTheFiltersTellPublicFromPrivate(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d, near, far := node(w, w.Host()), w.Host().ID(), w.Host().ID()
		public := []ma.Multiaddr{ma.StringCast("/ip4/8.8.8.8/tcp/4001")}
		relayed := []ma.Multiaddr{ma.StringCast("/ip4/8.8.8.8/tcp/4001/p2p/" + far.String() + "/p2p-circuit")}
		local := []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/4001")}
		for name, c := range map[string]struct{ got, want bool }{
			"a public one is asked":         {PublicQueryFilter(d, peer.AddrInfo{Addrs: public}), true},
			"one behind a relay":            {PublicQueryFilter(d, peer.AddrInfo{Addrs: relayed}), false},
			"a local one":                   {PublicQueryFilter(d, peer.AddrInfo{Addrs: local}), false},
			"one without address":           {PrivateQueryFilter(d, peer.AddrInfo{}), false},
			"a local one, where all are":    {PrivateQueryFilter(d, peer.AddrInfo{Addrs: local}), true},
			"who is not known to be public": {PublicRoutingTableFilter(d, near), false},
			"who is not connected":          {PrivateRoutingTableFilter(d, near), false},
		} {
			if c.got != c.want {
				t.Errorf("%s: %v", name, c.got)
			}
		}
		d.Host().Peerstore().AddAddrs(far, public, peerstore.PermanentAddrTTL)
		if !PublicRoutingTableFilter(d, far) {
			t.Error("a public one is not admitted")
		}
		h := w.Host()
		w.Check(d.Host().Connect(t.Context(), peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}))
		testkit.Pass(time.Second)
		if !PrivateRoutingTableFilter(d, h.ID()) || PublicRoutingTableFilter(d, h.ID()) {
			t.Error("one that is connected from 127.1.0.0/16 is not local")
		}
	})
}

package dual_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	dht "github.com/waymark-dht/waymark/compat"
	"github.com/waymark-dht/waymark/compat/dual"
	"github.com/waymark-dht/waymark/internal/testkit"
	"github.com/waymark-dht/waymark/validate/unsigned"
)

// The world of these tests is 127.1.0.0/16, and its one LAN is 127.2.0.0/16.
func worldAddr(a ma.Multiaddr) bool { return strings.HasPrefix(a.String(), "/ip4/127.1.") }
func lanAddr(a ma.Multiaddr) bool   { return strings.HasPrefix(a.String(), "/ip4/127.2.") }

func only(keep func(ma.Multiaddr) bool) dht.Option {
	return dht.AddressFilter(func(all []ma.Multiaddr) []ma.Multiaddr { return ma.FilterAddrs(all, keep) })
}

// inTheTest is what makes networks of loopback addresses of the two.
func inTheTest(d ds.Batching) []dual.Option {
	return []dual.Option{
		dual.DHTOption(dht.ProtocolPrefix("/test"), dht.NamespacedValidator("v", unsigned.Validator{}), dht.Datastore(d)),
		dual.WanDHTOption(
			dht.Mode(dht.ModeServer), only(worldAddr),
			dht.QueryFilter(func(any, peer.AddrInfo) bool { return true }),
			dht.RoutingTableFilter(func(any, peer.ID) bool { return true }),
			dht.RoutingTablePeerDiversityFilter(nil)),
		dual.LanDHTOption(only(lanAddr)),
	}
}

// local is a host on both networks.
func local(w *testkit.World, i int) host.Host {
	return w.Host(libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/127.2.0.%d/tcp/4001", i)))
}

func node(w *testkit.World, h host.Host, d ds.Batching, more ...dual.Option) *dual.DHT {
	w.Helper()
	n, err := dual.New(h, append(inTheTest(d), more...)...)
	w.Check(err)
	w.Cleanup(func() { w.Check(n.Close()) })
	return n
}

// trio is three nodes on both networks that know each other.
func trio(w *testkit.World, first ds.Batching) (nodes []*dual.DHT) {
	w.Helper()
	for i := range 3 {
		d := first
		if i > 0 {
			d = testkit.MapStore()
		}
		nodes = append(nodes, node(w, local(w, i+1), d))
		if i > 0 {
			w.Check(nodes[i].Host().Connect(w.Context(), peer.AddrInfo{ID: nodes[0].PeerID(), Addrs: nodes[0].Host().Addrs()}))
		}
	}
	testkit.Pass(time.Second) // they take note
	for _, n := range nodes {
		w.Check(<-n.RefreshRoutingTable())
	}
	return nodes
}

func TestTwoNetworksAreOneRouting(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		kept := testkit.MapStore()
		nodes := trio(w, kept)
		a, b := nodes[0], nodes[2]
		if !a.WANActive() || a.LAN.RoutingTable().Size() != 2 || a.WAN.RoutingTable().Size() != 2 {
			t.Fatalf("it knows %d of the world and %d of its LAN", a.WAN.RoutingTable().Size(), a.LAN.RoutingTable().Size())
		}
		w.Check(a.PutValue(t.Context(), "/v/x", []byte("1:x")))
		if v, err := b.GetValue(t.Context(), "/v/x"); err != nil || string(v) != "1:x" {
			t.Errorf("%q, %v", v, err)
		}
		w.Check(a.Provide(t.Context(), testkit.CID("x"), true))
		if found, err := b.FindProviders(t.Context(), testkit.CID("x")); err != nil || len(found) != 1 || found[0].ID != a.PeerID() {
			t.Errorf("%v, %v", found, err)
		}
		ids, err := a.WAN.GetClosestPeers(t.Context(), "key")
		if err != nil || len(ids) != 2 {
			t.Errorf("the closest: %v, %v", ids, err)
		}
		for _, p := range []protocol.ID{"/test/kad/1.0.0", "/test/lan/kad/1.0.0"} {
			if !slices.Contains(a.Host().Mux().Protocols(), p) {
				t.Errorf("it does not serve %s", p)
			}
		}
	})
}

// TestOneDatastoreHasTheRecordsOfBothApart: those of the world where Kubo looks
// for them, and a restart finds both, with the addresses that each network has.
func TestOneDatastoreHasTheRecordsOfBothApart(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		kept := testkit.MapStore()
		nodes := trio(w, kept)
		w.Check(nodes[1].WAN.Provide(t.Context(), testkit.CID("of the world"), true))
		w.Check(nodes[1].LAN.Provide(t.Context(), testkit.CID("of the LAN"), true))
		w.Check(nodes[1].WAN.PutValue(t.Context(), "/v/x", []byte("1:x")))
		for below, want := range map[string]int{"/providers": 1, "/v": 1, "/waymark/lan/providers": 1, "/waymark/lan/v": 0} {
			if n := w.Keys(kept, below); n != want {
				t.Errorf("%d entries below %s, and not %d", n, below, want)
			}
		}
		h := nodes[0].Host()
		w.Check(nodes[0].Close())
		for below, want := range map[string]int{"/waymark/blobs": 1, "/waymark/lan/waymark/blobs": 1} {
			if n := w.Keys(kept, below); n < want {
				t.Errorf("nothing below %s", below)
			}
		}
		// The host's peerstore knows the provider by the addresses of both networks.
		h.Peerstore().AddAddrs(nodes[1].PeerID(), nodes[1].Host().Addrs(), time.Hour)
		again := node(w, h, kept)
		for network, c := range map[string]struct {
			node *dht.IpfsDHT
			has  string
			keep func(ma.Multiaddr) bool
		}{"the world": {again.WAN, "of the world", worldAddr}, "the LAN": {again.LAN, "of the LAN", lanAddr}} {
			n := 0
			for p, err := range c.node.LocalProviders(t.Context()) {
				w.Check(err)
				n++
				if string(p.Key) != string(testkit.CID(c.has).Hash()) {
					t.Errorf("%s has a record that it had not", network)
				}
				if len(p.Peer.Addrs) == 0 || len(ma.FilterAddrs(p.Peer.Addrs, c.keep)) != len(p.Peer.Addrs) {
					t.Errorf("%s has the provider at %v", network, p.Peer.Addrs)
				}
			}
			if n != 1 {
				t.Errorf("%s has %d provider records after a restart", network, n)
			}
		}
	})
}

func TestWithoutOptionsThisMachineIsOnNoNetwork(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d, err := dual.New(w.Host())
		w.Check(err)
		defer d.Close()
		if wan, lan := d.WAN.FilteredAddrs(), d.LAN.FilteredAddrs(); len(wan)+len(lan) != 0 {
			t.Errorf("a host on loopback is %v in the world and %v in its LAN", wan, lan)
		}
		if d.WAN.Mode() != dht.ModeAuto || d.LAN.Mode() != dht.ModeServer || d.WANActive() {
			t.Errorf("their modes are %v and %v", d.WAN.Mode(), d.LAN.Mode())
		}
		client, err := dual.New(w.Host(), dual.DHTOption(dht.Mode(dht.ModeClient)), dual.LanDHTOption(dht.AddressFilter(nil)))
		w.Check(err)
		defer client.Close()
		if client.LAN.Mode() != dht.ModeClient || len(client.LAN.FilteredAddrs()) == 0 {
			t.Errorf("of a client the LAN's is %v at %v", client.LAN.Mode(), client.LAN.FilteredAddrs())
		}
	})
}

func TestAnOptionThatFailsStartsNothing(t *testing.T) {
	for name, o := range map[string]dual.Option{
		"the world's": dual.WanDHTOption(dht.BucketSize(7)),
		"the LAN's":   dual.LanDHTOption(dht.BucketSize(7)),
	} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			h := w.Host()
			if d, err := dual.New(h, o); err == nil {
				d.Close()
				t.Errorf("%s: no error", name)
			}
			for _, p := range h.Mux().Protocols() {
				if strings.Contains(string(p), "/kad/") {
					t.Errorf("%s: it serves %s", name, p)
				}
			}
		})
	}
}

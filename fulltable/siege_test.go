package fulltable

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// besieged is peers of which so many of the first are told to sit next to a key.
func besieged(all []found, at key.Key, n int) []found {
	all = slices.Clone(all)
	for i := range all[:n] {
		k := at
		k[0] ^= uint64(i+1) << 20
		all[i].info = &contact.Info{ID: all[i].info.ID, Key: k, Addrs: all[i].info.Addrs}
	}
	return all
}

// A key next to which somebody has placed peers goes to its whole region: to the
// honest ones behind them too, and not to half of the network.
func TestTheRegionOfABesiegedKeyHasItsHonestPeers(t *testing.T) {
	all, at := crowd(1, 2000), key.OfString("besieged")
	for _, n := range []int{10, 20, 40} {
		tab := newTable(besieged(all, at, n))
		region := idsOf(tab.region(at))
		honest := truth(all[n:], at, params.K)
		missing := slices.DeleteFunc(honest, func(id contact.ID) bool { return slices.Contains(region, id) })
		if len(missing) > 0 || len(region) > params.MaxWanted {
			t.Errorf("besieged by %d: of the k closest honest ones %d are not in the region, of %d", n, len(missing), len(region))
		}
	}
	tab := newTable(all)
	for i := range 500 {
		if region := tab.region(key.OfString(fmt.Sprint(i))); region != nil {
			t.Errorf("key %d is said to be besieged", i)
		}
	}
}

// settled is sixty servers and a client that knows them all.
func settled(w *testkit.World) (servers []*waymark.DHT, c *Client) {
	servers = w.Servers(60, waymark.Config{})
	d := w.Node(waymark.Config{Mode: waymark.ModeServer})
	w.Introduce(d, servers[:3]...)
	c = New(d, Config{})
	w.Cleanup(func() { w.Check(c.Close()) })
	w.Check(c.WaitReady(w.Context()))
	return servers, c
}

// One hop notices as well as a lookup does that a key is besieged, also among
// many keys: whoever else is near is told too.
func TestOneHopTellsTheWholeRegionOfABesiegedKey(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, c := settled(w)
		one, many := testkit.CID("one").Hash(), testkit.CID("many").Hash()
		for _, k := range []multihash.Multihash{one, many} {
			c.table.Store(newTable(besieged(c.table.Load().all(), key.Of(k), params.K)))
			if string(k) == string(one) {
				s, err := c.Announce(t.Context(), k)
				if err != nil || !s.Eclipse || len(s.Peers) <= params.K {
					t.Errorf("%v: eclipse %v, taken by %d", err, s.Eclipse, len(s.Peers))
				}
			} else {
				a, err := c.AnnounceMany(t.Context(), []multihash.Multihash{k, testkit.CID("other").Hash()})
				if err != nil || a.Besieged != 1 || a.Copies <= 2*params.K || a.FellBack != 0 {
					t.Errorf("%v: %+v", err, a)
				}
			}
			c.Refresh()
			testkit.Pass(time.Minute)
		}
		if n := len(servers); c.Status().Peers != n {
			t.Errorf("%d of %d", c.Status().Peers, n)
		}
	})
}

// Peers of few IP groups may be one: their word is not enough, and an ordinary
// lookup follows.
func TestTheWordOfFewIPGroupsIsNotEnough(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		_, c := settled(w)
		c.spread = func([]peer.AddrInfo) bool { return false }
		s, err := c.Announce(t.Context(), testkit.CID("x").Hash())
		if st := c.Status(); err != nil || st.FellBack != 1 || s.Stats.Requests < 3*params.K {
			t.Errorf("%v: %d fell back, %d requests", err, st.FellBack, s.Stats.Requests)
		}
		a, err := c.AnnounceMany(t.Context(), []multihash.Multihash{testkit.CID("y").Hash()})
		if err != nil || a.FellBack != 1 {
			t.Errorf("%v: %+v", err, a)
		}
	})
}

// What the table has of a peer counts until it fails; then the network is asked,
// and what that says counts, also of a peer that the table does not know.
func TestAPeerThatHasFailedIsLookedFor(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, c := settled(w)
		gone, lives := servers[0], servers[1]
		if got, err := c.FindPeer(t.Context(), gone.PeerID()); err != nil || len(got.Addrs) == 0 {
			t.Errorf("while it is there: %v, %v", got, err)
		}
		w.Check(gone.Close())
		w.Check(gone.Host().Close())
		ping := func(d *waymark.DHT, want bool) {
			c.dht.Host().Peerstore().AddAddrs(d.PeerID(), d.Host().Addrs(), time.Hour)
			if _, err := c.dht.Ping(t.Context(), d.PeerID()); (err == nil) != want {
				t.Errorf("ping: %v", err)
			}
		}
		ping(gone, false)
		ping(lives, true) // so that it is no outage of our own
		testkit.Pass(time.Second)
		if got, err := c.FindPeer(t.Context(), gone.PeerID()); !errors.Is(err, waymark.ErrNotFound) {
			t.Errorf("what has failed: %v, %v", got, err)
		}
		late := w.Node(waymark.Config{Mode: waymark.ModeServer})
		w.Introduce(late, servers[1:]...)
		for _, s := range servers[1:] {
			w.Introduce(s, late)
		}
		for _, conn := range c.dht.Host().Network().ConnsToPeer(late.PeerID()) {
			w.Check(conn.Close())
		}
		if got, err := c.FindPeer(t.Context(), late.PeerID()); err != nil || len(got.Addrs) == 0 {
			t.Errorf("what came since the crawl: %v, %v", got, err)
		}
	})
}

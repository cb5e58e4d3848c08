package dht

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark/internal/testkit"
)

// change is who has entered the table, or left it.
type change struct {
	id    peer.ID
	added bool
}

// TestTheTableTellsWhoComesAndGoes, as go-libp2p-kbucket's does, and whoever is
// told may call the node.
func TestTheTableTellsWhoComesAndGoes(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		stays, goes := node(w, w.Host()), node(w, w.Host())
		d := node(w, w.Host(), DisableAutoRefresh(), BootstrapPeers(infoOf(stays), infoOf(goes)))
		told := make(chan change, 100)
		before := d.RoutingTable().PeerAdded
		d.RoutingTable().PeerAdded = func(id peer.ID) {
			before(id) // which programs keep and call
			if err := d.Ping(t.Context(), id); err != nil {
				t.Error(err)
			} else {
				told <- change{id, true}
			}
		}
		d.RoutingTable().PeerRemoved = func(id peer.ID) { told <- change{id, false} }
		for range 100 {
			_, _ = d.RunBootstrap(t.Context()) // which is ready with one of them
			testkit.Pass(time.Minute)
			if d.RoutingTable().Size() == 2 {
				break
			}
		}
		came := map[change]bool{}
		for len(told) > 0 {
			came[<-told] = true
		}
		if len(came) != 2 || !came[change{stays.PeerID(), true}] || !came[change{goes.PeerID(), true}] {
			t.Errorf("%d of %d told: %+v", len(came), d.RoutingTable().Size(), came)
		}
		w.Check(goes.Close())
		w.Check(goes.Host().Close())
		for range 100 {
			_, _ = d.GetClosestPeers(t.Context(), "any")
			testkit.Pass(time.Minute)
			if d.RoutingTable().Size() == 1 {
				break
			}
		}
		if d.RoutingTable().Find(goes.PeerID()) != "" {
			t.Fatal("it is gone, and is in the table")
		}
		if len(told) != 1 || <-told != (change{goes.PeerID(), false}) {
			t.Error("whoever has left was not told of, or more than that")
		}
	})
}

// TestWhoIsToldOfTheTableHoldsUpNobody, and may close the node.
func TestWhoIsToldOfTheTableHoldsUpNobody(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first := node(w, w.Host())
		d := node(w, w.Host(), DisableAutoRefresh(), BootstrapPeers(infoOf(first)))
		closed := make(chan error, 1)
		d.RoutingTable().PeerAdded = func(peer.ID) {
			testkit.Pass(time.Hour)
			closed <- d.Close()
		}
		w.Check(d.Bootstrap(t.Context()))
		ready(w, d)
		began := time.Now()
		if d.RoutingTable().Size() != 1 || time.Since(began) > 0 {
			t.Errorf("%d peers after %v", d.RoutingTable().Size(), time.Since(began))
		}
		w.Check(<-closed)
	})
}

// TestAViewThatWasBehindTellsWhatIsLeft of what it has missed.
func TestAViewThatWasBehindTellsWhatIsLeft(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		first := node(w, w.Host())
		d := node(w, w.Host(), BootstrapPeers(infoOf(first)))
		ready(w, d)
		var got []change
		table := newTable(d.DHT)
		table.PeerAdded = func(id peer.ID) { got = append(got, change{id, true}) }
		table.PeerRemoved = func(id peer.ID) { got = append(got, change{id, false}) }
		table.catchUp(map[peer.ID]bool{"gone": true})
		table.catchUp(map[peer.ID]bool{first.PeerID(): true})
		if want := []change{{"gone", false}, {first.PeerID(), true}}; !slices.Equal(got, want) {
			t.Errorf("%+v", got)
		}
	})
}

// TestTheProviderStoreIsTheNodes: what is put there the node answers.
func TestTheProviderStoreIsTheNodes(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := node(w, w.Host())
		asks := node(w, w.Host(), BootstrapPeers(infoOf(d)))
		ready(w, asks)
		other := peer.AddrInfo{ID: w.Host().ID(), Addrs: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/7")}}
		key := testkit.CID("here")
		s := d.ProviderStore()
		w.Check(s.AddProvider(t.Context(), key.Hash(), other))
		w.Check(s.AddProvider(t.Context(), key.Hash(), peer.AddrInfo{ID: d.PeerID()}))
		here, err := s.GetProviders(t.Context(), key.Hash())
		if err != nil || len(here) != 2 {
			t.Errorf("%v, %v", here, err)
		}
		found, err := asks.FindProviders(t.Context(), key)
		if err != nil || len(found) != 2 {
			t.Errorf("%v, %v", found, err)
		}
		for _, p := range append(here, found...) {
			if p.ID == other.ID && (len(p.Addrs) != 1 || !p.Addrs[0].Equal(other.Addrs[0])) || p.ID == d.PeerID() && len(p.Addrs) == 0 {
				t.Errorf("%v", p)
			}
		}
		if none, err := s.GetProviders(t.Context(), testkit.CID("nowhere").Hash()); err != nil || len(none) != 0 {
			t.Errorf("%v, %v", none, err)
		}
		if s.AddProvider(t.Context(), key.Hash(), peer.AddrInfo{}) == nil || s.AddProvider(t.Context(), nil, other) == nil {
			t.Error("nobody provides it, or nothing is provided, and that is stored")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.GetProviders(ended, key.Hash()); err == nil {
			t.Error("a context that has ended asks the store")
		}
		w.Check(s.Close())
		if here, err := d.ProviderStore().GetProviders(t.Context(), key.Hash()); err != nil || len(here) != 2 {
			t.Errorf("%v, %v", here, err)
		}
	})
}

package fulltable_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/crawl"
	"github.com/waymark-dht/waymark/fulltable"
	"github.com/waymark-dht/waymark/internal/testkit"
	"github.com/waymark-dht/waymark/validate/unsigned"
)

var rules = map[string]waymark.Validator{"v": unsigned.Validator{}}

// town is servers that know each other, a node that knows some of them, and its
// client.
type town struct {
	*testkit.World
	servers []*waymark.DHT
	node    *waymark.DHT
	client  *fulltable.Client
}

func newTown(w *testkit.World, servers, known int, cfg fulltable.Config) *town {
	return joined(&town{World: w, servers: w.Servers(servers, waymark.Config{Validators: rules})}, known, cfg)
}

// newSlowTown makes one in which a crawl takes its time: a server names some who
// do not answer, before anybody can ask it.
func newSlowTown(w *testkit.World, servers int) *town {
	t := &town{World: w, servers: w.Servers(servers, waymark.Config{Validators: rules})}
	for range 100 {
		w.Dead(t.servers[0])
	}
	return joined(t, 2, fulltable.Config{Crawl: crawl.Config{Width: 1}})
}

func joined(t *town, known int, cfg fulltable.Config) *town {
	t.node = t.Node(waymark.Config{Mode: waymark.ModeServer, Validators: rules, Seeds: seedsOf(t.World, t.servers[:known]...)})
	t.client = fulltable.New(t.node, cfg)
	t.Cleanup(func() { t.Check(t.client.Close()) })
	return t
}

func seedsOf(w *testkit.World, nodes ...*waymark.DHT) (seeds []maddr) {
	for _, d := range nodes {
		addrs, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: d.PeerID(), Addrs: d.Host().Addrs()})
		w.Check(err)
		seeds = append(seeds, addrs...)
	}
	return seeds
}

// ready waits for the client, in virtual time.
func (t *town) ready() {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	t.Check(t.client.WaitReady(ctx))
}

// asked counts the requests that the servers answer meanwhile.
func (t *town) asked(work func()) (n uint64) {
	count := func() (n uint64) {
		for _, s := range t.servers {
			n += s.Health().Server.Answered
		}
		return n
	}
	before := count()
	work()
	return count() - before
}

// cut takes a server off the wire, as if its power had failed: it can be dialled
// by nobody, and dials nobody.
func (t *town) cut(d *waymark.DHT) { t.Check(t.Wire.Unplug(d.Host().Addrs()[0])) }

// darken takes everybody off the wire, the node first: what fails before the last
// of them is gone fails because of its own outage.
func (t *town) darken() {
	t.cut(t.node)
	for _, d := range t.servers {
		t.cut(d)
	}
	testkit.Pass(time.Second) // whoever was asked has failed
}

func TestEverybodyIsInTheTableAndOneHopDoesIt(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		var last fulltable.Status
		town := newTown(w, 60, 2, fulltable.Config{Notice: func(s fulltable.Status) { last = s }})
		town.ready()
		s := town.client.Status()
		if s.Peers != 60 || s.Last != crawl.Complete || s.Progress.Left != 0 || s.Next.IsZero() || last.Progress.Answered != 60 {
			t.Fatalf("%+v", s)
		}
		id := testkit.CID("x")
		put, err := town.client.Announce(t.Context(), id.Hash())
		if err != nil || len(put.Peers) != params.K || put.Stats.Requests != params.K || put.Elapsed > put.Bound {
			t.Fatalf("announce: %v, %+v", err, put)
		}
		ordinary, err := town.node.Announce(t.Context(), testkit.CID("y").Hash())
		if err != nil || ordinary.Stats.Requests < 2*params.K {
			t.Errorf("an ordinary one takes %d requests: %v", ordinary.Stats.Requests, err)
		}
		found, err := town.client.FindProviders(t.Context(), id)
		if err != nil || len(found) != 1 || found[0].ID != town.node.PeerID() {
			t.Errorf("find: %v, %v", found, err)
		}
		if _, err := town.client.FindProviders(t.Context(), testkit.CID("nothing")); !errors.Is(err, waymark.ErrNotFound) {
			t.Errorf("what nobody provides: %v", err)
		}
		if s := town.client.Status(); s.OneHop == 0 || s.FellBack != 0 {
			t.Errorf("%d in one hop, %d not", s.OneHop, s.FellBack)
		}
	})
}

func TestTheVerbsOfAReadyTable(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		town := newTown(w, 40, 2, fulltable.Config{})
		town.ready()
		c := town.client
		w.Check(c.PutValue(t.Context(), "/v/a", []byte("one")))
		if got, err := c.GetValue(t.Context(), "/v/a"); err != nil || string(got) != "one" {
			t.Errorf("get: %q, %v", got, err)
		}
		if got, err := town.servers[3].GetValue(t.Context(), "/v/a"); err != nil || string(got) != "one" {
			t.Errorf("get by another: %q, %v", got, err)
		}
		if err := c.PutValue(t.Context(), "/w/a", []byte("one")); !errors.Is(err, waymark.ErrNamespace) {
			t.Errorf("an unknown namespace: %v", err)
		}
		values, err := c.SearchValue(t.Context(), "/v/a")
		w.Check(err)
		n := 0
		for range values {
			n++
		}
		if n == 0 {
			t.Error("a search found nothing")
		}
		if _, err := c.GetValue(t.Context(), "/v/none"); !errors.Is(err, waymark.ErrNotFound) {
			t.Errorf("a value that is not there: %v", err)
		}
		var ids []peer.ID
		if asked := town.asked(func() { ids, err = c.GetClosestPeers(t.Context(), "key") }); asked != 0 {
			t.Errorf("closest: %d were asked for what the table has", asked)
		}
		if truth, _ := town.node.GetClosestPeers(t.Context(), "key"); err != nil || fmt.Sprint(ids) != fmt.Sprint(truth) {
			t.Errorf("closest: %v, %v, and a lookup finds %v", ids, err, truth)
		}
		r, err := c.Lookup(t.Context(), "key")
		if err != nil || len(r.Peers) != params.K || r.Stats.Requests > params.MaxNear || r.Stats.Depth != 1 {
			t.Errorf("lookup: %v, %d peers, %+v", err, len(r.Peers), r.Stats)
		}
		for _, s := range town.servers {
			if got, err := c.FindPeer(t.Context(), s.PeerID()); err != nil || len(got.Addrs) == 0 {
				t.Errorf("find a peer: %v, %v", got, err)
			}
		}
		if k, err := c.GetPublicKey(t.Context(), town.servers[5].PeerID()); err != nil || !town.servers[5].PeerID().MatchesPublicKey(k) {
			t.Errorf("public key: %v, %v", k, err)
		}
		got := 0
		w.Check(town.servers[0].Provide(t.Context(), testkit.CID("z"), true))
		for range c.FindProvidersAsync(t.Context(), testkit.CID("z"), 1) {
			got++
		}
		for range c.FindProvidersAsync(t.Context(), cid.Undef, 1) {
			got++
		}
		if got != 1 {
			t.Errorf("%d providers", got)
		}
	})
}

func TestWhileItIsNotReadyLookupsDoTheWork(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		town := newSlowTown(w, 30)
		w.Check(town.node.WaitReady(t.Context()))
		c := town.client
		if s := c.Status(); s.Ready || s.Reason == "" {
			t.Fatalf("ready before the first crawl: %+v", s)
		}
		w.Check(c.Provide(t.Context(), testkit.CID("x"), true))
		w.Check(c.PutValue(t.Context(), "/v/a", []byte("one")))
		w.Check(c.ProvideMany(t.Context(), []multihash.Multihash{testkit.CID("y").Hash()}))
		if ids, err := c.GetClosestPeers(t.Context(), "key"); err != nil || len(ids) != params.K {
			t.Errorf("%v, %v", ids, err)
		}
		if s := c.Status(); s.OneHop != 0 || s.FellBack != 4 {
			t.Errorf("%d in one hop, %d not", s.OneHop, s.FellBack)
		}
	})
}

func TestWhoDiedSinceTheCrawlIsReplacedByTheNext(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		town := newTown(w, 60, 2, fulltable.Config{})
		town.ready()
		for _, s := range town.servers[:18] {
			town.cut(s)
		}
		for i := range 20 {
			s, err := town.client.Announce(t.Context(), testkit.CID(fmt.Sprint(i)).Hash())
			if err != nil || len(s.Peers) < params.K || s.Elapsed > s.Bound {
				t.Errorf("%d: %v, stored by %d, refused by %d, in %v of %v", i, err, len(s.Peers), len(s.Refused), s.Elapsed, s.Bound)
			}
		}
		if s := town.client.Status(); s.FellBack != 0 || s.Failed == 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhereOneHopYieldsTooLittleALookupFollows(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		town := newTown(w, 30, 2, fulltable.Config{})
		town.ready()
		var newcomers []*waymark.DHT
		for range 30 {
			newcomers = append(newcomers, w.Node(waymark.Config{Mode: waymark.ModeServer, Validators: rules}))
		}
		for _, d := range newcomers {
			w.Introduce(d, newcomers...)
		}
		w.Introduce(town.node, newcomers...)
		for _, s := range town.servers[1:] {
			town.cut(s)
		}
		s, err := town.client.Announce(t.Context(), testkit.CID("x").Hash())
		if err != nil || len(s.Peers) < params.K || s.Elapsed > s.Bound || len(s.Refused) == 0 {
			t.Errorf("%v, stored by %d, refused by %d, in %v of %v", err, len(s.Peers), len(s.Refused), s.Elapsed, s.Bound)
		}
		if st := town.client.Status(); st.FellBack != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestWhereEverybodyIsDeadItIsAnErrorInTime(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		town := newTown(w, 30, 2, fulltable.Config{})
		town.ready()
		town.darken()
		// Whoever failed while others still answered has failed.
		before := town.client.Status().Failed
		began := time.Now()
		s, err := town.client.Announce(t.Context(), testkit.CID("x").Hash())
		if err == nil || len(s.Peers) != 0 || time.Since(began) > town.client.Bound(waymark.OpProvide) {
			t.Errorf("%v after %v: %+v", err, time.Since(began), s)
		}
		began = time.Now()
		if err := town.client.ProvideMany(t.Context(), []multihash.Multihash{testkit.CID("y").Hash()}); err == nil || time.Since(began) > town.client.BoundMany(1) {
			t.Errorf("many: %v after %v", err, time.Since(began))
		}
		if s := town.client.Status(); s.Failed != before {
			t.Errorf("our own outage is held against %d of %d", s.Failed-before, s.Peers)
		}
	})
}

func TestManyKeysAreAnnouncedByPeer(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		town := newTown(w, 50, 2, fulltable.Config{})
		town.ready()
		var keys []multihash.Multihash
		for i := range 600 {
			keys = append(keys, testkit.CID(fmt.Sprint(i)).Hash())
		}
		keys = append(keys, keys[0])
		a, err := town.client.AnnounceMany(t.Context(), keys)
		if err != nil || a.Keys != 600 || a.Stored != 600 || a.Copies != 600*params.K || a.FellBack != 0 || a.Elapsed > a.Bound {
			t.Fatalf("%v, %+v", err, a)
		}
		if a.Requests > 2*50 { // 240 keys each, in batches of 256
			t.Errorf("%d exchanges with 50 peers", a.Requests)
		}
		for i := 0; i < 600; i += 50 {
			if found, err := town.servers[i%50].FindProviders(t.Context(), testkit.CID(fmt.Sprint(i))); err != nil || len(found) != 1 {
				t.Errorf("key %d: %v, %v", i, found, err)
			}
		}
	})
}

func TestAtTheNextCrawlTheTableIsTheNetworkOfThen(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		town := newTown(w, 30, 2, fulltable.Config{})
		town.ready()
		late := w.Node(waymark.Config{Mode: waymark.ModeServer, Validators: rules})
		w.Introduce(late, town.servers...)
		for _, s := range town.servers {
			w.Introduce(s, late)
		}
		for _, s := range town.servers[20:] {
			town.cut(s)
		}
		testkit.Pass(params.FullEvery + time.Minute)
		if s := town.client.Status(); s.Crawls != 2 || s.Peers != 21 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAnOutageOfOurOwnDoesNotEmptyTheTable(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		town := newTown(w, 30, 2, fulltable.Config{Every: 10 * time.Minute})
		town.ready()
		for _, s := range town.servers {
			town.cut(s)
		}
		testkit.Pass(11 * time.Minute) // a crawl comes to nothing
		if s := town.client.Status(); s.Peers != 30 || s.Crawls != 1 {
			t.Errorf("in the outage: %+v", s)
		}
		for _, s := range town.servers {
			w.Check(w.Wire.Plug(s.Host().Addrs()[0]))
		}
		testkit.Pass(3 * time.Minute)
		if s := town.client.Status(); !s.Ready || s.Peers != 30 || s.Crawls < 2 {
			t.Errorf("after it: %+v", s)
		}
	})
}

func TestACrawlLeavesNoConnectionThatTheNodeHasNoUseFor(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		town := newTown(w, 40, 1, fulltable.Config{})
		town.ready()
		testkit.Pass(time.Second)
		for _, id := range town.node.Host().Network().Peers() {
			if !town.node.Knows(id) {
				t.Errorf("%v is connected and not in the table", id)
			}
		}
	})
}

func TestClosingAmidACrawlLeavesNothing(t *testing.T) {
	for _, nodeFirst := range []bool{false, true} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			town := newSlowTown(w, 20)
			for range 100 {
				if town.client.Status().Crawling {
					break
				}
				testkit.Pass(100 * time.Millisecond)
			}
			if !town.client.Status().Crawling {
				t.Fatalf("%+v", town.client.Status())
			}
			began := time.Now()
			if nodeFirst {
				w.Check(town.node.Close())
			}
			w.Check(town.client.Close())
			if err := town.client.WaitReady(t.Context()); !errors.Is(err, waymark.ErrClosed) {
				t.Errorf("waiting for one that is closed: %v", err)
			}
			if took := time.Since(began); took > 2*params.CloseDeadline {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestACrawlNeedsSomebodyToBeginWith(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{})
		if _, err := fulltable.Crawl(context.Background(), d, crawl.Config{}); !errors.Is(err, waymark.ErrNotReady) {
			t.Errorf("%v", err)
		}
	})
}

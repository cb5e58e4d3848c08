package waymark_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
	"github.com/waymark-dht/waymark/store/memory"
)

// What the owner says of peers, keys and ages.

func TestWhomTheOwnerDoesNotWantIsNeitherAskedNorInTheTable(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(12, waymark.Config{})
		banned, shy := servers[3].PeerID(), servers[4].PeerID()
		facts := make(map[peer.ID]int)
		d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0]), Approve: waymark.Approve{
			Query: func(p peer.AddrInfo) bool { return p.ID != banned },
			Admit: func(p peer.AddrInfo) bool { return p.ID != shy },
		}})
		ctx, cancel := context.WithCancel(t.Context())
		ctx, events := routing.RegisterForQueryEvents(ctx)
		read := make(chan struct{})
		go func() {
			defer close(read)
			for e := range events {
				if e.Type == routing.SendingQuery {
					facts[e.ID]++
				}
			}
		}()
		_, err := d.RunBootstrap(t.Context())
		w.Check(err)
		for i := range 5 {
			got, err := d.GetClosestPeers(ctx, keyOf(i))
			if err != nil || len(got) != 11 {
				t.Errorf("%d peers, %v", len(got), err)
			}
		}
		testkit.Pass(time.Second)
		cancel()
		<-read
		if facts[banned] > 0 || facts[shy] == 0 {
			t.Errorf("the banned was asked %d times, the shy %d", facts[banned], facts[shy])
		}
		for _, b := range d.RoutingTable().Buckets {
			for _, p := range b.Contacts {
				if p.ID == banned || p.ID == shy {
					t.Errorf("%v is in the table", p.ID)
				}
			}
		}
	})
}

func TestAValidatorForEveryOtherKey(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		all := map[string]waymark.Validator{"": sequence{}}
		s := w.Node(waymark.Config{Mode: waymark.ModeServer, Validators: all})
		d := w.Node(waymark.Config{Validators: all})
		w.Check(d.Admit(addrOf(s.Host())))
		for _, key := range []string{"bare", "/w/a", "/v"} {
			w.Check(d.PutValue(t.Context(), key, []byte("1:one")))
			if v, err := d.GetValue(t.Context(), key); err != nil || string(v) != "1:one" {
				t.Errorf("%s: %q, %v", key, v, err)
			}
			if i, err := d.Best(key, [][]byte{[]byte("1:a"), []byte("2:b")}); err != nil || i != 1 {
				t.Errorf("the best is %d, %v", i, err)
			}
		}
		if err := d.PutValue(t.Context(), "/pk/x", []byte("1:one")); !errors.Is(err, waymark.ErrInvalid) {
			t.Errorf("a namespace with a rule of its own: %v", err)
		}
	})
}

func TestAValueIsServedAsLongAsItsOwnerSays(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{Validators: withSequence, ValueAge: time.Hour})
		_ = d.PutValue(t.Context(), "/v/a", []byte("1:one"), routing.Offline)
		testkit.Pass(59 * time.Minute)
		if v, err := d.GetValue(t.Context(), "/v/a", routing.Offline); err != nil || string(v) != "1:one" {
			t.Errorf("within its time: %q, %v", v, err)
		}
		testkit.Pass(2 * time.Minute)
		if v, err := d.GetValue(t.Context(), "/v/a", routing.Offline); !errors.Is(err, waymark.ErrNotFound) {
			t.Errorf("after it: %q, %v", v, err)
		}
	})
}

// The traps of go-libp2p's routing interfaces.

func TestASearchForNothingIsNoError(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		_, client := town(w, 25)
		out, err := client.SearchValue(t.Context(), "/v/none")
		if err != nil {
			t.Fatal(err)
		}
		if v, open := <-out; open {
			t.Errorf("it found %q", v)
		}
		out, err = client.SearchValue(t.Context(), "/v/none", routing.Offline)
		if _, open := <-out; open || err != nil {
			t.Errorf("offline: %v", err)
		}
	})
}

// TestAnAbandonedSearchEndsByItself leaves channels of which nobody reads
// anything, with a context that never ends; that nothing outlives the story
// shows that they have ended.
func TestAnAbandonedSearchEndsByItself(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 25)
		for i := range 5 {
			w.Check(servers[i].Provide(t.Context(), contentID("content"), true))
		}
		w.Check(servers[0].PutValue(t.Context(), "/v/a", []byte("1:one")))
		found := client.FindProvidersAsync(context.Background(), contentID("content"), 0)
		_, err := client.SearchValue(context.Background(), "/v/a", waymark.Quorum(0))
		w.Check(err)
		testkit.Pass(client.Bound(waymark.OpFindProviders))
		if open := client.Open(); len(open) != 0 || client.Overdue() != 0 {
			t.Errorf("still open: %+v", open)
		}
		n := 0
		for range found { // closed, and with all there was
			n++
		}
		if n != 5 {
			t.Errorf("%d of 5", n)
		}
	})
}

func TestAProviderThatIsNotAnnouncedIsKnownHereAlone(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 25)
		w.Check(servers[0].Provide(t.Context(), contentID("mine"), false))
		knows := 0
		for _, s := range append(servers, client) {
			ctx, cancel := context.WithCancel(t.Context())
			for range s.FindProvidersAsync(ctx, contentID("mine"), 1) {
				knows++
			}
			cancel()
		}
		// Everybody finds it, for all ask the one server that knows. Nobody else
		// stores it: with that server gone it is gone.
		w.Check(servers[0].Close())
		if found, err := client.FindProviders(t.Context(), contentID("mine")); err == nil {
			t.Errorf("without its provider: %v", found)
		}
		if knows == 0 {
			t.Error("nobody found it")
		}
	})
}

func TestBootstrapReturnsAtOnce(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{})
		for range 25 {
			w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
		}
		began := time.Now()
		w.Check(d.Bootstrap(t.Context()))
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.Bootstrap(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
}

func TestARefreshSendsOneResultAndCloses(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(25, waymark.Config{})
		d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0])})
		for name, refresh := range map[string]func() <-chan error{"refresh": d.RefreshRoutingTable, "forced": d.ForceRefresh} {
			done := refresh()
			if err, open := <-done; err != nil || !open {
				t.Errorf("%s: %v", name, err)
			}
			if _, open := <-done; open {
				t.Errorf("%s: a second result", name)
			}
		}
		if n, err := d.NetworkSize(); err != nil || n < 5 || n > 100 {
			t.Errorf("a network of 25 has the size %d, %v", n, err)
		}
		lonely := w.Node(waymark.Config{})
		if err := <-lonely.RefreshRoutingTable(); !errors.Is(err, waymark.ErrNoPeers) {
			t.Errorf("without anybody: %v", err)
		}
		if _, err := lonely.NetworkSize(); !errors.Is(err, waymark.ErrNotReady) {
			t.Errorf("the size of nothing: %v", err)
		}
	})
}

// TestQueryEventsSayWhatThoseOfOthersSay: Kubo prints them.
func TestQueryEventsSayWhatThoseOfOthersSay(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		_, client := town(w, 25)
		for range 20 {
			w.Check(client.Admit(addrOf(w.Peer(func(s network.Stream) { s.Reset() }))))
		}
		ctx, cancel := context.WithCancel(t.Context())
		ctx, events := routing.RegisterForQueryEvents(ctx)
		counts := make(map[routing.QueryEventType]int)
		read := make(chan struct{})
		go func() {
			defer close(read)
			for e := range events {
				if counts[e.Type]++; e.ID == "" {
					t.Errorf("%v is about nobody", e.Type)
				}
			}
		}()
		w.Check(client.PutValue(ctx, "/v/a", []byte("1:one")))
		testkit.Pass(params.CancelGrace)
		cancel()
		<-read
		for _, kind := range []routing.QueryEventType{
			routing.SendingQuery, routing.PeerResponse, routing.QueryError, routing.DialingPeer, routing.Value,
		} {
			if counts[kind] == 0 {
				t.Errorf("there is none of kind %d: %v", kind, counts)
			}
		}
	})
}

func TestACancelledGetSaysThatItWasCancelled(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, _ := town(w, 12)
		w.Check(servers[0].PutValue(t.Context(), "/v/a", []byte("1:one")))
		d := w.Node(waymark.Config{Validators: withSequence})
		w.Check(d.Admit(addrOf(servers[0].Host())))
		for range 25 {
			w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		v, err := d.GetValue(ctx, "/v/a", waymark.Quorum(params.K))
		if string(v) != "1:one" || !errors.Is(err, context.Canceled) {
			t.Errorf("%q, %v", v, err)
		}
	})
}

// TestAnApplicationHasANetworkOfItsOwn does what Subspace's nodes do: a protocol,
// a validator and a store of their own; bootstrap, find the peers closest to a
// key, and ask those for something that is no business of the DHT.
func TestAnApplicationHasANetworkOfItsOwn(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		const kad, pieces = "/subspace/kad/0.1.0", "/subspace/pieces/0.1.0"
		own := func(mode waymark.Mode, seeds ...*waymark.DHT) *waymark.DHT {
			return w.Node(waymark.Config{
				Protocol: kad, Mode: mode, Validators: withSequence, Seeds: seedsAt(t, seeds...),
				Paths: 3, Store: memory.New(memory.Config{}),
			})
		}
		servers := []*waymark.DHT{own(waymark.ModeServer)}
		for range 11 {
			servers = append(servers, own(waymark.ModeServer, servers[0]))
		}
		for _, s := range servers {
			s.Host().SetStreamHandler(pieces, func(st network.Stream) {
				st.Write([]byte(s.PeerID()))
				st.Close()
			})
			_, err := s.RunBootstrap(t.Context())
			if s != servers[0] {
				w.Check(err)
			}
		}
		d := own(waymark.ModeClient, servers[0])
		_, err := d.RunBootstrap(t.Context())
		w.Check(err)
		closest, err := d.Lookup(t.Context(), "piece 7")
		if err != nil || len(closest.Peers) != len(servers) || closest.Elapsed > closest.Bound {
			t.Fatalf("%d peers, %v", len(closest.Peers), err)
		}
		for _, p := range closest.Peers {
			w.Check(d.Host().Connect(t.Context(), p))
			st, err := d.Host().NewStream(t.Context(), p.ID, pieces)
			w.Check(err)
			if got, err := io.ReadAll(st); err != nil || string(got) != string(p.ID) {
				t.Errorf("%v answered %q, %v", p.ID, got, err)
			}
		}
		w.Check(d.PutValue(t.Context(), "/v/a", []byte("1:one")))
		for _, proto := range servers[0].Host().Mux().Protocols() {
			if proto == waymark.DefaultProtocol {
				t.Error("it serves the public network")
			}
		}
	})
}

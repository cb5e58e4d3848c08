package waymark_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/internal/testkit"
	"github.com/waymark-dht/waymark/store/memory"
)

// nearestTo sorts nodes by their distance from a key.
func nearestTo(nodes []*waymark.DHT, to string) []*waymark.DHT {
	target, sorted := key.Of([]byte(to)), slices.Clone(nodes)
	slices.SortFunc(sorted, func(a, b *waymark.DHT) int {
		return target.Closer(key.Of([]byte(a.PeerID())), key.Of([]byte(b.PeerID())))
	})
	return sorted
}

// have counts the nodes that store a value themselves.
func have(t *testing.T, nodes []*waymark.DHT, key string) (n int) {
	for _, d := range nodes {
		if _, err := d.GetValue(t.Context(), key, routing.Offline); err == nil {
			n++
		}
	}
	return n
}

const period = 10 * time.Minute

// replicas is a town whose members store values again every period, or never.
func replicas(w *testkit.World, n int, every time.Duration) (servers []*waymark.DHT) {
	for range n {
		servers = append(servers, w.Node(waymark.Config{Mode: waymark.ModeServer, Validators: withSequence, ReplicateEvery: every}))
	}
	introduce(w.T, servers)
	return servers
}

func TestWhatFewStoreIsStoredByTheClosestAfterAPeriod(t *testing.T) {
	for _, every := range []time.Duration{period, -1} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			servers := replicas(w, 25, every)
			near := nearestTo(servers, "/v/a")
			if _, err := near[0].PutTo(t.Context(), "/v/a", []byte("1:one"), addrsOf(near[3:5]...)); err != nil {
				t.Fatal(err)
			}
			testkit.Pass(2 * period)
			want := params.K
			if every < 0 {
				want = 3
			}
			if got := have(t, servers, "/v/a"); got != want {
				t.Errorf("every %v: %d have it, want %d", every, got, want)
			}
		})
	}
}

func TestWhoIsFarFromAKeyLeavesItToOthers(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := replicas(w, 40, period)
		near := nearestTo(servers, "/v/a")
		far := near[30]
		if _, err := far.PutTo(t.Context(), "/v/a", []byte("1:one"), addrsOf(near[35])); err != nil {
			t.Fatal(err)
		}
		testkit.Pass(3 * period)
		if got := have(t, servers, "/v/a"); got != 2 {
			t.Errorf("%d have it", got)
		}
	})
}

func TestWhatIsStoredOfflineIsStoredWithNobody(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := replicas(w, 25, period)
		w.Check(nearestTo(servers, "/v/a")[0].PutValue(t.Context(), "/v/a", []byte("1:one"), routing.Offline))
		testkit.Pass(3 * period)
		if got := have(t, servers, "/v/a"); got != 1 {
			t.Errorf("%d have it", got)
		}
	})
}

// TestAValueIsKeptForAsLongAsItsPublisherAsked: however often it is stored
// again, read and corrected meanwhile.
func TestAValueIsKeptForAsLongAsItsPublisherAsked(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := replicas(w, 25, period)
		near := nearestTo(servers, "/v/a")
		_, err := near[0].PutTo(t.Context(), "/v/a", []byte("1:one"), addrsOf(near[1:5]...), waymark.KeepFor(time.Hour), waymark.AsPublisher())
		w.Check(err)
		for range 5 {
			testkit.Pass(11 * time.Minute)
			v, err := near[22].Get(t.Context(), "/v/a", waymark.Quorum(0))
			if err != nil || v.Left > time.Hour || v.Publisher != near[0].PeerID() {
				t.Fatalf("%v, %+v", err, v)
			}
		}
		if got := have(t, servers, "/v/a"); got < params.K {
			t.Errorf("%d have it after 55 minutes", got)
		}
		testkit.Pass(6 * time.Minute)
		if got := have(t, servers, "/v/a"); got != 0 {
			t.Errorf("%d have it after an hour", got)
		}
		for _, d := range []time.Duration{0, params.ValueAge + 1} {
			if err := near[0].PutValue(t.Context(), "/v/a", []byte("1:one"), waymark.KeepFor(d)); !errors.Is(err, waymark.ErrBadConfig) {
				t.Errorf("for %v: %v", d, err)
			}
		}
	})
}

// TestARestartGoesOnStoringWhatOthersBrought, and leaves alone what the node
// put itself, which may have been meant for nobody else.
func TestARestartGoesOnStoringWhatOthersBrought(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := replicas(w, 24, -1)
		kept := memory.New(memory.Config{})
		cfg := waymark.Config{Mode: waymark.ModeServer, Validators: withSequence, ReplicateEvery: period, Store: kept}
		h := w.Host()
		first := w.NodeOn(h, cfg)
		introduce(t, append(slices.Clone(servers), first))
		theirs, own := keyNear(first.PeerID(), "theirs"), keyNear(first.PeerID(), "own")
		_, err := servers[0].PutTo(t.Context(), theirs, []byte("1:one"), addrsOf(first))
		w.Check(err)
		w.Check(first.PutValue(t.Context(), own, []byte("1:one"), routing.Offline))
		w.Check(first.Close())
		second := w.NodeOn(h, cfg)
		for _, s := range servers {
			w.Check(second.Admit(addrOf(s.Host())))
		}
		testkit.Pass(2 * period)
		if got := have(t, servers, theirs); got < params.K-1 {
			t.Errorf("%d have what others brought", got)
		}
		if got := have(t, servers, own); got != 0 {
			t.Errorf("%d have what was stored here alone", got)
		}
	})
}

// keyNear is a key to which a peer is so near that it is one of the closest.
func keyNear(id peer.ID, name string) string {
	for i := 0; ; i++ {
		k := "/v/" + name + keyOf(i)
		if key.Of([]byte(k)).CommonPrefix(key.Of([]byte(id))) >= 4 {
			return k
		}
	}
}

func TestLocalRecordsAreListedAndRemoved(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 25)
		began := time.Now()
		_, err := client.PutTo(t.Context(), "/v/a", []byte("1:one"), addrsOf(servers[0]), waymark.KeepFor(time.Hour))
		w.Check(err)
		w.Check(servers[0].PutValue(t.Context(), "/v/b", []byte("1:two"), routing.Offline))
		w.Check(servers[0].Provide(t.Context(), contentID("a"), false))
		var got []waymark.LocalValue
		for v, err := range servers[0].LocalValues(t.Context()) {
			w.Check(err)
			got = append(got, v)
		}
		slices.SortFunc(got, func(a, b waymark.LocalValue) int { return int(a.Key[3]) - int(b.Key[3]) })
		if len(got) != 2 || got[0].Key != "/v/a" || string(got[0].Bytes) != "1:one" || got[0].From != client.PeerID() || got[1].From != "" {
			t.Fatalf("%+v", got)
		}
		if left := got[0].Expires.Sub(got[0].Received); left != time.Hour || got[0].Received.Before(began.Truncate(time.Second)) {
			t.Errorf("received %v, expires %v later", got[0].Received, left)
		}
		w.Check(servers[0].RemoveValue(t.Context(), "/v/a"))
		w.Check(servers[0].RemoveValue(t.Context(), "/v/nothing"))
		if have(t, servers[:1], "/v/a") != 0 || have(t, servers[:1], "/v/b") != 1 {
			t.Error("the wrong value was removed")
		}
		var provided []waymark.LocalProvider
		for p, err := range servers[0].LocalProviders(t.Context()) {
			w.Check(err)
			provided = append(provided, p)
		}
		if len(provided) != 1 || provided[0].Peer.ID != servers[0].PeerID() || string(provided[0].Key) != string(contentID("a").Hash()) {
			t.Fatalf("%+v", provided)
		}
		w.Check(servers[0].RemoveProvider(t.Context(), provided[0].Key, servers[0].PeerID()))
		for p := range servers[0].LocalProviders(t.Context()) {
			t.Errorf("%+v is left", p)
		}
	})
}

// TestAListOfAStoreThatBlocksEnds: by its own limit, by its context, or when
// its reader has had enough.
func TestAListOfAStoreThatBlocksEnds(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{Store: &stuckStore{}, ReplicateEvery: -1})
		for _, limit := range []time.Duration{params.StoreDeadline, time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			if limit == params.StoreDeadline {
				ctx = t.Context()
			}
			defer cancel()
			began, n := time.Now(), 0
			for _, err := range d.LocalValues(ctx) {
				n++
				if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != limit {
					t.Errorf("%v after %v", err, took)
				}
			}
			if n != 1 {
				t.Errorf("it came %d times", n)
			}
		}
		w.Check(d.Close())
		testkit.Pass(3 * time.Hour)
	})
}

func TestAListCanBeLeftEarly(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{Validators: withSequence})
		for i := range 100 {
			w.Check(d.PutValue(t.Context(), "/v/"+keyOf(i), []byte("1:one"), routing.Offline))
		}
		n := 0
		for range d.LocalValues(t.Context()) {
			if n++; n == 3 {
				break
			}
		}
		if n != 3 {
			t.Errorf("%d", n)
		}
	})
}

// AllValues is as stuck as the rest.
func (*stuckStore) AllValues(context.Context) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) { yield(record.Record{}, stuck()) }
}

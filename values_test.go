package waymark_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/internal/testkit"
	"github.com/waymark-dht/waymark/store"
	"github.com/waymark-dht/waymark/store/memory"
)

// sequence accepts SEQ:PAYLOAD and prefers the highest SEQ.
type sequence struct{}

func (sequence) Validate(_ string, value []byte) error {
	_, err := seq(value)
	return err
}

func (sequence) Select(_ string, values [][]byte) (int, error) {
	best, at := -1, 0
	for i, v := range values {
		if n, err := seq(v); err == nil && n > best {
			best, at = n, i
		}
	}
	return at, nil
}

func seq(value []byte) (int, error) {
	n, _, found := strings.Cut(string(value), ":")
	if !found {
		return 0, errors.New("no sequence number")
	}
	return strconv.Atoi(n)
}

var withSequence = map[string]waymark.Validator{"v": sequence{}}

// town is n servers that know each other and store sequences, and one client
// that knows them.
func town(w *testkit.World, n int) (servers []*waymark.DHT, client *waymark.DHT) {
	for range n {
		servers = append(servers, w.Node(waymark.Config{Mode: waymark.ModeServer, Validators: withSequence}))
	}
	introduce(w.T, servers)
	client = w.Node(waymark.Config{Mode: waymark.ModeClient, Validators: withSequence})
	for _, s := range servers {
		w.Check(client.Admit(addrOf(s.Host())))
	}
	synctest.Wait() // each takes note of the others
	return servers, client
}

func contentID(text string) cid.Cid {
	h, err := multihash.Sum([]byte(text), multihash.SHA2_256, -1)
	if err != nil {
		panic(err)
	}
	return cid.NewCidV1(cid.Raw, h)
}

func TestAValueIsPutAndFound(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 25)
		s, err := servers[0].Put(t.Context(), "/v/a", []byte("1:one"))
		if err != nil || len(s.Peers) != params.K || len(s.Refused) != 0 || s.Elapsed > s.Bound {
			t.Fatalf("%v: %+v", err, s)
		}
		v, err := client.Get(t.Context(), "/v/a")
		if err != nil || string(v.Bytes) != "1:one" || v.Agree < params.Agreement {
			t.Fatalf("%v: %+v", err, v)
		}
		if v, err := client.GetValue(t.Context(), "/v/b"); !errors.Is(err, waymark.ErrNotFound) || v != nil {
			t.Fatalf("of nothing: %q, %v", v, err)
		}
	})
}

func TestABetterValueReplacesAWorseAndNotTheOtherWayRound(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 25)
		w.Check(servers[0].PutValue(t.Context(), "/v/a", []byte("1:one")))
		w.Check(servers[1].PutValue(t.Context(), "/v/a", []byte("2:two")))
		if err := servers[1].PutValue(t.Context(), "/v/a", []byte("1:one")); !errors.Is(err, waymark.ErrOlder) {
			t.Errorf("where a better one is known: %v", err)
		}
		s, err := client.Put(t.Context(), "/v/a", []byte("1:three"))
		if !errors.Is(err, waymark.ErrNotStored) || len(s.Refused) != params.K {
			t.Errorf("where all others know a better one: %v, %+v", err, s)
		}
		if v, err := client.GetValue(t.Context(), "/v/a", waymark.Quorum(0)); err != nil || string(v) != "2:two" {
			t.Errorf("%q, %v", v, err)
		}
	})
}

func TestASearchStreamsWhatIsBetterAndCorrectsWhatIsWorse(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 25)
		w.Check(servers[0].PutValue(t.Context(), "/v/a", []byte("1:one")))
		_, err := servers[3].PutTo(t.Context(), "/v/a", []byte("5:five"), addrsOf(servers[4:9]...))
		w.Check(err)
		got, err := client.SearchValue(t.Context(), "/v/a", waymark.Quorum(0))
		w.Check(err)
		last := ""
		for v := range got {
			last = string(v)
		}
		if last != "5:five" {
			t.Fatalf("the best was %q", last)
		}
		testkit.Pass(time.Second) // the correction
		have := 0
		for _, s := range servers {
			if v, err := s.GetValue(t.Context(), "/v/a", routing.Offline); err == nil && string(v) == "5:five" {
				have++
			}
		}
		if have < params.K {
			t.Errorf("%d have the best value", have)
		}
	})
}

func TestBadValuesAreRefusedBeforeAnythingIsSent(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{Validators: withSequence})
		for _, c := range []struct {
			key, value string
			want       error
		}{
			{"/w/a", "1:one", waymark.ErrNamespace},
			{"v/a", "1:one", waymark.ErrBadKey},
			{"/v", "1:one", waymark.ErrBadKey},
			{"/v/", "1:one", waymark.ErrBadKey},
			{"", "1:one", waymark.ErrBadKey},
			{"/v/a", "one", waymark.ErrInvalid},
			{"/v/a", "1:" + strings.Repeat("x", params.MaxValue), waymark.ErrInvalid},
		} {
			if err := d.PutValue(t.Context(), c.key, []byte(c.value)); !errors.Is(err, c.want) {
				t.Errorf("put %q: %v", c.key, err)
			}
		}
		if _, err := d.SearchValue(t.Context(), "/w/a"); !errors.Is(err, waymark.ErrNamespace) {
			t.Errorf("search: %v", err)
		}
	})
}

func TestProvidersAreAnnouncedAndFound(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 25)
		for i := range 3 {
			s, err := servers[i].Announce(t.Context(), contentID("content").Hash())
			if err != nil || len(s.Peers) != params.K || len(s.Refused) != 0 {
				t.Fatalf("%v: %+v", err, s)
			}
		}
		found, err := client.FindProviders(t.Context(), contentID("content"))
		if err != nil || len(found) != 3 {
			t.Fatalf("%v, %v", found, err)
		}
		for _, p := range found {
			if len(p.Addrs) == 0 {
				t.Errorf("%v has no address", p.ID)
			}
		}
		got := 0
		for range client.FindProvidersAsync(t.Context(), contentID("content"), 2) {
			got++
		}
		if got != 2 {
			t.Errorf("%d of 2", got)
		}
		if _, err := client.FindProviders(t.Context(), contentID("nothing")); !errors.Is(err, waymark.ErrNotFound) {
			t.Errorf("of nothing: %v", err)
		}
		w.Check(servers[5].Provide(t.Context(), contentID("mine"), false))
		if found, err := servers[5].FindProviders(t.Context(), contentID("mine")); err != nil || len(found) != 1 {
			t.Errorf("at the provider itself: %v, %v", found, err)
		}
	})
}

func TestWhereEverybodyIsDeadEveryVerbFailsInTime(t *testing.T) {
	verbs := map[string]func(context.Context, *waymark.DHT) error{
		"put": func(ctx context.Context, d *waymark.DHT) error { return d.PutValue(ctx, "/v/a", []byte("1:one")) },
		"get": func(ctx context.Context, d *waymark.DHT) error { _, err := d.GetValue(ctx, "/v/a"); return err },
		"provide": func(ctx context.Context, d *waymark.DHT) error {
			return d.Provide(ctx, contentID("content"), true)
		},
		"find": func(ctx context.Context, d *waymark.DHT) error {
			_, err := d.FindProviders(ctx, contentID("content"))
			return err
		},
		"many": func(ctx context.Context, d *waymark.DHT) error {
			return d.ProvideMany(ctx, []multihash.Multihash{contentID("a").Hash(), contentID("b").Hash()})
		},
	}
	for name, verb := range verbs {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			d := w.Node(waymark.Config{Validators: withSequence})
			for range 25 {
				w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
			}
			began := time.Now()
			err := verb(t.Context(), d)
			if took := time.Since(began); !errors.Is(err, waymark.ErrNoPeers) || took > 2*params.HardMax {
				t.Errorf("%s: %v after %v", name, err, took)
			}
		})
	}
}

func TestFindProvidersAsyncReturnsAtOnceAndClosesOnCancel(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{})
		for range 25 {
			w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
		}
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		out := d.FindProvidersAsync(ctx, contentID("content"), 0)
		if time.Since(began) > 0 {
			t.Error("it did not return at once")
		}
		cancel()
		if _, open := <-out; open || time.Since(began) > params.CancelGrace {
			t.Errorf("it was open, or closed after %v", time.Since(began))
		}
		if _, open := <-d.FindProvidersAsync(t.Context(), cid.Undef, 0); open {
			t.Error("an undefined CID has providers")
		}
	})
}

// lastWins accepts everything and prefers, of equals too, the last.
type lastWins struct{}

func (lastWins) Validate(string, []byte) error                 { return nil }
func (lastWins) Select(_ string, values [][]byte) (int, error) { return len(values) - 1, nil }

// TestTheSameValueMayBePutAgain whatever its validator makes of two equals: who
// puts a value again keeps it from being forgotten.
func TestTheSameValueMayBePutAgain(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		rules := waymark.Config{Validators: map[string]waymark.Validator{"v": lastWins{}}, Mode: waymark.ModeServer}
		d, other := w.Node(rules), w.Node(rules)
		w.Check(d.Admit(peer.AddrInfo{ID: other.PeerID(), Addrs: other.Host().Addrs()}))
		for range 2 {
			if err := d.PutValue(t.Context(), "/v/a", []byte("x")); err != nil {
				t.Error(err)
			}
			testkit.Pass(time.Hour)
		}
		if err := d.PutValue(t.Context(), "/v/a", []byte("y")); !errors.Is(err, waymark.ErrOlder) {
			t.Errorf("another one: %v", err)
		}
	})
}

// TestASearchTellsOfNoMoreThanItsLimit, so that who has room for so many is
// never waited for.
func TestASearchTellsOfNoMoreThanItsLimit(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		many := memory.New(memory.Config{})
		key := contentID("content").Hash()
		for i := range params.MaxProvidersFound + 10 {
			id := peer.ID(contentID(fmt.Sprint(i)).Hash())
			w.Check(many.AddProvider(t.Context(), record.Provider{Key: key, Peer: contact.New(contact.ID(id))}, math.MaxInt64))
		}
		d, n := w.Node(waymark.Config{Store: many}), 0
		o, err := d.SearchProviders(t.Context(), contentID("content"), 5*params.MaxProvidersFound, func(peer.AddrInfo) { n++ })
		if n != params.MaxProvidersFound || o != engine.Found || err != nil {
			t.Errorf("%d of them: %v, %v", n, o, err)
		}
	})
}

func TestACancelledGetReturnsTheBestUntilThen(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{Validators: withSequence})
		for range 25 {
			w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
		}
		_ = d.PutValue(t.Context(), "/v/a", []byte("1:one")) // here alone, as nobody answers
		testkit.Pass(time.Minute)
		for range 25 {
			w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		v, err := d.GetValue(ctx, "/v/a", waymark.Quorum(5))
		if string(v) != "1:one" || err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%q, %v", v, err)
		}
	})
}

func TestQueryEventsArePublishedAndASlowReaderHoldsNothingUp(t *testing.T) {
	for _, reads := range []bool{true, false} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			servers, client := town(w, 25)
			w.Check(servers[0].PutValue(t.Context(), "/v/a", []byte("1:one")))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ctx, events := routing.RegisterForQueryEvents(ctx)
			counts := make(map[routing.QueryEventType]int)
			read := make(chan struct{})
			go func() {
				defer close(read)
				for e := range events {
					counts[e.Type]++
				}
			}()
			if !reads {
				ctx, _ = routing.RegisterForQueryEvents(ctx) // the one that nobody reads
			}
			began := time.Now()
			if _, err := client.GetValue(ctx, "/v/a", waymark.Quorum(0)); err != nil || time.Since(began) > time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			testkit.Pass(params.CancelGrace)
			cancel()
			<-read
			if reads && (counts[routing.SendingQuery] < params.K || counts[routing.PeerResponse] < params.K) {
				t.Errorf("%v", counts)
			}
		})
	}
}

// TestAStoreThatBlocksBlocksNothingElse: lookups, the status and closing go on
// while every call into the store waits for an hour.
func TestAStoreThatBlocksBlocksNothingElse(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		slow := w.Node(waymark.Config{Mode: waymark.ModeServer, Validators: withSequence, Store: &stuckStore{}})
		servers, client := town(w, 25)
		w.Check(client.Admit(addrOf(slow.Host())))
		for _, s := range servers {
			w.Check(slow.Admit(addrOf(s.Host())))
		}
		if _, err := client.PutTo(t.Context(), "/v/a", []byte("1:one"), addrsOf(slow)); !errors.Is(err, waymark.ErrNotStored) {
			t.Errorf("a put on it: %v", err)
		}
		began := time.Now()
		if _, err := slow.Lookup(t.Context(), "anything"); err != nil || time.Since(began) > time.Second {
			t.Errorf("a lookup: %v after %v", err, time.Since(began))
		}
		began = time.Now()
		if err := slow.PutValue(t.Context(), "/v/b", []byte("1:one")); err == nil || time.Since(began) > 2*params.StoreDeadline {
			t.Errorf("its own put: %v after %v", err, time.Since(began))
		}
		began = time.Now()
		if h := slow.Health(); h.Overdue != 0 || time.Since(began) > 0 {
			t.Errorf("the status: %v after %v", h, time.Since(began))
		}
		began = time.Now()
		if err := slow.Close(); err != nil || time.Since(began) > slow.Bound(waymark.OpClose) {
			t.Errorf("closing: %v after %v", err, time.Since(began))
		}
		testkit.Pass(time.Hour) // the disk wakes up
	})
}

func TestWhatIsNotApprovedIsRefused(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		no := errors.New("not here")
		strict := w.Node(waymark.Config{Mode: waymark.ModeServer, Validators: withSequence, Approve: waymark.Approve{
			Record: func(_ peerID, key string, _ []byte) error {
				if key == "/v/bad" {
					return no
				}
				return nil
			},
			Provider: func(peerID, []byte) error { return no },
		}})
		client := w.Node(waymark.Config{Validators: withSequence})
		w.Check(client.Admit(addrOf(strict.Host())))
		if err := client.PutValue(t.Context(), "/v/bad", []byte("1:one")); !errors.Is(err, waymark.ErrNotStored) {
			t.Errorf("a bad key: %v", err)
		}
		w.Check(client.PutValue(t.Context(), "/v/good", []byte("1:one")))
		if err := client.Provide(t.Context(), contentID("content"), true); !errors.Is(err, waymark.ErrNotStored) {
			t.Errorf("a provider: %v", err)
		}
	})
}

func TestThePublicKeyOfAPeer(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 3)
		k, err := client.GetPublicKey(t.Context(), servers[0].PeerID())
		if err != nil || !servers[0].PeerID().MatchesPublicKey(k) {
			t.Fatalf("%v, %v", k, err)
		}
	})
}

func TestManyKeysAreAnnounced(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 25)
		var keys []multihash.Multihash
		for i := range 40 {
			keys = append(keys, contentID(fmt.Sprint(i)).Hash())
		}
		w.Check(servers[0].ProvideMany(t.Context(), keys))
		for i := range 40 {
			if found, err := client.FindProviders(t.Context(), contentID(fmt.Sprint(i))); err != nil || len(found) != 1 {
				t.Errorf("key %d: %v, %v", i, found, err)
			}
		}
	})
}

func TestMoreThanKClosest(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		_, client := town(w, 40)
		r, err := client.GetNClosest(t.Context(), "anything", 30)
		if err != nil || len(r.Peers) != 30 || r.Outcome != engine.Converged {
			t.Fatalf("%d peers, %v, %v", len(r.Peers), r.Outcome, err)
		}
		if _, err := client.GetNClosest(t.Context(), "anything", params.MaxWanted+1); !errors.Is(err, waymark.ErrBadConfig) {
			t.Errorf("too many: %v", err)
		}
	})
}

type peerID = peer.ID

func addrsOf(nodes ...*waymark.DHT) (infos []peer.AddrInfo) {
	for _, d := range nodes {
		infos = append(infos, addrOf(d.Host()))
	}
	return infos
}

// stuckStore is a store whose every call takes an hour.
type stuckStore struct{ store.Store }

func stuck() error {
	testkit.Pass(time.Hour)
	return errors.New("an hour has passed")
}

func (*stuckStore) Value(context.Context, []byte) (record.Record, error) {
	return record.Record{}, stuck()
}
func (*stuckStore) Own(context.Context, contact.ID) error                    { return stuck() }
func (*stuckStore) PutValue(context.Context, record.Record, mono.Wall) error { return stuck() }
func (*stuckStore) AddProvider(context.Context, record.Provider, mono.Wall) error {
	return stuck()
}

func (*stuckStore) ProvidersOf(context.Context, []byte, mono.Wall, int) ([]record.Provider, error) {
	return nil, stuck()
}

// TestAProvideReturnsEarlyAndGoesOn: enough have stored the record when it
// returns, and all of the closest soon after.
func TestAProvideReturnsEarlyAndGoesOn(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 25)
		know := func() (n int) {
			for _, s := range servers {
				for p, err := range s.LocalProviders(t.Context()) {
					w.Check(err)
					if p.Peer.ID == client.PeerID() {
						n++
					}
				}
			}
			return n
		}
		w.Check(client.Provide(t.Context(), contentID("content"), true))
		if n := know(); n < params.EarlyPeers {
			t.Errorf("%d know of it at the end", n)
		}
		testkit.Pass(params.HardMax)
		if n := know(); n != params.K {
			t.Errorf("%d know of it in the end", n)
		}
	})
}

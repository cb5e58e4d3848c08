package waymark_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
	"github.com/waymark-dht/waymark/store"
	"github.com/waymark-dht/waymark/store/memory"
)

// TestARestartFindsItsNetworkWithoutAnySeed closes a node, or does not get to,
// and starts another on the same store that is told of nobody.
func TestARestartFindsItsNetworkWithoutAnySeed(t *testing.T) {
	for _, closed := range []bool{true, false} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			servers := w.Servers(25, waymark.Config{})
			kept := memory.New(memory.Config{})
			first := w.Node(waymark.Config{Store: kept, Seeds: seedsAt(t, servers[0])})
			if _, err := first.RunBootstrap(t.Context()); err != nil {
				t.Fatal(err)
			}
			if closed {
				w.Check(first.Close())
			} else {
				testkit.Pass(params.SaveEvery + time.Second)
			}
			second := w.Node(waymark.Config{Store: kept})
			r, err := second.RunBootstrap(t.Context())
			if err != nil || r.Outcome.String() != "ready" || r.Table < params.K {
				t.Fatalf("closed %v: %v, %+v", closed, err, r)
			}
		})
	}
}

func TestATableThatCannotBeReadIsNone(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(3, waymark.Config{})
		kept := memory.New(memory.Config{})
		w.Check(kept.PutBlob(t.Context(), "routing-table", []byte(`{"contacts":[{"id":"nobody"}`)))
		d := w.Node(waymark.Config{Store: kept, Seeds: seedsAt(t, servers[0])})
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestANodeThatLostEverybodyKeepsWhomItKnew(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		kept := memory.New(memory.Config{})
		was := []byte(`{"v":1,"contacts":[]}`)
		w.Check(kept.PutBlob(t.Context(), "routing-table", was))
		w.Check(w.Node(waymark.Config{Store: kept}).Close())
		if is, err := kept.Blob(t.Context(), "routing-table"); err != nil || string(is) != string(was) {
			t.Errorf("%s, %v", is, err)
		}
	})
}

func TestWhatHasExpiredIsRemoved(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		kept := memory.New(memory.Config{})
		d := w.Node(waymark.Config{Store: kept, Validators: withSequence})
		_ = d.PutValue(t.Context(), "/v/a", []byte("1:one")) // here alone: there is nobody else
		if n, _ := kept.Count(); n != 1 {
			t.Fatalf("%d values", n)
		}
		testkit.Pass(params.ValueAge + params.ExpireEvery + time.Second)
		if n, _ := kept.Count(); n != 0 {
			t.Errorf("%d values after two days", n)
		}
	})
}

// TestAStuckStoreDelaysANodeNoLongerThanItsDeadline: neither its start nor its end.
func TestAStuckStoreDelaysANodeNoLongerThanItsDeadline(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		began := time.Now()
		d := w.Node(waymark.Config{Store: &stuckStore{}})
		if took := time.Since(began); took > params.StoreDeadline {
			t.Errorf("the start took %v", took)
		}
		for range 3 {
			w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
		}
		began = time.Now()
		if err := d.Close(); err != nil || time.Since(began) > d.Bound(waymark.OpClose) {
			t.Errorf("the end: %v after %v", err, time.Since(began))
		}
		testkit.Pass(time.Hour)
	})
}

func (*stuckStore) Blob(context.Context, string) ([]byte, error)  { return nil, stuck() }
func (*stuckStore) PutBlob(context.Context, string, []byte) error { return stuck() }

func TestTheSizeOfTheNetworkIsEstimated(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(100, waymark.Config{})
		if n, err := servers[0].NetworkSize(); err != nil || n < 25 || n > 400 {
			t.Errorf("%d, %v", n, err)
		}
		if _, err := w.Node(waymark.Config{}).NetworkSize(); err == nil {
			t.Error("a node that knows nobody knows how many there are")
		}
	})
}

// TestANodeServesAllThatItProvidesItself, however little room its store has for
// a stranger, and however many strangers provide; and so does the next node on
// the store. Who the store could not be told at first, it is told later.
func TestANodeServesAllThatItProvidesItself(t *testing.T) {
	for _, sulks := range []bool{false, true} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			kept := &sulking{Store: memory.New(memory.Config{Limits: store.Limits{Providers: 4, ProvidersPerPeer: 2}})}
			kept.sulks.Store(sulks)
			h := w.Host()
			first := w.NodeOn(h, waymark.Config{Store: kept})
			kept.sulks.Store(false)
			testkit.Pass(params.SaveEvery + time.Second)
			for i := range 20 {
				w.Check(first.Provide(t.Context(), testkit.CID(keyOf(i)), false))
			}
			w.Check(first.Close())
			second := w.NodeOn(h, waymark.Config{Store: kept})
			n := 0
			for p, err := range second.LocalProviders(t.Context()) {
				w.Check(err)
				if p.Peer.ID == h.ID() {
					n++
				}
			}
			if n != 20 {
				t.Errorf("sulks %v: of 20 keys that the node provides it knows of %d", sulks, n)
			}
		})
	}
}

// sulking is a store that does not want to know who the node is, for a while.
type sulking struct {
	store.Store
	sulks atomic.Bool
}

func (s *sulking) Own(ctx context.Context, id contact.ID) error {
	if s.sulks.Load() {
		return errors.New("not now")
	}
	return s.Store.Own(ctx, id)
}

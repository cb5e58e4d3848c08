package waymark_test

import (
	"context"
	"testing"
	"time"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/store/memory"
)

// TestARestartFindsItsNetworkWithoutAnySeed closes a node, or does not get to,
// and starts another on the same store that is told of nobody.
func TestARestartFindsItsNetworkWithoutAnySeed(t *testing.T) {
	for _, closed := range []bool{true, false} {
		inBubble(t, func(t *testing.T, w *world) {
			servers := w.servers(25)
			kept := memory.New(memory.Config{})
			first := w.node(waymark.Config{Store: kept, Seeds: seedsAt(t, servers[0])})
			if _, err := first.RunBootstrap(t.Context()); err != nil {
				t.Fatal(err)
			}
			if closed {
				w.check(first.Close())
			} else {
				pass(params.SaveEvery + time.Second)
			}
			second := w.node(waymark.Config{Store: kept})
			r, err := second.RunBootstrap(t.Context())
			if err != nil || r.Outcome.String() != "ready" || r.Table < params.K {
				t.Fatalf("closed %v: %v, %+v", closed, err, r)
			}
		})
	}
}

func TestATableThatCannotBeReadIsNone(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		servers := w.servers(3)
		kept := memory.New(memory.Config{})
		w.check(kept.PutBlob(t.Context(), "routing-table", []byte(`{"contacts":[{"id":"nobody"}`)))
		d := w.node(waymark.Config{Store: kept, Seeds: seedsAt(t, servers[0])})
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestANodeThatLostEverybodyKeepsWhomItKnew(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		kept := memory.New(memory.Config{})
		was := []byte(`{"v":1,"contacts":[]}`)
		w.check(kept.PutBlob(t.Context(), "routing-table", was))
		w.check(w.node(waymark.Config{Store: kept}).Close())
		if is, err := kept.Blob(t.Context(), "routing-table"); err != nil || string(is) != string(was) {
			t.Errorf("%s, %v", is, err)
		}
	})
}

func TestWhatHasExpiredIsRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		kept := memory.New(memory.Config{})
		d := w.node(waymark.Config{Store: kept, Validators: withSequence})
		_ = d.PutValue(t.Context(), "/v/a", []byte("1:one")) // here alone: there is nobody else
		if n, _ := kept.Count(); n != 1 {
			t.Fatalf("%d values", n)
		}
		pass(params.ValueAge + params.ExpireEvery + time.Second)
		if n, _ := kept.Count(); n != 0 {
			t.Errorf("%d values after two days", n)
		}
	})
}

// TestAStuckStoreDelaysANodeNoLongerThanItsDeadline: neither its start nor its end.
func TestAStuckStoreDelaysANodeNoLongerThanItsDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		began := time.Now()
		d := w.node(waymark.Config{Store: &stuckStore{}})
		if took := time.Since(began); took > params.StoreDeadline {
			t.Errorf("the start took %v", took)
		}
		for range 3 {
			w.check(d.Admit(addrOf(w.peer(silent))))
		}
		began = time.Now()
		if err := d.Close(); err != nil || time.Since(began) > d.Bound(waymark.OpClose) {
			t.Errorf("the end: %v after %v", err, time.Since(began))
		}
		pass(time.Hour)
	})
}

func (*stuckStore) Blob(context.Context, string) ([]byte, error)  { return nil, stuck() }
func (*stuckStore) PutBlob(context.Context, string, []byte) error { return stuck() }

func TestTheSizeOfTheNetworkIsEstimated(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		servers := w.servers(100)
		if n, err := servers[0].NetworkSize(); err != nil || n < 25 || n > 400 {
			t.Errorf("%d, %v", n, err)
		}
		if _, err := w.node(waymark.Config{}).NetworkSize(); err == nil {
			t.Error("a node that knows nobody knows how many there are")
		}
	})
}

package waymark_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/internal/testkit"
	"github.com/waymark-dht/waymark/store"
	"github.com/waymark-dht/waymark/store/memory"
)

// hesitant is a store that takes a second to store one certain value.
type hesitant struct {
	store.Store
	over string
}

func (h *hesitant) PutValue(ctx context.Context, r record.Record, expires mono.Wall) error {
	if string(r.Value) == h.over {
		testkit.Pass(time.Second)
	}
	return h.Store.PutValue(ctx, r, expires)
}

// TestOfTwoValuesThatComeAtOnceTheBetterStays, whichever of them is written last.
func TestOfTwoValuesThatComeAtOnceTheBetterStays(t *testing.T) {
	for _, slow := range []string{"1:old", "2:new"} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			d := w.Node(waymark.Config{Validators: withSequence, Store: &hesitant{memory.New(memory.Config{}), slow}})
			var both sync.WaitGroup
			put := func(value string) {
				both.Go(func() {
					err := d.PutValue(t.Context(), "/v/a", []byte(value), routing.Offline)
					if err != nil && (value == "2:new" || !errors.Is(err, waymark.ErrOlder)) {
						t.Errorf("%s: %v", value, err)
					}
				})
			}
			put(slow)
			synctest.Wait() // it is being written
			for _, other := range []string{"1:old", "2:new"} {
				if other != slow {
					put(other)
				}
			}
			both.Wait()
			if got, err := d.GetValue(t.Context(), "/v/a", routing.Offline); err != nil || string(got) != "2:new" {
				t.Errorf("where %s is slow, %q stays: %v", slow, got, err)
			}
		})
	}
}

// stuckRules never come to an end.
type stuckRules struct{}

func (stuckRules) Validate(string, []byte) error        { return stuck() }
func (stuckRules) Select(string, [][]byte) (int, error) { return 0, stuck() }

// TestAValidatorThatDoesNotReturnHoldsUpNobody: neither who puts nor who gets
// nor who closes.
func TestAValidatorThatDoesNotReturnHoldsUpNobody(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		kept := memory.New(memory.Config{})
		old := record.Record{Key: []byte("/v/a"), Value: []byte("1:one"), From: "somebody"}
		old.Arrive(mono.WallOf(time.Now().Add(-params.ReplicateEvery)), nil)
		w.Check(kept.PutValue(t.Context(), old, old.Ends()))
		d := w.Node(waymark.Config{Mode: waymark.ModeServer, Store: kept, Validators: map[string]waymark.Validator{"v": stuckRules{}}})
		began := time.Now()
		if err := d.PutValue(t.Context(), "/v/b", []byte("1:one")); err == nil || time.Since(began) > params.StoreDeadline {
			t.Errorf("put: %v after %v", err, time.Since(began))
		}
		began = time.Now()
		if _, err := d.GetValue(t.Context(), "/v/a"); err == nil || time.Since(began) > params.StoreDeadline {
			t.Errorf("get: %v after %v", err, time.Since(began))
		}
		testkit.Pass(params.ReplicateEvery - time.Minute) // somewhere here it is to be stored again
		began = time.Now()
		if err := d.Close(); err != nil || time.Since(began) > d.Bound(waymark.OpClose) {
			t.Errorf("close: %v after %v", err, time.Since(began))
		}
		testkit.Pass(2 * time.Hour)
	})
}

// cutShort is a store whose list has one value and then waits for the end of its
// context, of which it says something or not.
type cutShort struct {
	store.Store
	says bool
}

func (c *cutShort) AllValues(ctx context.Context) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) {
		if !yield(record.Record{Key: []byte("/v/a")}, nil) {
			return
		}
		<-ctx.Done()
		if c.says {
			yield(record.Record{}, ctx.Err())
		}
	}
}

// TestAListThatTheEndOfTheNodeCutsShortSaysSo: it must not pass for whole, nor
// for one that its caller has cancelled.
func TestAListThatTheEndOfTheNodeCutsShortSaysSo(t *testing.T) {
	for _, says := range []bool{true, false} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			d := w.Node(waymark.Config{Store: &cutShort{memory.New(memory.Config{}), says}, ReplicateEvery: -1})
			var last error
			n := 0
			for _, err := range d.LocalValues(t.Context()) {
				if n++; n == 1 {
					w.Check(d.Close())
					synctest.Wait() // whoever reads the store has noticed
				}
				last = err
			}
			if n != 2 || !errors.Is(last, waymark.ErrClosed) || errors.Is(last, context.Canceled) {
				t.Errorf("says %v: %d items, the last with %v", says, n, last)
			}
			for _, err := range d.LocalValues(t.Context()) {
				if !errors.Is(err, waymark.ErrClosed) {
					t.Errorf("of a closed node: %v", err)
				}
			}
		})
	}
}

// belated is a store whose first write of a table comes back late.
type belated struct {
	store.Store
	mu     sync.Mutex
	begun  bool
	tables []time.Time // when what is written was saved, in the order of writing
}

func (b *belated) PutBlob(ctx context.Context, name string, data []byte) error {
	if name != "routing-table" {
		return b.Store.PutBlob(ctx, name, data)
	}
	b.mu.Lock()
	first := !b.begun
	b.begun = true
	b.mu.Unlock()
	if first {
		testkit.Pass(3*params.SaveEvery + time.Minute)
	}
	var table struct{ Saved time.Time }
	if err := json.Unmarshal(data, &table); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tables = append(b.tables, table.Saved)
	return nil
}

// TestATableThatIsWrittenLateUndoesNoNewerOne.
func TestATableThatIsWrittenLateUndoesNoNewerOne(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		disk := &belated{Store: memory.New(memory.Config{})}
		d := w.Node(waymark.Config{Store: disk})
		w.Check(d.Admit(addrOf(w.Host())))
		testkit.Pass(6 * params.SaveEvery)
		w.Check(d.Close())
		disk.mu.Lock()
		defer disk.mu.Unlock()
		if len(disk.tables) < 3 {
			t.Fatalf("%d tables were written", len(disk.tables))
		}
		for i, saved := range disk.tables[1:] {
			if saved.Before(disk.tables[i]) {
				t.Errorf("write %d is of %v, and the one before of %v", i+1, saved, disk.tables[i])
			}
		}
	})
}

// TestAPutToNobodyIsAnError, and to what is no peer, before anything is stored.
func TestAPutToNobodyIsAnError(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{Validators: withSequence})
		for _, peers := range [][]peer.AddrInfo{{}, {{}}} {
			if _, err := d.PutTo(t.Context(), "/v/a", []byte("1:one"), peers); !errors.Is(err, waymark.ErrBadConfig) {
				t.Errorf("to %v: %v", peers, err)
			}
		}
		if v, err := d.GetValue(t.Context(), "/v/a", routing.Offline); !errors.Is(err, waymark.ErrNotFound) {
			t.Errorf("%q, %v", v, err)
		}
	})
}

// fading is sequence, but that one value is not valid any more once it is told so.
type fading struct {
	sequence
	gone *atomic.Bool
}

func (f fading) Validate(key string, value []byte) error {
	if string(value) == "9:expired" && f.gone.Load() {
		return errors.New("its time is over")
	}
	return f.sequence.Validate(key, value)
}

// TestWhatIsNotValidAnyMoreGivesWay: an expired record of a high sequence number
// must not keep out what its owner puts now.
func TestWhatIsNotValidAnyMoreGivesWay(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		var gone atomic.Bool
		d := w.Node(waymark.Config{Validators: map[string]waymark.Validator{"v": fading{gone: &gone}}})
		w.Check(d.PutValue(t.Context(), "/v/a", []byte("9:expired"), routing.Offline))
		if err := d.PutValue(t.Context(), "/v/a", []byte("1:now"), routing.Offline); !errors.Is(err, waymark.ErrOlder) {
			t.Errorf("while it is valid: %v", err)
		}
		gone.Store(true)
		w.Check(d.PutValue(t.Context(), "/v/a", []byte("1:now"), routing.Offline))
		if v, err := d.GetValue(t.Context(), "/v/a", routing.Offline); err != nil || string(v) != "1:now" {
			t.Errorf("%q, %v", v, err)
		}
	})
}

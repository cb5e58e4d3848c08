package republish

import (
	"bytes"
	"errors"
	"testing"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// A shard that was cut or changed is refused whole.
func TestAShardThatWasCutIsRefused(t *testing.T) {
	m := New(mono.Now{Mono: 1, Wall: epoch}, 1)
	m.Step(m.now, Start{Keys: multihashes(0, 300)})
	shards := m.Dirty()
	whole := m.Encode(shards[0])
	for _, data := range [][]byte{nil, {0}, {keptVersion + 1}, whole[:len(whole)-1], append(bytes.Clone(whole), 9), append(bytes.Clone(whole), 0, 1, 1, 65)} {
		fresh := New(m.now, 1)
		if err := fresh.Restore(data); !errors.Is(err, ErrKept) || fresh.items.n != 0 {
			t.Errorf("%d bytes of %d: %v, %d keys", len(data), len(whole), err, fresh.items.n)
		}
	}
}

// Only what changed is kept again, and what could not be kept is.
func TestShardsAreDirtyWhenTheyChanged(t *testing.T) {
	w := newWorld(t, 1, 100)
	w.step(Start{Keys: multihashes(0, 5)})
	dirty := w.m.Dirty()
	if len(dirty) == 0 || len(dirty) > 5 {
		t.Fatalf("%v", dirty)
	}
	for _, n := range dirty {
		w.m.Encode(n)
	}
	w.step(Tick{})
	if left := w.m.Dirty(); len(left) != 0 {
		t.Errorf("%v changed by itself", left)
	}
	w.m.Touch(dirty[0])
	if left := w.m.Dirty(); len(left) != 1 || left[0] != dirty[0] {
		t.Errorf("%v", left)
	}
	w.m.Encode(dirty[0])
	w.run(params.SweepRetry) // they are provided, which is worth keeping
	if again := w.m.Dirty(); len(again) != len(dirty) {
		t.Errorf("%v, of %v", again, dirty)
	}
	for _, n := range w.m.Dirty() {
		w.m.Encode(n)
	}
	w.step(Stop{Keys: multihashes(0, 1)})
	if again := w.m.Dirty(); len(again) != 1 {
		t.Errorf("%v", again)
	}
}

// FuzzRestore reads anything: it is refused whole, or understood and written
// again so that it is understood alike.
func FuzzRestore(f *testing.F) {
	m := New(mono.Now{Mono: 1, Wall: epoch}, 1)
	m.Step(m.now, Start{Keys: multihashes(0, 40)})
	m.Step(m.now, Once{Keys: multihashes(30, 50)})
	for n := range 4 {
		f.Add(m.Encode(n))
	}
	f.Add([]byte{keptVersion, 0, 0, 0, 1, 5, 2, 'a', 'b'})
	f.Fuzz(func(t *testing.T, data []byte) {
		m := New(mono.Now{Mono: 1, Wall: epoch}, 1)
		if err := m.Restore(data); err != nil {
			if m.items.n != 0 || m.epoch != epoch || m.samples != 0 {
				t.Fatalf("%v, and %d keys are there", err, m.items.n)
			}
			return
		}
		m.Step(m.now, Tick{})
		again := New(m.now, 1)
		for n := range Shards {
			if err := again.Restore(m.Encode(n)); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := m.Status(), again.Status(); a.Keys != b.Keys || a.Queued != b.Queued {
			t.Fatalf("%+v, then %+v", a, b)
		}
	})
}

package republish

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// model is the schedule told plainly: which keys are kept, and which are to be
// provided at once, as far as the owner can know.
type model map[int]*state

type state struct{ keep, queued bool }

func (m model) of(n int) *state {
	if m[n] == nil {
		m[n] = &state{}
	}
	return m[n]
}

// say tells the machine something, and the model.
func (m model) say(w *world, ev Event, from, to int) {
	for n := from; n < to; n++ {
		switch ev := ev.(type) {
		case Start:
			s := m.of(n)
			s.queued = s.queued || ev.Force || !s.keep
			s.keep = true
		case Once:
			m.of(n).queued = true
		case Stop:
			delete(m, n)
		}
	}
	if _, is := ev.(Clear); is {
		for n, s := range m {
			if s.queued = false; !s.keep {
				delete(m, n)
			}
		}
	}
	w.step(ev)
}

// agree holds the machine to the model: nothing is lost, and nothing is there
// that nobody wants. What the machine has provided is no longer queued.
func (m model) agree(w *world) {
	w.Helper()
	have := map[string]item{}
	w.m.items.each(0, ^uint64(0), func(i *item) bool {
		have[i.text] = *i
		return true
	})
	for n, s := range m {
		i, found := have[string(multihash(n))]
		switch {
		case s.keep && (!found || !i.keep):
			w.Fatalf("key %d is lost", n)
		case s.queued && !i.queued && len(w.holders[string(multihash(n))]) == 0:
			w.Fatalf("key %d was announced to nobody and is not queued", n)
		case found && i.queued && !s.queued, found && i.keep && !s.keep:
			w.Fatalf("key %d: %+v, and the model has %+v", n, i, *s)
		}
		s.queued = found && i.queued
		if !s.keep && !s.queued {
			delete(m, n)
		}
		delete(have, string(multihash(n)))
	}
	if len(have) > 0 {
		w.Fatalf("%d keys that nobody wants", len(have))
	}
}

// trouble makes things go wrong with some chance, while there is trouble.
type trouble struct {
	on                    bool
	nobody, vague, refuse int // percent
}

func (t *trouble) into(w *world) {
	w.nobody = func() bool { return t.on && w.rng.IntN(100) < t.nobody }
	w.vague = func() bool { return t.on && w.rng.IntN(100) < t.vague }
	w.refuses = func(*contact.Info, int) bool { return t.on && w.rng.IntN(100) < t.refuse }
}

// TestAnyLife draws a life of a schedule: what its owner wants, how the network
// fails and changes, outcomes in any order, sleep, wrong clocks and restarts.
// Afterwards the trouble ends, and within a cycle all that is kept is on all of
// its closest peers.
func TestAnyLife(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Uint64().Draw(t, "seed"), rapid.SampledFrom([]int{0, 1, 15, 21, 60, 200, 700}).Draw(t, "peers"))
		w.m.width = params.SweepWidth
		worry := &trouble{on: true, nobody: rapid.IntRange(0, 40).Draw(t, "nobody"), vague: rapid.IntRange(0, 40).Draw(t, "vague"), refuse: rapid.IntRange(0, 60).Draw(t, "refuse")}
		worry.into(w)
		m := model{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			what := rapid.SampledFrom([]string{
				"start", "start", "force", "once", "stop", "clear", "refresh", "outcome", "outcome", "outcome",
				"outcome", "wake", "wake", "sleep", "clock", "restart", "network",
			}).Draw(t, "what")
			seen[what]++
			live(t, w, m, what)
			m.agree(w)
		}
		worry.on = false
		if len(w.peers) == 0 {
			w.populate(100)
		}
		w.step(Refresh{})
		w.holders = map[string]map[contact.ID]mono.Wall{}
		w.run(params.ProvideEvery + time.Hour)
		m.agree(w)
		for n, s := range m {
			if s.queued {
				t.Fatalf("key %d is still queued", n)
			}
			if got, want := w.holding(multihash(n)), min(params.K, len(w.peers)); got != want {
				t.Fatalf("key %d is on %d of its %d closest", n, got, want)
			}
		}
	})
	for _, what := range []string{"start", "restart", "network", "clock"} {
		if seen[what] == 0 {
			t.Errorf("%s never happened", what)
		}
	}
}

// live is one thing that happens in a life.
func live(t *rapid.T, w *world, m model, what string) {
	from := rapid.IntRange(0, 400).Draw(t, "from")
	to := from + rapid.SampledFrom([]int{1, 3, 50, 300}).Draw(t, "many")
	switch what {
	case "start":
		m.say(w, Start{Keys: multihashes(from, to)}, from, to)
	case "force":
		m.say(w, Start{Keys: multihashes(from, to), Force: true}, from, to)
	case "once":
		m.say(w, Once{Keys: multihashes(from, to)}, from, to)
	case "stop":
		m.say(w, Stop{Keys: multihashes(from, to)}, from, to)
	case "clear":
		m.say(w, Clear{}, 0, 0)
	case "refresh":
		w.step(Refresh{})
	case "outcome":
		if len(w.pending) > 0 {
			w.pass(time.Duration(from) * 5 * time.Millisecond)
			w.carryOut(from % len(w.pending))
		}
	case "wake":
		if wake, ok := w.m.Wake(); ok {
			w.pass(wake.Sub(w.now.Mono))
			w.step(Tick{})
		}
	case "sleep":
		w.now.Wall += mono.Wall(time.Duration(to) * time.Hour)
		w.step(Tick{})
	case "clock":
		w.now.Wall -= mono.Wall(time.Duration(from) * time.Hour)
		w.step(Tick{})
	case "restart":
		w.restart()
	case "network":
		w.populate(rapid.SampledFrom([]int{0, 1, 20, 90, 1500}).Draw(t, "peers"))
	}
}

// TestItemsAgreeWithAMap holds the sorted cells to a plain map.
func TestItemsAgreeWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s items
		plain := map[string]uint64{}
		heads := rapid.SampledFrom([]uint64{3, 1 << 20, 1 << 63, ^uint64(0)}).Draw(t, "heads")
		spread := rapid.Uint64Range(0, heads)
		for range rapid.IntRange(0, 600).Draw(t, "steps") {
			text := string(multihash(rapid.IntRange(0, 900).Draw(t, "key")))
			head, known := plain[text]
			if !known {
				head = spread.Draw(t, "head")
			}
			if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
				if s.remove(head, text) != known {
					t.Fatalf("removed %v, known %v", !known, known)
				}
				delete(plain, text)
				continue
			}
			s.put(head, text).last++
			plain[text] = head
		}
		lo, hi := spread.Draw(t, "lo"), spread.Draw(t, "hi")
		var want, got []string
		for text, head := range plain {
			if lo <= head && head <= hi {
				want = append(want, text)
			}
		}
		slices.SortFunc(want, func(a, b string) int { return (&item{head: plain[a], text: a}).compare(plain[b], b) })
		if lo <= hi {
			s.each(lo, hi, func(i *item) bool { got = append(got, i.text); return true })
		}
		if !slices.Equal(want, got) || s.n != len(plain) {
			t.Fatalf("%d of %d keys from %x to %x, want %d of %d", len(got), s.n, lo, hi, len(want), len(plain))
		}
	})
}

// TestCoverAgreesWithBits holds a cover to 64 plain bits.
func TestCoverAgreesWithBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c cover
		var bits [64]bool
		scale := rapid.SampledFrom([]uint64{1, 1 << 58}).Draw(t, "scale") // 64 pieces: of one head, or of all
		at := func(n int) (lo, hi uint64) { return uint64(n) * scale, uint64(n)*scale + scale - 1 }
		for range rapid.IntRange(0, 12).Draw(t, "spans") {
			from := rapid.IntRange(0, 63).Draw(t, "from")
			to := rapid.IntRange(from, 63).Draw(t, "to")
			lo, _ := at(from)
			_, hi := at(to)
			c.add(lo, hi)
			for n := from; n <= to; n++ {
				bits[n] = true
			}
		}
		for from := range bits {
			for to := from; to < len(bits); to++ {
				lo, _ := at(from)
				_, hi := at(to)
				part := bits[from : to+1]
				gap := slices.Index(part, false)
				head, open := c.gap(lo, hi)
				first, _ := at(from + max(gap, 0))
				if c.holds(lo, hi) != (gap < 0) || c.touches(lo, hi) != slices.Contains(part, true) ||
					open != (gap >= 0) || open && head != first {
					t.Fatalf("%v from %d to %d: %v", c, from, to, bits)
				}
			}
		}
		for n := 1; n < len(c); n++ {
			if c[n-1].hi+1 >= c[n].lo {
				t.Fatalf("spans that touch: %v", c)
			}
		}
	})
}

// TestNearestIsTheSortedList holds the choice of peers to sorting all of them.
func TestNearestIsTheSortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, 200).Draw(t, "peers"))
		var r run
		for _, p := range w.peers {
			r.meet(p)
		}
		for n := range 20 {
			at := key.Of(multihash(n))
			got, want := r.nearest(at, params.K), w.closest(at)
			if len(got) != len(want) {
				t.Fatalf("%d, want %d", len(got), len(want))
			}
			for i := range got {
				if got[i].Info != want[i] {
					t.Fatalf("the %dth of %d is not the %dth nearest", i, len(got), i)
				}
			}
		}
	})
}

package republish

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/siege"
)

// failer is what a test and a drawn test have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is a machine among peers, of which the truth is known. Whatever a test
// does goes through step, which holds the machine to what must be true always.
type world struct {
	failer
	m       *Machine
	now     mono.Now
	rng     *rand.Rand
	peers   []*contact.Info // that answer, in the order of the key space
	met     map[contact.ID]bool
	pending []Action
	last    ID
	holders map[string]map[contact.ID]mono.Wall // of each key, and since when
	facts   []Swept
	lookups int
	told    int

	// What may go wrong.
	nobody  func() bool                   // a lookup finds nobody
	vague   func() bool                   // a lookup does not converge
	refuses func(*contact.Info, int) bool // a peer does not take so many keys
	hidden  func() int                    // how many of the closest nobody names
	ours    func() bool                   // what is not taken now is our own fault

	network siege.Network // that lookups tell of
}

const epoch = mono.Wall(1_767_225_600) * second

func newWorld(t failer, seed uint64, peers int) *world {
	w := &world{
		failer: t, rng: rand.New(rand.NewPCG(seed, 0)), now: mono.Now{Mono: 1, Wall: epoch},
		met: map[contact.ID]bool{}, holders: map[string]map[contact.ID]mono.Wall{},
		nobody: func() bool { return false }, vague: func() bool { return false },
		refuses: func(*contact.Info, int) bool { return false }, hidden: func() int { return 0 },
		ours: func() bool { return false },
	}
	w.populate(peers)
	w.m = New(w.now, params.SweepWidth)
	return w
}

// populate gives the world other peers.
func (w *world) populate(n int) {
	w.peers = nil
	for range n {
		w.peers = append(w.peers, contact.New(contact.ID(binary.BigEndian.AppendUint64(nil, w.rng.Uint64()))))
	}
	slices.SortFunc(w.peers, func(a, b *contact.Info) int { return a.Key.Compare(b.Key) })
}

// multihash is content number n.
func multihash(n int) []byte {
	return append([]byte{0x12, 0x20}, fmt.Sprintf("%032d", n)...)
}

func multihashes(from, to int) (list [][]byte) {
	for n := from; n < to; n++ {
		list = append(list, multihash(n))
	}
	return list
}

// closest are the true k closest to a key.
func (w *world) closest(at key.Key) []*contact.Info {
	near := slices.Clone(w.around(at))
	slices.SortFunc(near, func(a, b *contact.Info) int { return at.Closer(a.Key, b.Key) })
	return near[:min(params.K, len(near))]
}

// nearest are the true n closest to a key.
func (w *world) nearest(at key.Key, n int) []*contact.Info {
	near := slices.Clone(w.peers)
	slices.SortFunc(near, func(a, b *contact.Info) int { return at.Closer(a.Key, b.Key) })
	return near[:min(n, len(near))]
}

// around are the peers of the longest prefix of a key that k of them have.
func (w *world) around(at key.Key) []*contact.Info {
	list := w.peers
	for bit := range headBits {
		lo, hi := bounds(at[0], bit+1)
		from := sort.Search(len(list), func(i int) bool { return list[i].Key[0] >= lo })
		to := sort.Search(len(list), func(i int) bool { return list[i].Key[0] > hi })
		if to-from < params.K {
			break
		}
		list = list[from:to]
	}
	return list
}

// step tells the machine something and takes what it wants done.
func (w *world) step(ev Event) {
	w.Helper()
	w.m.Step(w.now, ev)
	for a, ok := w.m.Next(); ok; a, ok = w.m.Next() {
		w.pending = append(w.pending, a)
		w.inspect(a)
	}
	w.facts = append(w.facts, w.m.Facts()...)
	w.check()
}

// inspect holds an action to its form.
func (w *world) inspect(a Action) {
	w.Helper()
	id := idOf(a)
	if id <= w.last {
		w.Fatalf("action %d after %d: each has a name of its own", id, w.last)
	}
	w.last = id
	switch a := a.(type) {
	case Lookup:
		w.lookups++
		if len(a.Preimage) == 0 {
			w.Fatalf("a lookup for nothing")
		}
	case Announce:
		seen := map[contact.ID]bool{}
		for _, b := range a.Batches {
			if len(b.Keys) == 0 || len(b.Keys) > params.SweepBatch {
				w.Fatalf("a batch of %d keys", len(b.Keys))
			}
			if seen[b.Peer.ID] || !w.met[b.Peer.ID] {
				w.Fatalf("peer %x is told twice at a time (%v), or was never met", b.Peer.ID, seen[b.Peer.ID])
			}
			seen[b.Peer.ID] = true
			keys := map[string]bool{}
			for _, k := range b.Keys {
				if keys[string(k)] {
					w.Fatalf("a peer is told of %x twice at a time", k)
				}
				keys[string(k)] = true
				if w.m.Fresh([][]byte{k}) > 0 {
					w.Fatalf("%x is announced, and is not in the schedule", k)
				}
			}
		}
		if len(a.Batches) == 0 {
			w.Fatalf("an announcement to nobody")
		}
	}
}

func idOf(a Action) ID {
	if l, ok := a.(Lookup); ok {
		return l.ID
	}
	return a.(Announce).ID
}

// check is what must be true of the machine after every step.
func (w *world) check() {
	w.Helper()
	m := w.m
	waits := 0
	for _, r := range m.runs {
		waits += one(r.id == 0)
	}
	if len(w.pending) != len(m.runs)-waits || len(m.runs) > params.SweepWidth {
		w.Fatalf("%d regions under way, %d of them wait, and %d things are to be done", len(m.runs), waits, len(w.pending))
	}
	wake, ok := m.Wake()
	if ok && wake.Due(w.now.Mono) {
		w.Fatalf("it wants to be woken at %v, and it is %v: it would spin", wake, w.now.Mono)
	}
	for _, r := range m.runs {
		if r.id == 0 && (!ok || wake > r.pace) {
			w.Fatalf("a region waits until %v, and it wants to be woken at %v (%v)", r.pace, wake, ok)
		}
	}
	if !ok && len(w.pending) == 0 && m.items.n > 0 {
		w.Fatalf("%d keys, nothing to be done, and nothing to wake for", m.items.n)
	}
	n, keep, queued := 0, 0, 0
	var before *item
	count := map[uint64]int{}
	m.items.each(0, ^uint64(0), func(i *item) bool {
		if before != nil && before.compare(i.head, i.text) >= 0 {
			w.Fatalf("keys are out of order")
		}
		if !i.keep && !i.queued {
			w.Fatalf("a key is there for nothing")
		}
		lo, _ := bounds(i.head, m.depth)
		before = i
		count[lo]++
		n, keep, queued = n+1, keep+one(i.keep), queued+one(i.queued)
		return true
	})
	if n != m.items.n || keep != m.keep || queued != m.queued {
		w.Fatalf("%d, %d and %d keys; counted %d, %d and %d", n, keep, queued, m.items.n, m.keep, m.queued)
	}
	for _, g := range m.regions {
		if count[g.lo] != g.keys || g.keys == 0 && !g.busy {
			w.Fatalf("region %x has %d keys; counted %d", g.lo, count[g.lo], g.keys)
		}
		delete(count, g.lo)
	}
	if len(count) > 0 {
		w.Fatalf("keys without a region: %v", count)
	}
}

// carryOut does one of the things that are to be done, and says what came of it.
func (w *world) carryOut(n int) {
	w.Helper()
	a := w.pending[n]
	w.pending = slices.Delete(w.pending, n, n+1)
	switch a := a.(type) {
	case Lookup:
		if w.nobody() || len(w.peers) == 0 {
			w.step(LookedUp{ID: a.ID})
			return
		}
		near, vague := w.closest(key.Of(a.Preimage)), w.vague()
		if a.Wide {
			near = w.nearest(key.Of(a.Preimage), params.MaxWanted)
		}
		if vague { // it missed some
			near = near[w.rng.IntN(len(near)):]
		}
		near = near[:max(1, len(near)-w.hidden())]
		for _, p := range near {
			w.met[p.ID] = true
		}
		w.step(LookedUp{ID: a.ID, Peers: near, Converged: !vague, Network: w.network})
	case Announce:
		w.step(w.deliver(a))
	}
}

func (w *world) deliver(a Announce) Announced {
	out := Announced{ID: a.ID}
	for _, b := range a.Batches {
		w.told++
		if w.refuses(b.Peer, len(b.Keys)) {
			if w.ours() {
				out.Spared = append(out.Spared, b.Peer.Key)
			}
			continue
		}
		out.Took = append(out.Took, b.Peer.Key)
		for _, k := range b.Keys {
			if w.holders[string(k)] == nil {
				w.holders[string(k)] = map[contact.ID]mono.Wall{}
			}
			w.holders[string(k)][b.Peer.ID] = w.now.Wall
		}
	}
	return out
}

// pass lets time go by on both clocks.
func (w *world) pass(d time.Duration) {
	w.now.Mono, w.now.Wall = w.now.Mono.Add(d), w.now.Wall+mono.Wall(d)
}

// run carries things out, one after the other, until nothing is to be done
// before some time has passed. A lookup takes three seconds, an announcement a
// third of one.
func (w *world) run(d time.Duration) {
	w.Helper()
	end := w.now.Mono.Add(d)
	for range 1_000_000 {
		if len(w.pending) > 0 {
			takes := 3 * time.Second
			if _, is := w.pending[0].(Announce); is {
				takes = time.Second / 3
			}
			w.pass(takes)
			w.carryOut(0)
			continue
		}
		wake, ok := w.m.Wake()
		if !ok || wake > end {
			w.pass(max(0, end.Sub(w.now.Mono)))
			w.step(Tick{})
			if len(w.pending) == 0 {
				return
			}
			continue
		}
		w.pass(wake.Sub(w.now.Mono))
		w.step(Tick{})
	}
	w.Fatalf("it does not come to rest")
}

// restart is a machine that knows what the one before it had kept.
func (w *world) restart() {
	w.Helper()
	old := w.m
	w.m = New(w.now, params.SweepWidth)
	w.pending, w.last = nil, 0
	for n := range Shards {
		if err := w.m.Restore(old.Encode(n)); err != nil {
			w.Fatalf("shard %d: %v", n, err)
		}
	}
	if dirty := w.m.Dirty(); len(dirty) > 0 {
		w.Fatalf("shards %v are to be kept again", dirty)
	}
	if a, b := old.Status(), w.m.Status(); a.Keys != b.Keys || a.Queued != b.Queued {
		w.Fatalf("%+v after a restart, %+v before", b, a)
	}
	w.step(Tick{})
}

// provided is when the last of so many of a key's true closest was told of it,
// or zero if there are fewer of them.
func (w *world) provided(text []byte, enough int) mono.Wall {
	var dates []mono.Wall
	for _, p := range w.closest(key.Of(text)) {
		if at := w.holders[string(text)][p.ID]; at > 0 {
			dates = append(dates, at)
		}
	}
	if len(dates) < enough {
		return 0
	}
	slices.Sort(dates)
	return dates[len(dates)-enough]
}

// holding is how many of a key's true closest have it.
func (w *world) holding(text []byte) (n int) {
	for _, p := range w.closest(key.Of(text)) {
		n += one(w.holders[string(text)][p.ID] > 0)
	}
	return n
}

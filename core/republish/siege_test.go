package republish

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/siege"
)

// besiege places so many peers next to a key, who are nearer to it than anybody.
func (w *world) besiege(at key.Key, n int) (placed map[contact.ID]bool) {
	placed = map[contact.ID]bool{}
	for i := range n {
		k := at
		k[0] ^= uint64(i+1) << 20
		p := &contact.Info{ID: contact.ID(fmt.Sprint("placed ", i, at[0])), Key: k, Addrs: []contact.Addr{"\x04\x7f\x00\x00\x01\x06\x00\x01"}}
		w.peers = append(w.peers, p)
		placed[p.ID] = true
	}
	slices.SortFunc(w.peers, func(a, b *contact.Info) int { return a.Key.Compare(b.Key) })
	return placed
}

// A key around which somebody has placed peers of their own goes to the whole
// region, and so to its closest honest peers, whether it is provided alone or
// among many. Regions and lookups stay what they are without.
func TestABesiegedKeyGoesToItsWholeRegion(t *testing.T) {
	for _, n := range []int{1, 3, 1000} {
		keys := multihashes(0, n)
		calm := newWorld(t, 4, 400)
		calm.network = siege.Network{Peers: 400, Deviation: .1}
		calm.step(Once{Keys: keys})
		calm.run(time.Hour)

		w := newWorld(t, 4, 400)
		w.network = calm.network
		honest := slices.Clone(w.peers)
		placed := w.besiege(key.Of(keys[0]), params.K)
		if n > 1 {
			for id := range w.besiege(key.Of(keys[1]), 2*params.K) {
				placed[id] = true
			}
		}
		w.step(Once{Keys: keys})
		w.run(time.Hour)
		w.peers = honest
		for i, k := range keys[:min(n, 3)] {
			if got := w.holding(k); got < params.K-2 {
				t.Errorf("of %d keys: key %d is on %d of its closest honest peers", n, i, got)
			}
			if most := 4*params.K + len(placed); len(w.holders[string(k)]) > most {
				t.Errorf("of %d keys: key %d is on %d peers", n, i, len(w.holders[string(k)]))
			}
		}
		besieged := 0
		for _, f := range w.facts {
			besieged += f.Besieged
		}
		if want := min(n, 2); besieged < want || besieged > want+n/50 {
			t.Errorf("of %d keys: %d are said to be besieged", n, besieged)
		}
		if n == 1000 && w.m.depth != calm.m.depth || w.lookups > calm.lookups+params.K {
			t.Errorf("of %d keys: regions of %d bits and %d lookups; where nobody is besieged %d and %d",
				n, w.m.depth, w.lookups, calm.m.depth, calm.lookups)
		}
	}
}

// Chance alone makes nobody suspected, and costs no lookup more.
func TestWhereNobodyIsBesiegedNothingIsWide(t *testing.T) {
	for seed := range uint64(5) {
		w := newWorld(t, seed, 500)
		w.network = siege.Network{Peers: 500, Deviation: .1}
		w.step(Once{Keys: multihashes(0, 500)})
		w.run(time.Hour)
		for _, f := range w.facts {
			if f.Besieged > 0 {
				t.Errorf("seed %d: %+v", seed, f)
			}
		}
	}
}

// Who was not told, or was told while our own network was down, has not failed:
// when we are back it is told, and nobody else in its place.
func TestAnOutageOfOurOwnCostsNobodyItsPlace(t *testing.T) {
	for _, ours := range []bool{true, false} {
		w := newWorld(t, 5, 200)
		w.ours = func() bool { return ours }
		rounds := map[mono.Time]bool{}
		w.refuses = func(*contact.Info, int) bool {
			rounds[w.now.Mono] = true
			return len(rounds) < params.SweepRounds // the last round alone comes through
		}
		w.step(Once{Keys: multihashes(0, 1)})
		w.run(params.SweepRetry / 2)
		want := 0
		if ours {
			want = 1
		}
		if f := w.facts[0]; f.Stored != want || ours && w.holding(multihash(0)) != params.K {
			t.Errorf("ours %v: %+v, and it is on %d of its closest", ours, f, w.holding(multihash(0)))
		}
	}
}

// Who besieges many keys does not make the network look larger than it is.
func TestWhoBesiegesManyKeysDoesNotMakeRegionsSmaller(t *testing.T) {
	keys := multihashes(0, 40)
	var depth [2]int
	for i := range depth {
		w := newWorld(t, 6, 400)
		w.network = siege.Network{Peers: 400, Deviation: .1}
		for _, k := range keys {
			if i > 0 {
				w.besiege(key.Of(k), params.K)
			}
		}
		w.step(Once{Keys: multihashes(1000, 1400)})
		w.run(time.Hour)
		w.step(Once{Keys: keys})
		w.run(time.Hour)
		depth[i] = w.m.depth
		if s := w.m.Status(); s.Queued > 0 {
			t.Errorf("%+v", s)
		}
	}
	if depth[1] > depth[0]+1 {
		t.Errorf("regions have %d bits, and %d where nobody is besieged", depth[1], depth[0])
	}
}

// That those who besiege a key say that they have taken it is not enough.
func TestWhatOnlyTheBesiegersHaveTakenIsNotProvided(t *testing.T) {
	w := newWorld(t, 4, 400)
	w.network = siege.Network{Peers: 400, Deviation: .1}
	placed := w.besiege(key.Of(multihash(0)), params.K)
	w.refuses = func(p *contact.Info, _ int) bool { return !placed[p.ID] }
	w.step(Once{Keys: multihashes(0, 1)})
	w.run(params.SweepRetry / 2)
	if s := w.m.Status(); s.Queued != 1 || w.facts[0].Stored != 0 {
		t.Errorf("%+v, %+v", s, w.facts)
	}
}

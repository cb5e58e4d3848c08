package republish

import (
	"math/bits"
	"slices"

	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// share is one key of those that are being announced, and who has to take it.
type share struct {
	job  int
	text []byte
	near []*target // its closest peers
	took uint32    // bit n: near[n] has taken it
	said uint32    // bit n: it is being told

	enough int // how many have to
}

// missing reports whether a peer has still to be told of the key.
func (s *share) missing(n int) bool { return s.took&(1<<n) == 0 }

// complete reports whether all have taken it.
func (s *share) complete() bool { return bits.OnesCount32(s.took) == len(s.near) }

// tell announces the next of the keys: so many that no peer is told more than a
// batch, and not before the pace allows. If no peer of the region is left that
// takes anything, the rest waits for the next try.
func (m *Machine) tell(r *run) {
	if r.told == len(r.keys) || len(r.peers) == 0 {
		m.end(r)
		return
	}
	if !r.pace.Due(m.now.Mono) {
		return // Wake says when
	}
	if r.shares == nil {
		r.apportion()
	}
	r.round++
	r.id = m.id()
	r.pace = m.now.Mono.Add(params.SweepPace)
	batches := r.batches()
	r.sent += len(batches)
	m.actions = append(m.actions, Announce{ID: r.id, Batches: batches})
}

// apportion chooses the keys that are announced next, and the peers for each.
func (r *run) apportion() {
	r.round = 0
	count := make(map[*target]int)
	for n := r.told; n < len(r.keys); n++ {
		near := r.nearest(r.keys[n].at)
		full := slices.ContainsFunc(near, func(t *target) bool { return count[t] >= params.SweepBatch })
		if full {
			return
		}
		for _, t := range near {
			count[t]++
		}
		r.shares = append(r.shares, share{
			job: n, text: []byte(r.keys[n].text), near: near, enough: max(1, min(len(near), params.SweepEnough)),
		})
	}
}

// batches are the keys of each peer that has still to take some, in the order
// in which they come up.
func (r *run) batches() []Batch {
	var loaded []*target
	for i := range r.shares {
		s := &r.shares[i]
		s.said = 0
		for n, t := range s.near {
			if !s.missing(n) || len(t.load) >= params.SweepBatch {
				continue
			}
			if len(t.load) == 0 {
				loaded = append(loaded, t)
			}
			t.load = append(t.load, s.text)
			s.said |= 1 << n
		}
	}
	all := make([]Batch, len(loaded))
	for i, t := range loaded {
		all[i] = Batch{Peer: t.Info, Keys: t.load}
	}
	return all
}

// announced takes the outcome of an announcement: some keys may have to go
// to their peers once more, or to others.
func (m *Machine) announced(ev Announced) {
	r := m.running(ev.ID)
	if r == nil {
		return
	}
	r.id = 0
	r.settle(ev.Took)
	if r.round < params.SweepRounds && r.open() {
		r.replace()
		if r.open() {
			m.tell(r)
			return
		}
	}
	for i := range r.shares {
		if s := &r.shares[i]; bits.OnesCount32(s.took) >= s.enough {
			r.stored++
			m.provided(r.keys[s.job])
		}
	}
	r.told += len(r.shares)
	r.shares = nil
	m.tell(r)
}

// open reports whether some peer has still to be told of some key.
func (r *run) open() bool {
	return slices.ContainsFunc(r.shares, func(s share) bool { return !s.complete() })
}

// settle notes who has taken its batch; who has not gets a strike.
func (r *run) settle(took []key.Key) {
	took = slices.SortedFunc(slices.Values(took), key.Key.Compare)
	has := func(t *target) bool {
		_, found := slices.BinarySearchFunc(took, t.Key, key.Key.Compare)
		return found
	}
	for i := range r.shares {
		s := &r.shares[i]
		for n, t := range s.near {
			if s.said&(1<<n) != 0 && has(t) {
				s.took |= 1 << n
			}
		}
	}
	for _, t := range r.peers {
		if len(t.load) > 0 && !has(t) {
			t.strikes++
		}
		t.load = nil
	}
}

// replace gives the keys of peers that have failed too often to the next
// nearest.
func (r *run) replace() {
	out := func(t *target) bool { return t.strikes >= params.SweepStrikes }
	r.peers = slices.DeleteFunc(r.peers, out)
	for i := range r.shares {
		s := &r.shares[i]
		if !slices.ContainsFunc(s.near, out) {
			continue
		}
		near, took := r.nearest(r.keys[s.job].at), uint32(0)
		for n, t := range near {
			if was := slices.Index(s.near, t); was >= 0 && !s.missing(was) {
				took |= 1 << n
			}
		}
		s.near, s.took = near, took
	}
}

// provided notes that a key was provided now.
func (m *Machine) provided(j job) {
	i := m.items.get(j.at[0], j.text)
	if i == nil {
		return // it was stopped since
	}
	m.touch(i.head)
	m.queued -= one(i.queued)
	i.queued, i.last = false, seconds(m.now.Wall)
	if !i.keep {
		m.drop(j.at[0], j.text)
	}
}

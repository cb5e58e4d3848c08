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
	took marks     // which of them have taken it
	said marks     // and which are being told

	enough int // how many have to
}

// marks says something of each of some peers, of which there are no more than a
// besieged key has in its region.
type marks [2]uint64

const _ = uint(len(marks{})*64 - params.MaxWanted) // there is room for all

func (m *marks) set(n int)      { m[n/64] |= 1 << (n % 64) }
func (m *marks) has(n int) bool { return m[n/64]&(1<<(n%64)) != 0 }
func (m *marks) count() int     { return bits.OnesCount64(m[0]) + bits.OnesCount64(m[1]) }

// missing reports whether a peer has still to be told of the key.
func (s *share) missing(n int) bool { return !s.took.has(n) }

// complete reports whether all have taken it.
func (s *share) complete() bool { return s.took.count() == len(s.near) }

// tell announces the next of the keys: so many that no peer is told more than a
// batch, and not before the pace allows. If no peer of the region is left that
// takes anything, the rest waits for the next try.
func (m *Machine) tell(r *run) {
	if r.shares == nil {
		m.winnow(r)
	}
	if r.told == len(r.keys) || len(r.peers) == 0 {
		m.end(r)
		return
	}
	if !r.pace.Due(m.now.Mono) {
		return // Wake says when
	}
	if r.shares == nil {
		m.apportion(r)
	}
	batches := m.batches(r)
	if len(batches) == 0 { // what had still to be told was stopped since
		m.tally(r)
		m.tell(r)
		return
	}
	r.round++
	r.id = m.id()
	r.pace = m.now.Mono.Add(params.SweepPace)
	r.sent += len(batches)
	m.actions = append(m.actions, Announce{ID: r.id, Batches: batches})
}

// winnow drops the keys that have still to be announced and are not in the
// schedule any more: nobody is told of them.
func (m *Machine) winnow(r *run) {
	r.keys = append(r.keys[:r.told], slices.DeleteFunc(r.keys[r.told:], m.gone)...)
}

// gone reports whether a key was stopped since its run began.
func (m *Machine) gone(j job) bool { return m.items.get(j.at[0], j.text) == nil }

// apportion chooses the keys that are announced next, and the peers for each.
func (m *Machine) apportion(r *run) {
	r.round = 0
	count := make(map[*target]int)
	for n := r.told; n < len(r.keys); n++ {
		near := m.takers(r, r.keys[n].at)
		full := slices.ContainsFunc(near, func(t *target) bool { return count[t] >= params.SweepBatch })
		if full {
			return
		}
		for _, t := range near {
			count[t]++
		}
		r.shares = append(r.shares, share{
			job: n, text: []byte(r.keys[n].text), near: near, enough: enough(near),
		})
	}
}

// takers are the peers that a key goes to: the k closest of those that were met,
// or if the key is besieged all who are in the region around it.
func (m *Machine) takers(r *run, at key.Key) []*target {
	if !m.besieged(r, at) {
		return r.nearest(at, params.K)
	}
	near := r.nearest(at, params.MaxWanted)
	return near[:m.network.Region(distances(at, near))]
}

// enough is how many of them have to take it: half of those of a region, as some
// were placed there to say that they do.
func enough(near []*target) int {
	if len(near) > params.K {
		return (len(near) + 1) / 2
	}
	return max(1, min(len(near), params.SweepEnough))
}

// batches are the keys of each peer that has still to take some, in the order
// in which they come up.
func (m *Machine) batches(r *run) []Batch {
	var loaded []*target
	for i := range r.shares {
		s := &r.shares[i]
		s.said = marks{}
		if m.gone(r.keys[s.job]) {
			continue
		}
		for n, t := range s.near {
			if !s.missing(n) || len(t.load) >= params.SweepBatch {
				continue
			}
			if len(t.load) == 0 {
				loaded = append(loaded, t)
			}
			t.load = append(t.load, s.text)
			s.said.set(n)
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
	r.settle(ev)
	if r.round < params.SweepRounds && r.open() {
		m.replace(r)
		if r.open() {
			m.tell(r)
			return
		}
	}
	m.tally(r)
	m.tell(r)
}

// tally counts what came of the keys that were being announced. One that was
// stopped meanwhile neither was provided nor has failed.
func (m *Machine) tally(r *run) {
	for i := range r.shares {
		s := &r.shares[i]
		j := r.keys[s.job]
		if m.gone(j) {
			r.stopped++
			continue
		}
		r.besieged += one(len(s.near) > params.K)
		if s.took.count() >= s.enough {
			r.stored++
			r.certain += one(j.sure)
			r.records += s.took.count()
			m.provided(j)
		}
	}
	r.told += len(r.shares)
	r.shares = nil
}

// open reports whether some peer has still to be told of some key.
func (r *run) open() bool {
	return slices.ContainsFunc(r.shares, func(s share) bool { return !s.complete() })
}

// settle notes who has taken its batch; who has not gets a strike, unless that is
// not its fault.
func (r *run) settle(ev Announced) {
	took, spared := keySet(ev.Took), keySet(ev.Spared)
	for i := range r.shares {
		s := &r.shares[i]
		for n, t := range s.near {
			if s.said.has(n) && took.has(t.Key) {
				s.took.set(n)
			}
		}
	}
	for _, t := range r.peers {
		switch {
		case len(t.load) == 0:
		case took.has(t.Key):
			r.reached += one(!t.took)
			t.took = true
		case !spared.has(t.Key):
			t.strikes++
		}
		t.load = nil
	}
}

// sortedKeys is a set of keys.
type sortedKeys []key.Key

func keySet(keys []key.Key) sortedKeys {
	return slices.SortedFunc(slices.Values(keys), key.Key.Compare)
}

func (s sortedKeys) has(k key.Key) bool {
	_, found := slices.BinarySearchFunc(s, k, key.Key.Compare)
	return found
}

// replace gives the keys of peers that have failed too often to the next
// nearest.
func (m *Machine) replace(r *run) {
	out := func(t *target) bool { return t.strikes >= params.SweepStrikes }
	r.peers = slices.DeleteFunc(r.peers, out)
	for i := range r.shares {
		s := &r.shares[i]
		if !slices.ContainsFunc(s.near, out) {
			continue
		}
		near, took := m.takers(r, r.keys[s.job].at), marks{}
		for n, t := range near {
			if was := slices.Index(s.near, t); was >= 0 && !s.missing(was) {
				took.set(n)
			}
		}
		s.near, s.took = near, took
	}
}

// provided notes that a key was provided now.
func (m *Machine) provided(j job) {
	i := m.items.get(j.at[0], j.text)
	m.touch(i.head)
	m.queued -= one(i.queued)
	i.queued, i.last = false, seconds(m.now.Wall)
	if !i.keep {
		m.drop(j.at[0], j.text)
	}
}

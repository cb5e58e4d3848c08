package republish

import (
	"slices"
	"sort"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/siege"
)

// run is one region under way: first its peers are looked up until the k
// closest of every key are known, then they are told.
type run struct {
	lo   uint64
	bits int
	lag  time.Duration // how long after its time it began
	from mono.Time     // when that was
	id   ID            // of what is under way; 0 waits for pace
	pace mono.Time     // nobody is told anything before
	keys []job         // in the order of the key space

	served  int       // keys[:served] have their closest peers known
	own     bool      // the lookup under way is for a key itself
	wide    bool      // and for many more than k peers
	asked   []byte    // what it is for
	aim     key.Key   // and where that is
	peers   []*target // met, in the order of the key space; who fails too often is no longer one
	met     int
	known   cover     // where all peers are known
	vague   bool      // the last lookup did not converge
	few     []key.Key // what the first lookup found that found fewer than k
	doubted doubt
	lookups int
	cut     bool // there was no place for all keys

	told   int // keys[:told] were announced
	shares []share
	round  int
	sent   int // batches
	stored int

	certain  int // of those, whose closest peers were known for certain
	stopped  int // keys[:told] that were stopped while they were being announced
	besieged int // of those that were announced
	records  int // of the stored ones, that were taken
	reached  int // peers that have taken what they were told
}

// job is one key to be provided.
type job struct {
	at   key.Key
	text string
	sure bool // its closest peers are known for certain
}

// target is a peer that may be told.
type target struct {
	*contact.Info
	strikes int      // how often it did not take its keys
	took    bool     // it has taken some
	load    [][]byte // what it is to be told now
}

// run begins a region.
func (m *Machine) run(g *region) {
	g.busy, g.more = true, false
	r := &run{lo: g.lo, bits: m.depth, lag: lag(m.now.Wall, g.due), from: m.now.Mono, pace: m.now.Mono}
	turn := m.turn(g.lo)
	lo, hi := bounds(g.lo, m.depth)
	m.items.each(lo, hi, func(i *item) bool {
		if i.wants(turn) {
			r.keys = append(r.keys, job{at: key.OfString(i.text), text: i.text})
		}
		return len(r.keys) < params.SweepKeys
	})
	r.cut = len(r.keys) == params.SweepKeys
	m.runs = append(m.runs, r)
	m.explore(r)
}

// explore passes over the keys whose closest peers are known, and looks up what
// the next one lacks. A region that has had all its lookups goes on with what
// is known; one that proves to be too large leaves the rest to smaller ones.
func (m *Machine) explore(r *run) {
	for r.served < len(r.keys) {
		at := r.keys[r.served].at
		depth, ok := r.complete(at[0])
		besieged := m.besieged(r, at)
		reaches := !besieged || m.network.Beyond(^uint64(0)>>depth)
		if ok && (depth == 0 || r.count(bounds(at[0], depth)) >= params.K && reaches) {
			r.keys[r.served].sure = true
			r.served++
			continue
		}
		if r.served > 0 && m.misfits() && m.fitting() > r.bits {
			r.keys, r.cut = r.keys[:r.served], true
			break
		}
		if r.lookups < params.SweepLookups {
			m.lookup(r, depth, ok, besieged)
			return
		}
		r.served++
	}
	m.tell(r)
}

// complete returns the shortest prefix of a head under which all peers are
// known. Zero is the whole network.
func (r *run) complete(head uint64) (depth int, ok bool) {
	for depth := range headBits {
		if r.known.holds(bounds(head, depth)) {
			return depth, true
		}
	}
	return 0, false
}

// count returns how many of the peers met have heads from lo to hi.
func (r *run) count(lo, hi uint64) int {
	from, to := r.stretch(lo, hi)
	return to - from
}

func (r *run) stretch(lo, hi uint64) (from, to int) {
	from = sort.Search(len(r.peers), func(i int) bool { return r.peers[i].Key[0] >= lo })
	to = sort.Search(len(r.peers), func(i int) bool { return r.peers[i].Key[0] > hi })
	return from, to
}

// lookup asks for what the next key lacks. If nothing around it is known that
// is the key itself, and its own closest come of it. If a prefix is known that
// has too few peers, it is the other half of the next shorter prefix, which
// serves the keys around it too, unless this key is the last, or lookups do not
// converge. And it is the other half of the key space once, if few peers might be
// all there are. If the key is besieged, it is the key itself, and more peers than
// those who besiege it may be.
func (m *Machine) lookup(r *run, depth int, complete, besieged bool) {
	own := []byte(r.keys[r.served].text)
	switch {
	case r.doubted == doubting:
		p := key.Preimage(r.aim.FlipBit(0), 1, 0)
		m.seek(r, p[:], false, false)
		return
	case besieged:
		m.seek(r, own, true, true)
		return
	case complete && !r.vague && len(r.keys)-r.served > 1:
		if p, ok := r.sibling(r.keys[r.served].at, depth); ok {
			m.seek(r, p, false, false)
			return
		}
	}
	m.seek(r, own, true, false)
}

// seek looks up who is closest to a preimage, which may be the key itself.
func (m *Machine) seek(r *run, preimage []byte, own, wide bool) {
	r.id, r.aim, r.asked, r.own, r.wide = m.id(), key.Of(preimage), preimage, own, wide
	r.lookups++
	m.actions = append(m.actions, Lookup{ID: r.id, Preimage: preimage, Wide: wide})
}

// besieged reports whether the peers that were met closest to a key are nearer
// to it than chance explains: then it may be that they alone are found.
func (m *Machine) besieged(r *run, at key.Key) bool {
	return m.network.Peers > 0 && m.network.Crowded(distances(at, r.nearest(at, params.K)))
}

func distances(at key.Key, near []*target) []siege.Distance {
	far := make([]siege.Distance, len(near))
	for i, t := range near {
		far[i] = at.Xor(t.Key)[0]
	}
	return far
}

// sibling returns a preimage in the first part that is not known of the other
// half of the prefix that is one bit shorter.
func (r *run) sibling(at key.Key, depth int) (preimage []byte, ok bool) {
	other := at.FlipBit(depth - 1)
	from, ok := r.known.gap(bounds(other[0], depth))
	if !ok {
		return nil, false
	}
	for prefix := depth; prefix <= key.MaxPreimageBits; prefix++ {
		if lo, hi := bounds(from, prefix); lo >= from && !r.known.touches(lo, hi) {
			p := key.Preimage(key.Key{from}, prefix, 0)
			return p[:], true
		}
	}
	return nil, false
}

// lookedUp takes the outcome of a lookup.
func (m *Machine) lookedUp(ev LookedUp) {
	r := m.running(ev.ID)
	if r == nil {
		return
	}
	r.id = 0
	if len(ev.Peers) == 0 {
		m.alone(r)
		return
	}
	m.nobody, m.hold = 0, 0
	if ev.Network.Peers > 0 {
		m.network = ev.Network
	}
	for _, p := range ev.Peers {
		r.meet(p)
	}
	r.vague = !ev.Converged
	if ev.Converged {
		m.survey(r, ev.Peers)
	} else if r.doubted == doubting {
		r.doubted = settled // it did not find out
	}
	if !r.wide && r.doubted != doubting && r.lookups < params.SweepLookups && m.besieged(r, r.aim) {
		m.seek(r, r.asked, r.own, true) // and find who is behind those who besiege it
		return
	}
	if r.own {
		r.keys[r.served].sure = ev.Converged
		r.served++
	}
	m.explore(r)
}

// meet adds a peer to those that may be told.
func (r *run) meet(p *contact.Info) {
	at, found := slices.BinarySearchFunc(r.peers, p.Key, func(t *target, k key.Key) int { return t.Key.Compare(k) })
	if !found {
		r.peers = slices.Insert(r.peers, at, &target{Info: p})
		r.met++
	}
}

// survey notes what a lookup that converged says of the network: whoever is
// nearer to its aim than the last of the closest is among them. Fewer than k are
// no proof that there are no more: where tables are old, the dead may take the
// places of those who would be named. If a lookup at the other end of the key
// space finds the same, they are. Who besieges a key says nothing of how large
// the network is.
func (m *Machine) survey(r *run, closest []*contact.Info) {
	if !r.wide {
		closest = closest[:min(len(closest), params.K)]
	}
	shared := r.aim.CommonPrefix(closest[len(closest)-1].Key)
	r.known.add(bounds(r.aim[0], min(shared+1, headBits-1)))
	if len(closest) == params.K && !m.besieged(r, r.aim) {
		m.learn(shared)
	}
	switch found := keysOf(closest); {
	case r.doubted == doubting && slices.Equal(found, r.few):
		r.known.add(bounds(0, 0))
		m.learn(0)
		r.doubted = settled
	case r.doubted == doubting:
		r.doubted = settled
	case r.doubted == trusting && len(closest) < params.K:
		r.few, r.doubted = found, doubting
	}
}

// doubt is how far a run is with finding out whether few peers are all.
type doubt uint8

const (
	trusting doubt = iota // no lookup has found fewer than k
	doubting              // the next one is to find out
	settled
)

func keysOf(peers []*contact.Info) []key.Key {
	keys := make([]key.Key, len(peers))
	for i, p := range peers {
		keys[i] = p.Key
	}
	slices.SortFunc(keys, key.Key.Compare)
	return keys
}

// alone ends a run whose lookup found nobody, and has all wait for a while.
func (m *Machine) alone(r *run) {
	if m.hold.Due(m.now.Mono) { // else others, that were under way too, have found nobody
		pause := params.SweepHold << min(m.nobody, params.SweepHoldDoublings)
		m.nobody++
		m.hold = m.now.Mono.Add(min(pause, params.SweepRetry))
	}
	m.end(r)
}

func (m *Machine) running(id ID) *run {
	n := slices.IndexFunc(m.runs, func(r *run) bool { return id != 0 && r.id == id })
	if n < 0 {
		return nil
	}
	return m.runs[n]
}

// end closes a run. What was not stored is tried again a little later; what was
// added meanwhile, or found no place in this run, at once.
func (m *Machine) end(r *run) {
	m.runs = slices.DeleteFunc(m.runs, func(other *run) bool { return other == r })
	m.winnow(r)
	keys := len(r.keys) - r.stopped
	m.facts = append(m.facts, Swept{
		Prefix: r.lo, Bits: r.bits, Keys: keys, Stored: r.stored, Certain: r.certain, Besieged: r.besieged,
		Lookups: r.lookups, Peers: r.met, Reached: r.reached, Told: r.sent, Records: r.records,
		Lag: r.lag, Took: m.now.Mono.Sub(r.from),
	})
	if m.single {
		for _, j := range r.keys {
			m.stop([]byte(j.text))
		}
	}
	g := m.region(r.lo)
	more := (g.more || r.cut) && r.stored > 0
	g.busy, g.more = false, false
	g.due = m.due(g)
	if r.stored < keys && !more && m.nobody == 0 {
		g.due = m.now.Wall + min(mono.Wall(params.SweepRetry), m.every)
	}
	m.forget(g)
}

// nearest returns the n nearest to a key of the peers that were met, nearest
// first.
func (r *run) nearest(at key.Key, n int) []*target {
	lo, hi := 0, len(r.peers)
	for bit := 0; bit < headBits && hi-lo > n; bit++ {
		from, to := r.stretch(bounds(at[0], bit+1))
		if to-from < n {
			break
		}
		lo, hi = from, to
	}
	near := slices.Clone(r.peers[lo:hi])
	slices.SortFunc(near, func(a, b *target) int { return at.Closer(a.Key, b.Key) })
	return near[:min(len(near), n)]
}

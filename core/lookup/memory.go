package lookup

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Memory is what a node remembers of failures, shared by all its operations:
// who failed on which addresses, and until when that counts. Such peers are
// asked last. It holds at most params.MemoryEntries peers; the oldest entry
// gives way. Of peers and addresses it keeps the first 64 bits of a SHA-256, so
// that no entry is larger than another, whatever strangers call themselves. The
// zero value is ready.
type Memory struct {
	at     map[uint64]uint16 // where in the ring a peer's entry is
	ring   []failure         // in order of arrival, for eviction
	head   int
	recent outage
}

// failure is one entry.
type failure struct {
	who     uint64                  // the first bits of its key
	until   mono.Time               // when it no longer counts
	addrs   [params.MaxAddrs]uint64 // on which it failed
	known   uint8                   // how many they are
	strikes uint8
}

const _ = uint16(params.MemoryEntries - 1) // its places fit into the map

// Failed remembers a failure of a peer on all the addresses that it had. The
// time doubles with each failure in a row, from MemoryFirst to MemoryMax; but
// what fails while it is still remembered had less than the full patience, and
// is nothing new.
// KAD-4.2.
func (m *Memory) Failed(info *contact.Info, now mono.Time) {
	if m.Doubtful(info, now) {
		return
	}
	f := m.entry(info)
	span := params.MemoryMax
	if f.strikes < 8 { // 60 s doubled eight times is beyond any MemoryMax in use
		span = min(params.MemoryFirst<<f.strikes, params.MemoryMax)
		f.strikes++
	}
	f.until, f.known = now.Add(span), 0
	for _, a := range info.Addrs[:min(len(info.Addrs), params.MaxAddrs)] {
		f.addrs[f.known] = digest(a)
		f.known++
	}
}

// digest stands for an address.
func digest(a contact.Addr) uint64 { return key.OfString(string(a))[0] }

// entry returns the entry of a peer, in the place of the oldest if it is new and
// there is no other.
func (m *Memory) entry(info *contact.Info) *failure {
	who := info.Key[0]
	if n, have := m.at[who]; have {
		return &m.ring[n]
	}
	if m.at == nil {
		m.at = make(map[uint64]uint16)
	}
	n := len(m.ring)
	if n < params.MemoryEntries {
		m.ring = append(m.ring, failure{who: who})
	} else {
		n = m.head
		delete(m.at, m.ring[n].who)
		m.ring[n] = failure{who: who}
		m.head = (n + 1) % len(m.ring)
	}
	m.at[who] = uint16(n)
	return &m.ring[n]
}

// Answered forgets the failures of a peer.
func (m *Memory) Answered(info *contact.Info) {
	if n, ok := m.at[info.Key[0]]; ok {
		m.ring[n].strikes, m.ring[n].until = 0, 0 // it keeps its place in the ring
	}
}

// Doubtful reports whether a peer failed lately on every address that is known
// of it: one new address revives it.
func (m *Memory) Doubtful(info *contact.Info, now mono.Time) bool {
	n, ok := m.at[info.Key[0]]
	if !ok || m.ring[n].until.Due(now) {
		return false
	}
	f := &m.ring[n]
	for _, a := range info.Addrs {
		if !slices.Contains(f.addrs[:f.known], digest(a)) {
			return false
		}
	}
	return true
}

// Forget drops everything: after an outage of our own, what was remembered in
// it says nothing of others.
func (m *Memory) Forget() { *m = Memory{} }

// Len returns the number of entries.
func (m *Memory) Len() int { return len(m.ring) }

// Clone returns an independent copy.
func (m *Memory) Clone() Memory {
	c := *m
	c.ring, c.at = slices.Clone(m.ring), maps.Clone(m.at)
	c.recent.groups = slices.Clone(m.recent.groups)
	return c
}

// outage tells the failure of others from our own. While every recent attempt
// has failed, across so many IP groups that it is not one of them that is down,
// it is our network, and to remember or evict anybody would empty the table that
// leads back. An attempt counts only if it began after the last answer: one that
// was under way when somebody answered failed beside a network that worked.
type outage struct {
	answered mono.Time // when somebody last answered
	any      bool
	since    mono.Time // the first failure after that
	groups   []contact.Group
	failures int
	members  int // of the table, who were blamed since
	ours     bool
}

// Loss says what the table would lose if a failure were held against its peer.
type Loss struct {
	Member bool                    // the peer is in the table
	Others iter.Seq[contact.Group] // the IP groups of all the others there
}

// Answer tells the memory that somebody answered: the network works.
func (m *Memory) Answer(now mono.Time) {
	m.recent = outage{answered: now, any: true, groups: m.recent.groups[:0]}
}

// Failure tells the memory that an attempt which began at sent has failed, and
// reports whether that may be held against the peer: false while everything
// fails. KAD-4.3.
func (m *Memory) Failure(info *contact.Info, sent, now mono.Time, loss Loss) (blame bool) {
	o := &m.recent
	if !m.Silent(sent) {
		return true
	}
	if o.failures == 0 || now.Sub(o.since) > params.OutageWindow && !o.ours {
		o.since, o.failures, o.groups, o.members = now, 0, o.groups[:0], 0
	}
	o.failures++
	if g := info.Group(); len(o.groups) < params.OutageGroups && !slices.Contains(o.groups, g) {
		o.groups = append(o.groups, g)
	}
	o.ours = o.ours || o.everywhere() || o.everybody(loss)
	if loss.Member {
		o.members++
	}
	return !o.ours
}

// Silent reports whether nobody has answered since an attempt began.
func (m *Memory) Silent(sent mono.Time) bool { return !m.recent.any || sent > m.recent.answered }

// Ours reports whether everybody fails, and nobody is blamed for it.
func (m *Memory) Ours() bool { return m.recent.ours }

// Down reports whether the outage is taken to be our own, and has lasted so
// long that whatever was under way at its beginning has had its chance.
func (m *Memory) Down(now mono.Time) bool { return m.recent.ours && m.DownAt().Due(now) }

// DownAt returns when that will be so if nobody answers before, or Never.
func (m *Memory) DownAt() mono.Time {
	switch o := &m.recent; {
	case !o.ours:
		return mono.Never
	case !o.any:
		return 0
	default:
		return o.answered.Add(params.HardSlow + 1)
	}
}

// Outage reports whether every recent attempt has failed, of so many peers and
// groups that no failure is held against anybody.
func (m *Memory) Outage() bool { return m.recent.ours }

// SinceAnswer returns how long ago somebody answered, and false if nobody has.
func (m *Memory) SinceAnswer(now mono.Time) (time.Duration, bool) {
	return now.Sub(m.recent.answered), m.recent.any
}

// everywhere reports whether so many have failed, in so many places, whoever
// they were.
func (o *outage) everywhere() bool {
	return len(o.groups) >= params.OutageGroups && o.failures >= params.OutageFailures
}

// everybody reports the same of a network in few places, where only those count
// who were known to live: whoever names others may name any number that never
// were. The table would lose its last contact, or one more than so many in a
// row, and whoever is left in it is in a place where others have failed.
func (o *outage) everybody(loss Loss) bool {
	if !loss.Member {
		return false
	}
	for g := range loss.Others {
		if o.members+1 < params.OutageFailures || !slices.Contains(o.groups, g) {
			return false
		}
	}
	return true
}

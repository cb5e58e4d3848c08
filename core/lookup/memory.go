package lookup

import (
	"iter"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Memory is what a node remembers of failures, shared by all its operations:
// who failed on which addresses, and until when that counts. Such peers are
// asked last. It holds at most params.MemoryEntries peers; the oldest entry
// gives way. The zero value is ready.
type Memory struct {
	entries map[contact.ID]failure
	ring    []contact.ID // in order of arrival, for eviction
	head    int
	recent  outage
}

// failure is one entry.
type failure struct {
	addrs   []contact.Addr // on which it failed; not to be changed
	until   mono.Time
	strikes uint8
}

// Failed remembers a failure of a peer on all the addresses that it had. The
// time doubles with each failure in a row, from MemoryFirst to MemoryMax; but
// what fails while it is still remembered had less than the full patience, and
// is nothing new.
// KAD-4.2.
func (m *Memory) Failed(info *contact.Info, now mono.Time) {
	if m.entries == nil {
		m.entries = make(map[contact.ID]failure)
	}
	if m.Doubtful(info, now) {
		return
	}
	f, have := m.entries[info.ID]
	if !have {
		m.admit(info.ID)
	}
	span := params.MemoryMax
	if f.strikes < 8 { // 60 s doubled eight times is beyond any MemoryMax in use
		span = min(params.MemoryFirst<<f.strikes, params.MemoryMax)
		f.strikes++
	}
	f.addrs, f.until = info.Addrs, now.Add(span)
	m.entries[info.ID] = f
}

// admit makes room for a new entry and puts it into the ring.
func (m *Memory) admit(id contact.ID) {
	if len(m.ring) < params.MemoryEntries {
		m.ring = append(m.ring, id)
		return
	}
	delete(m.entries, m.ring[m.head])
	m.ring[m.head] = id
	m.head = (m.head + 1) % len(m.ring)
}

// Answered forgets the failures of a peer.
func (m *Memory) Answered(id contact.ID) {
	if f, ok := m.entries[id]; ok {
		f.strikes, f.until = 0, 0 // the ring still counts the entry
		m.entries[id] = f
	}
}

// Doubtful reports whether a peer failed lately on every address that is known
// of it: one new address revives it.
func (m *Memory) Doubtful(info *contact.Info, now mono.Time) bool {
	f, ok := m.entries[info.ID]
	if !ok || f.until.Due(now) {
		return false
	}
	for _, a := range info.Addrs {
		if !slices.Contains(f.addrs, a) {
			return false
		}
	}
	return true
}

// Forget drops everything: after an outage of our own, what was remembered in
// it says nothing of others.
func (m *Memory) Forget() { *m = Memory{} }

// Len returns the number of entries.
func (m *Memory) Len() int { return len(m.entries) }

// Clone returns an independent copy.
func (m *Memory) Clone() Memory {
	c := *m
	c.ring = slices.Clone(m.ring)
	c.recent.groups = slices.Clone(m.recent.groups)
	if m.entries != nil {
		c.entries = make(map[contact.ID]failure, len(m.entries))
		for id, f := range m.entries {
			c.entries[id] = f
		}
	}
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

package crawl

import (
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// frontier is everybody who was named, in the order of that, and who is to be
// visited next. It knows no clock and no goroutine.
//
// Names that only peers vouch for whose earlier names stayed unanswered come
// last, as in a lookup (KAD-2.5): who invents peers without end would otherwise
// use up what the crawl may visit.
type frontier struct {
	cfg     Config
	entries []entry
	index   map[contact.ID]int
	soon    []int   // to be visited, the first named first
	second  []int   // to be visited once more when nobody is left in soon
	late    []int   // to be visited when nobody else is left
	paused  []pause // to be visited again, the first due first
	dropped int     // names that found no room

	answered, failed int
	prime            int // visits under way of peers that somebody vouched for
}

// entry is one peer.
type entry struct {
	info       *contact.Info
	peer       Peer
	state      state
	tries      int
	by         [3]int // who named it first
	good, mute int    // of those it named: who answered, and who did not
	named      int    // how many it was the first to name
	fresh      bool   // addresses came to light since its last visit began
	doubted    bool   // nobody vouched for it when it was taken
	lives      bool   // it has answered, and those who named it have the credit
}

type state uint8

const (
	waiting state = iota
	asking
	ended
)

type pause struct {
	at  int
	due time.Time
}

// none is the informant of a seed.
const none = -1

func newFrontier(cfg Config) *frontier {
	return &frontier{cfg: cfg, index: make(map[contact.ID]int)}
}

// name notes that a peer was named by another, or is a seed.
func (f *frontier) name(info *contact.Info, by int) {
	if info.ID == f.cfg.Self {
		return
	}
	at, known := f.index[info.ID]
	if known {
		f.namedAgain(at, info, by)
		return
	}
	if len(f.entries) >= params.CrawlNamed || by != none && f.entries[by].named >= params.CrawlNames {
		f.dropped++
		return
	}
	if by != none {
		f.entries[by].named++
	}
	f.index[info.ID] = len(f.entries)
	f.soon = append(f.soon, len(f.entries))
	f.entries = append(f.entries, entry{info: info, by: [3]int{by, none, none}})
}

// done enters a peer whose visit has ended already.
func (f *frontier) done(p Peer) {
	at, known := f.index[p.Info.ID]
	switch {
	case known && f.entries[at].state == ended:
		return
	case !known:
		at = len(f.entries)
		f.index[p.Info.ID] = at
		f.entries = append(f.entries, entry{by: [3]int{none, none, none}})
	default:
		f.soon = slices.DeleteFunc(f.soon, func(i int) bool { return i == at })
	}
	e := &f.entries[at]
	e.info, e.peer, e.state, e.tries = p.Info, p, ended, max(1, p.Tries)
	f.credit(e)
}

// namedAgain notes who else vouches for a peer, and what other addresses it has.
func (f *frontier) namedAgain(at int, info *contact.Info, by int) {
	e := &f.entries[at]
	if i := slices.Index(e.by[1:], none); e.by[0] != none && by != none && i >= 0 && !slices.Contains(e.by[:], by) {
		e.by[1+i] = by
	}
	addrs := e.info.Addrs
	for _, a := range info.Addrs {
		if len(addrs) < params.MaxAddrs && !slices.Contains(addrs, a) {
			addrs = append(addrs[:len(addrs):len(addrs)], a)
		}
	}
	if len(addrs) == len(e.info.Addrs) {
		return
	}
	e.info, e.fresh = contact.New(info.ID, addrs...), true
	if e.state == ended && !e.peer.Answered && e.tries < params.CrawlTries {
		f.failed--
		f.again(at)
	}
}

// vouched reports whether a peer is a seed, or somebody vouches for it whose
// other names were not mostly inventions.
func (f *frontier) vouched(e *entry) bool {
	if e.by[0] == none {
		return true
	}
	return slices.ContainsFunc(e.by[:], func(by int) bool { return by != none && !f.entries[by].liar() })
}

// liar reports whether the names that a peer gave stayed unanswered so much more
// often than not that it vouches for nobody.
func (e *entry) liar() bool { return e.mute >= params.LiarNames*(e.good+1) }

// next takes the peer that is to be visited next.
func (f *frontier) next() (at int, ok bool) {
	for len(f.soon) > 0 {
		at, f.soon = f.soon[0], f.soon[1:]
		if f.vouched(&f.entries[at]) {
			return f.take(at, false), true
		}
		f.late = append(f.late, at)
	}
	if len(f.second) > 0 {
		at, f.second = f.second[0], f.second[1:]
		return f.take(at, f.entries[at].doubted), true
	}
	if f.prime > 0 || len(f.late) == 0 { // somebody may name better ones yet
		return 0, false
	}
	at, f.late = f.late[0], f.late[1:]
	return f.take(at, !f.vouched(&f.entries[at])), true // its informants may have proved true by now
}

func (f *frontier) take(at int, doubted bool) int {
	e := &f.entries[at]
	e.state, e.fresh, e.doubted = asking, false, doubted
	e.tries++
	if !doubted {
		f.prime++
	}
	return at
}

// back notes that a visit is over.
func (f *frontier) back(e *entry) {
	if !e.doubted {
		f.prime--
	}
}

// again puts a peer back whose visit was cut short, or who has new addresses.
func (f *frontier) again(at int) {
	e := &f.entries[at]
	if e.state == asking {
		f.back(e)
		e.tries--
	}
	e.state = waiting
	f.soon = append(f.soon, at)
}

// wake takes back those who have paused for long enough.
func (f *frontier) wake(now time.Time) {
	for len(f.paused) > 0 && !f.paused[0].due.After(now) {
		f.soon = append(f.soon, f.paused[0].at)
		f.paused = f.paused[1:]
	}
}

// soonest returns when the next pause ends.
func (f *frontier) soonest() (due time.Time, any bool) {
	if len(f.paused) == 0 {
		return time.Time{}, false
	}
	return f.paused[0].due, true
}

// ended takes the report of a visit and reports whether it was the last one.
func (f *frontier) ended(at int, r report, now time.Time) bool {
	f.back(&f.entries[at])
	for _, info := range r.named {
		f.name(info, at)
	}
	e := &f.entries[at]
	e.peer = r.Peer
	e.peer.Tries = e.tries
	retry := !r.Answered && !r.stuck && e.tries < params.CrawlTries
	if retry && r.Failure == contact.NotSent {
		e.state = waiting
		f.paused = append(f.paused, pause{at, now.Add(params.CrawlPause)})
		return false
	}
	if retry && e.fresh {
		e.state = waiting
		f.soon = append(f.soon, at)
		return false
	}
	if retry && r.Failure.RanOut() && !e.doubted && e.tries < params.CrawlSilent {
		e.state = waiting
		f.second = append(f.second, at)
		return false
	}
	e.state = ended
	if r.Answered {
		f.lives(at)
	}
	f.credit(e)
	if f.cfg.Edges {
		for _, info := range r.named {
			e.peer.Edges = append(e.peer.Edges, info.ID)
		}
	}
	return true
}

// credit counts how a visit ended, for the crawl and for who named the peer.
func (f *frontier) credit(e *entry) {
	if e.peer.Answered {
		f.answered++
	} else {
		f.failed++
	}
	for _, by := range e.by {
		if by != none && !e.peer.Answered && e.peer.Failure.Blames() {
			f.entries[by].mute++
		}
	}
}

// lives gives credit to those who named a peer as soon as it has answered: a
// visit to the living takes longer than one to the dead, and who names both
// would pass for an inventor meanwhile.
func (f *frontier) lives(at int) {
	e := &f.entries[at]
	if e.lives {
		return
	}
	e.lives = true
	for _, by := range e.by {
		if by != none {
			f.entries[by].good++
		}
	}
}

// left is how many are still to be visited.
func (f *frontier) left() int { return len(f.entries) - f.answered - f.failed }

func (f *frontier) progress() Progress {
	return Progress{Found: len(f.entries), Answered: f.answered, Failed: f.failed, Left: f.left(), Dropped: f.dropped}
}

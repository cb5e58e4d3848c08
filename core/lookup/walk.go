package lookup

import (
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// walk is one path: the names that its own informants gave, nearest first.
// Outcomes it reads from the lookup's table, but only for those names.
type walk struct {
	path        int
	alpha, last int // its share of α, of α in the last round,
	spare, rest int // and of the spare slots of each
	budget      int // its share of P not yet spent
	firm, late  int // flights in regular and in spare slots
	names       []name
	probes      []probe // region probes that wait for a slot
	rounds      int     // rounds of region probes already begun
	before      int32   // peers that the lookup knew when the last of them began
}

// name is a peer as one walk knows it.
type name struct {
	away  uint64 // as in rank
	peer  int32
	depth int16    // hops from the seeds, which have depth 1
	by    [3]int32 // informants that vouch for it, -1 where none; a seed has none at all
}

func newWalk(cfg Config, path int) walk {
	return walk{
		path:  path,
		alpha: share(cfg.Alpha, cfg.Paths, path), spare: share(cfg.Spare, cfg.Paths, path),
		last: share(cfg.AlphaLast, cfg.Paths, path), rest: share(cfg.SpareLast, cfg.Paths, path),
		budget: share(cfg.MaxPeers, cfg.Paths, path),
	}
}

func (w *walk) launched() { w.firm++; w.budget-- }

func (w *walk) turnedLate() { w.firm--; w.late++ }

func (w *walk) landed(f flight) {
	if f.overdue {
		w.late--
	} else {
		w.firm--
	}
}

// Seed gives the lookup a peer to begin with; call it for the nearest first,
// before the first Step. Seeds are dealt to the walks in turn (disjoint.go).
func (l *Lookup) Seed(n Named) {
	if n.Key == l.self || l.indexOf(n.Key) >= 0 {
		return
	}
	w := &l.walks[len(l.peers)%len(l.walks)]
	l.learn(w, n, 1, -1)
}

// Reserve gives the lookup seeds to fall back on, nearest first, for a walk of
// which no peer has answered. It keeps ns; the caller no longer may.
func (l *Lookup) Reserve(ns []Named) { l.reserve = ns }

// learn adds a name to a walk. What the walk already has, gains a voucher, the
// lesser depth, and a second chance if it failed and new addresses came.
func (l *Lookup) learn(w *walk, n Named, depth int, by int32) {
	if n.Key == l.self {
		return
	}
	at, i := l.row(n)
	if by == i {
		return // a peer that names itself vouches for nobody
	}
	if len(l.walks) > 1 { // else the walk knows whom the lookup knows, in the same order
		at = w.find(l, n.Key)
	}
	if at < len(w.names) && w.names[at].peer == i {
		w.names[at].heard(&l.peers[i], depth, n.Fresh && int(l.peers[i].asker) == w.path)
		w.names[at].vouch(by)
		return
	}
	w.names = append(w.names, name{})
	copy(w.names[at+1:], w.names[at:])
	w.names[at] = name{away: n.Key[0] ^ l.target[0], peer: i, depth: int16(depth), by: [3]int32{by, -1, -1}}
}

// heard notes how far from the seeds a known name was given once more, and
// whether with news for the walk that asks the peer; news for another walk is
// none. The least depth holds, but a second attempt is as deep as the news that
// it is owed to: else every failed seed could begin one more chain of H hops,
// one chain after the other, and Bound would not hold.
func (n *name) heard(p *peer, depth int, news bool) {
	switch {
	case news:
		p.fresh, n.depth = true, max(n.depth, int16(depth))
	case p.attempts <= 1 && !p.fresh:
		n.depth = min(n.depth, int16(depth))
	}
}

// vouch adds an informant to a name.
func (n *name) vouch(by int32) {
	for i, have := range n.by {
		if have == by || n.by[0] < 0 {
			return // told before, or a seed, which needs no voucher
		}
		if have < 0 {
			n.by[i] = by
			return
		}
	}
}

// row returns the index of a peer in the table of outcomes, adding it, and its
// place in order.
func (l *Lookup) row(n Named) (at int, i int32) {
	at = l.place(n.Key)
	if at < len(l.order) {
		if i := l.order[at].peer; l.peers[i].key == n.Key {
			return at, i
		}
	}
	l.peers = append(l.peers, peer{key: n.Key, handle: n.Handle, asker: -1})
	i = int32(len(l.peers) - 1)
	l.order = append(l.order, rank{})
	copy(l.order[at+1:], l.order[at:])
	l.order[at] = rank{away: n.Key[0] ^ l.target[0], peer: i}
	return at, i
}

// place returns where a key stands, or would stand, in order.
func (l *Lookup) place(k key.Key) int {
	away, lo, hi := k[0]^l.target[0], 0, len(l.order)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if r := &l.order[mid]; r.away < away || r.away == away && l.target.Closer(l.peers[r.peer].key, k) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// indexOf returns the row of the peer with a key, or -1.
func (l *Lookup) indexOf(k key.Key) int32 {
	if at := l.place(k); at < len(l.order) && l.peers[l.order[at].peer].key == k {
		return l.order[at].peer
	}
	return -1
}

// find returns where a key stands, or would stand, among the walk's names.
func (w *walk) find(l *Lookup, k key.Key) int {
	away, lo, hi := k[0]^l.target[0], 0, len(w.names)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if n := &w.names[mid]; n.away < away || n.away == away && l.target.Closer(l.peers[n.peer].key, k) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// depthOf returns the depth at which the walk knows a peer.
func (w *walk) depthOf(l *Lookup, peer int32) int {
	at := w.find(l, l.peers[peer].key)
	return int(w.names[at].depth)
}

// issue fills every free slot with an eligible peer (I2). The walk with the
// fewest requests in flight comes first, so that a scarce grant starves none.
func (l *Lookup) issue(now mono.Time, env Env) {
	var content [params.MaxPaths]bool // walks that have nothing to issue in this step
	for w := l.hungriest(&content); w != nil; w = l.hungriest(&content) {
		content[w.path] = !l.issueOne(now, w, env)
	}
}

// hungriest returns the walk with the fewest requests in flight that is not content.
func (l *Lookup) hungriest(content *[params.MaxPaths]bool) (least *walk) {
	for i := range l.walks {
		w := &l.walks[i]
		if !content[i] && (least == nil || w.firm+w.late < least.firm+least.late) {
			least = w
		}
	}
	return least
}

// issueOne fills one slot of a walk: with the nearest eligible peer, else a
// region probe, else a reserve seed. It reports whether it could.
func (l *Lookup) issueOne(now mono.Time, w *walk, env Env) bool {
	if !l.room(w) {
		return false
	}
	for {
		at := l.best(w)
		if at < 0 {
			return l.issueProbe(now, w, env) || l.refill(w)
		}
		n := w.names[at]
		if p := &l.peers[n.peer]; !p.doubtful && env.Doubtful(p.handle) {
			p.doubtful = true // look again: somebody better may be waiting
			continue
		}
		l.launch(now, w, n, goal{l.target, key.Bits}, env)
		return true
	}
}

// room reports whether a walk has a free slot: a regular one is free, the
// spare ones are not overdrawn, and neither the budget P nor the node's grant
// is used up. KAD-2.4.
func (l *Lookup) room(w *walk) bool {
	alpha, spare := w.alpha, w.spare
	if l.lastRound(w) {
		alpha, spare = w.last, w.rest
	}
	return w.firm < alpha && w.firm+w.late < alpha+spare && w.budget > 0 && len(l.flights) < l.limit
}

// lastRound reports whether the nearest peer that the walk knows, failures
// aside, has answered: what is left to ask is the rim of the result.
func (l *Lookup) lastRound(w *walk) bool {
	for _, n := range w.names {
		switch l.peers[n.peer].state {
		case answered:
			return true
		case failed:
		default:
			return false
		}
	}
	return false
}

// best returns the index of the walk's best eligible name, or -1. Eligible is
// who was not asked yet (or may be asked again), is not deeper than H, and has
// fewer than k peers nearer than itself that answered: not "that have not
// failed", for then each silent peer would have to time out before the next
// in line could be asked. Doubtful names come after all others. KAD-2.2, KAD-2.5.
func (l *Lookup) best(w *walk) int {
	closer, fallback := 0, -1
	for at := range w.names {
		n := &w.names[at]
		p := &l.peers[n.peer]
		if p.state == answered {
			if closer++; closer == l.cfg.K {
				break
			}
			continue
		}
		if !l.askable(p, w) || int(n.depth) > l.cfg.MaxDepth {
			continue
		}
		if !p.doubtful && l.vouched(n) {
			return at
		}
		if fallback < 0 {
			fallback = at
		}
	}
	return fallback
}

// askable reports whether a peer may be asked by a walk now.
func (l *Lookup) askable(p *peer, w *walk) bool {
	switch p.state {
	case known:
		return true
	case failed: // again, if addresses came to light, and only by who asked first
		return p.fresh && int(p.attempts) < l.cfg.AttemptsFresh && int(p.asker) == w.path
	default:
		return false
	}
}

// waits reports whether a walk has something to wait for or to do: a flight of
// its own to a peer that could still be in the result, a probe, or, with
// budget left, somebody to ask.
func (l *Lookup) waits(w *walk) bool {
	if w.budget > 0 && l.best(w) >= 0 {
		return true // eligible, and only a busy slot or the grant is why it waits
	}
	closer := 0
	for _, n := range w.names {
		p := &l.peers[n.peer]
		if p.state == answered {
			if closer++; closer == l.cfg.K {
				break
			}
		}
		if p.state == flying && int(p.asker) == w.path {
			return true
		}
	}
	return l.probing(w)
}

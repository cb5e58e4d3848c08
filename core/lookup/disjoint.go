package lookup

import "github.com/waymark-dht/waymark/core/mono"

// Disjoint paths (S/Kademlia, section 4.4). The walks share outcomes, not
// information: a peer is asked by one walk only, its closer peers go to that
// walk alone, and another walk counts its answer only if its own informants
// named it. No walk waits for another walk's request (D2): what is in the air
// for another walk is, to this one, simply not eligible, and its outcome is
// stored for whoever looks later.

// share splits n slots or requests between d walks; walk i gets at least one
// if n is at least d. KAD-2.7.
func share(n, d, i int) int {
	s := n / d
	if i < n%d {
		s++
	}
	return s
}

// refill gives a walk of which nobody has answered, and which has nobody left
// to ask, one of the reserve seeds: as many as it has slots, one after the
// other would be a round each. It reports whether it did.
func (l *Lookup) refill(w *walk) bool {
	if len(l.reserve) == 0 {
		return false
	}
	for _, n := range w.names {
		if p := &l.peers[n.peer]; p.state == answered {
			return false
		}
	}
	for len(l.reserve) > 0 {
		n := l.reserve[0]
		l.reserve = l.reserve[1:]
		if l.indexOf(n.Key) < 0 && n.Key != l.self {
			l.learn(w, n, 1, -1)
			l.stats.Refills++
			return true
		}
	}
	return false
}

// FirstAnswer returns when the first peer answered, and false if none has.
func (l *Lookup) FirstAnswer() (mono.Time, bool) {
	first := mono.Never
	for i := range l.peers {
		if p := &l.peers[i]; p.state == answered {
			first = mono.Earlier(first, p.answered)
		}
	}
	if first == mono.Never {
		return 0, false
	}
	return first, true
}

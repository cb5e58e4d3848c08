package lookup

import (
	"slices"

	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// The region probe. Neighbours answer alike: each names its k closest, dead
// ones included, so who stands behind the dead is named by nobody. Asking a
// few of the closest once more, for prefixes beside the target, makes them
// show the rest of their region.

// goal is what a request asks for: a key, or a region named by a prefix.
type goal struct {
	target key.Key
	bits   int // leading bits that matter
}

// probe is one region probe that waits for a slot and for its peer.
type probe struct {
	peer int32
	goal goal
}

// issueProbe sends the next region probe of a walk, planning a round of them
// first if one is called for. It reports whether it sent one.
func (l *Lookup) issueProbe(now mono.Time, w *walk, env Env) bool {
	if len(w.probes) == 0 && !l.planProbes(w) {
		return false
	}
	for i, p := range w.probes {
		if l.busy(p.peer) {
			continue
		}
		w.probes = append(w.probes[:i], w.probes[i+1:]...)
		at := w.find(l, l.peers[p.peer].key)
		l.launch(now, w, w.names[at], p.goal, env)
		return true
	}
	return false
}

// mayProbe reports whether a region probe of the walk waits for a slot alone.
func (l *Lookup) mayProbe(w *walk) bool {
	return slices.ContainsFunc(w.probes, func(p probe) bool { return !l.busy(p.peer) })
}

// probing reports whether region probes of the walk wait or are under way.
func (l *Lookup) probing(w *walk) bool {
	if len(w.probes) > 0 && w.budget > 0 {
		return true
	}
	for i := range l.flights {
		if f := &l.flights[i]; f.probe && int(f.walk) == w.path {
			return true
		}
	}
	return false
}

// planProbes begins a round: if one of the k closest failed or is suspect, up
// to ProbePeers of the closest that this walk asked are to be asked for the
// regions beside the target at the depth where the result ends. It does not
// wait for the requests under way: nobody is left to be asked instead, and who
// stands behind the dead may be dead too and take a hard deadline to prove it.
// A further round follows only one that found somebody. KAD-2.8.
func (l *Lookup) planProbes(w *walk) bool {
	if w.rounds >= l.cfg.ProbeRounds || w.rounds > 0 && !l.gained(w) {
		return false
	}
	edge, missing, helpers := l.region(w)
	if !missing || len(helpers) == 0 {
		return false
	}
	first := max(0, edge-w.rounds)
	w.rounds++
	w.before = int32(len(l.peers))
	for _, peer := range helpers {
		for bit := first; bit < min(first+params.ProbesPerPeer, key.Bits-1); bit++ { // the target itself has no sibling
			w.probes = append(w.probes, probe{peer, goal{l.target.FlipBit(bit), bit + 1}})
		}
	}
	return len(w.probes) > 0
}

// gained reports whether one of the walk's k closest was not heard of before
// its last round of probes.
func (l *Lookup) gained(w *walk) bool {
	closer := 0
	for _, n := range w.names {
		if l.peers[n.peer].state != answered {
			continue
		}
		if n.peer >= w.before {
			return true
		}
		if closer++; closer == l.cfg.K {
			return false
		}
	}
	return false
}

// region looks at the walk's k closest: the common prefix with the target of
// the farthest that answered, whether one of those nearer than it failed or is
// suspect, and the nearest that this walk asked and that answered.
func (l *Lookup) region(w *walk) (edge int, missing bool, helpers []int32) {
	closer, open := 0, false
	for _, n := range w.names {
		p := &l.peers[n.peer]
		switch {
		case p.state == answered:
			closer++
			edge, missing = l.target.CommonPrefix(p.key), missing || open
			if int(p.asker) == w.path && len(helpers) < l.cfg.ProbePeers {
				helpers = append(helpers, n.peer)
			}
		case p.state == failed || p.state == flying && p.late && (w.firm == 0 || l.suspect(n.peer)):
			open = true
		}
		if closer == l.cfg.K {
			return edge, missing, helpers
		}
	}
	return edge, missing || open, helpers
}

// suspect reports whether a peer is late by the measure of others: whoever was
// asked after its attempt had lost its slot has answered already. To have lost
// the slot is not enough: of those that are alive, one in six is that late, and
// each would cost a probe. An answer tells it, not the time alone, so that
// nothing becomes possible between two deadlines.
func (l *Lookup) suspect(peer int32) bool {
	for i := range l.flights {
		if f := &l.flights[i]; f.peer == peer && !f.probe {
			return f.overdue && f.soft <= l.overtook
		}
	}
	return false
}

package lookup

import (
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

// planProbes begins a round: if one of the k closest failed or is overdue, up
// to ProbePeers of the closest that this walk asked are to be asked for the
// two regions beside the target at the depth where the result ends. KAD-2.8.
func (l *Lookup) planProbes(w *walk) bool {
	if w.rounds >= l.cfg.ProbeRounds || w.firm > 0 {
		return false
	}
	edge, missing, helpers := l.region(w)
	if !missing || len(helpers) == 0 {
		return false
	}
	first := max(0, edge-w.rounds)
	w.rounds++
	for _, peer := range helpers {
		for bit := first; bit < min(first+params.ProbesPerPeer, key.Bits-1); bit++ { // the target itself has no sibling
			w.probes = append(w.probes, probe{peer, goal{l.target.FlipBit(bit), bit + 1}})
		}
	}
	return len(w.probes) > 0
}

// region looks at the walk's k closest: the common prefix with the target of
// the farthest that answered, whether one of those nearer than it failed or is
// overdue, and the nearest that this walk asked and that answered.
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
		case p.state == failed || p.state == flying && p.late:
			open = true
		}
		if closer == l.cfg.K {
			return edge, missing, helpers
		}
	}
	return edge, missing || open, helpers
}

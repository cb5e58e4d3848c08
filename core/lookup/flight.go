package lookup

import (
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
)

// flight is one attempt under way. Every flight has a hard deadline, so every
// wait of the lookup ends by itself (I1).
type flight struct {
	attempt Attempt
	peer    int32
	walk    int8
	probe   bool
	overdue bool      // past its soft deadline: it holds a spare slot, not a regular one
	soft    mono.Time // when it gives up its slot
	hard    mono.Time // when it has failed; the lookup's own deadline may come first
	began   mono.Time
	by      [3]int32 // who had vouched for the peer when it was asked
}

// due returns the flight's next deadline.
func (f *flight) due() mono.Time {
	if f.overdue {
		return f.hard
	}
	return mono.Earlier(f.soft, f.hard)
}

// land takes an attempt out of the air. It reports false for one that is not
// there: stale, duplicate, or never made. KAD-2.6.
func (l *Lookup) land(at Attempt) (flight, bool) {
	for i := range l.flights {
		if f := l.flights[i]; f.attempt == at {
			l.flights = slices.Delete(l.flights, i, i+1)
			l.walks[f.walk].landed(f)
			if !f.overdue {
				l.proved(f.by)
			}
			return f, true
		}
	}
	return flight{}, false
}

// expire applies every deadline that is due, soft and hard, before any new
// request is thought of.
func (l *Lookup) expire(now mono.Time) {
	for i := 0; i < len(l.flights); {
		f := &l.flights[i]
		switch {
		case f.hard.Due(now):
			gone, _ := l.land(f.attempt)
			l.actions = append(l.actions, Action{Kind: Drop, Attempt: gone.attempt, Expired: true})
			l.fail(gone, contact.Silent)
			continue // the next flight has moved to i
		case !f.overdue && f.soft.Due(now):
			f.overdue = true
			l.walks[f.walk].turnedLate()
			l.proved(f.by)
			l.stats.Overdue++
			if !f.probe {
				l.peers[f.peer].late = true
				l.credit(f.peer, false, false)
			}
		}
		i++
	}
}

// launch starts an attempt at a peer on behalf of a walk.
func (l *Lookup) launch(now mono.Time, w *walk, n name, goal goal, env Env) {
	p := &l.peers[n.peer]
	soft, hard := env.Patience(p.handle)
	l.last++
	f := flight{
		attempt: l.last, peer: n.peer, walk: int8(w.path), probe: goal.bits != key.Bits,
		soft: now.Add(min(soft, hard)), began: now,
		hard: now.Add(hard),
	}
	if f.probe {
		l.stats.Probes++
	} else {
		p.state, p.asker, p.fresh, p.late = flying, int8(w.path), false, false
		p.attempts++
		f.by = n.by
		l.tried(f.by)
	}
	l.stats.Requests++
	w.launched()
	l.flights = append(l.flights, f)
	a := Action{
		Kind: Ask, Attempt: f.attempt, Peer: p.handle, Path: w.path, Depth: int(n.depth),
		Deadline: mono.Earlier(f.hard, l.deadline), Cut: l.deadline.Before(f.hard),
		Target: goal.target, Bits: goal.bits,
	}
	if n.by[0] >= 0 {
		a.Cause = l.peers[n.by[0]].handle
	}
	l.actions = append(l.actions, a)
}

// busy reports whether a request to the peer is under way: no peer is asked
// twice at a time.
func (l *Lookup) busy(peer int32) bool {
	for i := range l.flights {
		if l.flights[i].peer == peer {
			return true
		}
	}
	return false
}

// Lingers reports whether somebody has answered and all that the lookup still
// waits for is late: nobody is left to be asked, and every request under way has
// lost its slot. What has to be known of the others is known.
func (l *Lookup) Lingers() bool {
	if l.end != Running || l.stats.Successes == 0 {
		return false
	}
	for i := range l.walks {
		w := &l.walks[i]
		if w.firm > 0 || w.budget > 0 && (l.best(w) >= 0 || l.mayProbe(w)) {
			return false
		}
	}
	return true
}

// Flying calls f with each attempt under way, the oldest first.
func (l *Lookup) Flying(f func(at Attempt, h contact.Handle, began, hard mono.Time, overdue bool)) {
	for i := range l.flights {
		x := &l.flights[i]
		f(x.attempt, l.peers[x.peer].handle, x.began, x.hard, x.overdue)
	}
}

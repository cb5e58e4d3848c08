package engine

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// inn is a village in which some close the connection as soon as they are
// asked. Who is dialled is known to the node as a server by the time that the
// connection is gone, as identify has it.
type inn struct {
	*village
	closing map[contact.ID]bool
	curt    bool // who closes, answers first
	warm    map[contact.ID]bool
	dials   []mono.Time
}

func newInn(t *testing.T, members, closing int) *inn {
	n := &inn{village: newVillage(t, members, Config{Terse: true}), closing: map[contact.ID]bool{}, warm: map[contact.ID]bool{}}
	for i := range members * closing / 100 {
		n.closing[n.members[members-1-i].ID] = true // the seed comes last
	}
	return n
}

// step tells the engine of an event and carries out what it wants.
func (n *inn) step(ev Event) {
	n.e.Step(mono.Now{Mono: n.now}, ev)
	for eff, ok := n.e.Next(); ok; eff, ok = n.e.Next() {
		if s, is := eff.(Send); is {
			n.send(s)
		}
	}
	for range n.e.Facts() {
	}
}

func (n *inn) send(s Send) {
	id := s.To.ID
	tell := func(after time.Duration, ev Event) { n.due = append(n.due, arrival{n.now.Add(after), ev}) }
	if !n.warm[id] {
		n.dials = append(n.dials, n.now)
		n.warm[id] = true
		tell(time.Millisecond, Connected{Peer: id})
		tell(time.Millisecond, Met{Peer: s.To})
	}
	if n.closing[id] && !n.curt {
		tell(time.Millisecond, Failed{Attempt: s.Attempt, Failure: contact.Reset})
	} else {
		tell(time.Millisecond, Answered{Attempt: s.Attempt, From: s.To, Closer: n.nearest(s.Key)})
	}
	if n.closing[id] {
		delete(n.warm, id)
		tell(time.Millisecond, Disconnected{Peer: id})
	}
}

// until moves time on.
func (n *inn) until(end mono.Time) {
	for range 1_000_000 {
		wake, _ := n.e.Wake()
		if len(n.due) > 0 {
			wake = mono.Earlier(wake, n.due[0].at)
		}
		if wake > end {
			n.now = end
			return
		}
		n.now = max(n.now, wake)
		if len(n.due) == 0 || n.due[0].at > n.now {
			n.step(Tick{})
			continue
		}
		a := n.due[0]
		n.due = n.due[1:]
		n.step(a.ev)
	}
	n.t.Fatal("time stands still")
}

// TestAnIdleNodeBesideClosersDialsAtMostOnceASecond leaves a node alone with
// peers of whom a third hang up on every request, or more of them, or all as
// soon as they have answered, so that it has no connection left. A refresh is a
// burst: it is counted over the ten minutes from one to the next.
func TestAnIdleNodeBesideClosersDialsAtMostOnceASecond(t *testing.T) {
	for _, c := range []struct {
		members, closing int
		curt             bool
	}{
		{200, 0, false},
		{200, 30, false},
		{200, 30, true},
		{200, 99, false},
		{200, 100, true},
		{20, 30, false},
		{20, 95, false},
		{20, 100, true},
		{20, 100, false},
		{3, 60, false},
		{1, 0, false},
		{1, 100, true},
	} {
		n := newInn(t, c.members, c.closing)
		n.curt = c.curt
		n.step(Supervise{})
		n.until(mono.Time(10 * time.Second))
		begun := len(n.dials)
		n.until(mono.Time(params.RefreshEvery))
		quiet := busiest(n.dials[begun:], time.Minute)
		n.until(mono.Time(2 * time.Hour))
		idle := n.dials[begun:]
		ten := busiest(idle, 10*time.Minute)
		t.Logf("%+v: %d dials at first, then %d in two hours, %d in the worst ten minutes; %d in the worst minute before a refresh",
			c, begun, len(idle), ten, quiet)
		if ten > 600 || c.closing <= 30 && quiet > 60 {
			t.Errorf("%+v: more than one dial a second: %d in ten minutes, %d in one", c, ten, quiet)
		}
	}
}

// busiest returns the most moments in any span of time.
func busiest(at []mono.Time, span time.Duration) (most int) {
	first := 0
	for i := range at {
		for at[i].Sub(at[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

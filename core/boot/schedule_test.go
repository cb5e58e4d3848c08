package boot

import (
	"flag"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// As slow as can be: contacts that are silent, a name that is resolved at the
// last moment, walks that take all their time.
func TestTheBoundIsTight(t *testing.T) {
	walk := params.OpDeadline
	s := setting{hard: params.HardMax, deepest: params.Buckets - 1, known: true, plan: Plan{Deadline: mono.Never, Names: []string{"a"}}}
	for h := range contact.Handle(params.MaxRemembered) {
		s.plan.Remembered = append(s.plan.Remembered, 1+h)
	}
	var stands []contact.Handle
	for h := range contact.Handle(params.MaxSeeds) {
		stands = append(stands, 1000+h)
	}
	w := begin(s)
	began := map[Attempt]mono.Time{}
	w.do(move{})
	for w.p.End() == Running && w.broken == "" {
		next, at := entry{}, mono.Never
		for _, e := range w.open {
			if _, known := began[e.id]; !known {
				began[e.id] = w.now
			}
			lasts := map[ActionKind]time.Duration{Probe: params.HardMax, Resolve: params.DNSDeadline - 1, Walk: walk}[e.kind]
			if ends := began[e.id].Add(lasts); ends < at {
				next, at = e, ends
			}
		}
		switch after := at.Sub(w.now); next.kind {
		case Probe:
			w.do(move{does: Tick, after: after})
		case Resolve:
			w.do(move{does: Resolved, what: "a", peers: stands, after: after})
		case Walk:
			w.do(move{does: Walked, what: next.what, end: Late, after: after})
		}
	}
	bound := Bound(Largest, params.HardMax, walk, time.Duration(mono.Never))
	t.Logf("%v of %v", time.Duration(w.now), bound)
	if w.broken != "" || time.Duration(w.now) > bound || time.Duration(w.now) < bound*95/100 {
		t.Errorf("broken: %q; the worst schedule takes %v, the bound is %v", w.broken, time.Duration(w.now), bound)
	}
}

// Random schedules, with more contacts, names and buckets than there is room for.
func TestRandomSchedules(t *testing.T) {
	_ = flag.Set("rapid.nofailfile", "true")
	if n := flag.Lookup("rapid.checks"); n.Value.String() == n.DefValue && !testing.Short() {
		_ = n.Value.Set("2000")
		defer func() { _ = n.Value.Set(n.DefValue) }()
	}
	ends := map[string]int{}
	rapid.Check(t, func(r *rapid.T) {
		s := drawn(r)
		w := begin(s)
		w.do(move{})
		var made []move
		for range 1000 {
			if w.broken != "" || w.p.End() != Running {
				break
			}
			mv := turn(r, w)
			made = append(made, mv)
			w.do(mv)
			if w.broken == "" && rapid.IntRange(0, 7).Draw(r, "stray") == 0 {
				w.strays()
			}
		}
		if w.broken == "" && w.p.End() == Running {
			w.broken = "it does not end"
		}
		ends[endWords[w.p.End()]]++
		if w.broken != "" {
			r.Fatalf("%s; as a story:\n\n%s", w.broken, asStory(s, made))
		}
	})
	t.Log(ends)
	for _, end := range []string{"done", "nobody", "late"} {
		if ends[end] == 0 {
			t.Errorf("no schedule of all ends %s", end)
		}
	}
}

func drawn(r *rapid.T) setting {
	n := func(most int) int { return rapid.IntRange(0, most).Draw(r, "n") }
	s := setting{hard: params.HardMax, deepest: n(params.Buckets - 1), full: n(1) == 0, known: n(3) == 0}
	s.plan.Deadline = mono.Time(params.BootDeadline)
	for h := range n(params.MaxSeeds) {
		s.plan.Seeds = append(s.plan.Seeds, contact.Handle(1+h))
	}
	for h := range n(params.MaxRemembered) {
		s.plan.Remembered = append(s.plan.Remembered, contact.Handle(1+3*h))
	}
	for i := range n(3) {
		s.plan.Names = append(s.plan.Names, strconv.Itoa(1000+i))
	}
	return s
}

// turn draws what happens next.
func turn(r *rapid.T, w *world) move {
	e := w.open[rapid.IntRange(0, len(w.open)-1).Draw(r, "which")]
	wake, _ := w.p.Wake()
	silent := move{does: Tick, after: wake.Sub(w.now)}
	switch does := rapid.IntRange(0, 7).Draw(r, "does"); {
	case does == 7:
		return silent
	case e.kind == Probe && does == 6:
		return move{does: Answered, what: e.what}
	case e.kind == Resolve && does > 3 && len(w.plan.Seeds) == 0:
		mv := move{does: Resolved, what: e.what}
		for h := range rapid.IntRange(0, params.MaxSeeds/3).Draw(r, "stands") {
			mv.peers = append(mv.peers, contact.Handle(100*len(w.open)+h))
		}
		return mv
	case e.kind == Walk && does == 6 && !e.late:
		return move{does: Lingers, what: e.what}
	case e.kind == Walk:
		return move{does: Walked, what: e.what, end: End(1 + does%4)}
	case e.kind == Probe || e.kind == Resolve:
		return move{does: Failed, what: e.what}
	}
	return silent
}

func TestThereIsRoomForSoManyContactsOnly(t *testing.T) {
	var many []contact.Handle
	var names []string
	for h := range contact.Handle(4 * params.MaxSeeds) {
		many, names = append(many, 1+h), append(names, strconv.Itoa(int(h)))
	}
	p := New(Plan{Names: names, Remembered: many[2*params.MaxSeeds:], Deadline: mono.Never})
	env := &town{hard: params.HardMax, deepest: -1}
	p.Step(0, Event{}, env)
	probes, resolves := 0, 0
	for id := Attempt(1); id < 1000 && p.End() == Running; id++ {
		for a, ok := p.Next(); ok; a, ok = p.Next() {
			switch a.Kind {
			case Probe:
				probes++
			case Resolve:
				resolves++
			}
		}
		p.Step(0, Event{What: Resolved, Attempt: id, Peers: append(many[:1:1], many[:2*params.MaxSeeds]...)}, env)
		p.Step(0, Event{What: Failed, Attempt: id}, env)
	}
	if probes != params.MaxSeeds+params.MaxRemembered || resolves != params.MaxSeeds || p.End() != Nobody {
		t.Errorf("%d probes, %d names, ended %s", probes, resolves, endWords[p.End()])
	}
}

// However many walks linger, only so many are under way, and all get their turn.
func TestOnlySoManyWalksLinger(t *testing.T) {
	w := begin(setting{hard: params.HardMax, deepest: params.Buckets - 1, full: true, known: true, plan: Plan{Deadline: mono.Never}})
	w.do(move{})
	most := 0
	for step := 0; step < 1000 && w.broken == "" && w.p.End() == Running; step++ {
		calm := true
		for _, e := range w.open {
			if e.kind == Walk && !e.late {
				w.do(move{does: Lingers, what: e.what})
				calm = false
				break
			}
		}
		most = max(most, w.count(Walk))
		if calm {
			w.do(move{does: Walked, what: w.open[0].what, end: Done})
		}
	}
	if w.broken != "" || w.p.End() != Done || most != params.RefreshMost {
		t.Errorf("broken: %q; ended %s, %d walks at a time, not %d", w.broken, endWords[w.p.End()], most, params.RefreshMost)
	}
}

package lookup

import (
	"flag"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// Random schedules reach what the explorer cannot enumerate: the default
// numbers, many peers, liars, doubtful peers, grants that change. The same
// player makes a schedule of rapid's choices and of the fuzzer's bytes.

// chooser picks one of n.
type chooser func(n int) int

func TestRandomSchedules(t *testing.T) {
	_ = flag.Set("rapid.nofailfile", "true") // a failure prints a story instead
	checks := flag.Lookup("rapid.checks")
	if before := checks.Value.String(); before == checks.DefValue {
		n := "10000"
		if testing.Short() {
			n = "500"
		}
		_ = checks.Value.Set(n)
		defer func() { _ = checks.Value.Set(before) }()
	}
	met := map[string]int{}
	rapid.Check(t, func(r *rapid.T) {
		p := &player{choose: func(n int) int { return rapid.IntRange(0, n-1).Draw(r, "of") }, met: met}
		if broken := p.play(); broken != "" {
			r.Fatalf("%s; as a story:\n\n%s", broken, asStory(p.begin, p.made))
		}
	})
	t.Log(met)
	for _, what := range []string{
		"converged", "capped", "deadline", "nobody", "cancelled", "late", "refilled", "probed", "second attempt", "told at once",
	} {
		if met[what] == 0 {
			t.Errorf("no schedule of all ever %s", what)
		}
	}
}

// FuzzSchedule decodes bytes into a schedule; when they are used up the rest
// of the world is silent.
func FuzzSchedule(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &player{choose: bytesOf(data), met: map[string]int{}}
		if broken := p.play(); broken != "" {
			t.Fatalf("%s; as a story:\n\n%s", broken, asStory(p.begin, p.made))
		}
	})
}

// bytesOf takes one byte for each choice, two for large ones.
func bytesOf(data []byte) chooser {
	next := func() (b byte) {
		if len(data) > 0 {
			b, data = data[0], data[1:]
		}
		return b
	}
	return func(n int) int {
		at := int(next())
		if n > 256 {
			at = at<<8 | int(next())
		}
		return at % n
	}
}

// player makes a schedule as it goes.
type player struct {
	choose chooser
	begin  setting
	made   []move
	met    map[string]int // what occurred
	grants bool           // the grant changed, so the bound does not hold
	late   bool           // nor does it if nobody told of the time when the lookup wanted it
}

// play makes a world, lets things happen in it, and then lets it be quiet
// until the timers have ended it. It returns what was broken, or nothing.
func (p *player) play() string {
	p.begin = p.setting()
	w := begin(p.begin)
	w.do(move{what: wait})
	for range 8 + p.choose(120) {
		if w.broken != "" || w.l.End() != Running {
			break
		}
		p.turn(w)
	}
	for range 10_000 {
		wake, running := w.l.Wake()
		if w.broken != "" || !running {
			break
		}
		p.do(w, move{what: wait, after: wake.Sub(w.now)})
	}
	if w.broken == "" {
		p.judge(w)
	}
	return w.broken
}

// judge checks the whole: it ended, in time, with few enough requests.
func (p *player) judge(w *world) {
	s, stats := p.begin, w.l.Stats()
	bound := Bound(s.cfg, s.town.hard, time.Duration(s.deadline))
	switch {
	case w.l.End() == Running:
		w.broken = "silence does not end it"
	case !p.grants && !p.late && time.Duration(w.now) > bound:
		w.broken = "it took " + time.Duration(w.now).String() + ", the bound is " + bound.String()
	case stats.Requests > s.cfg.MaxPeers || stats.Successes+stats.Failures.Total() > stats.Requests:
		w.broken = "more requests than allowed, or more outcomes than requests"
	}
	count := func(what string, n int) {
		if n > 0 {
			p.met[what]++
		}
	}
	p.met[endWords[w.l.End()]]++
	count("late", stats.Overdue)
	count("refilled", stats.Refills)
	count("probed", stats.Probes)
	for _, g := range w.m.guests {
		count("second attempt", int(g.attempts)-1)
	}
}

// setting chooses a world: one in two has the default numbers.
func (p *player) setting() setting {
	paths := 1 + p.choose(3)
	s := setting{cfg: Defaults(paths), n: 64, deadline: mono.Time(20 * time.Second)}
	if p.choose(2) == 0 {
		s.n = 4 + p.choose(20)
		s.cfg = Config{
			K: 1 + p.choose(4), Alpha: paths + p.choose(3), AlphaLast: paths + p.choose(4),
			Spare: p.choose(4), SpareLast: p.choose(4), MaxPeers: paths + p.choose(24), MaxDepth: 1 + p.choose(5),
			AttemptsFresh: 1 + p.choose(2), Paths: paths, ProbePeers: 1 + p.choose(3),
			ProbeRounds: p.choose(3), Liars: p.choose(3),
		}
	}
	s.town = town{soft: time.Duration(1+p.choose(4)) * 250 * time.Millisecond, hard: time.Second}
	for range p.choose(6) {
		s.town.doubtful = append(s.town.doubtful, 1+p.choose(s.n))
	}
	for range 1 + p.choose(8) {
		s.seeds = append(s.seeds, 1+p.choose(s.n))
	}
	for range p.choose(8) {
		s.reserve = append(s.reserve, 1+p.choose(s.n))
	}
	if p.choose(4) == 0 {
		s.deadline = mono.Time(1+p.choose(8)) * mono.Time(500*time.Millisecond)
	}
	return s
}

// turn lets one thing happen.
func (p *player) turn(w *world) {
	wake, _ := w.l.Wake()
	switch f := w.m.air[p.choose(len(w.m.air))]; p.choose(12) {
	case 0, 1:
		p.do(w, move{what: wait, after: wake.Sub(w.now)})
	case 2:
		p.do(w, move{what: wait, after: wake.Sub(w.now) / 2})
	case 3, 4, 5:
		how := contact.Failure(1 + p.choose(int(contact.Liar)))
		p.do(w, move{what: fail, peer: f.peer, how: how})
	case 6:
		w.strays(w.m.last + Attempt(1+p.choose(256)))
	case 7:
		if p.choose(8) == 0 {
			p.do(w, move{what: cancel})
		} else if p.choose(4) == 0 {
			p.grants = true
			p.do(w, move{what: grant, peer: 1 + p.choose(10)})
		} else {
			p.batch(w, wake.Sub(w.now))
		}
	default:
		p.do(w, move{what: answer, peer: f.peer, names: p.names(), after: 0})
	}
}

// batch lets some outcomes come at once, in time or when time is over.
func (p *player) batch(w *world, pause time.Duration) {
	after := time.Duration(p.choose(3)) * pause
	p.late = p.late || after > pause
	for _, f := range slices.Clone(w.m.air[:1+p.choose(len(w.m.air))]) {
		mv := move{what: answer, peer: f.peer, after: after, more: true}
		if after = 0; p.choose(3) == 0 {
			mv.what, mv.how = fail, contact.Refused
		} else {
			mv.names = p.names()
		}
		p.do(w, mv)
	}
	p.met["told at once"]++
	p.do(w, move{what: wait})
}

// names chooses what an informant says.
func (p *player) names() (names []hint) {
	for range p.choose(8) {
		names = append(names, hint{peer: 1 + p.choose(p.begin.n), fresh: p.choose(4) == 0})
	}
	return names
}

func (p *player) do(w *world, mv move) {
	p.made = append(p.made, mv)
	w.do(mv)
}

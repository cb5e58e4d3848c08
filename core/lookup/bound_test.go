package lookup

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// A bound that nobody can reach is probably wrong. This adversary comes as near
// as can be: on each path H-2 informants, one after the other, each reveal the
// next at the last moment; then α informants, at the last moment too, name
// nobody but dead peers, as many as P has requests left for. Ten slots leave
// the sixteen full waves of dead that it takes: what the formula cannot know is
// that the last wave is not always full.
func TestTheBoundIsTight(t *testing.T) {
	for _, paths := range []int{1, 2, 5} {
		cfg := Defaults(paths)
		cfg.Alpha, cfg.AlphaLast, cfg.Spare, cfg.SpareLast = 10, 10, 0, 0
		cfg.AttemptsFresh, cfg.ProbeRounds, cfg.Liars = 1, 0, 0
		took := adversary(t, cfg)
		bound := Bound(cfg, params.HardMax, time.Duration(mono.Never))
		t.Logf("%d paths: %v of %v", paths, took, bound)
		if took > bound || took < bound*95/100 {
			t.Errorf("%d paths: the worst schedule takes %v, the bound is %v", paths, took, bound)
		}
	}
}

// district is how many names each path of the adversary has: its dead are the
// nearest, then its informants, then the chain.
const district = 200

// adversary plays its schedule and returns how long the lookup took.
func adversary(t *testing.T, cfg Config) time.Duration {
	s := setting{
		cfg: cfg, n: cfg.Paths * district, deadline: mono.Never,
		town: town{soft: params.HardMax, hard: params.HardMax},
	}
	for p := range cfg.Paths {
		s.seeds = append(s.seeds, p*district+district)
	}
	w := begin(s)
	w.do(move{what: wait})
	for range 10_000 {
		if w.broken != "" {
			t.Fatal(w.broken)
		}
		wake, running := w.l.Wake()
		if !running {
			if w.l.End() != Capped {
				t.Fatalf("it ended %s: the adversary did not use up P", endWords[w.l.End()])
			}
			return time.Duration(w.now)
		}
		if f := w.next(); f != nil && f.hard <= wake {
			w.do(move{what: answer, peer: f.peer, names: w.reveals(f), after: f.hard.Sub(w.now) - 1})
			continue
		}
		w.do(move{what: wait, after: wake.Sub(w.now)})
	}
	t.Fatal("it does not end")
	return 0
}

// next returns the attempt at an informant whose last moment comes first.
func (w *world) next() (first *wing) {
	for i := range w.m.air {
		f := &w.m.air[i]
		if (f.peer-1)%district >= district-w.chainLength()-w.alphaOf(f.path) && (first == nil || f.hard < first.hard) {
			first = f
		}
	}
	return first
}

func (w *world) chainLength() int      { return w.m.cfg.MaxDepth - 2 }
func (w *world) alphaOf(path int) int  { return part(w.m.cfg.Alpha, w.m.cfg.Paths, path) }
func (w *world) budgetOf(path int) int { return part(w.m.cfg.MaxPeers, w.m.cfg.Paths, path) }

// reveals is what an informant of the adversary says.
func (w *world) reveals(f *wing) (names []hint) {
	base, alpha := f.path*district, w.alphaOf(f.path)
	place := district - (f.peer - base) // 0 for the seed, then along the chain
	switch {
	case place < w.chainLength()-1:
		return hints(f.peer - 1)
	case place == w.chainLength()-1:
		for i := range alpha {
			names = append(names, hint{peer: f.peer - 1 - i})
		}
		return names
	}
	share := w.budgetOf(f.path)/alpha + 1
	nth := place - w.chainLength()
	for i := range share {
		names = append(names, hint{peer: base + 1 + nth*share + i})
	}
	return names
}

func TestBoundByHand(t *testing.T) {
	cfg := Config{K: 20, Alpha: 10, AlphaLast: 20, MaxPeers: 160, MaxDepth: 10, AttemptsFresh: 1, Paths: 1}
	forever := time.Duration(mono.Never)
	if got := Bound(cfg, 2*time.Second, forever); got != 50*time.Second { // 2·(160/10 + 10·9/10)
		t.Errorf("one path: %v", got)
	}
	if got := Bound(cfg, 2*time.Second, 20*time.Second); got != 20*time.Second {
		t.Errorf("with a deadline: %v", got)
	}
	if got := StoreBound(cfg, 2*time.Second, forever); got != 54*time.Second { // two rounds of ten more
		t.Errorf("a put: %v", got)
	}
	cfg.Paths = 3 // shares of P: 54, 53, 53; of α: 4, 3, 3; the second is the slowest: (53+10·2)·2/3
	if got := Bound(cfg, 3*time.Second, forever); got != 73*time.Second {
		t.Errorf("three paths: %v", got)
	}
	cfg.Paths, cfg.ProbeRounds = 1, 2 // the chain is 10, then twice 2+10
	if got := Bound(cfg, time.Second, forever); got != 46600*time.Millisecond {
		t.Errorf("with probes: %v", got)
	}
	cfg = Config{K: 20, Paths: 2, Alpha: 1, AlphaLast: 1, MaxPeers: 10, MaxDepth: 3}
	if got := Bound(cfg, time.Second, time.Minute); got != 10*time.Second {
		t.Errorf("with a slot for one path, there is one: %v", got)
	}
}

// No setting makes a lookup stand still, ask more than P peers or exceed its
// bound, and none makes the bound a number that it is not.
func TestNoConfigurationMakesALookupStandStill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		absurd := rapid.OneOf(rapid.IntRange(-2, 3), rapid.SampledFrom([]int{math.MinInt, math.MaxInt, 1 << 31, 1 << 16, 300}))
		n := func(what string) int { return absurd.Draw(t, what) }
		cfg := Config{
			K: n("k"), Alpha: n("alpha"), Spare: n("spare"), AlphaLast: n("last"), SpareLast: n("last spare"),
			MaxPeers: n("p"), MaxDepth: n("h"), AttemptsFresh: n("attempts"), Paths: n("paths"),
			ProbePeers: n("probe peers"), ProbeRounds: n("rounds"), Liars: n("liars"),
		}
		const hard = 2 * time.Second
		bound := Bound(cfg, hard, mono.Never.Sub(0))
		if bound < hard || StoreTime(cfg.Sound(), 1, hard) < hard || Bound(cfg, math.MaxInt64, hard) != hard || Bound(cfg, -1, hard) != 0 {
			t.Fatalf("bound %v", bound)
		}
		l := New(cfg, at(0), at(nobody), mono.Never)
		env := &town{soft: time.Second, hard: hard}
		for i := 1; i < 5; i++ {
			l.Seed(Named{Handle: contact.Handle(i), Key: at(i)})
		}
		now, next := mono.Time(0), 5
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "answers"), 0))
		ev := Event{}
		for steps := 0; l.End() == Running; steps++ {
			if l.Step(now, ev, env); steps > 1<<17 {
				t.Fatal("it never ends")
			}
			if wake, wakes := l.Wake(); wakes && (l.InFlight() == 0 || wake == mono.Never) {
				t.Fatal("it waits for nothing")
			}
			ev = Event{}
			l.Flying(func(a Attempt, _ contact.Handle, _, _ mono.Time, _ bool) {
				if next < 400 && rng.IntN(4) > 0 {
					ev = Event{What: Answered, Attempt: a, Named: []Named{{Handle: contact.Handle(next), Key: at(next % 100), Fresh: true}}}
					next++
				}
			})
			if ev.Attempt == 0 {
				now, _ = l.Wake()
			}
		}
		if l.Stats().Requests > cfg.Sound().MaxPeers || now > mono.Time(bound) {
			t.Fatalf("%d requests, ended after %v", l.Stats().Requests, time.Duration(now))
		}
	})
}

func TestARegionEndsAtTheTarget(t *testing.T) {
	// The only peer that answered is the target itself: there are no regions
	// beside it at any depth.
	l := New(Defaults(1), at(0), at(nobody), mono.Never)
	l.Seed(Named{Handle: 1, Key: at(0)})
	l.Seed(Named{Handle: 2, Key: at(1)})
	env := &town{soft: 1, hard: 1}
	l.Step(0, Event{}, env)
	l.Step(0, Event{What: Failed, Attempt: 2, Failure: contact.Refused}, env)
	l.Step(0, Event{What: Answered, Attempt: 1}, env)
	if l.End() != Converged || l.Stats().Probes != 0 {
		t.Fatalf("%s after %d probes", endWords[l.End()], l.Stats().Probes)
	}
}

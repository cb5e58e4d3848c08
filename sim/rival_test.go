package sim

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
)

// Where nobody is dead, all find what there is, and each in its own way: the
// one that keeps three requests in flight takes longest and asks least.
func TestRivalsFindWhatThereIs(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	var took [3]float64
	var asked [3]float64
	for _, p := range []Policy{Waymark, GoLike, RustLike} {
		r, err := Lookups(Options{Nodes: 600, Seed: 5, Lookups: 100, Policy: p})
		if err != nil {
			t.Fatal(err)
		}
		if r.Lookups != 100 || r.Recall < .99 {
			t.Errorf("%s: %d lookups, recall %.4f", p, r.Lookups, r.Recall)
		}
		took[p], asked[p] = r.Most50, r.Requests
	}
	if took[RustLike] < 1.2*took[GoLike] || asked[RustLike] > asked[GoLike] {
		t.Errorf("15 of 20 after %.0f ms, requests %.1f (waymark, go-like, rust-like)", took, asked)
	}
}

// Where 15 % are dead, Waymark beats both on the same seeds: in time, and in
// what it finds.
func TestWaymarkBeatsItsRivalsOnTheSameSeeds(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for seed := range uint64(2) {
		var runs [3]Result
		for _, p := range []Policy{Waymark, GoLike, RustLike} {
			var err error
			if runs[p], err = Lookups(Options{Nodes: 2000, Seed: seed, Dead: 15, Lookups: 150, Policy: p}); err != nil {
				t.Fatal(err)
			}
		}
		ours := runs[Waymark]
		for _, r := range runs[1:] {
			if ours.P50 > r.P50 || ours.P95 > r.P95 || ours.Most50 > r.Most50 || ours.Most95 > r.Most95 || ours.Recall < r.Recall {
				t.Errorf("seed %d: ours %+v\ntheirs %+v", seed, ours, r)
			}
		}
	}
}

// line is a world whose members are known to nobody, and a rival that has
// heard of some of them.
func line(t *testing.T, opt Options, peers int) *rival {
	t.Helper()
	opt.Nodes, opt.Seed = peers+1, 1
	w := NewWorld(opt.defaults("lookups", 0, 1))
	x := &rival{
		w: w, rules: w.opt.rules(), target: key.Of([]byte("target")), warm: map[uint32]bool{},
		ended: func(engine.Result) {},
	}
	for n := range uint32(peers) {
		x.hear(n+1, 1)
	}
	return x
}

// settled sets the states of the nearest, nearest first.
func (x *rival) settled(states ...candidacy) {
	for i, s := range states {
		x.all[i].state = s
		if s == asked {
			x.waiting++
		}
	}
}

// The walk of go-like is over when the three nearest that have not failed have
// answered; whoever of the 20 nearest was not asked is asked then, and nobody
// comes in place of those who fail.
func TestGoLikeEndsByItsThreeNearest(t *testing.T) {
	x := line(t, Options{Policy: GoLike}, 30)
	x.settled(answers, gaveUp, answers, asked, asked)
	x.advance()
	if x.follow || x.waiting != x.rules.Alpha {
		t.Fatalf("the third nearest has not answered: follow-up %v, %d in flight", x.follow, x.waiting)
	}
	x.outcome(x.all[3].peer, nil, true)
	if !x.follow || len(x.result) != 20 || x.waiting != 17 {
		t.Fatalf("follow-up %v, a result of %d, %d in flight", x.follow, len(x.result), x.waiting)
	}
	x.outcome(x.result[5], nil, false)
	if len(x.result) != 20 || x.waiting != 16 {
		t.Errorf("one failed: a result of %d, %d in flight", len(x.result), x.waiting)
	}
}

// Rust-like has three slots until three answers were no progress, and 20 then;
// to name the nearest of all is progress, known or not.
func TestRustLikeWidensWhenItStalls(t *testing.T) {
	x := line(t, Options{Policy: RustLike}, 40)
	x.advance()
	if x.waiting != 3 {
		t.Fatalf("%d in flight", x.waiting)
	}
	nearest := x.all[0].peer
	x.outcome(x.all[2].peer, nil, true)
	x.outcome(x.all[3].peer, nil, true)
	if x.idle != 2 || x.waiting != 3 {
		t.Fatalf("two answers without progress: %d counted, %d in flight", x.idle, x.waiting)
	}
	x.learn(2, []contact.Handle{handle(nearest)})
	if x.idle != 0 {
		t.Error("to name the nearest was no progress")
	}
	for range 3 {
		x.learn(2, nil)
	}
	x.advance()
	if x.waiting != 20 {
		t.Errorf("stalled, and %d in flight", x.waiting)
	}
}

// A rival waits for the dead as long as it says.
func TestRivalsWaitAsLongAsTheySay(t *testing.T) {
	for _, c := range []struct {
		opt   Options
		state condition
		want  time.Duration
	}{
		{Options{Policy: GoLike}, blackHole, 5 * time.Second},
		{Options{Policy: RustLike}, blackHole, 10 * time.Second},
		{Options{Policy: GoLike, Rules: Rules{Dial: 15 * time.Second}}, blackHole, 15 * time.Second},
	} {
		x := line(t, c.opt, 1)
		x.w.setState(1, c.state)
		x.ask(1)
		if err := x.w.Run(mono.Time(c.want - time.Millisecond)); err != nil || x.all[0].state != asked {
			t.Errorf("%s has given up before %v (%v)", c.opt.Policy, c.want, err)
		}
		if err := x.w.Run(mono.Time(c.want)); err != nil || x.all[0].state != gaveUp {
			t.Errorf("%s has not given up after %v (%v)", c.opt.Policy, c.want, err)
		}
	}
}

package sim

import (
	"errors"
	"testing"

	"github.com/waymark-dht/waymark/core/mono"
)

// Whoever comes into a network on one site of which a third is dead is of use,
// and its bootstrap over, in about the patience that one dead peer is given: the
// steps do not wait for their own dead one after the other, nor all for one
// slow seed.
func TestNewcomersDoNotWaitForEachStepsDead(t *testing.T) {
	for _, dead := range []int{0, 30, 50} {
		opt := Options{Nodes: 200, Seed: 3, Dead: dead, Lookups: 60, Site: true}
		r, err := Join(opt)
		if err != nil {
			t.Fatal(err)
		}
		if r.Bootstraps != opt.Lookups || r.Ready != opt.Lookups || r.Back != opt.Lookups || r.Lookups != opt.Lookups {
			t.Errorf("%d bootstraps, %d ready, %d lookups", r.Bootstraps, r.Ready, r.Lookups)
		}
		if r.Back95 > 1000 || r.Boot95 > 1500 || r.BootMax > 2500 || r.Recall < .98 {
			t.Errorf("%d %% dead: of use after %.0f, over after %.0f, at most %.0f ms; recall %.4f", dead, r.Back95, r.Boot95, r.BootMax, r.Recall)
		}
		t.Logf("%+v", r)
	}
}

func TestNewcomersInTheWorld(t *testing.T) {
	opt := Options{Nodes: 1000, Seed: 3, Dead: 15, Lookups: 40}
	r, err := Join(opt)
	if err != nil {
		t.Fatal(err)
	}
	if r.Ready != opt.Lookups || r.Recall < .99 || r.Overdue != 0 || r.Stalled != 0 {
		t.Errorf("%+v", r)
	}
}

// Where so few are there that all of them are newcomers, or one is alone, the
// run ends like any other.
func TestAFewNewcomersEnd(t *testing.T) {
	for _, nodes := range []int{1, 2, 3, 5} {
		if r, err := Join(Options{Nodes: nodes, Seed: 1}); err != nil || r.Bootstraps == 0 {
			t.Errorf("%d nodes: %d bootstraps, %v", nodes, r.Bootstraps, err)
		}
	}
}

// A run in which nobody healthy is left ends, and says so.
func TestARunWithoutAnybodyHealthyEnds(t *testing.T) {
	if _, err := Eclipse(Options{Nodes: 1, Seed: 1, Dead: 50}); !errors.Is(err, ErrNobody) {
		t.Errorf("a network of liars: %v", err)
	}
	w := NewWorld(Options{Nodes: 3, Seed: 1}.defaults("lookups", 0, 1))
	w.Kill(100)
	if w.survivor(); !errors.Is(w.Run(mono.Never), ErrNobody) {
		t.Errorf("a network of the dead: %v", w.violated)
	}
}

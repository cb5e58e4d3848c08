package sim

import "testing"

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

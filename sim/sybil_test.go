package sim

import "testing"

// With as many accomplices as a result has places, they are the truth, and no
// lookup can do more than end: it does, and other keys are found as ever.
func TestAnEclipseByMoreThanKEndsInTime(t *testing.T) {
	r, err := Eclipse(Options{Nodes: 400, Seed: 3, Lookups: 60, Near: 40})
	if err != nil {
		t.Fatal(err)
	}
	if r.Target != 0 || r.Honest < wantHonest || r.Overdue != 0 || r.Lookups != 60 {
		t.Errorf("%+v", r)
	}
}

// The promise can be broken: if all that the honest know is accomplices, the
// scenario says so.
func TestAnAttackThatSucceedsBreaksThePromise(t *testing.T) {
	_, err := besides(Options{Scenario: "attack", Nodes: 200, Seed: 3, Lookups: 20}, func(o Options) (*attack, error) {
		a := newAttack(o)
		a.w.corrupt(40)
		for n := range a.w.nodes { // nobody knows more than thirty liars
			for _, h := range a.w.accomplices(nil, a.w.key(uint32(n))) {
				a.w.nodes[n].tab.Offer(h, 0, 0)
			}
		}
		return a, a.lookups(a.w.preimage)
	})
	if err == nil {
		t.Error("the honest were not found, and nobody minds")
	}
}

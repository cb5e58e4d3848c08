package sim

import "testing"

func TestEverybodyComesInThroughFourSeeds(t *testing.T) {
	opt := Options{Nodes: 300, Seed: 3}
	r, err := Bootstrap(opt)
	if err != nil {
		t.Fatal(err)
	}
	// The first to come may find nobody: the seeds know nobody yet.
	if r.Bootstraps != opt.Nodes || r.Ready < opt.Nodes*95/100 || r.Stalled != 0 || r.Overdue != 0 {
		t.Errorf("%+v", r)
	}
	if r.Fill < .6 {
		t.Errorf("tables are filled to %.2f of what they could hold", r.Fill)
	}
	t.Logf("%+v", r)
}

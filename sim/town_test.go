package sim

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
)

// Every scenario of a town keeps its promises, with nobody and with a fourth
// of the members dead from the start.
func TestTownsKeepTheirPromises(t *testing.T) {
	for _, s := range Scenarios {
		if s.Name == "lookups" || s.Name == "bootstrap" || s.Name == "values" || s.Name == "providers" || s.Name == "sweep" {
			continue // they have tests of their own
		}
		t.Run(s.Name, func(t *testing.T) {
			for _, dead := range []int{0, 26} {
				if testing.Short() && dead == 0 {
					continue
				}
				r, err := s.Run(Options{Nodes: 120, Seed: 3, Dead: dead, Lookups: 60, Duration: 5 * time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				if r.Lookups != 60 || r.Recall < wantRecall || r.Overdue != 0 || r.Stalled != 0 {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// A scenario's promise can be broken: what a town cannot find is counted.
func TestATownThatForgetsBreaksItsPromise(t *testing.T) {
	town := newTown("a town that forgets", Options{Nodes: 120, Seed: 3, Lookups: 20})
	if err := town.inhabit(); err != nil {
		t.Fatal(err)
	}
	for n := range uint32(len(town.w.nodes)) {
		if n%2 == 0 { // half of the town is empty and knows nobody
			town.w.stop(n, refusing)
			town.w.empty(n)
			town.w.setState(n, healthy)
		}
	}
	if _, err := town.end(town.lookups()); err == nil {
		t.Error("half of the members know nobody, and nobody minds")
	}
	if b := town.back([]uint32{0}, 0); b.late != 1 {
		t.Error("a node that never came back was not late")
	}
}

// A node that sleeps amid a bootstrap loses what was under way, is told so when
// it wakes, and is of use again.
func TestASleeperWakesAmidWhatItDid(t *testing.T) {
	town := newTown("a sleeper", Options{Nodes: 60, Seed: 3})
	if err := town.inhabit(); err != nil {
		t.Fatal(err)
	}
	w, n := town.w, town.some(100)[0]
	w.step(w.actor(n), engine.StartBootstrap{Op: w.newOp()})
	town.sleep(n, time.Hour)
	if err := w.Run(w.now.Add(59 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	a := w.nodes[n].act
	if len(a.requests) == 0 || !w.requests[a.requests[0]].missed {
		t.Fatal("the node slept amid nothing")
	}
	if err := w.Run(w.now.Add(2 * time.Minute)); err != nil {
		t.Error("told of its sleep:", err)
	}
	if a.slept != time.Hour || town.ready[n] < town.since[n] {
		t.Errorf("slept %v, woke at %v, of use at %v", a.slept, town.since[n], town.ready[n])
	}
}

// Every setting can be set, is part of the command that repeats the run, and
// refuses what it cannot mean.
func TestSettingsArePartOfTheCommand(t *testing.T) {
	for _, s := range Settings {
		o := Options{Nodes: 5, Scenario: "lookups"}
		plain := o.Command()
		good := map[string]string{"policy": "go-like", "deadline": "1m30s", "dial": "1m30s", "request": "1m30s", "warm": "true", "proximity": "true", "site": "true", "scale": "1m30s", "again": "1m30s", "shape": "50", "transport": "tcp", "duration": "1m30s", "rest": "1m30s"}[s.Name]
		if good == "" {
			good = "3"
		}
		if err := o.Set(s.Name, good); err != nil {
			t.Errorf("%s=%s: %v", s.Name, good, err)
		}
		if want := plain + " --set " + s.Name + "=" + good; o.Command() != want {
			t.Errorf("%q, want %q", o.Command(), want)
		}
		if o.Set(s.Name, "nonsense") == nil {
			t.Errorf("%s=nonsense is taken", s.Name)
		}
	}
	if new(Options).Set("nothing", "1") == nil {
		t.Error("there is a setting of no name")
	}
}

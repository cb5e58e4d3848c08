package sim

import (
	"strings"
	"testing"
	"time"
)

// The stress of the guarantee: sessions with a median of twenty minutes.
func TestAStressOfChurnLeavesNobodyBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	r, err := Churn(Options{Nodes: 120, Seed: 2, Dead: 15, Lookups: 60, Duration: time.Hour, Shape: 50, Scale: 42 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if r.Leaves < 30 || r.Back < r.Leaves/2 {
		t.Errorf("%d sessions ended, %d members came back and were of use: too few to say anything", r.Leaves, r.Back)
	}
}

// A sample of the soak: half a day, with four outages.
func TestHalfADayOfChurnAndOutages(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	r, err := Soak(Options{Nodes: 40, Seed: 1, Lookups: 40, Duration: 12 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if r.Samples != 72 || r.Back == 0 || r.Offline == 0 || r.Leaves == 0 {
		t.Errorf("%+v", r)
	}
}

// The soak minds what grows, and who sends too much.
func TestTheSoakMinds(t *testing.T) {
	s := &soak{t: newTown("soak", Options{Nodes: 10}), samples: make([][]float64, len(meters)), stated: 10}
	for i := range s.samples {
		for n := range 200 {
			s.samples[i] = append(s.samples[i], 100+float64(i*n)/20) // the first meter stays
		}
	}
	if err := s.verdict(nil); err == nil || !strings.Contains(err.Error(), meters[3].name) {
		t.Errorf("what grows by 12 %% is not minded: %v", err)
	}
	s.most = 11
	if err := s.verdict(nil); err == nil || !strings.Contains(err.Error(), "without a network") {
		t.Errorf("a member that sends too much is not minded: %v", err)
	}
}

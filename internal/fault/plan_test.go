package fault

import (
	"slices"
	"testing"
)

func count(plan []Kind) (n [kinds]int) {
	for _, k := range plan {
		n[k]++
	}
	return n
}

func TestAPlanDealsTheFaultyShareInTurn(t *testing.T) {
	n := count(Plan(200, 30, 1, Silent, Cut, Refused, Slow))
	if n[Honest] != 140 || n[Silent] != 15 || n[Cut] != 15 || n[Refused] != 15 || n[Slow] != 15 {
		t.Errorf("%v", n)
	}
	for k, n := range count(Plan(100*(int(kinds)-1), 100, 1)) {
		if want := 100; Kind(k) != Honest && n != want {
			t.Errorf("%v: %d of %d", Kind(k), n, want)
		}
	}
	if n := count(Plan(10, -5, 1)); n[Honest] != 10 {
		t.Errorf("less than none: %v", n)
	}
	if n := count(Plan(10, 500, 1)); n[Honest] != 0 {
		t.Errorf("more than all: %v", n)
	}
}

func TestASeedNamesThePlan(t *testing.T) {
	if !slices.Equal(Plan(100, 30, 5), Plan(100, 30, 5)) {
		t.Error("one seed, two plans")
	}
	if slices.Equal(Plan(100, 30, 5), Plan(100, 30, 6)) {
		t.Error("two seeds, one plan")
	}
}

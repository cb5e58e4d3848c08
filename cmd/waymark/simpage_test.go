package main

import (
	"strings"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/sim"
)

// figuresOf are the words on an axis.
func figuresOf(a axis) (words []string) {
	a.ticks(func(_ float64, text string) { words = append(words, text) })
	return words
}

func TestAxesHaveRoundFigures(t *testing.T) {
	for most, want := range map[time.Duration]string{
		2874 * time.Millisecond: "0 ms, 1000 ms, 2000 ms",
		1437 * time.Millisecond: "0 ms, 500 ms, 1000 ms",
		62 * time.Second:        "0 s, 20 s, 40 s, 60 s",
		7272 * time.Second:      "0 min, 50 min, 100 min",
		25 * time.Hour:          "0 h, 5 h, 10 h, 15 h, 20 h, 25 h",
		7 * 24 * time.Hour:      "0 h, 50 h, 100 h, 150 h",
		0:                       "0 ms, 0.2 ms, 0.4 ms, 0.6 ms, 0.8 ms, 1 ms",
	} {
		if got := strings.Join(figuresOf(timeAxis(most)), ", "); got != want {
			t.Errorf("up to %v: %s, want %s", most, got, want)
		}
	}
	for low, want := range map[float64]string{
		0:     "0 %, 25 %, 50 %, 75 %, 100 %",
		.49:   "0 %, 25 %, 50 %, 75 %, 100 %",
		.5:    "50 %, 60 %, 70 %, 80 %, 90 %, 100 %",
		.9994: "99 %, 99.25 %, 99.5 %, 99.75 %, 100 %",
	} {
		if got := strings.Join(figuresOf(percentAxis(low)), ", "); got != want {
			t.Errorf("from %v: %s, want %s", low, got, want)
		}
	}
}

func TestThePageSaysFirstWhetherAPromiseBroke(t *testing.T) {
	r := simReport{story: sim.Scenario{Name: "lookups"}, command: "waymark sim run lookups"}
	if page := string(r.page()); !strings.Contains(page, "✓ every promise held") || strings.Contains(page, "broke:") {
		t.Error("a page of a run that held says nothing of it")
	}
	r.broken = "op 7 is <overdue>"
	if page := string(r.page()); !strings.Contains(page, "✗ a promise broke: op 7 is &lt;overdue&gt;") || strings.Contains(page, "✓") {
		t.Error("a page of a run that broke a promise does not say which")
	}
}

func TestThePageShowsWhatIsLeftOfWhatWasStored(t *testing.T) {
	r := simReport{story: sim.Scenario{Name: "values"}, result: sim.Result{Kept: []sim.Kept{
		{Hours: 1, There: 1, Holders: 20, Tries: 100, Found: 100}, {Hours: 24, There: .98, Holders: 12.5, Tries: 1000, Found: 975},
	}}}
	page := string(r.page())
	for _, want := range []string{"What is left of what was stored", "found after 24 h", "97.50 %", "0.9800 still there · 12.5 holders each · 975 of 1000 found", "the axis begins at 95 %"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestThePageShowsWhatTheHonestWereFoundBy(t *testing.T) {
	r := simReport{story: sim.Scenario{Name: "eclipse"}, result: sim.Result{Lookups: 300, Converged: 300, Honest: .9975, OnePath: .91, Target: 1}}
	page := string(r.page())
	for _, want := range []string{"99.75 %", "91.00 %", "0.9975 of them found · 0.9100 with one path", "1.0000 of the honest next to it found"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// Nine figures are a line of five and one of four, and not six and three.
func TestLinesOfFiguresAreAsFullAsEachOther(t *testing.T) {
	for _, x := range []struct {
		result sim.Result
		want   string
	}{
		{sim.Result{}, "--beside:2"},
		{sim.Result{Lookups: 1}, "--beside:6"},
		{sim.Result{Lookups: 1, Back: 1}, "--beside:4"},
		{sim.Result{Lookups: 1, OnePath: 1, Target: 1}, "--beside:5"},
	} {
		if page := string(simReport{result: x.result}.page()); !strings.Contains(page, x.want) {
			t.Errorf("%+v: not %s", x.result, x.want)
		}
	}
}

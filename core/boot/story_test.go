package boot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// Stories of the planner. After every command the ledger has its say.
//
//	bootstrap seeds=(1,2) remembered=(3) names=(a,b) deadline=60s hard=2s buckets=3 [full] [known]
//	answer 1 after=100ms
//	fail 1
//	resolve a to=(4,5)
//	walked self end=done          self, bucket-0, verify
//	linger self                   all that it still waits for is late
//	wait [3s]                     until the timer, or for so long
//	cancel
//	stray 3                       every kind of outcome for attempt 3, whatever that is
//	report
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var w *world
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "bootstrap":
				w = begin(settingOf(t, d))
				w.do(move{})
			case "report":
				return w.reports()
			case "stray":
				id, _ := strconv.Atoi(d.CmdArgs[0].Key)
				for what := Answered; what <= Lingers; what++ {
					w.tell(Event{What: what, Attempt: Attempt(id)})
				}
			default:
				w.do(w.moveOf(t, d))
			}
			return w.tells(t)
		})
	})
}

func (w *world) tells(t *testing.T) string {
	if w.broken != "" {
		t.Fatalf("broken: %s", w.broken)
	}
	var b strings.Builder
	for _, s := range w.said {
		fmt.Fprintln(&b, s)
	}
	if w.p.End() != Running {
		fmt.Fprintf(&b, "ended %s at %s, ready: %v\n", endWords[w.p.End()], time.Duration(w.now), w.p.Ready())
		return b.String()
	}
	var open []string
	for _, e := range w.open {
		open = append(open, e.what)
	}
	wake, _ := w.p.Wake()
	fmt.Fprintf(&b, "waits for %s until %s\n", strings.Join(open, ", "), time.Duration(wake))
	return b.String()
}

func (w *world) reports() string {
	var b strings.Builder
	steps, remaining := w.p.Steps()
	for _, s := range steps {
		fmt.Fprintf(&b, "%s: %s, asked %d, answered %d, failed %v, %s to %s\n", s.Name, endWords[s.End],
			s.Asked, s.Answered, s.Failures.Words(), time.Duration(s.Began), time.Duration(s.Ended))
	}
	fmt.Fprintf(&b, "%d to come\n", remaining)
	return b.String()
}

func (w *world) moveOf(t *testing.T, d *datadriven.TestData) (mv move) {
	does := slices.Index([]string{"wait", "answer", "fail", "resolve", "walked", "linger", "cancel"}, d.Cmd)
	if does < 0 {
		t.Fatalf("%s: no such command", d.Pos)
	}
	mv.does = What(does)
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "after":
			mv.after = span(t, a.Vals[0])
		case "more":
			mv.more = true
		case "to":
			mv.peers = handles(t, a.Vals)
		case "end":
			mv.end = End(slices.Index(endWords[:], a.Vals[0]))
		default:
			if mv.does == Tick {
				mv.after = span(t, a.Key)
			} else {
				mv.what = strings.ReplaceAll(a.Key, "-", " ")
			}
		}
	}
	if wake, waits := w.p.Wake(); mv.does == Tick && mv.after == 0 && waits {
		mv.after = wake.Sub(w.now)
	}
	return mv
}

func settingOf(t *testing.T, d *datadriven.TestData) setting {
	s := setting{hard: 2 * time.Second, plan: Plan{Deadline: mono.Time(60 * time.Second)}}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "seeds":
			s.plan.Seeds = handles(t, a.Vals)
		case "remembered":
			s.plan.Remembered = handles(t, a.Vals)
		case "names":
			s.plan.Names = a.Vals
		case "deadline":
			s.plan.Deadline = mono.Time(span(t, a.Vals[0]))
		case "hard":
			s.hard = span(t, a.Vals[0])
		case "buckets":
			n, _ := strconv.Atoi(a.Vals[0])
			s.deepest = n - 1
		case "full":
			s.full = true
		case "known":
			s.known = true
		default:
			t.Fatalf("%s: what is %s?", d.Pos, a.Key)
		}
	}
	return s
}

func handles(t *testing.T, vals []string) (hs []contact.Handle) {
	for _, v := range vals {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		hs = append(hs, contact.Handle(n))
	}
	return hs
}

func span(t *testing.T, s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

package lookup

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// Stories: peers are named by their distance from the target. After every
// command the model has its say, so a story checks more than it shows.
//
//	lookup seeds=(10,20) [k= alpha= spare= last= rest= peers= depth= fresh= paths= probes= liars=
//	       reserve=(…) doubtful=(…) grant= deadline= soft= hard= self=]
//	answer 10 names=(2,15!) after=100ms     15! comes with addresses that are news
//	fail 20 how=refused after=100ms
//	wait [3s]                               until the timer, or for so long
//	cancel
//	stray 7                                 an outcome for attempt 7, whatever that is
//	grant 4                                 what the node grants from now on
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if !strings.HasSuffix(path, ".txt") {
			return // the fuzzer's corpus
		}
		var w *world
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "lookup" {
				w = begin(settingOf(t, d))
				w.do(move{what: wait})
				return w.tells(t)
			}
			return w.told(t, d)
		})
	})
}

// told makes one move of a story and tells what follows.
func (w *world) told(t *testing.T, d *datadriven.TestData) string {
	if d.Cmd == "stray" {
		n, _ := strconv.Atoi(d.CmdArgs[0].Key)
		for _, what := range []What{Answered, Failed} {
			w.tell(Event{What: what, Attempt: Attempt(n), Named: named(hints(1, 2, 3)), Failure: contact.Silent})
			if len(w.said) > 0 {
				return "it is not ignored\n"
			}
		}
		return w.tells(t)
	}
	w.do(w.moveOf(t, d))
	return w.tells(t)
}

// tells puts what followed from a move into words.
func (w *world) tells(t *testing.T) string {
	if w.broken != "" {
		t.Fatalf("broken: %s", w.broken)
	}
	var b strings.Builder
	for _, s := range w.said {
		fmt.Fprintln(&b, s)
	}
	if w.l.End() != Running {
		fmt.Fprintf(&b, "ended %s at %s: %v\n", endWords[w.l.End()], time.Duration(w.now), w.result())
		return b.String()
	}
	var air []string
	for _, f := range w.m.air {
		air = append(air, fmt.Sprint(f.peer)+map[bool]string{true: " (late)"}[f.late])
	}
	wake, _ := w.l.Wake()
	fmt.Fprintf(&b, "waits for %s until %s\n", strings.Join(air, ", "), time.Duration(wake))
	return b.String()
}

// moveOf reads a move of a story.
func (w *world) moveOf(t *testing.T, d *datadriven.TestData) (mv move) {
	deeds := map[string]deed{"wait": wait, "answer": answer, "fail": fail, "cancel": cancel, "grant": grant}
	what, ok := deeds[d.Cmd]
	if !ok {
		t.Fatalf("%s: no such command", d.Pos)
	}
	mv.what = what
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "names":
			mv.names = hintsOf(t, a.Vals)
		case "after":
			mv.after = span(t, a.Vals[0])
		case "more":
			mv.more = true
		case "how":
			mv.how = failureOf(t, a.Vals[0])
		default:
			if what == wait {
				mv.after = span(t, a.Key)
			} else {
				mv.peer = number(t, a.Key)
			}
		}
	}
	if what == fail && mv.how == contact.None {
		mv.how = contact.Silent
	}
	if wake, waits := w.l.Wake(); what == wait && mv.after == 0 && waits && !w.amid {
		mv.after = wake.Sub(w.now)
	}
	return mv
}

// settingOf reads the beginning of a story.
func settingOf(t *testing.T, d *datadriven.TestData) setting {
	s := setting{
		cfg: Config{
			K: 2, Alpha: 2, AlphaLast: 2, MaxPeers: 100, MaxDepth: 10, AttemptsFresh: 2,
			Paths: 1, ProbePeers: 4,
		},
		n: 99, town: town{soft: time.Second, hard: 2 * time.Second},
	}
	numbers := map[string][]*int{
		"k": {&s.cfg.K}, "alpha": {&s.cfg.Alpha, &s.cfg.AlphaLast}, "spare": {&s.cfg.Spare, &s.cfg.SpareLast},
		"last": {&s.cfg.AlphaLast}, "rest": {&s.cfg.SpareLast}, "peers": {&s.cfg.MaxPeers}, "depth": {&s.cfg.MaxDepth},
		"fresh": {&s.cfg.AttemptsFresh}, "paths": {&s.cfg.Paths}, "probes": {&s.cfg.ProbeRounds},
		"liars": {&s.cfg.Liars}, "grant": {&s.grant}, "self": {&s.self},
	}
	lists := map[string]*[]int{"seeds": &s.seeds, "reserve": &s.reserve, "doubtful": &s.town.doubtful}
	for _, a := range d.CmdArgs {
		switch {
		case numbers[a.Key] != nil:
			for _, n := range numbers[a.Key] {
				*n = number(t, a.Vals[0])
			}
		case lists[a.Key] != nil:
			for _, v := range a.Vals {
				*lists[a.Key] = append(*lists[a.Key], number(t, v))
			}
		case a.Key == "deadline":
			s.deadline = mono.Time(span(t, a.Vals[0]))
		case a.Key == "soft":
			s.town.soft = span(t, a.Vals[0])
		case a.Key == "hard":
			s.town.hard = span(t, a.Vals[0])
		default:
			t.Fatalf("%s: what is %s?", d.Pos, a.Key)
		}
	}
	return s
}

func hintsOf(t *testing.T, vals []string) (hs []hint) {
	for _, v := range vals {
		name, fresh := strings.CutSuffix(v, "!")
		if name != "" {
			hs = append(hs, hint{number(t, name), fresh})
		}
	}
	return hs
}

func failureOf(t *testing.T, word string) contact.Failure {
	for f := range contact.Liar + 1 {
		if f.String() == word {
			return f
		}
	}
	t.Fatalf("no failure is called %s", word)
	return contact.None
}

func number(t *testing.T, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func span(t *testing.T, s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

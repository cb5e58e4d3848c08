package boot

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// The explorer walks through every schedule of a small bootstrap: whatever is
// under way may succeed, fail or stay silent, in any order; a name may stand
// for any set of contacts; the timer may be late; the owner may cancel at any
// step. The planner is the real one, cloned at each branch.
type explorer struct {
	begin setting
	names []contact.Handle // what a name can stand for
	brisk bool             // no walk lingers: smaller worlds say enough of that

	batches bool // outcomes are also told together, before their time is over or after
	seen    map[[2]uint64]struct{}
	moves   int
	ends    [Cut + 1]int
}

var hashSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

const second = mono.Time(time.Second)

func TestEverySchedule(t *testing.T) {
	contacts := func(hs ...contact.Handle) []contact.Handle { return hs }
	plan := Plan{Seeds: contacts(1), Remembered: contacts(2), Names: []string{"a"}, Deadline: 9 * second}
	search(t, "two contacts and a name", &explorer{
		begin: setting{plan: plan, hard: 2 * time.Second, deepest: 0, full: true}, names: contacts(1, 7),
	})
	search(t, "two contacts and a name that are told at once", &explorer{
		begin: setting{plan: plan, hard: 2 * time.Second, deepest: 0, full: true}, names: contacts(1, 7), brisk: true, batches: true,
	})
	plan = Plan{Seeds: contacts(1), Deadline: 5 * second}
	search(t, "a table that is known", &explorer{
		begin: setting{plan: plan, hard: 3 * time.Second, deepest: 2, known: true},
	})
	plan = Plan{Deadline: mono.Never}
	search(t, "a refresh without a deadline", &explorer{
		begin: setting{plan: plan, hard: time.Second, deepest: 3, known: true, full: true},
	})
	if testing.Short() {
		return
	}
	plan = Plan{Seeds: contacts(1, 2), Remembered: contacts(2, 3), Names: []string{"a"}, Deadline: 9 * second}
	search(t, "three contacts and a name", &explorer{
		begin: setting{plan: plan, hard: 2 * time.Second, deepest: 1, full: true}, names: contacts(1, 7, 8), brisk: true,
	})
}

// search runs an explorer and reports.
func search(t *testing.T, name string, x *explorer) {
	t.Run(name, func(t *testing.T) {
		x.seen = make(map[[2]uint64]struct{})
		w := begin(x.begin)
		w.do(move{})
		schedule, broken := x.visit(w, nil)
		if broken != "" {
			t.Fatalf("%s\nafter %d states; as a story:\n\n%s", broken, len(x.seen), asStory(x.begin, schedule))
		}
		t.Logf("%d states, %d transitions, ends: %v", len(x.seen), x.moves, x.ends)
		if x.ends[Done] == 0 {
			t.Error("no schedule comes to a good end: the world is too small to say anything")
		}
	})
}

func (x *explorer) visit(w *world, path []move) ([]move, string) {
	if w.broken != "" {
		return path, w.broken
	}
	if w.p.End() != Running {
		x.ends[w.p.End()]++
		return nil, ""
	}
	b := w.fingerprint()
	id := [2]uint64{maphash.Bytes(hashSeeds[0], b), maphash.Bytes(hashSeeds[1], b)}
	if _, seen := x.seen[id]; seen {
		return nil, ""
	}
	x.seen[id] = struct{}{}
	for _, mv := range x.choices(w) {
		c := w.clone()
		c.do(mv)
		x.moves++
		c.strays()
		here := append(slices.Clone(path), mv)
		if schedule, broken := x.visit(c, here); broken != "" {
			return schedule, broken
		}
	}
	return nil, ""
}

// strays tells a world of what must be ignored.
func (w *world) strays() {
	if w.amid {
		w.hear(Event{What: Answered, Attempt: w.last + 1})
		return
	}
	for what := Answered; what <= Lingers && w.broken == ""; what++ {
		w.tell(Event{What: what, Attempt: w.last + 1})
		if len(w.open) > 0 && w.open[0].kind == Walk && what < Walked {
			w.tell(Event{What: what, Attempt: w.open[0].id})
		}
	}
	if w.p.End() != Running && w.broken == "" {
		w.do(move{does: Tick, after: 100})
		w.do(move{does: Cancel})
	}
}

// choices lists what the environment can do next.
func (x *explorer) choices(w *world) []move {
	mvs := []move{{does: Cancel}}
	if w.amid { // no time passes
		return append(x.outcomes(w, 0), move{does: Cancel}, move{does: Tick})
	}
	if wake, _ := w.p.Wake(); wake != mono.Never {
		mvs = append(mvs, move{does: Tick, after: wake.Sub(w.now)}, move{does: Tick, after: wake.Sub(w.now) + 3*time.Second})
	}
	for _, e := range w.open {
		switch e.kind {
		case Probe:
			mvs = append(mvs, move{does: Answered, what: e.what}, move{does: Failed, what: e.what})
			mvs = append(mvs, move{does: Answered, what: e.what, after: 3 * time.Second})
		case Resolve:
			mvs = append(mvs, move{does: Failed, what: e.what})
			for set := range 1 << len(x.names) {
				mv := move{does: Resolved, what: e.what}
				for i, h := range x.names {
					if set>>i&1 == 1 {
						mv.peers = append(mv.peers, h)
					}
				}
				mvs = append(mvs, mv)
			}
		case Walk:
			for end := Done; end <= Cut; end++ {
				mvs = append(mvs, move{does: Walked, what: e.what, end: end})
			}
			mvs = append(mvs, move{does: Walked, what: e.what, end: Done, after: time.Second})
			if !e.late && !x.brisk {
				mvs = append(mvs, move{does: Lingers, what: e.what})
			}
		}
	}
	return append(append(mvs, x.outcomes(w, 0)...), x.outcomes(w, 6*time.Second)...)
}

// outcomes lists what can be told together with others, in time or when it is over.
func (x *explorer) outcomes(w *world, after time.Duration) (mvs []move) {
	for _, e := range w.open {
		mv := move{what: e.what, more: true, after: after}
		switch {
		case !x.batches:
		case e.kind == Probe:
			mv.does = Answered
			mvs = append(mvs, mv)
		case e.kind == Resolve:
			mv.does, mv.peers = Resolved, x.names
			mvs = append(mvs, mv)
		}
	}
	return mvs
}

// fingerprint is all of a world that its future depends on.
func (w *world) fingerprint() []byte {
	p := w.p
	b := fmt.Appendf(nil, "%v %v %v %d %v %v %v %v %v %v %v %d|", p.queue, p.tried, p.names, p.room, p.buckets,
		p.ready, p.walked, p.filled, p.checked, w.met, w.selfEnd, w.answers)
	b = fmt.Appendf(b, "%d%d %v %v ", p.nameStep.End, p.seedStep.End, w.env, w.amid)
	for _, names := range [][]string{w.begun, w.ended, reported(p)} { // as sets
		slices.Sort(names)
		b = fmt.Appendf(b, "%v", names)
	}
	open := slices.Clone(p.open)
	slices.SortFunc(open, func(a, b attempt) int {
		return strings.Compare(fmt.Sprint(a.peer, a.name, a.step.Name), fmt.Sprint(b.peer, b.name, b.step.Name))
	})
	for _, a := range open {
		b = fmt.Appendf(b, "%d%d%s%s%v ", a.kind, a.peer, a.name, a.step.Name, a.late)
		if a.hard != mono.Never {
			b = binary.LittleEndian.AppendUint64(b, uint64(a.hard.Sub(w.now)))
		}
	}
	if p.deadline != mono.Never {
		b = binary.LittleEndian.AppendUint64(b, uint64(p.deadline.Sub(w.now)))
	}
	return b
}

// reported lists the steps in the report, by name.
func reported(p *Planner) (names []string) {
	for _, s := range p.steps {
		names = append(names, s.Name)
	}
	return names
}

// asStory writes a schedule as a story: put it into testdata and it is told again.
func asStory(s setting, schedule []move) string {
	list := func(hs any) string { return strings.ReplaceAll(strings.Trim(fmt.Sprint(hs), "[]"), " ", ",") }
	var b strings.Builder
	fmt.Fprintf(&b, "bootstrap seeds=(%s) remembered=(%s) names=(%s) deadline=%s hard=%s buckets=%d", list(s.plan.Seeds),
		list(s.plan.Remembered), list(s.plan.Names), time.Duration(s.plan.Deadline), s.hard, s.deepest+1)
	for word, is := range map[string]bool{" full": s.full, " known": s.known} {
		if is {
			b.WriteString(word)
		}
	}
	b.WriteString("\n----\n")
	for _, mv := range schedule {
		fmt.Fprintf(&b, "\n%s\n----\n", mv)
	}
	return b.String()
}

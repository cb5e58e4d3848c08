package lookup

import (
	"encoding/binary"
	"flag"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// The explorer walks through every schedule that an environment can make of a
// small network: any peer may answer with any subset of the others, fail, stay
// silent, answer late or twice, in any order, and the owner may cancel at any
// step. The machine is the real one, cloned at each branch, and the model
// checks properties 1 to 11 of the guarantee after each step.

var (
	exploreFar = flag.Bool("explore.far", false, "explore the larger worlds too: some minutes and gigabytes")
	exploreN   = flag.Int("explore.n", 0, "explore one path with so many peers (and with -explore.paths, so many paths) and nothing else")
	explorePar = flag.Int("explore.paths", 1, "see explore.n")
)

// explorer is one exhaustive search.
type explorer struct {
	begin   setting
	any     bool  // informants also name peers that are known, themselves and us, and bring news
	late    bool  // the timer also fires late, and outcomes come after their deadline
	batches bool  // outcomes are also told together
	met     End   // an end that must occur, besides Converged
	limit   int   // states; beyond it the search gives up, and the test fails
	lengths []int // how far time can move: in units of the soft deadline

	seen  map[[2]uint64]struct{}
	moves int // transitions
	ends  [Cancelled + 1]int
	buf   []byte
}

var hashSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// explore searches from the beginning; it returns the schedule of the first
// violation and what it violates, or nothing.
func (x *explorer) explore() (schedule []move, broken string) {
	x.seen = make(map[[2]uint64]struct{})
	x.lengths = []int{1}
	if x.late {
		x.lengths = []int{1, 2, 3}
	}
	w := begin(x.begin)
	w.do(move{what: wait})
	if w.broken != "" {
		return nil, w.broken
	}
	return x.visit(w, nil)
}

// visit searches from a state onwards.
func (x *explorer) visit(w *world, path []move) ([]move, string) {
	if !x.isNew(w) {
		return nil, ""
	}
	if len(x.seen) > x.limit {
		return path, fmt.Sprintf("more than %d states", x.limit)
	}
	for _, mv := range x.choices(w) {
		c := w.clone()
		spent := c.m.attemptAt(mv.peer)
		c.do(mv)
		x.moves++
		here := append(path, mv)
		if c.broken == "" {
			c.strays(spent)
		}
		if c.broken != "" {
			return slices.Clone(here), c.broken
		}
		if c.l.End() != Running {
			x.ends[c.l.End()]++
			continue
		}
		if schedule, broken := x.visit(c, here); broken != "" {
			return schedule, broken
		}
	}
	return nil, ""
}

// strays tells a world of what must be ignored: the outcome of the last move
// once more, one of an attempt that never was, and, after the end, anything.
func (w *world) strays(spent Attempt) {
	if w.amid {
		w.hear(Event{What: Answered, Attempt: spent, Named: named(hints(1))})
		return
	}
	w.tell(Event{What: Answered, Attempt: spent, Named: named(hints(1))})
	w.tell(Event{What: Failed, Attempt: w.m.last + 1, Failure: contact.Silent})
	if w.l.End() != Running {
		w.do(move{what: wait, after: 100})
		w.do(move{what: cancel})
	}
}

// choices lists what the environment can do next.
func (x *explorer) choices(w *world) (mvs []move) {
	soft, late := w.env.soft, x.lateBy()
	if w.amid { // no time passes
		late = 0
		mvs = append(mvs, move{what: wait})
	} else {
		for _, n := range x.lengths {
			mvs = append(mvs, move{what: wait, after: time.Duration(n) * soft})
		}
	}
	mvs = append(mvs, move{what: cancel})
	for _, f := range w.m.air {
		for after := range time.Duration(1) + late {
			outcomes := []move{{what: fail, peer: f.peer, how: contact.Silent, after: after * soft}}
			for _, names := range x.answers(w, f) {
				outcomes = append(outcomes, move{what: answer, peer: f.peer, names: names, after: after * soft})
			}
			mvs = append(mvs, outcomes...)
			for _, mv := range outcomes {
				if mv.more = true; x.batches {
					mvs = append(mvs, mv)
				}
			}
		}
	}
	return mvs
}

func (x *explorer) lateBy() time.Duration {
	if x.late {
		return 3
	}
	return 0
}

// answers lists what an informant can say: every subset of the peers that its
// path does not know, or of all peers.
func (x *explorer) answers(w *world, f wing) (answers [][]hint) {
	var can []hint
	for n := 1; n <= x.begin.n; n++ {
		if x.any || w.m.paths[f.path].depth[n] == 0 && n != x.begin.self {
			can = append(can, hint{peer: n})
		}
	}
	for set := range 1 << len(can) {
		var names []hint
		for i, h := range can {
			if set>>i&1 == 1 {
				names = append(names, h)
			}
		}
		answers = append(answers, names)
		if x.any && len(names) > 0 {
			news := slices.Clone(names)
			for i := range news {
				news[i].fresh = true
			}
			answers = append(answers, news)
		}
	}
	return answers
}

// isNew reports whether a state was not seen before, and notes it.
func (x *explorer) isNew(w *world) bool {
	x.buf = w.fingerprint(x.buf[:0])
	id := [2]uint64{maphash.Bytes(hashSeeds[0], x.buf), maphash.Bytes(hashSeeds[1], x.buf)}
	if _, seen := x.seen[id]; seen {
		return false
	}
	x.seen[id] = struct{}{}
	return true
}

// fingerprint appends all of a world that its future depends on. Times count
// from now, and peers go by name, so that schedules that lead to the same
// situation meet. The model agrees with the lookup, so its state adds nothing.
func (w *world) fingerprint(b []byte) []byte {
	l := w.l
	flag := func(v bool) byte {
		if v {
			return 1
		}
		return 0
	}
	for _, r := range l.order {
		p := &l.peers[r.peer]
		b = append(b, byte(p.handle), byte(p.state), p.attempts, byte(p.asker), flag(p.fresh)<<2|flag(p.late)<<1|flag(p.doubtful))
		if l.cfg.Liars > 0 {
			b = append(b, p.mute, p.good)
		}
	}
	for i := range l.walks {
		wk := &l.walks[i]
		b = append(b, 'w', byte(wk.budget), byte(wk.rounds), byte(len(wk.probes)))
		for _, n := range wk.names {
			b = append(b, byte(l.peers[n.peer].handle), byte(n.depth))
			for _, by := range n.by {
				if l.cfg.Liars > 0 && by >= 0 {
					b = append(b, byte(l.peers[by].handle))
				}
			}
		}
		for _, p := range wk.probes {
			b = append(b, byte(l.peers[p.peer].handle), byte(p.goal.bits), byte(p.goal.bits>>8))
		}
	}
	b = append(b, 'f', byte(len(l.reserve)), flag(w.amid))
	for n := 1; n <= w.m.n; n++ { // by name: their order has no effect
		for j := range l.flights {
			if f := &l.flights[j]; int(l.peers[f.peer].handle) == n {
				b = append(b, byte(n), byte(f.walk), flag(f.probe)<<1|flag(f.overdue), byte(f.soft.Sub(w.now)), byte(f.hard.Sub(w.now)))
			}
		}
	}
	if l.deadline != mono.Never {
		b = binary.LittleEndian.AppendUint64(b, uint64(l.deadline.Sub(w.now)))
	}
	return b
}

// shrink leaves out of a schedule what the violation does not need.
func shrink(s setting, schedule []move) []move {
	for i := len(schedule) - 2; i >= 0; i-- {
		shorter := slices.Delete(slices.Clone(schedule), i, i+1)
		if broken, _ := replay(s, shorter); broken != "" {
			schedule = shorter
		}
	}
	return schedule
}

// replay makes the moves of a schedule until something is broken.
func replay(s setting, schedule []move) (broken string, w *world) {
	w = begin(s)
	w.do(move{what: wait})
	for _, mv := range schedule {
		if w.broken != "" {
			break
		}
		spent := w.m.attemptAt(mv.peer)
		w.do(mv)
		if w.broken == "" {
			w.strays(spent)
		}
	}
	return w.broken, w
}

// asStory writes a schedule as a story: put it into testdata and it is told again.
func asStory(s setting, schedule []move) string {
	var b strings.Builder
	list := func(ns []int) string { return strings.ReplaceAll(strings.Trim(fmt.Sprint(ns), "[]"), " ", ",") }
	fmt.Fprintf(&b, "lookup k=%d alpha=%d spare=%d last=%d rest=%d peers=%d depth=%d fresh=%d paths=%d probes=%d liars=%d seeds=(%s) reserve=(%s) soft=%s hard=%s",
		s.cfg.K, s.cfg.Alpha, s.cfg.Spare, s.cfg.AlphaLast, s.cfg.SpareLast, s.cfg.MaxPeers, s.cfg.MaxDepth, s.cfg.AttemptsFresh,
		s.cfg.Paths, s.cfg.ProbeRounds, s.cfg.Liars, list(s.seeds), list(s.reserve), s.town.soft, s.town.hard)
	if s.grant > 0 {
		fmt.Fprintf(&b, " grant=%d", s.grant)
	}
	if s.self > 0 {
		fmt.Fprintf(&b, " self=%d", s.self)
	}
	if s.deadline != 0 && s.deadline != mono.Never {
		fmt.Fprintf(&b, " deadline=%s", time.Duration(s.deadline))
	}
	b.WriteString("\n----\n")
	for _, mv := range schedule {
		fmt.Fprintf(&b, "\n%s\n----\n", mv)
	}
	return b.String()
}

// small returns the setting of a small world. Soft is one nanosecond and hard
// two, so that every deadline is met and few states differ by their clock only.
func small(n, paths, alpha int, seeds ...int) setting {
	return setting{
		cfg: Config{
			K: 2, Alpha: alpha, AlphaLast: alpha, Spare: 1, SpareLast: 1,
			MaxPeers: n, MaxDepth: 3, AttemptsFresh: 1, Paths: paths, ProbePeers: 2,
		},
		n: n, seeds: seeds, town: town{soft: 1, hard: 2},
	}
}

// search runs an explorer and reports.
func search(t *testing.T, name string, x *explorer) {
	t.Run(name, func(t *testing.T) {
		if x.limit == 0 {
			x.limit = 20_000_000
		}
		schedule, broken := x.explore()
		if broken != "" {
			schedule = shrink(x.begin, schedule)
			t.Fatalf("%s\nafter %d states; as a story:\n\n%s", broken, len(x.seen), asStory(x.begin, schedule))
		}
		t.Logf("%d states, %d transitions, ends: %v", len(x.seen), x.moves, x.ends)
		if x.ends[Converged] == 0 || x.met != Running && x.ends[x.met] == 0 {
			t.Errorf("the world is too small to say anything: of all schedules none ends %s or none %s",
				endWords[Converged], endWords[x.met])
		}
	})
}

func TestEverySchedule(t *testing.T) {
	if *exploreN > 0 {
		s := small(*exploreN, *explorePar, max(2, *explorePar), []int{5, 4, 3}[:max(2, *explorePar)]...)
		search(t, "as asked", &explorer{begin: s})
		return
	}
	search(t, "one path of 4 and late timers", &explorer{begin: small(4, 1, 2, 4, 3), late: true})
	search(t, "one path of 3 that is told anything", &explorer{begin: chatty(1), any: true, late: true})
	search(t, "two paths of 3 that are told anything", &explorer{begin: chatty(2), any: true})
	search(t, "one path of 4 that is told several outcomes at once, and late", &explorer{begin: small(4, 1, 2, 4, 3), late: true, batches: true})
	search(t, "two paths of 4 that are told several outcomes at once", &explorer{begin: small(4, 2, 2, 4, 3), batches: true})
	search(t, "one path of 5 with a deadline", &explorer{begin: short(), met: Deadline})
	search(t, "one path of 4 that probes", &explorer{begin: probing(4)})
	search(t, "one path of 5 with reserves", &explorer{begin: reserved(1, 5)})
	search(t, "two paths of 4 with reserves", &explorer{begin: reserved(2, 4), met: Capped})
	if testing.Short() {
		return
	}
	search(t, "one path of 5 that probes", &explorer{begin: probing(5), met: Capped})
	search(t, "two paths of 5 with reserves", &explorer{begin: reserved(2, 5), met: Capped})
	search(t, "one path of 6", &explorer{begin: small(6, 1, 2, 6, 5)})
	search(t, "two paths of 5", &explorer{begin: small(5, 2, 2, 5, 4)})
	search(t, "two paths of 6 without spares", &explorer{begin: brisk(6, 2, 6, 5)})
	if *exploreFar {
		search(t, "one path of 8", &explorer{begin: small(8, 1, 2, 8, 7)})
		search(t, "two paths of 6", &explorer{begin: small(6, 2, 2, 6, 5)})
		search(t, "three paths of 5", &explorer{begin: small(5, 3, 3, 5, 4, 3)})
	}
}

// chatty is a world in which peers are asked twice and liars are doubted; 4 is
// the node itself.
func chatty(paths int) setting {
	s := small(4, paths, 2, 3, 2)
	s.cfg.AttemptsFresh, s.cfg.MaxPeers, s.cfg.Liars, s.self = 2, 6, 1, 4
	return s
}

// short is a world whose deadline comes before the last peer's.
func short() setting {
	s := small(5, 1, 2, 5, 4)
	s.deadline = 3
	return s
}

// probing is a world with one round of region probes, and requests for it.
func probing(n int) setting {
	s := small(n, 1, 2, n, n-1)
	s.cfg.ProbeRounds, s.cfg.MaxPeers = 1, 8
	return s
}

// reserved is a world in which all but one seed for each path come later, and
// the node grants one request more than there are paths.
func reserved(paths, n int) setting {
	s := small(n, paths, 2*paths, []int{n, n - 1}[:paths]...)
	s.reserve = []int{1, 2, 3}
	s.grant = paths + 1
	return s
}

// brisk is a world in which who is late has failed.
func brisk(n, paths int, seeds ...int) setting {
	s := small(n, paths, 2, seeds...)
	s.cfg.Spare, s.cfg.SpareLast, s.town.hard = 0, 0, 1
	return s
}

package lookup_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
)

// The transition relation of docs/model/lookup.qnt, once more: abstract, with
// the names it has there, and no clock. A step of the real lookup must be one
// of its events followed by as many of its own transitions as there can be.

// spec is a lookup as the model has it: peers are their distance from the
// target, sets are bits.
type spec struct {
	k, alpha, spare, p int // the last three of one path
	names, asked       []set
	air, late          []set
	answered, failed   set
	end                lookup.End
}

type set uint32

func bit(n int) set             { return 1 << n }
func (s set) has(n int) bool    { return s&bit(n) != 0 }
func (s set) without(t set) set { return s &^ t }

func (s set) members() (ns []int) {
	for n := range 32 {
		if s.has(n) {
			ns = append(ns, n)
		}
	}
	return ns
}

func (s set) size() int { return len(s.members()) }

func (s *spec) inSight(p, n int) bool {
	return (s.names[p] & s.answered & (bit(n) - 1)).size() < s.k
}

func (s *spec) eligible(p int) (found set) {
	unasked := s.names[p]
	for _, asked := range s.asked {
		unasked = unasked.without(asked)
	}
	for _, n := range unasked.members() {
		if s.inSight(p, n) {
			found |= bit(n)
		}
	}
	return found
}

func (s *spec) budget(p int) int { return s.p - s.asked[p].size() }

func (s *spec) room(p int) bool {
	firm := s.air[p].without(s.late[p])
	return firm.size() < s.alpha && s.air[p].size() < s.alpha+s.spare && s.budget(p) > 0
}

func (s *spec) canAsk(p int) bool {
	return s.end == lookup.Running && s.room(p) && s.eligible(p) != 0
}

func (s *spec) waits(p int) bool {
	return s.budget(p) > 0 && s.eligible(p) != 0 ||
		slices.ContainsFunc(s.air[p].members(), func(n int) bool { return s.inSight(p, n) })
}

func (s *spec) canConclude() bool {
	for p := range s.names {
		if s.canAsk(p) || s.waits(p) {
			return false
		}
	}
	return s.end == lookup.Running
}

// The transitions. Each reports whether it could be made.

func (s *spec) asks(p, n int) bool {
	can := s.canAsk(p) && s.eligible(p).members()[0] == n
	s.asked[p] |= bit(n)
	s.air[p] |= bit(n)
	return can
}

func (s *spec) lands(p, n int) bool {
	can := s.end == lookup.Running && s.air[p].has(n)
	s.air[p], s.late[p] = s.air[p].without(bit(n)), s.late[p].without(bit(n))
	return can
}

func (s *spec) answers(p, n int, told set) bool {
	s.answered |= bit(n)
	s.names[p] |= told
	return s.lands(p, n)
}

func (s *spec) fails(p, n int) bool {
	s.failed |= bit(n)
	return s.lands(p, n)
}

func (s *spec) tires(p, n int) bool {
	can := s.air[p].without(s.late[p]).has(n)
	s.late[p] |= bit(n)
	return can
}

func (s *spec) finishes(why lookup.End) bool {
	can := s.end == lookup.Running
	if why != lookup.Cancelled && s.answered == 0 {
		why = lookup.Nobody
	}
	clear(s.air)
	clear(s.late)
	s.end = why
	return can
}

func (s *spec) concludes() bool {
	can, why := s.canConclude(), lookup.Converged
	for p := range s.names {
		if s.eligible(p) != 0 {
			why = lookup.Capped
		}
	}
	return s.finishes(why) && can
}

// trace is a run of the real lookup with the relation beside it.
type trace struct {
	t       *testing.T
	rng     *rand.Rand
	l       *lookup.Lookup
	s       *spec
	now     mono.Time
	flights []request
	log     []string
	met     map[string]int // transitions by name
}

// request is an attempt as its owner knows it.
type request struct {
	attempt    lookup.Attempt
	path, peer int
	soft, hard mono.Time
}

const (
	soft = 40 * time.Millisecond
	hard = 100 * time.Millisecond
)

func (*trace) Patience(contact.Handle) (time.Duration, time.Duration) { return soft, hard }
func (*trace) Doubtful(contact.Handle) bool                           { return false }

const peers = 8

// far is a key at a distance from the target, which is the key zero.
func far(n int) key.Key { return key.Key{uint64(n+1) << 40} }

func name(n int) lookup.Named { return lookup.Named{Handle: contact.Handle(n + 1), Key: far(n)} }

// start deals some seeds to the paths, which is what the model's init does.
func start(t *testing.T, seed uint64, met map[string]int) *trace {
	rng := rand.New(rand.NewPCG(seed, 0))
	k, paths, p := 1+rng.IntN(3), 1+rng.IntN(3), 1+rng.IntN(5)
	cfg := lookup.Config{
		K: k, Alpha: paths, Spare: paths, AlphaLast: paths, SpareLast: paths,
		MaxPeers: p * paths, MaxDepth: peers + 1, AttemptsFresh: 1, Paths: paths,
	}
	l := lookup.New(cfg, key.Key{}, key.Key{1 << 63}, mono.Time(time.Second))
	s := &spec{
		k: k, alpha: 1, spare: 1, p: p,
		names: make([]set, paths), asked: make([]set, paths), air: make([]set, paths), late: make([]set, paths),
	}
	for i, n := range rng.Perm(peers)[:rng.IntN(5)] {
		l.Seed(name(n))
		s.names[i%paths] |= bit(n)
	}
	return &trace{t: t, rng: rng, l: l, s: s, met: met}
}

// must notes a transition and objects if the model does not have it.
func (tr *trace) must(can bool, format string, args ...any) {
	tr.t.Helper()
	tr.log = append(tr.log, fmt.Sprintf(format, args...))
	if !can {
		tr.t.Fatalf("no transition of docs/model/lookup.qnt: %s\nafter %v\nto %+v", tr.log[len(tr.log)-1], tr.log, *tr.s)
	}
}

// hold objects if what must hold between steps does not.
func (tr *trace) hold(does bool, format string, args ...any) {
	tr.t.Helper()
	if !does {
		tr.t.Fatalf("the lookup is not where the model is: %s\nafter %v\nat %+v", fmt.Sprintf(format, args...), tr.log, *tr.s)
	}
}

// step lets something happen to the real lookup and follows it.
func (tr *trace) step() {
	ev := lookup.Event{What: lookup.Tick}
	wake, _ := tr.l.Wake()
	switch dice := tr.rng.IntN(20); {
	case dice == 0 && tr.rng.IntN(4) == 0:
		ev.What = lookup.Cancel
		tr.must(tr.s.finishes(lookup.Cancelled), "cancel")
		tr.met["stop"]++
	case dice < 14 && len(tr.flights) > 0:
		ev = tr.outcome()
	default:
		tr.now = max(tr.now, wake)
	}
	tr.l.Step(tr.now, ev, tr)
	tr.follow()
}

// outcome draws an answer or a failure for one request under way, some time
// before the next deadline; now and then for one that is not.
func (tr *trace) outcome() lookup.Event {
	wake, _ := tr.l.Wake()
	tr.now += mono.Time(tr.rng.Int64N(int64(wake - tr.now)))
	if tr.rng.IntN(10) == 0 {
		return lookup.Event{What: lookup.Answered, Attempt: 1 << 30, Named: []lookup.Named{name(0)}}
	}
	i := tr.rng.IntN(len(tr.flights))
	f := tr.flights[i]
	tr.flights = slices.Delete(tr.flights, i, i+1)
	if tr.rng.IntN(3) == 0 {
		tr.must(tr.s.fails(f.path, f.peer), "path %d: %d fails", f.path, f.peer)
		tr.met["fail"]++
		return lookup.Event{What: lookup.Failed, Attempt: f.attempt}
	}
	ev := lookup.Event{What: lookup.Answered, Attempt: f.attempt}
	some, others := set(tr.rng.Uint32N(1<<peers)), set(tr.rng.Uint32N(1<<peers))
	told := some & others // about a quarter of all
	for _, n := range told.members() {
		if n != f.peer {
			ev.Named = append(ev.Named, name(n))
		}
	}
	tr.must(tr.s.answers(f.path, f.peer, told.without(bit(f.peer))), "path %d: %d answers %v", f.path, f.peer, told.members())
	tr.met["answer"]++
	return ev
}

// follow explains what the step has led to: first the deadlines, all that are
// due and no other, then the actions in their order, then the end.
func (tr *trace) follow() {
	tr.deadlines()
	for a, ok := tr.l.Next(); ok; a, ok = tr.l.Next() {
		if a.Kind == lookup.Drop {
			continue // of its own accord, or because it is over: compared below
		}
		n := int(a.Peer) - 1
		tr.must(tr.s.asks(a.Path, n), "path %d asks %d", a.Path, n)
		tr.met["ask"]++
		tr.flights = append(tr.flights, request{a.Attempt, a.Path, n, tr.now.Add(soft), tr.now.Add(hard)})
	}
	if tr.s.end == lookup.Running && tr.l.End() == lookup.Deadline {
		tr.must(tr.s.finishes(lookup.Deadline), "deadline")
	}
	if tr.s.end == lookup.Running && (tr.l.End() != lookup.Running || tr.s.canConclude()) {
		tr.must(tr.s.concludes(), "concludes")
		tr.met["conclude"]++
	}
	tr.compare()
}

func (tr *trace) deadlines() {
	if tr.s.end != lookup.Running {
		return
	}
	tr.flights = slices.DeleteFunc(tr.flights, func(f request) bool {
		switch {
		case f.hard.Due(tr.now):
			tr.must(tr.s.fails(f.path, f.peer), "path %d: %d expires", f.path, f.peer)
			tr.met["expire"]++
			return true
		case f.soft.Due(tr.now) && !tr.s.late[f.path].has(f.peer):
			tr.must(tr.s.tires(f.path, f.peer), "path %d: %d tires", f.path, f.peer)
			tr.met["tire"]++
		}
		return false
	})
}

// compare sees that the lookup is where the model is, with nothing left to do.
func (tr *trace) compare() {
	tr.t.Helper()
	air, late := make(map[int]bool), make(map[int]bool)
	tr.l.Flying(func(_ lookup.Attempt, h contact.Handle, _, _ mono.Time, overdue bool) {
		air[int(h)-1] = true
		late[int(h)-1] = overdue
	})
	count := 0
	for p := range tr.s.air {
		tr.hold(!tr.s.canAsk(p), "I2: path %d can ask, and does not", p)
		count += tr.s.air[p].size()
		for _, n := range tr.s.air[p].members() {
			tr.hold(air[n] && late[n] == tr.s.late[p].has(n), "path %d: the request to %d", p, n)
		}
		tr.hold(tr.s.end != lookup.Running || !tr.s.waits(p) || tr.s.air[p] != 0, "D2: path %d waits, and not for its own", p)
	}
	tr.hold(len(air) == count, "%d requests are in the air", len(air))
	tr.hold(tr.s.end == tr.l.End(), "end %d, and really %d", tr.s.end, tr.l.End())
	var closest []contact.Handle
	for _, n := range tr.s.answered.members()[:min(tr.s.k, tr.s.answered.size())] {
		closest = append(closest, contact.Handle(n+1))
	}
	tr.hold(slices.Equal(closest, tr.l.Closest(nil)), "closest %v, and really %v", closest, tr.l.Closest(nil))
}

func TestTracesFollowTheModel(t *testing.T) {
	met := make(map[string]int)
	for seed := range uint64(5000) {
		tr := start(t, seed, met)
		tr.log = append(tr.log, fmt.Sprintf("seed %d", seed))
		tr.l.Step(0, lookup.Event{What: lookup.Tick}, tr)
		tr.follow()
		for steps := 0; tr.l.End() == lookup.Running; steps++ {
			if steps > 200 {
				t.Fatalf("seed %d: no end: %v", seed, tr.log)
			}
			tr.step()
		}
	}
	for _, name := range []string{"ask", "answer", "fail", "tire", "expire", "stop", "conclude"} {
		if met[name] == 0 {
			t.Errorf("no trace has the transition %s", name)
		}
	}
	t.Log(met)
}

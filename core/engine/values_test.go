package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// shelf is what the members of a village store; of two values the greater is
// the better.
type shelf struct {
	values    map[contact.ID]*record.Record
	providers map[contact.ID][]*contact.Info
	refuse    map[contact.ID]contact.Failure // who takes no record, and how it declines
	slow      bool                           // the validator never answers
	asked     map[Ask]int
}

func withShelf(v *village) *shelf {
	s := &shelf{
		values: map[contact.ID]*record.Record{}, providers: map[contact.ID][]*contact.Info{},
		refuse: map[contact.ID]contact.Failure{}, asked: map[Ask]int{},
	}
	v.serve = func(eff Effect) Event { return s.serve(v, eff) }
	return s
}

// serve is what a member answers, or the validator.
func (s *shelf) serve(v *village, eff Effect) Event {
	if c, ok := eff.(Choose); ok {
		if s.slow {
			return nil
		}
		best := 0
		for i, val := range c.Values {
			if string(val) > string(c.Values[best]) {
				best = i
			}
		}
		return Chosen{Attempt: c.Attempt, Best: best}
	}
	q := eff.(Send)
	s.asked[q.Ask]++
	a := Answered{Attempt: q.Attempt, Closer: v.nearest(q.Key)}
	if how := s.refuse[q.To.ID]; how != contact.None && (q.Ask == AskStore || q.Ask == AskAnnounce) {
		return Failed{Attempt: q.Attempt, Failure: how, Detail: "declined"}
	}
	switch q.Ask {
	case AskValue:
		a.Record = s.values[q.To.ID]
	case AskProviders:
		a.Providers = s.providers[q.To.ID]
	case AskStore:
		s.values[q.To.ID] = q.Record
	case AskAnnounce:
		s.providers[q.To.ID] = append(s.providers[q.To.ID], v.e.self)
	}
	return a
}

// put stores a value on some of the peers nearest to the key, by rank.
func (s *shelf) put(v *village, key, value string, ranks ...int) {
	near := v.nearest([]byte(key))
	for _, i := range ranks {
		s.values[near[i].ID] = valued(key, value)
	}
}

func valued(key, value string) *record.Record {
	return &record.Record{Key: []byte(key), Value: []byte(value)}
}

// joined is a village of which the node knows everybody.
func joined(t *testing.T, n int) (*village, *shelf) {
	v := newVillage(t, n, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	return v, withShelf(v)
}

func ranks(n int) []int {
	r := make([]int, n)
	for i := range r {
		r[i] = i
	}
	return r
}

func TestPutStoresOnTheClosest(t *testing.T) {
	v, s := joined(t, 60)
	v.step(StartPut{Op: 1, Record: record.Record{Key: []byte("/v/a"), Value: []byte("1")}})
	v.run()
	r := v.result(1)
	if r.Outcome != Stored || len(r.Stored) != params.K || len(r.Unstored) != 0 {
		t.Fatalf("%v: %d stored, %d not", r.Outcome, len(r.Stored), len(r.Unstored))
	}
	for _, m := range v.nearest([]byte("/v/a")) {
		if s.values[m.ID] == nil {
			t.Errorf("%s is one of the closest and has nothing", m.ID)
		}
	}
	v.rested()
}

func TestPutCountsWhoDeclinedAndBlamesNobodyForIt(t *testing.T) {
	v, s := joined(t, 60)
	near := v.nearest([]byte("/v/a"))
	s.refuse[near[0].ID], s.refuse[near[1].ID] = contact.Reset, contact.Garbage
	before := v.e.tab.Len()
	v.step(StartPut{Op: 1, Record: record.Record{Key: []byte("/v/a"), Value: []byte("1")}})
	v.run()
	r := v.result(1)
	if r.Outcome != Stored || len(r.Stored) != params.K-2 || len(r.Unstored) != 2 {
		t.Fatalf("%v: %d stored, %d not", r.Outcome, len(r.Stored), len(r.Unstored))
	}
	if v.e.tab.Len() != before {
		t.Errorf("the table went from %d to %d", before, v.e.tab.Len())
	}
	v.rested()
}

func TestPutThatNobodyTakesIsNoSuccess(t *testing.T) {
	v, s := joined(t, 60)
	for _, m := range v.members {
		s.refuse[m.ID] = contact.Reset
	}
	v.step(StartPut{Op: 1, Record: record.Record{Key: []byte("/v/a"), Value: []byte("1")}})
	v.run()
	if r := v.result(1); r.Outcome != Unstored || len(r.Unstored) != params.K {
		t.Fatalf("%v, %d not stored", r.Outcome, len(r.Unstored))
	}
}

func TestEverybodyDeadEndsWithinTwoDeadlines(t *testing.T) {
	for _, ev := range []Event{
		StartPut{Op: 1, Record: record.Record{Key: []byte("/v/a"), Value: []byte("1")}},
		StartProvide{Op: 1, Key: []byte("content")},
		StartGet{Op: 1, Key: []byte("/v/a")},
		StartFindProviders{Op: 1, Key: []byte("content")},
	} {
		v, _ := joined(t, 30)
		for _, m := range v.members {
			v.mute[m.ID] = true
		}
		v.step(ev)
		v.run()
		if r := v.result(1); r.Outcome != NoPeers || r.Ended.Sub(r.Started) > 2*params.HardMax {
			t.Errorf("%T: %v after %v", ev, r.Outcome, r.Ended.Sub(r.Started))
		}
		v.rested()
	}
}

func TestEnoughEndsAPutAndTheRestGoesOn(t *testing.T) {
	v, s := joined(t, 60)
	for _, m := range v.nearest([]byte("/v/a"))[15:] {
		v.late[m.ID] = true // silent to what is to be stored, so that some are under way when there are enough
	}
	v.step(StartPut{Op: 1, Record: record.Record{Key: []byte("/v/a"), Value: []byte("1")}, Enough: 10})
	v.run()
	r := v.result(1)
	if r.Outcome != Stored || len(r.Stored) != 10 {
		t.Fatalf("%v, %d stored", r.Outcome, len(r.Stored))
	}
	rest := v.onlyEnd(KindStore)
	if rest.Parent != 1 || len(rest.Result.Stored)+len(r.Stored) != 15 || len(rest.Result.Unstored) != 5 {
		t.Fatalf("the rest: %+v", rest)
	}
	if len(s.values) != 15 {
		t.Errorf("%d have it", len(s.values))
	}
	v.rested()
}

func TestPutToNamedPeersWalksNowhere(t *testing.T) {
	v, s := joined(t, 60)
	to := append(slices.Clone(v.members[40:45]), v.members[40], v.e.self)
	v.step(StartPut{Op: 1, Record: record.Record{Key: []byte("/v/a"), Value: []byte("1")}, To: to})
	v.run()
	if r := v.result(1); len(r.Stored) != 5 || s.asked[AskPeers] != 0 {
		t.Fatalf("%d stored, %v", len(r.Stored), s.asked)
	}
	v.rested()
}

func TestProvideAnnouncesToTheClosest(t *testing.T) {
	v, s := joined(t, 60)
	v.step(StartProvide{Op: 1, Key: []byte("content")})
	v.run()
	if r := v.result(1); r.Outcome != Stored || len(r.Stored) != params.K || len(s.providers) != params.K {
		t.Fatalf("%v: %d stored, %d know", r.Outcome, len(r.Stored), len(s.providers))
	}
	v.step(StartFindProviders{Op: 2, Key: []byte("content")})
	v.run()
	if r := v.result(2); r.Outcome != Found || r.Providers != 1 || len(factsOf[ProviderFound](v)) != 1 {
		t.Fatalf("%v: %d providers", r.Outcome, r.Providers)
	}
	v.rested()
}

func TestFindProvidersEndsAtItsLimit(t *testing.T) {
	v, s := joined(t, 60)
	near := v.nearest([]byte("content"))
	s.providers[near[0].ID] = v.members[:7]
	v.step(StartFindProviders{Op: 1, Key: []byte("content"), Limit: 5})
	v.step(StartFindProviders{Op: 2, Key: []byte("content"), Limit: 50})
	v.step(StartFindProviders{Op: 3, Key: []byte("nothing")})
	v.run()
	for op, want := range map[OpID]int{1: 5, 2: 7, 3: 0} {
		outcome := Found
		if want == 0 {
			outcome = NotFound
		}
		if r := v.result(op); r.Providers != want || r.Outcome != outcome {
			t.Errorf("operation %d: %v, %d providers", op, r.Outcome, r.Providers)
		}
	}
	v.rested()
}

func TestGetTellsEachBetterValueAndCorrectsTheClosest(t *testing.T) {
	v, s := joined(t, 60)
	s.put(v, "/v/a", "old", 0, 1, 2, 3, 4)
	s.put(v, "/v/a", "young", 8)
	v.step(StartGet{Op: 1, Key: []byte("/v/a")})
	v.run()
	r := v.result(1)
	if r.Outcome != Found || string(r.Value.Value) != "young" || r.Agree != 1 {
		t.Fatalf("%v: %+v, %d agree", r.Outcome, r.Value, r.Agree)
	}
	told := factsOf[ValueFound](v)
	if last := told[len(told)-1]; string(last.Record.Value) != "young" || len(told) > 2 {
		t.Errorf("told of %d values, the last %q", len(told), last.Record.Value)
	}
	for i, m := range v.nearest([]byte("/v/a")) {
		if got := s.values[m.ID]; got == nil || string(got.Value) != "young" {
			t.Errorf("number %d was not corrected: %v", i, got)
		}
	}
	if v.onlyEnd(KindStore).Parent != 1 {
		t.Error("the correction is nobody's")
	}
	v.rested()
}

func TestGetEndsAtItsQuorum(t *testing.T) {
	v, s := joined(t, 60)
	s.put(v, "/v/a", "1", ranks(20)...)
	v.step(StartGet{Op: 1, Key: []byte("/v/a"), Quorum: 3})
	v.run()
	if r := v.result(1); r.Outcome != Found || r.Agree != 3 {
		t.Fatalf("%v, %d agree", r.Outcome, r.Agree)
	}
	v.step(StartGet{Op: 2, Key: []byte("/v/a"), Quorum: 1, Local: &record.Record{Key: []byte("/v/a"), Value: []byte("1")}})
	before := s.asked[AskValue]
	v.run()
	if r := v.result(2); r.Outcome != Found || r.Agree != 1 || s.asked[AskValue] != before {
		t.Fatalf("%v, %d agree, %d were asked", r.Outcome, r.Agree, s.asked[AskValue]-before)
	}
	v.rested()
}

func TestGetOfWhatIsNotThere(t *testing.T) {
	v, _ := joined(t, 60)
	v.step(StartGet{Op: 1, Key: []byte("/v/a")})
	v.run()
	if r := v.result(1); r.Outcome != NotFound || r.Value != nil || len(r.Closest) != params.K {
		t.Fatalf("%v: %v, %d closest", r.Outcome, r.Value, len(r.Closest))
	}
	v.rested()
}

func TestAValidatorThatNeverAnswersHoldsNothingUp(t *testing.T) {
	v, s := joined(t, 60)
	s.slow = true
	s.put(v, "/v/a", "old", 0)
	s.put(v, "/v/a", "young", 1)
	v.step(StartGet{Op: 1, Key: []byte("/v/a")})
	v.run()
	r := v.result(1)
	if r.Outcome != Found || r.Value == nil || r.Ended.Sub(r.Started) > params.ChooseDeadline+time.Second {
		t.Fatalf("%v: %v after %v", r.Outcome, r.Value, r.Ended.Sub(r.Started))
	}
	v.rested()
}

func TestWantedAreMoreThanK(t *testing.T) {
	v, _ := joined(t, 200)
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("a"), Want: 50})
	v.run()
	if r := v.result(1); r.Outcome != Converged || len(r.Closest) != 50 {
		t.Fatalf("%v, %d closest", r.Outcome, len(r.Closest))
	}
}

// TestRecordsUnderAnySchedule lets outcomes come in any order, late, twice,
// wrong or never, cancels at any step, and minds the ledger: each operation
// ends once, by its bound, and nothing is left.
func TestRecordsUnderAnySchedule(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 50
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { wildly(t, rand.New(rand.NewPCG(uint64(seed), 7))) })
	}
}

func wildly(t *testing.T, rng *rand.Rand) {
	v, s := joined(t, 40+rng.IntN(40))
	s.put(v, "/v/a", "1", rng.Perm(20)[:rng.IntN(20)]...)
	s.put(v, "/v/a", "2", rng.Perm(20)[:rng.IntN(3)]...)
	s.providers[v.nearest([]byte("c"))[rng.IntN(20)].ID] = v.members[:3]
	s.slow = rng.IntN(4) == 0
	v.serve = func(eff Effect) Event {
		switch q, send := eff.(Send); {
		case rng.IntN(5) == 0:
			return nil
		case send && rng.IntN(5) == 0:
			return Failed{Attempt: q.Attempt, Failure: contact.Failure(1 + rng.IntN(17)), Detail: "drawn"}
		case rng.IntN(8) == 0:
			v.due = append(v.due, arrival{v.now.Add(5 * time.Millisecond), s.serve(v, eff)}) // twice
		}
		return s.serve(v, eff)
	}
	kinds := []func(OpID) Event{
		func(op OpID) Event {
			return StartPut{Op: op, Record: record.Record{Key: []byte("/v/a"), Value: []byte("3")}, Enough: rng.IntN(15)}
		},
		func(op OpID) Event { return StartProvide{Op: op, Key: []byte("c"), Enough: rng.IntN(15)} },
		func(op OpID) Event { return StartGet{Op: op, Key: []byte("/v/a"), Quorum: rng.IntN(5)} },
		func(op OpID) Event { return StartFindProviders{Op: op, Key: []byte("c"), Limit: rng.IntN(4)} },
	}
	ops := OpID(1 + rng.IntN(6))
	for op := OpID(1); op <= ops; op++ {
		v.step(kinds[rng.IntN(len(kinds))](op))
		if rng.IntN(3) == 0 {
			v.due = append(v.due, arrival{v.now.Add(time.Duration(rng.IntN(5000)) * time.Microsecond), Cancel{Op: op}})
			slices.SortStableFunc(v.due, func(a, b arrival) int { return int(a.at - b.at) })
		}
	}
	v.run()
	for op := OpID(1); op <= ops; op++ {
		v.result(op)
	}
	v.rested()
	held := 0
	v.e.book.Sweep(0)
	for range v.e.tab.All {
		held++
	}
	if left := v.e.book.Len(); left > held+1+len(v.e.remembered.handles) {
		t.Fatalf("%d contacts are held, %d of them by the table", left, held)
	}
}

// onlyEnd returns the end of the one operation of a kind.
func (v *village) onlyEnd(kind Kind) OpEnded {
	v.t.Helper()
	var ends []OpEnded
	for _, f := range factsOf[OpEnded](v) {
		if f.Kind == kind {
			ends = append(ends, f)
		}
	}
	if len(ends) != 1 {
		v.t.Fatalf("%d operations of kind %v ended, want one", len(ends), kind)
	}
	return ends[0]
}

func factsOf[F Fact](v *village) (facts []F) {
	for _, f := range v.facts {
		if f, ok := f.(F); ok {
			facts = append(facts, f)
		}
	}
	return facts
}

// Each of some peers is told keys of its own, in one request each.
func TestProvideTellsEachPeerItsKeys(t *testing.T) {
	v, _ := joined(t, 30)
	told := map[contact.ID][]string{}
	v.serve = func(eff Effect) Event {
		q := eff.(Send)
		if q.Ask == AskAnnounce {
			for _, k := range append([][]byte{q.Key}, q.More...) {
				told[q.To.ID] = append(told[q.To.ID], string(k))
			}
			if q.Deadline.Sub(v.now) < params.HardSlow/2 {
				t.Errorf("a batch has %v", q.Deadline.Sub(v.now))
			}
		}
		return Answered{Attempt: q.Attempt}
	}
	to := []*contact.Info{v.members[3], v.e.self, v.members[5], v.members[7]}
	each := [][][]byte{{[]byte("a"), []byte("b")}, {[]byte("c")}, {[]byte("d")}, {[]byte("e"), []byte("f"), []byte("g")}}
	v.step(StartProvide{Op: 7, Key: []byte("a"), To: to, Each: each})
	v.run()
	end := v.onlyEnd(KindProvide)
	if end.Result.Outcome != Stored || len(end.Result.Stored) != 3 {
		t.Fatalf("%+v", end.Result)
	}
	for i, p := range to {
		var want []string
		for _, k := range each[i] {
			want = append(want, string(k))
		}
		if p == v.e.self {
			want = nil
		}
		if !slices.Equal(told[p.ID], want) {
			t.Errorf("%x was told %q, want %q", p.ID, told[p.ID], want)
		}
	}
}

// The validator never answers, and further values have come while it compared:
// its next comparison has a timer of its own, and none outlives the get.
func TestEachComparisonHasItsOwnTimer(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.serve = func(Effect) Event { return nil }
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	v.step(StartGet{Op: 1, Key: []byte("/v/a"), Near: v.members[:3]})
	o := v.e.byID[1]
	for i, a := range v.e.attemptsOf(o) {
		v.step(Answered{Attempt: a, Record: valued("/v/a", fmt.Sprint(i))})
	}
	first := o.get.choosing
	for o.get.choosing == first && v.next() {
	}
	if o.walk != nil || o.get.choosing == 0 {
		t.Fatal("no further comparison is under way after the walk")
	}
	if wake, wakes := v.e.Wake(); !wakes || wake <= v.now {
		t.Errorf("it is to be woken %v ago", v.now.Sub(wake))
	}
	v.run()
	v.result(1)
	v.rested()
}

// Time runs out while values are compared, and further ones wait for that.
func TestAComparisonDoesNotOutliveItsGet(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.serve = func(Effect) Event { return nil }
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	v.step(StartGet{Op: 1, Key: []byte("/v/a"), Deadline: v.now.Add(time.Second)})
	asked := v.e.attemptsOf(v.e.byID[1])
	for i, a := range asked[:3] {
		v.step(Answered{Attempt: a, Record: valued("/v/a", fmt.Sprint(i))})
	}
	v.now = v.now.Add(time.Minute)
	v.step(Tick{})
	if r := v.e.byID[1]; r != nil {
		t.Errorf("it is open %v after its bound", v.now.Sub(r.bound))
	}
	v.rested()
}

// A get whose walk is over sends nothing while its validator works, and has no
// share: what it had is for others.
func TestAGetThatWaitsForItsValidatorHoldsNoPlaces(t *testing.T) {
	v, s := joined(t, 60)
	s.slow = true
	s.put(v, "/v/a", "1", 0, 1, 2)
	s.put(v, "/v/a", "2", 3)
	v.step(StartGet{Op: 1, Key: []byte("/v/a")})
	for v.e.byID[1].walk != nil {
		v.next()
	}
	o := v.e.byID[1]
	if o.get.choosing == 0 {
		t.Fatal("nothing is being compared")
	}
	if o.used != 0 || v.e.committed != 0 {
		t.Errorf("it holds %d places", o.used)
	}
	v.run()
	if r := v.result(1); r.Outcome != Found {
		t.Errorf("it ends with %v", r.Outcome)
	}
	v.rested()
}

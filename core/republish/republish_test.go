package republish

import (
	"runtime"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// everything holds each key to being on each of its true closest.
func (w *world) everything(keys [][]byte) {
	w.Helper()
	for _, k := range keys {
		if n, want := w.holding(k), min(params.K, len(w.peers)); n != want {
			w.Fatalf("%x is on %d of its %d closest", k, n, want)
		}
	}
}

// The cost grows with the network or with the keys, whichever is smaller; and
// every key ends on its closest peers.
func TestEveryKeyEndsOnItsClosestPeers(t *testing.T) {
	for _, c := range []struct{ peers, keys, lookups int }{
		{1, 40, 2},
		{19, 40, 2},
		{20, 40, 6},
		{70, 300, 20},
		{300, 1, 1},
		{300, 20, 20},
		{300, 4000, 30},
		{2000, 30, 33},
		{2000, 3000, 170},
		{6000, 400, 360},
		{6000, 6000, 550},
	} {
		seeds := uint64(3)
		if testing.Short() {
			seeds = 1
		}
		for seed := range seeds {
			w := newWorld(t, seed, c.peers)
			keys := multihashes(0, c.keys)
			w.step(Start{Keys: keys})
			w.run(time.Hour)
			w.everything(keys)
			s := w.m.Status()
			if s.Queued != 0 || s.Keys != c.keys || s.Due != 0 || s.Running != 0 {
				t.Errorf("%+v: %+v", c, s)
			}
			if w.lookups > c.lookups {
				t.Errorf("%+v, seed %d: %d lookups", c, seed, w.lookups)
			}
			for _, f := range w.facts {
				if f.Stored != f.Keys || f.Certain != f.Keys {
					t.Errorf("%+v: %+v", c, f)
				}
			}
			t.Logf("%d peers, %d keys: %d lookups, %d batches, %d regions of %d bits",
				c.peers, c.keys, w.lookups, w.told, s.Regions, w.m.depth)
		}
	}
}

// Whatever is kept is announced again once in a cycle, and its regions at times
// of their own.
func TestEachKeyIsAnnouncedOnceInACycle(t *testing.T) {
	w := newWorld(t, 1, 1000)
	keys := multihashes(0, 2000)
	w.step(Start{Keys: keys})
	w.run(time.Hour)
	for range 3 {
		w.lookups, w.facts = 0, nil
		began := w.now.Wall
		w.run(params.ProvideEvery)
		for _, k := range keys {
			if w.provided(k, params.K) < began-mono.Wall(params.SweepCheck) {
				t.Fatalf("%x was not announced in this cycle", k)
			}
		}
		busiest := 0
		for _, f := range w.facts {
			busiest = max(busiest, f.Keys)
		}
		if w.lookups > 150 || len(w.facts) < 4 || busiest > len(keys)/2 {
			t.Errorf("%d lookups, %d regions of up to %d keys", w.lookups, len(w.facts), busiest)
		}
	}
}

func TestFreshKeysAreThoseThatAreNotThere(t *testing.T) {
	w := newWorld(t, 1, 0)
	if n := w.m.Fresh(multihashes(0, 5)); n != 5 {
		t.Errorf("%d of five are fresh to an empty schedule", n)
	}
	w.step(Start{Keys: multihashes(0, 10)})
	w.step(Once{Keys: multihashes(10, 12)})
	if n := w.m.Fresh(multihashes(5, 20)); n != 8 {
		t.Errorf("%d are fresh", n)
	}
}

func TestWhatIsForOnceIsAnnouncedOnce(t *testing.T) {
	w := newWorld(t, 1, 100)
	w.step(Once{Keys: multihashes(0, 10)})
	w.run(time.Hour)
	w.everything(multihashes(0, 10))
	w.told = 0
	w.run(3 * params.ProvideEvery)
	if s := w.m.Status(); w.told != 0 || s.Regions != 0 || s.Next != 0 {
		t.Errorf("%d batches later, %+v", w.told, s)
	}
}

func TestWhatIsProvidedAlreadyIsAnnouncedAtOnceByForceAlone(t *testing.T) {
	w := newWorld(t, 1, 100)
	for _, c := range []struct {
		ev    Event
		tells bool
	}{
		{Start{Keys: multihashes(0, 5)}, true},
		{Start{Keys: multihashes(0, 5)}, false},
		{Start{Keys: multihashes(0, 6)}, true},
		{Start{Keys: multihashes(0, 6), Force: true}, true},
		{Once{Keys: multihashes(0, 6)}, true},
		{Tick{}, false},
	} {
		w.told = 0
		w.step(c.ev)
		w.run(time.Minute)
		if w.told > 0 != c.tells {
			t.Errorf("%T: %d batches", c.ev, w.told)
		}
	}
	if s := w.m.Status(); s.Keys != 6 || s.Queued != 0 {
		t.Errorf("%+v", s)
	}
}

func TestClearEmptiesTheQueueAndNotTheSchedule(t *testing.T) {
	w := newWorld(t, 1, 0)
	w.step(Start{Keys: multihashes(0, 10)})
	w.step(Once{Keys: multihashes(8, 20)})
	if s := w.m.Status(); s.Queued != 20 || s.Keys != 10 {
		t.Fatalf("%+v", s)
	}
	w.step(Clear{})
	if s := w.m.Status(); s.Queued != 0 || s.Keys != 10 {
		t.Fatalf("%+v", s)
	}
	w.populate(50)
	w.run(params.ProvideEvery + time.Hour)
	w.everything(multihashes(0, 10))
	if len(w.holders) != 10 {
		t.Errorf("%d keys were announced", len(w.holders))
	}
}

func TestStoppedKeysAreAnnouncedNoMore(t *testing.T) {
	w := newWorld(t, 1, 300)
	w.step(Start{Keys: multihashes(0, 10)})
	w.run(time.Hour)
	w.step(Stop{Keys: multihashes(0, 9)})
	w.holders = map[string]map[contact.ID]mono.Wall{}
	w.run(2 * params.ProvideEvery)
	if len(w.holders) != 1 || w.m.Status().Keys != 1 {
		t.Errorf("%d keys were announced, %+v", len(w.holders), w.m.Status())
	}
}

// A region tells how long it took, whom it met and what came of it.
func TestARegionTellsWhatItTook(t *testing.T) {
	w := newWorld(t, 1, 300)
	deaf := w.closest(key.Of(multihash(0)))[0]
	w.refuses = func(p *contact.Info, _ int) bool { return p.ID == deaf.ID }
	w.step(Start{Keys: multihashes(0, 3)})
	w.run(time.Minute)
	missed, records := 0, 0
	for _, f := range w.facts {
		missed, records = missed+f.Peers-f.Reached, records+f.Records
		if f.Took <= 0 || f.Took > time.Minute || f.Peers < params.K || f.Peers-f.Reached > 1 {
			t.Errorf("%+v", f)
		}
	}
	if missed == 0 {
		t.Error("who takes nothing is said to have been reached")
	}
	if want := len(w.holders[string(multihash(0))]) + len(w.holders[string(multihash(1))]) + len(w.holders[string(multihash(2))]); records != want {
		t.Errorf("%d records are said to be taken, and %d are", records, want)
	}
	if len(w.facts) == 0 || w.told == 0 {
		t.Error("nothing was announced")
	}
}

// A cycle that is set counts at once, and keys are spread over it.
func TestTheCycleMayBeAnother(t *testing.T) {
	w := newWorld(t, 1, 300)
	w.step(Start{Keys: multihashes(0, 10)})
	w.run(time.Hour)
	w.step(Every{Cycle: time.Hour})
	for range 3 {
		from := w.now.Wall
		w.run(time.Hour + time.Minute)
		for n := range 10 {
			if w.provided(multihash(n), params.K) < from {
				t.Errorf("key %d was not announced within the cycle", n)
			}
		}
	}
	if got := w.m.Status(); got.Every != time.Hour || got.Began > w.now.Wall || w.now.Wall-got.Began > mono.Wall(time.Hour) {
		t.Errorf("%+v", got)
	}
	w.restart()
	if got := w.m.Status().Every; got != params.ProvideEvery {
		t.Errorf("after a restart the cycle is %v: nobody has set it", got)
	}
	w.step(Every{Cycle: 20 * time.Hour})
	w.told = 0
	w.run(10 * time.Hour)
	w.run(10*time.Hour + time.Minute)
	w.everything(multihashes(0, 10))
}

// What is stopped while its region is under way is announced to nobody any more,
// and is no failure; what is started again meanwhile is announced.
func TestWhatIsStoppedAmidItsRegionIsToldToNobodyElse(t *testing.T) {
	for _, amid := range []string{"the lookups", "the telling"} {
		w := newWorld(t, 1, 300)
		taken := false
		w.refuses = func(*contact.Info, int) bool { return !taken }
		w.step(Start{Keys: multihashes(0, 10)})
		for range 1000 {
			_, telling := w.pending[0].(Announce)
			if telling == (amid == "the telling") {
				break
			}
			w.pass(time.Second)
			w.carryOut(0)
		}
		w.step(Stop{Keys: multihashes(0, 9)})
		w.step(Start{Keys: multihashes(7, 8)})
		told := w.told
		if amid == "the telling" {
			w.carryOut(0) // nobody takes it
		}
		taken = true
		w.run(time.Hour)
		if len(w.holders) != 2 || w.holding(multihash(9)) < params.K || w.holding(multihash(7)) < params.K {
			t.Errorf("amid %s: %d keys were announced, in %d batches", amid, len(w.holders), w.told-told)
		}
		for _, f := range w.facts {
			if f.Stored != f.Keys {
				t.Errorf("amid %s: %+v", amid, f)
			}
		}
	}
}

// A node that was away provides what is overdue when it is back, so many
// regions at a time and the most overdue first.
func TestWhoWasAwayForDaysProvidesWhatIsOverdue(t *testing.T) {
	w := newWorld(t, 1, 1000)
	keys := multihashes(0, 1000)
	w.step(Start{Keys: keys})
	w.run(time.Hour)
	w.holders = map[string]map[contact.ID]mono.Wall{}
	w.now.Wall += mono.Wall(5 * 24 * time.Hour) // it slept: the monotonic clock stood
	w.restart()
	s := w.m.Status()
	if s.Due+s.Running != s.Regions || s.Running != params.SweepWidth || s.Lag < 4*24*time.Hour {
		t.Errorf("%+v", s)
	}
	w.run(time.Hour)
	w.everything(keys)
	if s := w.m.Status(); s.Due != 0 || s.Lag != 0 {
		t.Errorf("%+v", s)
	}
	late := w.facts[len(w.facts)-s.Regions:]
	for n := params.SweepWidth; n < len(late); n++ {
		if late[n].Lag > late[n-params.SweepWidth].Lag+time.Minute {
			t.Errorf("a lag of %v after one of %v", late[n].Lag, late[n-params.SweepWidth].Lag)
		}
	}
}

// A machine that slept is not told so: it sees it by its clocks.
func TestASleepIsSeenByTheClocks(t *testing.T) {
	w := newWorld(t, 1, 200)
	w.step(Start{Keys: multihashes(0, 10)})
	w.run(time.Hour)
	w.now.Wall += mono.Wall(30 * time.Hour)
	w.step(Tick{})
	if w.m.Status().Running == 0 {
		t.Errorf("nothing is overdue after thirty hours: %+v", w.m.Status())
	}
}

// A clock that was wrong for a while, in either direction, neither loses a key
// nor has it announced all the time.
func TestAClockThatIsSetLosesNothing(t *testing.T) {
	for _, off := range []time.Duration{-400 * 24 * time.Hour, 400 * 24 * time.Hour} {
		w := newWorld(t, 1, 300)
		keys := multihashes(0, 50)
		w.now.Wall += mono.Wall(off)
		w.step(Start{Keys: keys})
		w.run(30 * time.Hour)
		w.now.Wall -= mono.Wall(off)
		w.step(Tick{})
		w.run(params.ProvideEvery)
		w.holders, w.lookups = map[string]map[contact.ID]mono.Wall{}, 0
		w.run(params.ProvideEvery)
		w.everything(keys)
		if w.lookups > 100 {
			t.Errorf("off by %v: %d lookups in a cycle", off, w.lookups)
		}
	}
}

// Nor does a restart after that put anything off for a cycle.
func TestARestartDoesNotBelieveDatesThatHaveNotCome(t *testing.T) {
	w := newWorld(t, 1, 50) // few, so that the regions are not made anew
	keys := multihashes(0, 50)
	w.step(Start{Keys: keys})
	w.run(time.Hour)
	w.now.Wall -= mono.Wall(100 * 24 * time.Hour)
	w.restart()
	w.holders = map[string]map[contact.ID]mono.Wall{}
	w.run(params.ProvideEvery + time.Minute)
	w.everything(keys)
}

// Where nobody is found little is asked, and who is told that somebody is there
// again begins at once.
func TestWhoIsAloneAsksLittleAndComesBack(t *testing.T) {
	w := newWorld(t, 1, 500)
	keys := multihashes(0, 500)
	w.step(Start{Keys: keys})
	w.run(time.Hour)
	alone := true
	w.nobody = func() bool { return alone }
	w.lookups, w.holders = 0, map[string]map[contact.ID]mono.Wall{}
	w.run(3 * 24 * time.Hour)
	if w.lookups < 3*24 || w.lookups > 3*24*3 {
		t.Errorf("%d lookups in three days alone", w.lookups)
	}
	alone = false
	w.step(Refresh{})
	if w.m.Status().Running == 0 {
		t.Error("nothing began")
	}
	w.run(params.SweepRetry)
	w.everything(keys)
}

// Peers that do not take their keys are asked once more, and then those that
// come next take their place.
func TestTheNextNearestTakeThePlaceOfPeersThatFail(t *testing.T) {
	w := newWorld(t, 3, 400)
	keys := multihashes(0, 300)
	tries := map[contact.ID]int{}
	dead := map[contact.ID]bool{}
	for n, p := range w.peers {
		dead[p.ID] = n%7 == 0
	}
	w.refuses = func(p *contact.Info, _ int) bool {
		tries[p.ID]++
		return dead[p.ID] || tries[p.ID] == 1 && p.Key[1]%5 == 0 // some fail for good, some at first
	}
	w.step(Once{Keys: keys})
	w.run(time.Hour)
	alive := w.peers[:0:0]
	for _, p := range w.peers {
		if !dead[p.ID] {
			alive = append(alive, p)
		} else if tries[p.ID] > params.SweepStrikes*len(w.facts) {
			t.Errorf("a dead peer was told %d times in %d regions", tries[p.ID], len(w.facts))
		}
	}
	w.peers = alive
	all := 0
	for _, k := range keys {
		n := w.holding(k)
		all += n
		if n < params.K-4 { // who comes last may be one that fails at first
			t.Errorf("%x is on %d of its closest", k, n)
		}
	}
	if all < len(keys)*(params.K-1) {
		t.Errorf("keys are on %.2f of their closest", float64(all)/float64(len(keys)))
	}
	if w.m.Status().Queued != 0 {
		t.Errorf("%+v", w.m.Status())
	}
}

// A region in which too few take the keys is tried again, and only with them.
func TestWhatWasNotTakenIsTriedAgain(t *testing.T) {
	w := newWorld(t, 1, 60)
	deaf, few := true, map[contact.ID]bool{}
	for _, p := range w.closest(key.Of(multihash(0)))[:params.SweepEnough-1] {
		few[p.ID] = true // nine, at most, are too few
	}
	w.refuses = func(p *contact.Info, _ int) bool { return deaf && !few[p.ID] }
	w.step(Start{Keys: multihashes(0, 30)})
	w.run(params.SweepRetry / 2)
	if s := w.m.Status(); s.Queued != 30 || s.Due != 0 || w.facts[len(w.facts)-1].Stored != 0 {
		t.Errorf("%+v, %+v", s, w.facts)
	}
	deaf = false
	w.run(params.SweepRetry)
	w.everything(multihashes(0, 30))
	if s := w.m.Status(); s.Queued != 0 {
		t.Errorf("%+v", s)
	}
}

// An outage in the midst of a region costs it all its peers: what was not
// announced is tried again, and nobody is not told anything.
func TestWhoLosesAllPeersOfARegionEndsIt(t *testing.T) {
	w := newWorld(t, 1, 60)
	out := false
	w.refuses = func(*contact.Info, int) bool { return out }
	keys := multihashes(0, 6*params.SweepBatch) // several announcements
	w.step(Start{Keys: keys})
	for w.told == 0 {
		w.pass(time.Second)
		w.carryOut(0)
	}
	out = true
	w.run(params.SweepRetry / 2)
	if s := w.m.Status(); s.Running != 0 || s.Queued == 0 || s.Due != 0 {
		t.Fatalf("%+v", s)
	}
	if f := w.facts[len(w.facts)-1]; f.Told > 4*len(w.peers) {
		t.Errorf("in an outage the rest was announced as well: %+v", f)
	}
	out = false
	w.run(params.SweepRetry)
	w.everything(keys)
}

// Whoever waits for the end of a sweep gets there, though nobody takes a key and
// to try all regions takes longer than SweepRetry.
func TestWhatIsTriedOnceComesToAnEnd(t *testing.T) {
	w := newWorld(t, 1, 6000)
	w.m = NewOnce(w.now, 1)
	w.refuses = func(*contact.Info, int) bool { return true }
	keys := multihashes(0, 6000)
	w.step(Once{Keys: keys})
	began := w.now.Mono
	for len(w.pending) > 0 || w.m.Status().Running > 0 {
		if len(w.pending) == 0 {
			wake, _ := w.m.Wake()
			w.pass(wake.Sub(w.now.Mono))
			w.step(Tick{})
			continue
		}
		w.pass(30 * time.Second) // a bad network
		w.carryOut(0)
		if took := w.now.Mono.Sub(began); took > 24*time.Hour {
			t.Fatalf("after %v: %+v", took, w.m.Status())
		}
	}
	tried := 0
	for _, f := range w.facts {
		tried += f.Keys
	}
	if s := w.m.Status(); tried != len(keys) || s.Regions != 0 || s.Queued != 0 {
		t.Errorf("%d keys were tried, %+v", tried, s)
	}
}

// Lookups that never converge cost one for each key at first, and are limited.
func TestLookupsThatDoNotConvergeAreLimited(t *testing.T) {
	w := newWorld(t, 1, 2000)
	keys := multihashes(0, 1000)
	w.step(Start{Keys: keys})
	w.run(time.Hour)
	regions := len(w.m.regions)
	w.lookups, w.facts, w.vague = 0, nil, func() bool { return true }
	w.step(Start{Keys: keys, Force: true})
	w.run(params.SweepRetry / 2)
	if w.lookups > len(w.facts)*params.SweepLookups || w.lookups == 0 || len(w.facts) > regions+2 {
		t.Errorf("%d lookups in %d sweeps of %d regions", w.lookups, len(w.facts), regions)
	}
	for _, f := range w.facts {
		if f.Certain > 0 || f.Stored != f.Keys {
			t.Errorf("%+v", f)
		}
	}
}

// Lookups that converge on fewer than k, because the dead take the places of
// others, do not make a large network a small one.
func TestFewerThanKAreNotTheWholeNetwork(t *testing.T) {
	w := newWorld(t, 1, 800)
	w.hidden = func() int { return w.rng.IntN(2) * 3 }
	keys := multihashes(0, 2000)
	w.step(Start{Keys: keys})
	w.run(params.SweepRetry)
	for _, k := range keys {
		if n := w.holding(k); n < params.K-3 {
			t.Fatalf("%x is on %d of its closest", k, n)
		}
	}
	if w.lookups > 120 || w.m.depth < 2 {
		t.Errorf("%d lookups, prefixes of %d bits", w.lookups, w.m.depth)
	}
}

// A network that grows has its regions made anew, though work never stops.
func TestRegionsFollowTheSizeOfTheNetwork(t *testing.T) {
	w := newWorld(t, 1, 60)
	keys := multihashes(0, 400)
	w.step(Start{Keys: keys})
	w.run(time.Hour)
	before := w.m.depth
	w.populate(4000)
	w.run(2 * params.ProvideEvery)
	grown := w.m.depth
	w.populate(60)
	w.run(5 * params.ProvideEvery)
	if before > 0 || grown < 3 || w.m.depth > 1 {
		t.Errorf("prefixes of %d, %d and %d bits", before, grown, w.m.depth)
	}
	w.everything(keys)
}

// As many keys as a schedule may have take less than 100 MB; more are ignored.
func TestAScheduleHasRoomForSoManyKeysAndTheirAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("a million keys")
	}
	m := New(mono.Now{Mono: 1, Wall: epoch}, 1)
	before := heap()
	m.Step(m.now, Start{Keys: multihashes(0, params.ScheduleKeys+5)})
	if s := m.Status(); s.Keys != params.ScheduleKeys || m.Room() != 0 {
		t.Errorf("%+v, room for %d", s, m.Room())
	}
	if took := heap() - before; took > 100<<20 {
		t.Errorf("%d keys take %d bytes", params.ScheduleKeys, took)
	} else {
		t.Logf("%d bytes a key", took/params.ScheduleKeys)
	}
	m.Step(m.now, Stop{Keys: multihashes(0, 7)})
	m.Step(m.now, Once{Keys: multihashes(0, 9)})
	if s := m.Status(); s.Keys != params.ScheduleKeys-7 || s.Queued != params.ScheduleKeys {
		t.Errorf("%+v", s)
	}
}

// An outcome that names nothing under way, or comes twice, changes nothing.
func TestForeignOutcomesAreIgnored(t *testing.T) {
	w := newWorld(t, 1, 100)
	w.step(Start{Keys: multihashes(0, 3)})
	id := idOf(w.pending[0])
	for _, ev := range []Event{
		LookedUp{ID: 0}, LookedUp{ID: id + 7}, Announced{ID: 0}, Announced{ID: id + 7}, LookedUp{},
	} {
		w.step(ev)
	}
	w.carryOut(0)
	w.step(LookedUp{ID: id})
	w.run(time.Hour)
	w.everything(multihashes(0, 3))
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkAMillionKeys reports what it takes to schedule them, and to write
// and read them again.
func BenchmarkAMillionKeys(b *testing.B) {
	keys := multihashes(0, params.ScheduleKeys)
	for b.Loop() {
		began := time.Now()
		m := New(mono.Now{Mono: 1, Wall: epoch}, params.SweepWidth)
		m.Step(m.now, Start{Keys: keys})
		b.ReportMetric(float64(time.Since(began).Nanoseconds())/params.ScheduleKeys, "ns/start")
		began = time.Now()
		var shards [Shards][]byte
		size := 0
		for n := range shards {
			shards[n] = m.Encode(n)
			size += len(shards[n])
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/encode")
		b.ReportMetric(float64(size)/params.ScheduleKeys, "B/key-kept")
		began = time.Now()
		m = New(mono.Now{Mono: 1, Wall: epoch}, params.SweepWidth)
		for _, data := range shards {
			if err := m.Restore(data); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/restore")
	}
}

// What is added to a region that is under way is provided when that is over,
// also if some of its other keys were not and have to wait.
func TestWhatIsAddedMeanwhileDoesNotWait(t *testing.T) {
	w := newWorld(t, 1, 60)
	w.step(Start{Keys: multihashes(0, 30)})
	for w.m.runs[0].round == 0 {
		w.carryOut(0)
	}
	r := w.m.runs[0]
	w.refuses = func(p *contact.Info, _ int) bool { // one half takes its keys; the other does not, nor who is asked in its place
		return w.m.runs[0] == r && (p.Key[0]>>63 == 1 || r.round > 1)
	}
	w.step(Start{Keys: multihashes(100, 110)})
	w.run(time.Minute)
	if f := w.facts[0]; f.Stored == 0 || f.Stored == f.Keys {
		t.Fatalf("%+v", f)
	}
	w.everything(multihashes(100, 110))
}

// More keys than one sweep of a region may have are provided in several, also
// if the first ones are not taken.
func TestMoreKeysThanFitFollowAtOnce(t *testing.T) {
	w := newWorld(t, 1, 60)
	w.step(Start{Keys: multihashes(0, params.SweepKeys+10)})
	r := w.m.runs[0]
	w.refuses = func(*contact.Info, int) bool { return w.m.runs[0] == r && r.told == 0 }
	w.run(params.SweepRetry / 2)
	if f := w.facts[0]; f.Stored == 0 || f.Stored == f.Keys || f.Keys != params.SweepKeys {
		t.Fatalf("%+v", f)
	}
	if s := w.m.Status(); s.Queued != 0 || len(w.facts) < 2 {
		t.Errorf("%+v after %d sweeps", s, len(w.facts))
	}
}

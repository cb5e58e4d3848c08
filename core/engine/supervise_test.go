package engine

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// runUntil moves time to whatever comes next, but not beyond end.
func (v *village) runUntil(end mono.Time) {
	for range 1_000_000 {
		wake, _ := v.e.Wake()
		if len(v.due) > 0 && v.due[0].at <= wake {
			wake = v.due[0].at
		}
		if wake > end {
			v.now = end
			return
		}
		v.now = max(v.now, wake)
		if len(v.due) > 0 && v.due[0].at <= v.now {
			a := v.due[0]
			v.due = v.due[1:]
			v.step(a.ev)
			continue
		}
		v.step(Tick{})
	}
	v.t.Fatal("time stands still")
}

func (v *village) muteAll(mute bool) {
	for _, m := range v.members {
		v.mute[m.ID] = mute
	}
}

// bootstraps returns when the node began one of its own accord.
func (v *village) bootstraps() (at []time.Duration) {
	for _, f := range v.facts {
		if s, ok := f.(OpStarted); ok && s.Kind == KindBootstrap {
			at = append(at, time.Duration(s.At))
		}
	}
	return at
}

func TestSeedsThatAreDownAtTheStartAreTriedAgainForEver(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.muteAll(true)
	v.step(Supervise{})
	v.runUntil(mono.Time(10 * time.Minute))
	if s := v.e.Health().State; s != boot.Offline {
		t.Fatalf("state %v", s)
	}
	tries := v.bootstraps()
	// Pauses double from one second to thirty, plus a fifth and the time of a try.
	if len(tries) < 15 || len(tries) > 25 {
		t.Fatalf("%d tries in ten minutes", len(tries))
	}
	v.muteAll(false)
	back := v.now
	v.runUntil(v.now.Add(66 * time.Second))
	if s := v.e.Health(); s.State != boot.Ready {
		t.Fatalf("a minute after the seeds came back: %+v", s)
	}
	if took := v.e.Health().Since.Sub(back); took > params.RetryMax*120/100+5*time.Second {
		t.Fatalf("the way back took %v", took)
	}
}

func TestAChangeOfNetworkBringsTheNodeBackAtOnce(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.muteAll(true)
	v.step(Supervise{})
	v.runUntil(mono.Time(10 * time.Minute))
	v.muteAll(false)
	back := v.now
	v.step(NetworkChanged{})
	v.runUntil(v.now.Add(time.Second))
	if h := v.e.Health(); h.State != boot.Ready || h.Since.Sub(back) > time.Second {
		t.Fatalf("%+v", h)
	}
}

func TestADeadTableIsFoundOutAndSeedsAreTried(t *testing.T) {
	v := newVillage(t, 60, Config{})
	for i := range 30 { // an earlier life: nobody of it is alive
		dead := contact.New(contact.ID(rune('A'+i)), "\x04\x7f\x00\x00\x01\x06\x00\x02")
		v.mute[dead.ID] = true
		v.step(Vouched{Peer: dead})
	}
	v.step(Supervise{})
	v.runUntil(mono.Time(5 * time.Second))
	if h := v.e.Health(); h.State != boot.Ready || v.e.tab.Len() < 40 {
		t.Fatalf("%+v with %d contacts", h, v.e.tab.Len())
	}
}

func TestWhoeverLeftTheTableIsRememberedForTheWayBack(t *testing.T) {
	v := newVillage(t, 30, Config{})
	v.step(Supervise{})
	v.runUntil(mono.Time(time.Minute))
	v.muteAll(true)
	for i := range OpID(8) {
		v.step(StartLookup{Op: 1 + i, Kind: KindLookup, Preimage: []byte{byte(i)}})
		v.runUntil(v.now.Add(30 * time.Second))
	}
	for i := range v.members { // the seed stays dead, the others return
		v.mute[v.members[i].ID] = i == 0
	}
	v.runUntil(v.now.Add(66 * time.Second))
	if h := v.e.Health(); h.State != boot.Ready || v.e.tab.Len() < 20 {
		t.Fatalf("%+v with %d contacts", h, v.e.tab.Len())
	}
}

func TestAReadyNodeRefreshesWithoutItsSeeds(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.step(Supervise{})
	v.runUntil(mono.Time(time.Minute))
	v.facts = nil
	v.runUntil(mono.Time(time.Hour))
	if n := len(v.bootstraps()); n < 4 || n > 6 {
		t.Fatalf("%d refreshes in an hour", n)
	}
	for _, f := range v.facts {
		if p, ok := f.(Progressed); ok && p.Step.Name == "seeds" {
			t.Fatal("a refresh asked the seeds")
		}
	}
}

func TestOneSeedIsAskedAboutOnceInAnHour(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.step(Supervise{})
	v.runUntil(mono.Time(time.Minute))
	v.facts = nil
	v.runUntil(mono.Time(6 * time.Hour))
	asked := 0
	for _, f := range v.facts {
		if p, ok := f.(Progressed); ok && p.Step.Name == "seeds" {
			asked += p.Step.Asked
		}
	}
	if asked < 4 || asked > 6 {
		t.Fatalf("seeds were asked %d times in six hours", asked)
	}
}

func TestASleepBlamesNobody(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.step(Supervise{})
	v.runUntil(mono.Time(time.Minute))
	held := v.e.tab.Len()
	v.muteAll(true)
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("x")})
	v.muteAll(false) // whom it asks after the sleep, answers
	v.step(ClockJumped{Gap: int64(8 * time.Hour)})
	v.runUntil(v.now.Add(5 * time.Second))
	r := v.result(1)
	if r.Stats.Failures[contact.Suspended] == 0 || v.e.tab.Len() < held || v.e.memory.Len() != 0 {
		t.Fatalf("failures %v, table %d of %d, memory %d", r.Stats.Failures.Words(), v.e.tab.Len(), held, v.e.memory.Len())
	}
	if h := v.e.Health(); h.State != boot.Ready {
		t.Fatalf("%+v", h)
	}
}

// What is asked again after a sleep is asked cold: the connections are gone, and
// the times of warm ones would give everybody up at once.
func TestAfterASleepAllIsAskedCold(t *testing.T) {
	v := supervised(t, 60)
	for range 2 * params.PatienceSamples { // warm answers take a millisecond
		v.e.patience.Sample(true, 0, time.Millisecond)
	}
	for _, m := range v.members {
		v.step(Connected{Peer: m.ID})
	}
	v.serve = func(Effect) Event { return nil }
	v.step(StartLookup{Op: 1000, Kind: KindLookup, Preimage: []byte("anything")})
	var after []Send
	v.e.Step(mono.Now{Mono: v.now}, ClockJumped{Gap: int64(time.Hour)})
	for eff, ok := v.e.Next(); ok; eff, ok = v.e.Next() {
		if s, is := eff.(Send); is {
			after = append(after, s)
		}
	}
	if len(after) == 0 {
		t.Fatal("nobody is asked again")
	}
	for _, s := range after {
		if given := s.Deadline.Sub(v.now); given < params.HardMinCold/2 {
			t.Fatalf("a request of after the sleep is given %v", given)
		}
	}
}

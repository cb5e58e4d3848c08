package boot

import (
	"math"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// tries lets every bootstrap fail at once and returns the pauses between them.
func tries(s *Supervisor, now *mono.Time, n int, dice uint32) (pauses []time.Duration) {
	for range n {
		*now = max(*now, s.Wake())
		s.Began(*now)
		s.Ended(*now, Outcome{Reason: "nobody"}, View{Dice: dice})
		pauses = append(pauses, s.Wake().Sub(*now))
	}
	return pauses
}

func TestPausesDoubleUpToTheCap(t *testing.T) {
	var s Supervisor
	now := mono.Time(5)
	s.Enable(now)
	if due, full := s.Due(now); !due || !full {
		t.Fatal("the first bootstrap is not due at once, seeds and all")
	}
	pauses := tries(&s, &now, 12, 0)
	for i, p := range pauses {
		if want := min(params.RetryFirst<<i, params.RetryMax); p != want {
			t.Errorf("pause %d is %v, want %v", i+1, p, want)
		}
	}
	if h := s.Health(); h.State != Offline || h.Fails == 0 {
		t.Errorf("after so many failures: %+v", h)
	}
	most := params.RetryMax + params.RetryMax*params.RetryJitterPercent/100
	if p := tries(&s, &now, 1, 1<<32-1)[0]; p <= params.RetryMax || p > most {
		t.Errorf("with the highest dice the pause is %v, at most %v", p, most)
	}
}

func TestAChangeStartsOver(t *testing.T) {
	var s Supervisor
	now := mono.Time(5)
	s.Enable(now)
	tries(&s, &now, 6, 0)
	now = now.Add(params.RetryFirst)
	s.Changed(now, "the network changed")
	if due, full := s.Due(now); !due || !full {
		t.Error("a change is no reason to try at once, seeds and all")
	}
	if p := tries(&s, &now, 1, 0)[0]; p != params.RetryFirst {
		t.Errorf("after a change the pause is %v", p)
	}
	s.Began(now)
	s.Changed(now, "the machine slept")
	if due, _ := s.Due(now); due {
		t.Error("it wants a second bootstrap beside the first")
	}
	now = now.Add(params.RetryFirst)
	s.Ended(now, Outcome{Ready: true, Reached: true}, View{Table: 50})
	if due, full := s.Due(now); !due || !full {
		t.Error("the world changed under a bootstrap, and no other follows")
	}
}

func TestAReadyNodeLooksAfterItself(t *testing.T) {
	var s Supervisor
	now := mono.Time(5)
	s.Enable(now)
	s.Began(now)
	s.Ended(now, Outcome{Ready: true, Reached: true}, View{Table: 100})
	if due, _ := s.Due(now.Add(params.RefreshEvery - 1)); due {
		t.Error("it refreshes before its time")
	}
	if due, full := s.Due(now.Add(params.RefreshEvery)); !due || full {
		t.Error("it does not refresh, or troubles the seeds")
	}
	now = now.Add(params.RetryFirst)
	s.Look(now, View{Table: params.LowTable})
	if s.Health().State != Ready {
		t.Error("enough contacts are not enough")
	}
	low := s
	low.Look(now, View{Table: params.LowTable - 1})
	if due, full := low.Due(now); !due || !full || low.Health().State != Degraded {
		t.Error("a low table is no reason to bootstrap")
	}
	s.Look(now, View{Table: 100, Down: true})
	if due, _ := s.Due(now); !due || s.Health().State != Offline {
		t.Error("nobody answers, and that is no reason to bootstrap")
	}
}

// A node whose peers hang up as soon as they have answered is alone again and
// again, and all is well: it may look, but ever more rarely.
func TestFalseAlarmsBecomeRare(t *testing.T) {
	var s Supervisor
	now := mono.Time(5)
	s.Enable(now)
	s.Began(now)
	s.Ended(now, Outcome{Ready: true, Reached: true}, View{Table: 50})
	var pauses []time.Duration
	for range 4 {
		s.Alone(now.Add(time.Millisecond), 0)
		pauses = append(pauses, s.Wake().Sub(now))
		now = s.Wake()
		if _, full := s.Due(now); full != (len(pauses) < 4) {
			t.Errorf("look %d: seeds and all %v", len(pauses), full)
		}
		s.Began(now)
		s.Ended(now, Outcome{Ready: true, Reached: true}, View{Table: 50})
	}
	for i, p := range pauses {
		if want := min(params.RetryMax<<(2*i), params.RefreshEvery); p != want {
			t.Errorf("look %d comes after %v, want %v", i+1, p, want)
		}
	}
	s.Alone(now, 0) // the refresh that came in its time has started the count over
	if p := s.Wake().Sub(now); p != params.RetryMax {
		t.Errorf("after a quiet time it looks after %v", p)
	}
}

func TestWhoIsAloneLooksWithinTheLongestPause(t *testing.T) {
	var s Supervisor
	now := mono.Time(5)
	if s.Alone(now, 0); s.Wake() != mono.Never {
		t.Error("nobody has asked it to look after the node")
	}
	s.Enable(now)
	s.Began(now)
	s.Ended(now, Outcome{Ready: true, Reached: true}, View{Table: 50})
	now = now.Add(2 * params.RetryMax)
	s.Alone(now, 1<<32-1)
	if p := s.Wake().Sub(now); p < params.RetryFirst || p > params.RetryFirst*(100+params.RetryJitterPercent)/100 {
		t.Errorf("long after the last bootstrap it looks after %v", p)
	}
	now = s.Wake()
	s.Began(now)
	s.Ended(now, Outcome{Reason: "nobody"}, View{})
	if s.Alone(now, 0); s.Health().State != Offline || s.Wake().Sub(now) > 2*params.RetryFirst {
		t.Errorf("an outage is found, and %+v", s.Health())
	}
}

func TestTheBoundOfTheWayBackAndOfItsTries(t *testing.T) {
	if told, untold := BoundBack(true), BoundBack(false); told != 31*time.Second || untold != 66*time.Second {
		t.Errorf("%v and %v", told, untold)
	}
	if a, b := DialsOffline(10, 4), DialsOffline(64, 1000); a != 6*14+4 || b != 6*(64+params.MaxPeers)+1000 {
		t.Errorf("dials: %d and %d", a, b)
	}
	first, later := Tries()
	for _, dice := range []uint32{0, 1<<32 - 1} {
		var s Supervisor
		now := mono.Time(5)
		s.Enable(now)
		var at []time.Duration
		for range 100 {
			at = append(at, time.Duration(s.Wake()))
			now = s.Wake()
			tries(&s, &now, 1, dice)
		}
		worst := make([]int, 2) // in the first minute, and in any that begins with a try after it
		for i, from := range at {
			n := 0
			for n = 0; i+n < len(at) && at[i+n] < from+time.Minute; {
				n++
			}
			if later := min(1, i/first); n > worst[later] {
				worst[later] = n
			}
		}
		if worst[0] > first || worst[1] > later || dice == 0 && (worst[0] < first || worst[1] < later) {
			t.Errorf("dice %d: %v tries in a minute, stated %d and %d", dice, worst, first, later)
		}
	}
}

// A node that is of use and whose seeds are all lost may be in one part of a
// network that was split.
func TestSeedsThatAreLostAreTriedUntilOneAnswers(t *testing.T) {
	var s Supervisor
	now, zero := mono.Time(5), func() uint32 { return 0 }
	s.Enable(now)
	s.Began(now)
	s.Stranded(now, 0) // they failed within the bootstrap
	if s.Wake() != mono.Never {
		t.Error("the seeds are tried beside a bootstrap that does so")
	}
	s.Ended(now, Outcome{Ready: true, Reached: true}, View{Table: 50})
	for i := range 5 {
		if want := now.Add(params.RetryMax); s.Wake() != want {
			t.Fatalf("try %d wakes at %v, want %v", i, s.Wake(), want)
		}
		if s.SeedsDue(s.Wake()-1, zero) {
			t.Fatal("they are tried before their time")
		}
		now = s.Wake()
		s.Stranded(now, 0) // they failed again, which changes nothing
		if !s.SeedsDue(now, zero) || s.SeedsDue(now, zero) {
			t.Fatal("they are not tried once")
		}
		if due, _ := s.Due(now); due {
			t.Fatal("a try of the seeds is no bootstrap")
		}
	}
	s.Reached(now)
	if due, full := s.Due(now); !due || !full {
		t.Error("a seed answers again, and the node does not look whom it knows")
	}
	s.Began(now)
	s.Ended(now, Outcome{Ready: true, Reached: true}, View{Table: 50})
	if s.Wake() != now.Add(params.RefreshEvery) {
		t.Error("the seeds are tried although one has answered")
	}
	s.Reached(now)
	if due, _ := s.Due(now); due {
		t.Error("every answer of a seed is a reason to bootstrap")
	}
}

func TestWhoKnewNobodyAndIsFoundLooksSoon(t *testing.T) {
	var s Supervisor
	now := mono.Time(5)
	s.Enable(now)
	tries(&s, &now, 8, 0)
	s.Look(now, View{})
	if s.Wake() != now.Add(params.RetryMax) {
		t.Fatalf("it wakes after %v", s.Wake().Sub(now))
	}
	now = now.Add(time.Millisecond)
	s.Look(now, View{Table: 1})
	if s.Wake() != now.Add(params.RetryFirst) {
		t.Errorf("somebody has found it, and it waits for %v", s.Wake().Sub(now))
	}
	now = now.Add(params.RetryFirst / 2)
	s.Look(now, View{})
	s.Look(now, View{Table: 1})
	if s.Wake() != now.Add(params.RetryFirst/2) {
		t.Error("who comes and goes puts the next try off")
	}
}

// Somebody who calls, answers once and is gone before he is asked again, over
// and over, does not have a node that knows nobody try for him all the time.
func TestWhoComesAndGoesCausesFewTries(t *testing.T) {
	var s Supervisor
	now := mono.Time(5)
	s.Enable(now)
	tries(&s, &now, 8, 0)
	n, end := 0, now.Add(10*params.RetryMax)
	for now = now.Add(time.Millisecond); now.Before(end); now = now.Add(100 * time.Millisecond) {
		s.Look(now, View{Table: 1})
		if due, _ := s.Due(now); due {
			n++
			s.Began(now)
			s.Ended(now, Outcome{Reason: "nobody"}, View{})
		}
	}
	if n > 2*10+1 {
		t.Errorf("%d tries in %v", n, 10*params.RetryMax)
	}
}

// Every pause is spread over the whole of its jitter, the longest as well, in
// which a product of nanoseconds and a draw does not fit into 64 bits.
func TestJitterSpreadsLongPausesToo(t *testing.T) {
	for _, pause := range []time.Duration{params.RetryFirst, params.RetryMax, params.RefreshEvery} {
		most := pause * (100 + params.RetryJitterPercent) / 100
		before := pause - 1
		for _, dice := range []uint32{0, 1 << 30, 1 << 31, 3 << 30, math.MaxUint32} {
			at := jittered(pause, dice)
			if at <= before || at > most {
				t.Errorf("%v with %d of 2³²: %v, after %v and at most %v", pause, dice, at, before, most)
			}
			before = at
		}
		if last := jittered(pause, math.MaxUint32); most-last > pause/1000 {
			t.Errorf("%v becomes %v at most, not %v", pause, last, most)
		}
	}
}

// An interface that flaps, on a node whose dials fail at once, must not have it
// bootstrap as fast as it flaps.
func TestANetworkThatChangesAllTheTimeIsTriedOnceASecond(t *testing.T) {
	var s Supervisor
	now, tries := mono.Time(0), 0
	s.Enable(now)
	for ; now < mono.Time(10*time.Second); now = now.Add(10 * time.Millisecond) {
		s.Changed(now, "it flaps")
		if due, full := s.Due(now); due && full {
			tries++
			s.Began(now)
			s.Changed(now, "it flaps")
			s.Ended(now, Outcome{Reason: "nobody"}, View{})
		}
	}
	if tries < 9 || tries > 10 {
		t.Errorf("%d tries in ten seconds", tries)
	}
	now = now.Add(time.Minute)
	s.Changed(now, "it is quiet again")
	if due, _ := s.Due(now); !due {
		t.Error("a change after a while is not looked into at once")
	}
}

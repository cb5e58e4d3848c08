package boot

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// tries lets every bootstrap fail at once and returns the pauses between them.
func tries(s *Supervisor, now *mono.Time, n int, dice uint32) (pauses []time.Duration) {
	for range n {
		*now = max(*now, s.Wake())
		s.Began()
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
	s.Changed(now, "the network changed")
	if due, full := s.Due(now); !due || !full {
		t.Error("a change is no reason to try at once, seeds and all")
	}
	if p := tries(&s, &now, 1, 0)[0]; p != params.RetryFirst {
		t.Errorf("after a change the pause is %v", p)
	}
	s.Began()
	s.Changed(now, "the machine slept")
	if due, _ := s.Due(now); due {
		t.Error("it wants a second bootstrap beside the first")
	}
	s.Ended(now, Outcome{Ready: true, Reached: true}, View{Table: 50})
	if due, full := s.Due(now); !due || !full {
		t.Error("the world changed under a bootstrap, and no other follows")
	}
}

func TestAReadyNodeLooksAfterItself(t *testing.T) {
	var s Supervisor
	now := mono.Time(5)
	s.Enable(now)
	s.Began()
	s.Ended(now, Outcome{Ready: true, Reached: true}, View{Table: 100})
	if due, _ := s.Due(now.Add(params.RefreshEvery - 1)); due {
		t.Error("it refreshes before its time")
	}
	if due, full := s.Due(now.Add(params.RefreshEvery)); !due || full {
		t.Error("it does not refresh, or troubles the seeds")
	}
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

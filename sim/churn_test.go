package sim

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
)

var (
	soakMembers = flag.Int("soak.nodes", 40, "members of the soak's test")
	soakTime    = flag.Duration("soak.lasts", 12*time.Hour, "virtual time of it")
)

// The stress of the guarantee: sessions with a median of twenty minutes.
func TestAStressOfChurnLeavesNobodyBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	r, err := Churn(Options{Nodes: 120, Seed: 2, Dead: 15, Lookups: 60, Duration: time.Hour, Shape: 50, Scale: 42 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if r.Leaves < 30 || r.Back < r.Leaves/2 {
		t.Errorf("%d sessions ended, %d members came back and were of use: too few to say anything", r.Leaves, r.Back)
	}
}

// Where most are dead from the start somebody is left to come and go.
func TestChurnAmongTheDeadLeavesSomebody(t *testing.T) {
	for seed := range uint64(6) {
		if r, err := Churn(Options{Nodes: 200, Seed: 1 + seed, Dead: 85, Lookups: 50}); err != nil || r.Lookups != 50 {
			t.Errorf("seed %d: %d lookups, %v", 1+seed, r.Lookups, err)
		}
	}
}

// A sample of the soak: half a day, with four outages. The week is
//
//	go test ./sim -run TestDaysOfChurnAndOutages -v -soak.nodes 100 -soak.lasts 168h -timeout 1h
func TestDaysOfChurnAndOutages(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	var heaps []float64
	r, err := Soak(Options{
		Nodes: *soakMembers, Seed: 1, Lookups: 40, Duration: *soakTime,
		Progress: func(_ mono.Time, events uint64) bool {
			if events/progressEvery%4 == 0 { // some thirty times a day
				heaps = append(heaps, float64(heap()))
			}
			return true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := int(*soakTime / sampleEvery); r.Samples != want || r.Back == 0 || r.Offline == 0 || r.Stated == 0 || r.Leaves == 0 {
		t.Errorf("%d samples, want %d: %+v", r.Samples, want, r)
	}
	early, late, chance := quarters(heaps)
	t.Logf("%d sessions, %d ways back; %d of %d requests in a minute offline; meters grew by %.3f at most; heap from %.0f to %.0f KB (± %.0f), %d samples",
		r.Leaves, r.Back, r.Offline, r.Stated, r.Growth, early/1e3, late/1e3, chance/1e3, len(heaps))
	if len(heaps) < 16 || late > early*mayGrow+chance {
		t.Errorf("the heap grew from %.0f to %.0f bytes in %d samples", early, late, len(heaps))
	}
}

// The soak minds what grows, and who sends too much; of what only scatters it
// says nothing.
func TestTheSoakMinds(t *testing.T) {
	for i := range meters {
		s := &soak{t: newTown("soak", Options{Nodes: 10}), samples: make([][]float64, len(meters))}
		for m := range s.samples {
			for n := range 72 { // as many as in the shortest run
				x := 100 + float64(n%7)
				if m == i {
					x += float64(n) / 2
				}
				s.samples[m] = append(s.samples[m], x)
			}
		}
		if err := s.verdict(nil); err == nil || !strings.Contains(err.Error(), meters[i].name) {
			t.Errorf("that %s grow by a fifth is not minded: %v", meters[i].name, err)
		}
		s.samples[i] = s.samples[(i+1)%len(meters)]
		if err := s.verdict(nil); err != nil {
			t.Error("what scatters is minded:", err)
		}
		s.worst = offline{n: 1, sent: 11, stated: 10}
		if err := s.verdict(nil); err == nil || !strings.Contains(err.Error(), "without a network") {
			t.Errorf("a member that sends too much is not minded: %v", err)
		}
	}
}

// Each member without a network is held to its own limit, by the minute.
func TestTheSoakCountsByMemberAndMinute(t *testing.T) {
	s := &soak{cut: []offline{{n: 3, stated: 10}, {n: 5, stated: 100}}}
	for range 12 {
		s.count(3)
		s.count(5)
		s.count(7)
	}
	s.minute()
	if s.worst != (offline{3, 12, 10}) {
		t.Errorf("%+v", s.worst)
	}
	for range 9 {
		s.count(3)
	}
	s.minute()
	if s.worst.sent != 12 || s.cut[0].sent != 0 || s.cut[1].sent != 0 {
		t.Errorf("a minute was added to another: %+v", s)
	}
}

package waymark

import (
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/republish"
)

// Sweeps sums up the regions of the key space that were provided for in some
// time. One that was tried again counts again.
type Sweeps struct {
	Regions int           // that were provided for
	Keys    int           // that were to be announced in them
	Stored  int           // of them announced to enough peers
	Records int           // of the stored ones, that peers have taken: each key once for each peer
	Peers   int           // that were met, in each region
	Reached int           // of them those that have taken what they were told
	Took    time.Duration // by all regions together; some go on at a time
}

func (s *Sweeps) add(o Sweeps) {
	s.Regions += o.Regions
	s.Keys += o.Keys
	s.Stored += o.Stored
	s.Records += o.Records
	s.Peers += o.Peers
	s.Reached += o.Reached
	s.Took += o.Took
}

// sweeps knows the sums of the last cycle, to a tenth of it, and of all time. It
// takes the same room however many regions there are.
type sweeps struct {
	parts [params.SweepParts + 1]Sweeps // of the cycle; the one that goes on is the part in excess
	every time.Duration
	part  int64 // the number of the one that goes on, from the beginning of time
	all   Sweeps
}

// add counts a region that was provided for.
func (s *sweeps) add(now mono.Time, every time.Duration, f republish.Swept) {
	one := Sweeps{
		Regions: 1, Keys: f.Keys, Stored: f.Stored, Records: f.Records, Peers: f.Peers, Reached: f.Reached, Took: f.Took,
	}
	s.pass(now, every)
	s.parts[s.part%int64(len(s.parts))].add(one)
	s.all.add(one)
}

// cycle is the sum of the last cycle.
func (s *sweeps) cycle(now mono.Time, every time.Duration) (sum Sweeps) {
	s.pass(now, every)
	for _, p := range s.parts {
		sum.add(p)
	}
	return sum
}

// pass forgets the parts that are over. Of another cycle than before it forgets
// all, as parts are of another length.
func (s *sweeps) pass(now mono.Time, every time.Duration) {
	part := int64(now) / max(1, int64(every/params.SweepParts))
	if every != s.every {
		s.parts, s.every, s.part = [len(s.parts)]Sweeps{}, every, part
	}
	for n := max(s.part, part-int64(len(s.parts))) + 1; n <= part; n++ {
		s.parts[n%int64(len(s.parts))] = Sweeps{}
	}
	s.part = max(s.part, part)
}

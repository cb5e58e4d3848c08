package sim

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
)

// A value that is read often stays where it was put: gets that end early, on
// the way, leave no copies there, which an update would not reach.
func TestGetsLeaveNoCopiesOnTheWay(t *testing.T) {
	for _, quorum := range []int{1, 11} {
		opt := Options{Nodes: 2000, Seed: 1, Dead: 15}.defaults("correction", 2000, 0)
		opt.Engine.Lookup = lookup.Defaults(1)
		w := NewWorld(opt)
		s := w.shelve(0)
		w.Fill()
		w.Kill(opt.Dead)
		v := record.Record{Key: []byte("/v/popular"), Value: []byte("v")}
		item := s.item(v.Key, &v)
		closest := w.answering().nearest(key.Of(v.Key), opt.Engine.Lookup.K, ^uint32(0))
		for _, n := range closest[1:] { // the nearest is new, and is to be sent it
			s.store(n, copied{item: item})
		}
		found, gets := 0, 0
		w.ended = func(_ uint32, f engine.OpEnded) {
			if f.Kind == engine.KindGet {
				gets++
				if f.Result.Value != nil {
					found++
				}
			}
		}
		for i := range 400 {
			w.At(mono.Time(i)*mono.Time(500*time.Millisecond), func() {
				w.step(w.actor(w.survivor()), engine.StartGet{Op: w.newOp(), Key: v.Key, Quorum: quorum})
			})
		}
		if err := w.Run(mono.Never); err != nil {
			t.Fatal(err)
		}
		if found != gets || gets != 400 {
			t.Errorf("quorum %d: %d of %d gets found it", quorum, found, gets)
		}
		if copies := s.counts()[item]; copies > len(closest)+1 {
			t.Errorf("quorum %d: %d members have it", quorum, copies)
		}
		if len(s.find(closest[0], item)) == 0 {
			t.Errorf("quorum %d: the nearest member was not sent it", quorum)
		}
	}
}

package sim

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
)

// The model of the world is held to the figures that it was made from.
func TestRoundTripTimesAreThoseOfTheModel(t *testing.T) {
	r := newStreams(1)
	var all []time.Duration
	for range 100_000 {
		all = append(all, rtt(settle(r.places), settle(r.places)))
	}
	slices.Sort(all)
	for _, want := range []struct {
		percent int
		ms      float64
	}{{10, 35}, {50, 144}, {90, 293}} {
		got := ms(all[len(all)*want.percent/100])
		t.Logf("p%d %.0f ms", want.percent, got)
		if math.Abs(got/want.ms-1) > .06 {
			t.Errorf("p%d is %.0f ms, the model says %.0f", want.percent, got, want.ms)
		}
	}
}

func TestServersThinkAsLongAsTheModelSays(t *testing.T) {
	r := newStreams(1)
	var all []time.Duration
	for range 100_000 {
		all = append(all, thinking(r.latency, false))
	}
	slices.Sort(all)
	if p50, p99 := ms(all[50_000]), ms(all[99_000]); math.Abs(p50-2) > .1 || math.Abs(p99-200) > 20 {
		t.Errorf("median %.2f, p99 %.0f ms", p50, p99)
	}
}

// The nearest members by the ring are those by hand.
func TestTheTruthIsTrue(t *testing.T) {
	w := NewWorld(Options{Nodes: 300, Seed: 5})
	w.Kill(40)
	for range 50 {
		target := w.key(w.survivor()).FlipBit(int(w.rnd.targets.Uint32() % 12))
		var all []uint32
		for n := range uint32(len(w.nodes)) {
			if w.nodes[n].state == healthy && n != 7 {
				all = append(all, n)
			}
		}
		slices.SortFunc(all, func(a, b uint32) int { return target.Closer(w.key(a), w.key(b)) })
		if got := w.answering().nearest(target, 20, 7); !slices.Equal(got, all[:20]) {
			t.Fatalf("near %s: %v, by hand %v", target.Short(), got, all[:20])
		}
	}
}

// Every table holds what it should: each bucket full, or all who belong there.
func TestTablesAreFilledWithWhatIsTrue(t *testing.T) {
	w := NewWorld(Options{Nodes: 2000, Seed: 5})
	w.Fill()
	if f := w.fill(); f != 1 {
		t.Errorf("filled to %.4f", f)
	}
}

// Events leave the queue in order of time and, within a moment, of arrival.
func TestTheQueueKeepsOrder(t *testing.T) {
	var q queue
	r := newStreams(2)
	for i := range uint32(5000) {
		q.push(mono.Time(r.latency.IntN(100)), tick, i)
	}
	last := q.pop()
	for len(q.heap) > 0 {
		e := q.pop()
		if e.before(last) || e.at == last.at && e.ref < last.ref {
			t.Fatalf("%+v after %+v", e, last)
		}
		last = e
	}
}

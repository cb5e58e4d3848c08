package waymark

import (
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
)

// TestABucketIsRefreshedByAWalkIntoIt, if that converged; and a deep one by that
// for the node itself.
func TestABucketIsRefreshedByAWalkIntoIt(t *testing.T) {
	var r refreshed
	self := key.OfString("self")
	op, date := engine.OpID(0), func(m mono.Time) time.Time { return time.Unix(int64(m), 0) }
	walk := func(kind engine.Kind, target key.Key, end engine.Outcome, at mono.Time) {
		op++
		r.notice(engine.OpStarted{Op: op, Kind: kind, Target: target}, self)
		r.notice(engine.OpEnded{Op: op, At: at, Kind: kind, Result: engine.Result{Outcome: end}}, self)
	}
	in := func(bucket int) key.Key { return self.FlipBit(bucket) }
	walk(engine.KindRefresh, in(0), engine.Converged, 10)
	walk(engine.KindLookup, in(1), engine.Converged, 20)
	walk(engine.KindLookup, in(0), engine.PartialDeadline, 30)
	walk(engine.KindPing, in(2), engine.Converged, 40)
	walk(engine.KindRefresh, self, engine.Converged, 50)
	walk(engine.KindRefresh, in(4), engine.Converged, 60)
	walk(engine.KindRefresh, in(200), engine.Converged, 70)
	var got []int64
	for _, d := range r.dates(30, 3, date) {
		if got = append(got, 0); !d.IsZero() {
			got[len(got)-1] = d.Unix()
		}
	}
	want := slices.Concat([]int64{10, 20, 0, 50, 60}, slices.Repeat([]int64{50}, 18), slices.Repeat([]int64{70}, 7))
	if !slices.Equal(got, want) || len(r.walks) != 0 {
		t.Errorf("%v, and should be %v", got, want)
	}
}

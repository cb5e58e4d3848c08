package sim

import (
	"flag"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/bigpages"
)

// What the scale benchmark measures, and what it is held to: the figures of
// the design, on one core of a machine that does nothing else.
var (
	scaleBoot    = flag.String("scale.boot", "1000,3000,10000", "sizes of the networks that bootstrap from nothing")
	scaleLookups = flag.String("scale.lookups", "10000,100000", "sizes of the networks whose tables are full")
	scaleAsked   = flag.Int("scale.asked", 5000, "lookups in those")
	scaleJoined  = flag.String("scale.joined", "", "sizes of the networks at full work that others join")
	scaleJoins   = flag.Int("scale.joins", 300, "how many join each of those")
	scalePages   = flag.Bool("scale.bigpages", true, "put the heap on large pages, as the command does")
	scaleHold    = flag.Bool("scale.hold", false, "fail where a limit is exceeded")
)

// limits are by the size of a network.
var (
	bootLimit   = map[int]time.Duration{10_000: time.Minute, 100_000: 20 * time.Minute} // processor time
	memoryLimit = map[int]float64{1_000_000: 16}                                        // GiB
	speedLimit  = map[int]float64{100_000: 250_000}                                     // events per second of processor time
)

// cpu returns the processor time that the process has used, the collector's
// included.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak returns the most memory that the process has had, in GiB.
func peak() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Maxrss) / (1 << 20) // Linux counts kibibytes
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func sizesOf(b *testing.B, list string) (sizes []int) {
	for _, s := range strings.Split(list, ",") {
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			b.Fatalf("%q is no size of a network", s)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// hold fails the benchmark if a figure is beyond its limit.
func hold(b *testing.B, ok bool, format string, args ...any) {
	b.Helper()
	if *scaleHold && !ok {
		b.Errorf(format, args...)
	}
}

// BenchmarkScale reports what networks of some sizes cost: to bootstrap from
// nothing, and to fill and use. Per node and level of the tree, log2(n/k), the
// cost of a bootstrap is about the same for every size: each level is one
// bucket more to refresh.
//
//	go test ./sim -run X -bench Scale -benchtime 1x -timeout 1h
func BenchmarkScale(b *testing.B) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(15 << 30)) // of a machine of 24 GiB, 16 allowed
	if *scalePages {
		defer bigpages.Keep()()
	}
	for _, n := range sizesOf(b, *scaleBoot) {
		b.Run(fmt.Sprintf("bootstrap/nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				scaleBootstrap(b, n)
			}
		})
	}
	for _, n := range sizesOf(b, *scaleJoined) {
		b.Run(fmt.Sprintf("joined/nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				scaleJoin(b, n)
			}
		})
	}
	for _, n := range sizesOf(b, *scaleLookups) {
		b.Run(fmt.Sprintf("lookups/nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				scaleLookup(b, n)
			}
		})
	}
}

func scaleBootstrap(b *testing.B, n int) {
	var perNode float64
	before, began := heap(), cpu()
	r, err := Bootstrap(Options{Nodes: n, Seed: 1, Measure: func(uint64) {
		perNode = float64(heap()-before) / float64(n)
	}})
	took := cpu() - began
	if err != nil {
		b.Fatal(err)
	}
	speed, level := float64(r.Events)/took.Seconds(), math.Log2(float64(n)/params.K)
	b.ReportMetric(took.Seconds(), "cpu-s")
	b.ReportMetric(speed, "events/cpu-s")
	b.ReportMetric(float64(r.Events)/float64(n), "events/node")
	b.ReportMetric(float64(r.Events)/float64(n)/level, "events/node/level")
	b.ReportMetric(took.Seconds()*1e6/float64(n)/level, "cpu-us/node/level")
	b.ReportMetric(perNode, "B/node")
	b.ReportMetric(float64(r.Ready)/float64(r.Bootstraps), "ready")
	b.ReportMetric(peak(), "peak-GiB")
	limit, ok := bootLimit[n]
	hold(b, !ok || took <= limit, "%d nodes took %v of processor time, limit %v", n, took, limit)
	least, ok := speedLimit[n]
	hold(b, !ok || speed >= least, "%.0f events in a second of processor time, limit %.0f", speed, least)
}

// scaleJoin is the end of a large bootstrap without its beginning: in a network
// in which all tables are full, everybody acts and has as many connections as
// it keeps, a few join. What they ask for is in no cache.
func scaleJoin(b *testing.B, n int) {
	opt := Options{Nodes: n, Seed: 1}.defaults("bootstrap", n, 0)
	w := NewWorld(opt)
	for s := range uint32(seedCount) {
		w.opt.Engine.Seeds = append(w.opt.Engine.Seeds, engine.Seed{Peer: w.info(s)})
	}
	w.Fill()
	joined := uint32(n - *scaleJoins)
	w.meet(joined, maxConns)
	for m := joined; m < uint32(n); m++ {
		w.empty(m)
		w.After(time.Duration(m-joined)*arrival, func() { w.step(w.actor(m), engine.StartBootstrap{Op: w.newOp()}) })
	}
	runtime.GC()
	var costs [2][]float64 // microseconds an event, by turns with and without a look ahead
	began, last := cpu(), cpu()
	w.opt.Progress = func(mono.Time, uint64) bool {
		costs[w.turn()] = append(costs[w.turn()], (cpu()-last).Seconds()*1e6/progressEvery)
		w.ahead.off, last = !w.ahead.off, cpu()
		return true
	}
	if err := w.Run(mono.Never); err != nil {
		b.Fatal(err)
	}
	took := (cpu() - began).Seconds()
	b.ReportMetric(took, "cpu-s")
	b.ReportMetric(float64(w.events)/took, "events/cpu-s")
	b.ReportMetric(float64(w.events)/float64(*scaleJoins), "events/join")
	b.ReportMetric(median(costs[0]), "us/event-ahead")
	b.ReportMetric(median(costs[1]), "us/event-not-ahead")
	b.ReportMetric(peak(), "peak-GiB")
}

// turn is 0 while the world looks ahead, and 1 while it does not.
func (w *World) turn() int {
	if w.ahead.off {
		return 1
	}
	return 0
}

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// meet connects each of the first n nodes with random others of them.
func (w *World) meet(n uint32, each int) {
	for range int(n) * each / 2 {
		x, y := uint32(w.rnd.targets.IntN(int(n))), uint32(w.rnd.targets.IntN(int(n)))
		a, p := w.actor(x), w.actor(y)
		if x == y || a.conns.has(y) || a.conns.len() >= each || p.conns.len() >= each {
			continue
		}
		a.conns.add(y)
		p.conns.add(x)
		w.linked(a, y)
		w.linked(p, x)
	}
}

func scaleLookup(b *testing.B, n int) {
	before, began := heap(), cpu()
	w := newLookups(Options{Nodes: n, Seed: 1, Dead: 15, Lookups: *scaleAsked})
	filled := cpu() - began
	perNode := float64(heap()-before) / float64(n)
	began = cpu()
	if err := w.Run(mono.Never); err != nil {
		b.Fatal(err)
	}
	took, r := (cpu() - began).Seconds(), w.Result()
	b.ReportMetric(filled.Seconds(), "fill-cpu-s")
	b.ReportMetric(took, "cpu-s")
	b.ReportMetric(float64(w.events)/took, "events/cpu-s")
	b.ReportMetric(float64(r.Lookups)/took, "lookups/cpu-s")
	b.ReportMetric(perNode, "B/node")
	b.ReportMetric(r.Recall, "recall")
	b.ReportMetric(r.Depth, "depth")
	b.ReportMetric(peak(), "peak-GiB")
	if r.Overdue+r.Stalled > 0 || r.Lookups != *scaleAsked {
		b.Errorf("%d of %d lookups ended, %d overdue, %d stalled", r.Lookups, *scaleAsked, r.Overdue, r.Stalled)
	}
	limit, ok := memoryLimit[n]
	hold(b, !ok || peak() <= limit, "%d nodes took %.1f GiB, limit %.0f", n, peak(), limit)
}

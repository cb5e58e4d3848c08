package sim

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
)

// cpu returns the processor time that the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkLookups reports bytes per node with full tables, and events and
// lookups per second of processor time, the collector's included.
func BenchmarkLookups(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				w := newLookups(Options{Nodes: n, Seed: 1, Dead: 15, Lookups: 5000})
				perNode := float64(heap()-before) / float64(n)
				began := cpu()
				if err := w.Run(mono.Never); err != nil {
					b.Fatal(err)
				}
				took := (cpu() - began).Seconds()
				b.ReportMetric(perNode, "B/node")
				b.ReportMetric(float64(w.events)/took, "events/cpu-s")
				b.ReportMetric(float64(w.tally.lookups)/took, "lookups/cpu-s")
			}
		})
	}
}

// BenchmarkBootstrap reports what it takes to bring a network up from nothing.
func BenchmarkBootstrap(b *testing.B) {
	for _, n := range []int{1000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				began := cpu()
				r, err := Bootstrap(Options{Nodes: n, Seed: 1})
				if err != nil {
					b.Fatal(err)
				}
				took := (cpu() - began).Seconds()
				b.ReportMetric(took, "cpu-s")
				b.ReportMetric(float64(r.Events)/took, "events/cpu-s")
				b.ReportMetric(float64(r.Ready)/float64(r.Bootstraps), "ready")
			}
		})
	}
}

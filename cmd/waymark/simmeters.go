package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/internal/cli"
)

// simMeters is what only the process can tell of a simulation: how far it is,
// what it costs. The run writes, the command reads.
type simMeters struct {
	stop   atomic.Bool
	tables atomic.Int64 // that the network has so far
	wanted atomic.Int64 // when it is built
	now    atomic.Int64 // virtual
	events atomic.Uint64
	began  time.Time
	before float64 // processor time used before the events that are measured
	first  uint64  // the events that are not: the network was built among them

	rate  float64 // events per second of processor time
	bytes float64
}

func newSimMeters() *simMeters {
	return &simMeters{began: time.Now(), before: cpuSeconds()}
}

// building is called by the run while it makes a network; of some scenarios
// there are two, and the last one is measured.
func (m *simMeters) building(done, of int) bool {
	m.tables.Store(int64(done))
	m.wanted.Store(int64(of))
	m.events.Store(0)
	m.first = 0
	return !m.stop.Load()
}

// progress is called by the run; it goes on unless it is to stop.
func (m *simMeters) progress(now mono.Time, events uint64) bool {
	if m.first == 0 {
		m.first, m.before = events, cpuSeconds()
	}
	m.now.Store(int64(now))
	m.events.Store(events)
	return !m.stop.Load()
}

// measure is called at the run's end. The heap is that of the world: beside
// it the process holds next to nothing.
func (m *simMeters) measure(events uint64) {
	if cpu := cpuSeconds() - m.before; cpu > 0 {
		m.rate = float64(events-m.first) / cpu
	}
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	m.bytes = float64(s.HeapAlloc)
}

func (m *simMeters) elapsed() time.Duration { return time.Since(m.began) }

// Line implements cli.View.
func (m *simMeters) Line() string {
	now, events, real := time.Duration(m.now.Load()), m.events.Load(), m.elapsed()
	if events == 0 {
		all := max(1, m.wanted.Load())
		return fmt.Sprintf("building the network · %d %% of %s tables", 100*m.tables.Load()/all, cli.Number(int(all)))
	}
	return fmt.Sprintf("virtual %s · %.0f× real time · %s events · %s/s",
		cli.Duration(now), now.Seconds()/real.Seconds(), cli.Number(int(events)), cli.Number(int(float64(events)/real.Seconds())))
}

// Region implements cli.View.
func (m *simMeters) Region(int) []string { return []string{"  " + m.Line()} }

package sim

import (
	"fmt"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
)

// Options say what world to build and what to do in it. The zero value of each
// field takes the scenario's default.
type Options struct {
	Scenario  string
	Nodes     int
	Seed      uint64
	Dead      int           // percent of the members that do not answer
	Lookups   int           // how many are counted
	Seasoned  int           // lookups that each asker has made before the one that counts
	Warm      bool          // askers are connected to everybody in their tables
	Proximity bool          // big buckets hold the fastest of ProximityPopulation candidates
	Site      bool          // all members are on one site
	Transport Transport     // what a new connection costs
	Duration  time.Duration // virtual time of a scenario that has no end by itself
	Rest      time.Duration // virtual time between the fault's end and the lookups that count
	Again     time.Duration // values, providers: the period of storing again; negative is never
	Scale     time.Duration // churn, soak, values, providers: λ of the sessions' Weibull distribution
	Keys      int           // sweep: how many are provided
	Liars     int           // sybil: percent of the members that answer and name each other only
	Near      int           // eclipse: accomplices placed next to the target
	Shape     int           // and a hundred times its k
	Policy    Policy        // lookups: by whose rules they are made
	Rules     Rules         // of a policy that is not Waymark's
	Numbers                 // of every lookup
	Engine    engine.Config // of every node; Terse is always set

	// Building, if set, is called now and then while the network is made, with
	// how many of its members have a table; false stops the run.
	Building func(done, of int) bool
	// Progress, if set, is called now and then from then on; false stops the run.
	Progress func(now mono.Time, events uint64) bool
	// Measure, if set, is called at the end, while the world is in memory.
	Measure func(events uint64)
	// Plots, if set, is given the single figures of the run.
	Plots *Plots
}

// Command returns the command that repeats the run.
func (o Options) Command() string {
	c := fmt.Sprintf("waymark sim run %s --nodes %d --seed %d --dead %d", o.Scenario, o.Nodes, o.Seed, o.Dead)
	for _, pair := range o.Settings() {
		c += " --set " + pair
	}
	return c
}

// defaults fills in what is zero.
func (o Options) defaults(scenario string, nodes, lookups int) Options {
	o.Scenario, o.Engine.Terse, o.Engine.Table.NoDiversity = scenario, true, true
	if o.Nodes == 0 {
		o.Nodes = nodes
	}
	if o.Lookups == 0 {
		o.Lookups = lookups
	}
	if o.Engine.Lookup.K == 0 {
		o.Engine.Lookup = o.lookup()
	}
	if o.Engine.Deadline == 0 {
		o.Engine.Deadline = o.Deadline
	}
	if size := o.bucket(); size > 0 {
		o.Engine.Table.Sizes = []int{size, size, size}
	}
	return o
}

// Numbers are those of a lookup that an operator may want to choose. Zero is
// what ships.
type Numbers struct {
	K, Alpha, Spare, Last, LastSpare int
	Peers, Depth                     int // P and H
	Probes                           int // rounds of region probes; negative is none
	Deadline                         time.Duration
	Bucket                           int // size of the first buckets, as large as the others at least
}

// lookup returns the configuration of a lookup with what was set.
func (o *Options) lookup() lookup.Config {
	c := lookup.Defaults(o.Engine.Paths)
	for _, x := range []struct{ to, from *int }{
		{&c.K, &o.K},
		{&c.Alpha, &o.Alpha},
		{&c.Spare, &o.Spare},
		{&c.AlphaLast, &o.Last},
		{&c.SpareLast, &o.LastSpare},
		{&c.MaxPeers, &o.Peers},
		{&c.MaxDepth, &o.Depth},
		{&c.ProbeRounds, &o.Probes},
	} {
		if *x.from != 0 {
			*x.to = max(0, *x.from)
		}
	}
	return c
}

// bucket is the size of the first buckets if it is not what ships.
func (o *Options) bucket() int {
	if o.Bucket == 0 && o.Policy != Waymark {
		return rivalSize
	}
	return o.Bucket
}

// lasts returns how long a fault lasts: what was set, or the scenario's own.
func (o Options) lasts(d time.Duration) time.Duration {
	if o.Duration > 0 {
		return o.Duration
	}
	return d
}

// rests is the same for the time between the fault's end and the lookups.
func (o Options) rests(d time.Duration) time.Duration {
	if o.Rest > 0 {
		return o.Rest
	}
	return d
}

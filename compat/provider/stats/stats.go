// Package stats is how a schedule stands, with the names of go-libp2p-kad-dht/provider/stats.
//
// It may not measure anything: what Waymark does not know is zero, and each field
// that is filled says what it is here.
// Start reading at [Stats].
package stats

import "time"

// Stats is how the schedule of one network stands.
type Stats struct {
	Closed       bool         `json:"closed"`
	Connectivity Connectivity `json:"connectivity"`
	Queues       Queues       `json:"queues"`
	Schedule     Schedule     `json:"schedule"`
	Workers      Workers      `json:"workers"`
	Timing       Timing       `json:"timing"`
	Operations   Operations   `json:"operations"`
	Network      Network      `json:"network"`
}

// Connectivity is how the node is.
type Connectivity struct {
	Status string    `json:"status"` // "online" if its table is of use, else "offline"
	Since  time.Time `json:"since"`  // zero
}

// Queues is what waits.
type Queues struct {
	PendingKeyProvides      int64 `json:"pending_key_provides"`      // keys that are to be announced at once
	PendingRegionProvides   int64 `json:"pending_region_provides"`   // zero: they are among those below
	PendingRegionReprovides int64 `json:"pending_region_reprovides"` // regions whose time has come
}

// Schedule is what there is to do.
type Schedule struct {
	Keys                int64     `json:"keys"`                  // that are provided again and again
	Regions             int64     `json:"regions"`               // that have keys
	AvgPrefixLength     float64   `json:"avg_prefix_length"`     // all regions have the same
	NextReprovideAt     time.Time `json:"next_reprovide_at"`     // when a region's time comes, or came
	NextReprovidePrefix string    `json:"next_reprovide_prefix"` // of that one; the incumbent has a type of its own here
}

// Workers is what goes on at a time: regions, and nothing is reserved for one
// kind of them.
type Workers struct {
	Max                      int `json:"max"`
	Active                   int `json:"active"`
	ActivePeriodic           int `json:"active_periodic"`
	ActiveBurst              int `json:"active_burst"`
	DedicatedPeriodic        int `json:"dedicated_periodic"`
	DedicatedBurst           int `json:"dedicated_burst"`
	QueuedPeriodic           int `json:"queued_periodic"`
	QueuedBurst              int `json:"queued_burst"`
	MaxProvideConnsPerWorker int `json:"max_provide_conns_per_worker"`
}

// Timing is when; but for Uptime all of it is zero if nothing is announced again.
type Timing struct {
	Uptime             time.Duration `json:"uptime"` // of the provider
	ReprovidesInterval time.Duration `json:"reprovides_interval"`
	CycleStart         time.Time     `json:"cycle_start"`
	CurrentTimeOffset  time.Duration `json:"current_time_offset"`
	MaxReprovideDelay  time.Duration `json:"max_reprovide_delay"` // zero
}

// Operations is what goes on and what was done.
type Operations struct {
	Ongoing OngoingOperations `json:"ongoing"`
	Past    PastOperations    `json:"past"`
}

// OngoingOperations is what goes on.
type OngoingOperations struct {
	RegionProvides   int `json:"region_provides"`
	KeyProvides      int `json:"key_provides"`
	RegionReprovides int `json:"region_reprovides"` // regions that are being announced
	KeyReprovides    int `json:"key_reprovides"`
}

// PastOperations is what was done since the node began, and below in the last
// cycle. What is announced for the first time is with what is announced again.
type PastOperations struct {
	RecordsProvided int64 `json:"records_provided"` // that peers have taken, of keys that enough took
	KeysProvided    int64 `json:"keys_provided"`    // to enough peers; each time counts
	KeysFailed      int64 `json:"keys_failed"`      // they are tried again

	KeysProvidedPerMinute     float64       `json:"keys_provided_per_minute"`   // zero: they are in the next
	KeysReprovidedPerMinute   float64       `json:"keys_reprovided_per_minute"` // by one worker
	RegionReprovideDuration   time.Duration `json:"reprovide_duration"`         // the mean of a region
	AvgKeysPerReprovide       float64       `json:"avg_keys_per_reprovide"`     // in a region
	RegionReprovidedLastCycle int64         `json:"regions_reprovided_last_cycle"`
}

// Network is what was met in the last cycle.
type Network struct {
	Peers                    int     `json:"peers"`                      // in all regions that had keys
	Reachable                int     `json:"reachable"`                  // of them those that took what they were told
	CompleteKeyspaceCoverage bool    `json:"complete_keyspace_coverage"` // false: not known
	AvgRegionSize            float64 `json:"avg_region_size"`            // in peers
	AvgHolders               float64 `json:"avg_holders"`                // of a key that enough have taken
	ReplicationFactor        int     `json:"replication_factor"`         // params.K
}

package engine

import "github.com/waymark-dht/waymark/core/mono"

// Missed stands where a reader of facts was too slow: so many facts before the
// next one were not delivered to it. The driver makes it, never the engine;
// ends of operations are never among the missed.
type Missed struct {
	At    mono.Time
	Count int
}

func (Missed) fact() {}

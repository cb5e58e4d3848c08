// Package sim is the other world: thousands of nodes, each the shipped core/engine unchanged, in virtual time.
//
// It may not know a real clock, a network, a disk or a goroutine; a run is a function of its options
// and its seed, and whoever wants processor time or memory measured does so from outside.
// Start reading at [World.Run], then at a scenario such as [Lookups].
package sim

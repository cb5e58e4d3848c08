// Package engine is the node: everything that Kademlia decides, told what happened and what time it is.
//
// It may not know a clock, a network, a disk or a goroutine; it knows every other room of the
// ground floor. Three programs drive it: the live driver, the simulator and the model checker.
// Start reading at [Engine.Step], then [Event], [Effect] and [Fact].
package engine

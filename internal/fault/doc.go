// Package fault is real misbehaving libp2p peers, and an in-memory wire that can be cut, for whoever must show that nothing hangs.
//
// It may not know package testing, since the demo ships it, nor the node that
// it misbehaves towards: a fault is what a peer does, never what one expects
// of it. Every address that it listens on, dials or names is in 127.0.0.0/8.
// Start reading at [Kind] for the peers, at [Switch] for the wire.
package fault

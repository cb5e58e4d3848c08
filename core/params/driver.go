package params

import "time"

// The driver: what crosses between the engine and the world. KAD-11.
const (
	// MaxPeerNews caps the peers of which news waits for the engine; more
	// than a host has connections, which default to some hundred.
	MaxPeerNews = 4096
	// MaxCallers caps callers that wait for an operation: as many as can run
	// and wait in the engine, so that its own limit is met first.
	MaxCallers = MaxQueued + MaxInFlight/MinShare
	// MaxOrders caps what callers have sent and the engine has not looked at;
	// a table of a whole large network can be vouched for in one go.
	MaxOrders = 16 << 10
	// CancelGrace is how long a cancelled caller waits for what there was.
	CancelGrace = 100 * time.Millisecond
	// MaxCalls caps goroutines that are inside libp2p: a worker for each
	// request, and those that ignored their deadline.
	MaxCalls = MaxInFlight + MaxZombies
	// IdleOut is how long a stream is kept for the next request to its peer.
	// js-libp2p resets them after 10 s, go-libp2p after 60: reuse after that
	// only costs a retry.
	IdleOut = 9 * time.Second
	// IdleOutMax caps them: they count against the remote's stream limits and
	// hold a few KiB each.
	IdleOutMax = 256
	// MaxNameDepth and MaxNameOutput cap the resolution of one seed's name:
	// /dnsaddr records may lead to others (go-libp2p: 4 and 100).
	MaxNameDepth  = 4
	MaxNameOutput = 100
	// WatchBuffer is how many events of the host may wait for the watcher: a
	// burst of a hundred connections with three events each.
	WatchBuffer = 512
	// ServeBuffer is the buffer that a stream's first bytes are read into: an
	// honest request is 40 bytes.
	ServeBuffer = 512
)

// MaxDetail is how many bytes of an error's text are kept as evidence; a
// failed dial of eight addresses fills some 700.
const MaxDetail = 512

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
	// MaxVouched caps the peers that a node whose table is kept by hand admits:
	// more than a table has places for.
	MaxVouched = 4096
	// HostDeadline is how long New and SetMode wait for the host's event bus,
	// which waits for each of its subscribers: as long as Close waits for what
	// does not end.
	HostDeadline = CloseDeadline
	// PeerstoreDeadline is how long a call waits for what the host's peerstore
	// knows of a peer: what each bound allows for running time, and a hundred
	// times what a peerstore on disk takes. HostCalls is how many such calls are
	// made at a time, as many as into a store: each may block.
	PeerstoreDeadline = Epsilon
	HostCalls         = StoreCalls
	// CancelGrace is how long a cancelled caller waits for what there was.
	CancelGrace = 100 * time.Millisecond
	// WakePause is the least that the driver sleeps when the engine wants to be
	// woken at once again: a defect, which must not cost a whole core.
	WakePause = time.Millisecond
	// MaxCalls caps goroutines that are inside libp2p: a worker for each
	// request, those that ignored their deadline, and what callers wait for.
	MaxCalls = MaxInFlight + MaxZombies + HostCalls
	// TagTable is what a connection to a contact of the table weighs with the
	// host's connection manager: what go-libp2p-kad-dht gives, so that hosts
	// that moved from it weigh their other connections as before.
	TagTable = 5
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
	// MaxNameRecords is how many addresses one seed's name may have in all: six
	// answers of DNS are full with so many, and they are a thousand peers.
	MaxNameRecords = 1 << 12
	// WatchBuffer is how many events of the host may wait for the watcher: a
	// burst of a hundred connections with three events each.
	WatchBuffer = 512
	// HastenLeast is how much a hard deadline must have fallen before requests
	// under way are told: less is not worth a message to each.
	HastenLeast = 250 * time.Millisecond
	// ServeBuffer is the buffer that a stream's first bytes are read into: an
	// honest request is 40 bytes.
	ServeBuffer = 512
)

// MaxDetail is how many bytes of an error's text are kept as evidence; a
// failed dial of eight addresses fills some 700.
const MaxDetail = 512

// Limits by where strangers are. KAD-12.
const (
	// DialsPerNet is how many dials to hearsay addresses of one IPv4 /24 or
	// IPv6 /48 are made per DialsWindow, so that liars cannot aim a node at a
	// victim. Honest networks have a handful of peers in one: 16 are plenty.
	DialsPerNet = 16
	DialsWindow = 10 * time.Second
	// StreamsPerIP caps inbound streams of one IP (IPv6: /64), behind which
	// many peers may live: twice what one peer may have.
	StreamsPerIP = 2 * StreamsPerPeer
	// RequestsPerIP is how many requests of one IP are answered per
	// RequestsWindow. An eager node sends some 40 to one peer in a bootstrap.
	// Of them one peer may take so many: a quarter is left for those beside it,
	// behind the same address translation.
	RequestsPerIP   = 512
	RequestsPerPeer = RequestsPerIP / 4 * 3
	RequestsWindow  = time.Second
	// MaxWindowed caps the places that a limit counts apart.
	MaxWindowed = 8192
)

package params

import "time"

// The way back, in closed form: it takes no longer than
//
//	detect + DNSDeadline + SeedTime + OpDeadline
//
// where detect is DetectTold if an interface or a clock says that the fault has
// ended, and RetryMax with its jitter if nobody does. KAD-5.7.
const (
	// DetectTold is how long it may take from an event of an interface or a
	// clock to the first request: what a busy host needs to pass it on.
	DetectTold = 1 * time.Second
	// SeedTime is how long the seeds and remembered contacts may take to
	// answer: two waves of HardMax, and a moment.
	SeedTime = 5 * time.Second
)

// MaxNeighbours is how many peers of the local network are kept in mind, and how
// many of its announcements are listened to in a NeighbourWindow: a network of a
// household has a handful, and who floods it must not crowd out the contacts
// that a node remembers.
const (
	MaxNeighbours   = MaxRemembered / 4
	NeighbourWindow = time.Second
)

// The search on the local network.
const (
	// LANLook is how often it looks whether the interfaces have changed: as often
	// as go-libp2p looks for its own addresses.
	LANLook = 5 * time.Second
	// LANAgain is how often it begins anew without a change. Who was heard of once
	// is not told of again for the 53 minutes of an announcement, in which others
	// can crowd it out; a round costs each host some ten packets.
	LANAgain = RefreshEvery
)

// MaxDeadline is the longest that a caller may extend an operation to with
// WithDeadline. A lookup that shares the node with so many others that it has
// MinShare slots, on a slow link, among P peers of whom none answers in time,
// is over after T·(P/α + H·(1−1/α)) = 5·(160/2 + 10/2) s, seven minutes: to
// wait for longer than that and a margin is to wait for nothing. KAD-3.1.
const MaxDeadline = 10 * time.Minute

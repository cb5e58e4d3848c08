package params

import "time"

// A crawl of a whole network. KAD-16.
const (
	// CrawlPeers is how many visits a crawl makes at most. The largest network
	// has some 25 000 servers, half as many again are named and gone, and who
	// invents peers must not make it endless.
	CrawlPeers = 50_000
	// CrawlNamed is how many peers it remembers to have been named: four times
	// as many, so that inventions do not crowd out the truth.
	CrawlNamed = 4 * CrawlPeers
	// CrawlNames is how many peers one peer may be the first to name. A table
	// with top buckets of 128, 64 and 32 holds some 400 in a network of 25 000.
	CrawlNames = 512
	// CrawlWidth is how many peers are visited at a time: a quarter of what a
	// node has in flight, so that its lookups go on.
	CrawlWidth = MaxInFlight / 4
	// CrawlAsks is how many requests one visit makes. To learn a table of
	// buckets of 20 takes about two for each, a large top bucket takes one for
	// every ten contacts: some 40 in the largest network.
	CrawlAsks = 64
	// CrawlPeerTime is what one visit may take: CrawlAsks at 300 ms, the
	// round-trip time of the far side of the world.
	CrawlPeerTime = 20 * time.Second
	// CrawlTime is what a crawl may take: 25 000 peers, 64 at a time, of whom
	// each takes three seconds, are through in twenty minutes.
	CrawlTime = 30 * time.Minute
	// CrawlTries is how often a peer is visited that our side could not ask, or
	// of whom new addresses came to light; CrawlPause lies between, so that the
	// dial budget of its neighbourhood is a new one. CrawlSilent is how often one
	// is visited that did not answer in time: on a machine that is busy with a
	// crawl every fifth healthy peer was late once (100 hosts, two cores).
	CrawlSilent = 2
	CrawlTries  = 3
	CrawlPause  = DialsWindow
)

// The full-table client. KAD-16.
const (
	// FullEvery is how often the whole network is crawled again: of sessions of
	// which half end within two hours a fifth ends meanwhile, and what an
	// operation meets of them is noticed.
	FullEvery = time.Hour
	// FullRetry is when a crawl that came to nothing is tried again.
	FullRetry = time.Minute
	// FullStale is how many times FullEvery a table may be old.
	FullStale = 3
	// FullRounds is how often those among the closest that did not take a record
	// are replaced by the next: with 30 % dead, three rounds leave 20·0.3³,
	// half a copy, unplaced.
	FullRounds = 3
	// FullHop is what these rounds may take together, before the ordinary lookup.
	FullHop = FullRounds * HardMax
	// FullWidth is how many peers are told of their keys at a time.
	FullWidth = 16
	// FullBatch is how many keys are announced to one peer at a time: 30 KiB
	// with our addresses, which a megabit per second carries in a quarter of a
	// second.
	FullBatch = 256
	// FullChunk is how many keys are sorted by peer at a time: 20 numbers each.
	FullChunk = 1 << 16
	// FullAddrs is how many addresses of a peer the table keeps: the one that it
	// was reached by, and two more.
	FullAddrs = 3
	// FullSpares is how many of the nearest can be sent a record: k, and those
	// that take the place of them in FullRounds.
	FullSpares = 3 * K
	// MaxNear is how many peers one hop asks: k, and some for those who fail. A
	// lookup is as hasty with them as ever and asks most of them at once, so that
	// each further one is a request more.
	MaxNear = K + K/4
)

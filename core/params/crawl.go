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
	// dial budget of its neighbourhood is a new one.
	CrawlTries = 3
	CrawlPause = DialsWindow
)

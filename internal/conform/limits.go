package conform

import "time"

// How long the kit waits. What other implementations give a request (10 s) and
// an idle stream (60 s in go-libp2p-kad-dht, 10 s in js-libp2p) sets the scale.
const (
	// RecoverWithin is how soon after a case a fresh peer has to get a right
	// answer, its connection included.
	RecoverWithin = 5 * time.Second
	// Patience is how long a target may hold what a peer left unfinished: the
	// minute of go-libp2p-kad-dht, and a quarter of it.
	Patience = 75 * time.Second
	// DefaultDrain is as long, so that it is judged.
	DefaultDrain = Patience

	// operateWithin is how soon after a case a lookup of the target's own has to
	// end: three requests of ten seconds each, to peers that are gone.
	operateWithin = 30 * time.Second
	// RunLimit is what all cases may take together; an unhurried target takes
	// two to five minutes for them.
	RunLimit = 30 * time.Minute

	startLimit   = 20 * time.Second // to meet the target, and to be admitted by it
	closeLimit   = 5 * time.Second
	connectLimit = 5 * time.Second // js-libp2p takes five connections a second by default
	connectPause = 400 * time.Millisecond
	answerLimit  = 5 * time.Second  // for an honest request
	reactLimit   = 2 * time.Second  // for a target to refuse what is wrong
	caseLimit    = 20 * time.Second // for a case that nothing waits for
	askLimit     = 3 * time.Second  // for a target to ask a server that it met
	drivenAsk    = 500 * time.Millisecond
	lookupLimit  = 65 * time.Second // for an operation: rust-libp2p ends a query after 60 s
	briefly      = 120              // bytes of an error that are shown
	discardPort  = 9                // of a socket that nothing is sent through
	tick         = 100 * time.Millisecond
	giveUpLimit  = 15 * time.Second // for what a server owes the target
	lateBy       = 11 * time.Second // an answer that comes when others have given up
	byteEvery    = time.Second
	probeAfter   = 12 * time.Second // when a half-closed stream is tried for life
)

// How much the kit does to the target. Nothing in it is a denial of service for
// a node that bounds what one peer may have.
const (
	idleStreams  = 64   // go-libp2p gives one peer 64 of a protocol
	floodStreams = 256  // with one request each
	floodAsks    = 1024 // on one stream
	deafAsks     = 2048 // of half a KiB each: answers beyond yamux's window of 256 KiB
	deafKey      = 512
	abandoned    = 128                    // streams that are reset with a request under way
	crowd        = 24                     // connections of as many peers
	rawConns     = 8                      // TCP connections that never become more
	announced    = 64                     // provider records
	chainPause   = 200 * time.Millisecond // of each link: less than those give up after that learn how fast others are
	chainLength  = 12                     // peers that name each other, each nearer
	bigRecord    = 1 << 20
	longKey      = 32 << 10
	nested       = 4096                  // groups within groups
	namesFlood   = 4<<20 - 1<<10         // bytes of an answer that names as many as it can
	floodAnswers = 3                     // how often one is sent
	endlessBytes = 64                    // of a varint
	deafPause    = 1 * time.Second       // in which nothing more is taken: the window is shut
	trickleSlack = 2 * time.Second       // beyond a byte a second
	announceWait = 2 * time.Second       // until what is announced is served
	withdrawWait = 3 * time.Second       // until a server that has become a client is forgotten
	settle       = 50 * time.Millisecond // for the first bytes to be on their way
)

// Package params holds every number of the protocol and of the guarantee, each with its reason.
//
// It may not know anything else: it imports no room of the house, and no room
// states a number of its own. Clauses (KAD-…) are those of docs/SPEC.md.
// Start reading anywhere.
package params

import "time"

// The shape of the network. KAD-1.
const (
	// K is the bucket size and the number of closest peers that a lookup
	// returns and a record is stored on. 20, as in the Kademlia paper and
	// every deployed implementation; others' tables assume it.
	K = 20
	// Buckets is the greatest number of buckets that are refreshed. A network
	// of 20·2^24 (300 million) peers has that many that are not empty.
	Buckets = 24
)

// TopBuckets are the sizes of the first buckets (common prefix 0, 1, 2); the
// rest hold K. Large top buckets save about one hop per lookup (simulation:
// end p95 2901 → 731 ms together with warm connections) for 164 entries of
// 16 bytes.
var TopBuckets = [3]int{128, 64, 32}

// One lookup. KAD-2.
const (
	// Alpha is how many requests a lookup keeps in flight that are not
	// overdue; Spare is how many overdue ones it may have beside them. Ten,
	// where the design began, against sixteen, in the simulator (10 000 nodes,
	// 15 % dead, cold): 15 of the final 20 answered after 787 against 688 ms,
	// end p95 3065 against 2850 ms, for 68 against 74 requests.
	Alpha = 16
	Spare = 16
	// AlphaLast and SpareLast hold in the last round, when the nearest peer
	// known has answered and only the rim of the result is still open.
	AlphaLast = 20
	SpareLast = 20
	// MaxPeers (P) caps the peers that one lookup contacts. A converging
	// lookup among a million peers with half of them dead needs about 110.
	MaxPeers = 160
	// MaxDepth (H) caps how far a name may be from the seeds (depth 1). Ten
	// is five times the 1.93 hops that a network of 25 000 needs.
	MaxDepth = 10
	// AttemptsFresh (a) is how often one peer is asked for one target: once, and
	// a second time if addresses came to light after the first attempt failed.
	AttemptsFresh = 2
	// MaxNumber is the most that any number of a lookup's configuration may be:
	// a hundred times MaxPeers, and few enough that counters of 16 bits hold.
	MaxNumber = 1 << 14
	// MaxPaths caps disjoint paths: each must have an α of at least one.
	MaxPaths = Alpha
	// LiarNames: an informant of whom this many names stayed unanswered, and
	// none answered, vouches for nobody; names known only from such come last.
	LiarNames = 3
	// ProbePeers and ProbeRounds bound the region probe: this many of the
	// closest are asked again, for sibling prefixes, at most so many times.
	// Recall with 40 % of the peers dead: .990 without, .999 with, for 12
	// requests more; with 52 %: .969 and .996 (simulator, 10 000 nodes).
	ProbePeers  = 4
	ProbeRounds = 2
	// ProbesPerPeer is for how many regions each of them is asked in a round:
	// the two beside the target at the depth where the result ends.
	ProbesPerPeer = 2
)

// Deadlines. KAD-3.
const (
	// OpDeadline (D) is the absolute deadline of a lookup, put or provide.
	OpDeadline = 20 * time.Second
	// Epsilon is the running time that a bound allows for on top of its sum.
	Epsilon = 250 * time.Millisecond
	// HardMax (T) is the hard deadline of one attempt, dial included.
	HardMax = 2 * time.Second
	// HardSlow replaces HardMax on links that are measured to be slow: those
	// on which SlowRTTs smoothed times exceed HardMax. A cold request takes
	// two round trips and a half, so 300 to 700 ms on a good link that is far
	// from most peers: with four of them in place of two, every third node of
	// the simulator took its link for slow and waited five seconds for the dead.
	HardSlow = 5 * time.Second
	SlowRTTs = 2
	// HardMinCold and HardMinWarm are the least that an attempt is given,
	// without and with an open connection: below them a garbage collection or
	// a handshake on a busy machine looks like a dead peer.
	HardMinCold = 500 * time.Millisecond
	HardMinWarm = 250 * time.Millisecond
	// SoftMin is the least time before a request gives up its slot.
	SoftMin = 50 * time.Millisecond
	// FirstRTO is the retransmission time before any sample (RFC 6298, 2.1).
	FirstRTO = time.Second
	// FirstSoft is when a request gives up its slot before any sample: about
	// four in five cold answers among random peers come by then (simulator).
	FirstSoft = 500 * time.Millisecond
	// PatienceSamples is how many answers are measured before they shorten a
	// hard deadline: most of one lookup's first twenty, which come from whoever
	// is near. With one, a fresh node gave up living peers after 0.5 to 1 s and
	// its first lookup had a recall of .986; with twenty-four, of .999. But the
	// walk for the node itself, with twenty answers and three of seeds, never
	// got so far, and waited two seconds for one silent peer: hence sixteen.
	PatienceSamples = 16
	// PatienceMemory is how many answers an estimate remembers, in the mean: the
	// gain of SRTT is 1/32, and of RTTVAR 1/16, a fourth of those of RFC 6298, as
	// some four answers of sixteen requests come in what is one round trip of the
	// slower ones. With 1/8 and 1/4 three late answers out of fifty put the
	// deadline of the next requests from 0.5 up to 2 s.
	PatienceMemory = 32
	// HardRTOs is how many retransmission times make a hard deadline.
	HardRTOs = 4
)

// Failure memory. KAD-4.
const (
	// MemoryFirst is how long a failed address is asked last; it doubles with
	// every further failure up to MemoryMax.
	MemoryFirst = 60 * time.Second
	MemoryMax   = 10 * time.Minute
	// MemoryEntries caps the memory: more than the peers that a node meets in the
	// ten minutes that it remembers. MemoryRoom is what so many take at most,
	// whatever their names and addresses: 88 bytes each (eight for each of
	// MaxAddrs) and a place in a map, 557 KiB measured. With the addresses as they
	// are, up to 4 KiB of each peer, it was 17.6 MiB.
	MemoryEntries = 4096
	MemoryRoom    = 640 << 10
	// OutageGroups: when every attempt of OutageWindow, across at least so
	// many IP groups, has failed, the outage is ours and nobody is blamed. A
	// table whose contacts live in fewer needs no more groups than those.
	OutageGroups = 3
	OutageWindow = 10 * time.Second
)

// Bootstrap and the way back. KAD-5.
const (
	// BootDeadline is the total budget of a bootstrap.
	BootDeadline = 60 * time.Second
	// DNSDeadline is what the resolution of seed names may take of it.
	DNSDeadline = 5 * time.Second
	// RefreshWidth (b) is how many buckets are refreshed at a time.
	RefreshWidth = 8
	// RefreshMost caps the walks of a bootstrap that are under way, with those
	// that linger: of MaxInFlight, so many lingering ones at RefreshSpare late
	// requests each leave a fifth to others.
	RefreshMost = 2*RefreshWidth - 2
	// RefreshAlpha and RefreshSpare are the α of a walk that refreshes a
	// bucket or verifies the table, in its last round too: nobody waits for
	// it, and four at α = 20 made 80 handshakes at a time, which took a second
	// each on two cores and so passed for a slow link. The spare slots hold
	// all of the k closest that may be dead.
	RefreshAlpha = 5
	RefreshSpare = 15
	// MaxSeeds and MaxRemembered (S, M) cap the peers that the first step of
	// a bootstrap asks; ProbeWidth is how many of them at a time. Two waves of
	// HardMax are within the five seconds that the way back allows for seeds.
	MaxSeeds      = 32
	MaxRemembered = 32
	ProbeWidth    = (MaxSeeds + MaxRemembered) / 2
	// RetryFirst is the first pause after a bootstrap that reached nobody; it
	// doubles up to RetryMax, and each is jittered by up to RetryJitter.
	RetryFirst         = 1 * time.Second
	RetryMax           = 30 * time.Second
	RetryJitterPercent = 20
	// RefreshEvery is the period of bucket refreshes on a healthy node.
	RefreshEvery = 10 * time.Minute
	// ReunionEvery: every so many refreshes ask one seed too, about once in
	// an hour. Halves of a network that were split until no table knew the
	// other side never met again without (simulator, 150 nodes, split of four
	// hours); a seed of 10 000 nodes is asked three times a second for it.
	ReunionEvery = 6
	// LowTable is the number of live contacts under which the node is
	// degraded and bootstraps again at once (with back-off): half a bucket.
	LowTable = K / 2
	// ReadyDeadline is how long WaitReady waits when its context is endless.
	ReadyDeadline = 60 * time.Second
)

// What one node carries at a time. KAD-6.
const (
	// MaxInFlight (G) caps outbound requests of all operations together; the
	// driver has as many workers, so an effect never waits for one.
	MaxInFlight = 256
	// MinShare is what every running operation is granted of it, so at most
	// MaxInFlight/MinShare run and their bound counts with α = MinShare.
	MinShare = 2
	// MaxQueued caps operations that wait for a place; more are refused.
	MaxQueued = 1024
	// MaxZombies and MaxZombiesPerPeer cap calls that ignored their deadline.
	MaxZombies        = 128
	MaxZombiesPerPeer = 2
	// ZombieGrace is how long after its deadline a call counts as ignoring it.
	ZombieGrace = 100 * time.Millisecond
	// MaxAddrs is how many addresses of one peer are kept and served.
	MaxAddrs = 8
	// AdmissionProbes is how many newly met servers are checked at a time
	// before they may enter the table.
	AdmissionProbes = 16
	// BookSlack is how many contacts that nobody holds may linger.
	BookSlack = 1024
	// FactBuffer is how many facts a slow reader may fall behind.
	FactBuffer = 1024
)

// Clocks. KAD-7.
const (
	// ClockCheck is how often the wall clock is compared with the monotonic
	// one, which stops while a Linux machine sleeps.
	ClockCheck = 5 * time.Second
	// ClockGap is the difference that counts as a jump.
	ClockGap = 2 * time.Second
	// ClockJumps is how many jumps back the dates of facts are right: a month
	// of a machine that sleeps every night.
	ClockJumps = 32
)

// The routing table. KAD-8.
const (
	// MaxBucket is the most that any bucket may be told to hold: a table counts
	// its contacts with 16 bits.
	MaxBucket = 1 << 11
	// Replacements is how many candidates a bucket remembers beyond its size.
	Replacements = 8
	// MaxPerGroup and MaxPerGroupBucket cap the contacts of one IP group
	// (go-libp2p-kad-dht: 3 in the table, 2 in a bucket). They do not grow
	// with the big top buckets: 64 groups fill one of 128. But MaxPerGroup
	// counts twice, for the buckets larger than K together and again for the
	// rest. With one count the 224 places of the top buckets use up a popular
	// group, and its contacts next to the node, whom nobody can replace, are
	// refused: where half of the nodes live in 50 groups, a table then knows
	// 67 % of its 20 nearest, with two counts 98 % (core/table's test).
	MaxPerGroup       = 3
	MaxPerGroupBucket = 2
	// ProximityPopulation: a faster contact takes the place of a slower one
	// only in buckets that could be filled so many times over; in smaller
	// ones the choice costs recall (simulation).
	ProximityPopulation = 8
	// ProximityPercent is how much of the slower one's round-trip time the
	// faster one may have: jitter, some 5 %, must not swap them to and fro.
	ProximityPercent = 75
	// RTTUnit is the grain of the round-trip times in a table: 16 bits of it
	// are 6.5 s, more than the longest hard deadline (HardSlow).
	RTTUnit = 100 * time.Microsecond
	// UsefulUnit is the grain of the moments when contacts last answered: 15
	// bits of it are 11 days, a thousand times RefreshEvery.
	UsefulUnit = 30 * time.Second
)

// The wire and the server. KAD-9.
const (
	// MaxMessage is the greatest frame of /ipfs/kad/1.0.0 (4 MiB, go-libp2p's
	// network.MessageSizeMax), for answers that carry records.
	MaxMessage = 4 << 20
	// MaxRequest is the greatest inbound request but a PUT_VALUE: an honest
	// FIND_NODE has 40 bytes, an ADD_PROVIDER some addresses of one peer.
	MaxRequest = 64 << 10
	// MaxPut is the greatest PUT_VALUE; an IPNS record has at most 10 KiB. On
	// every one of StreamsTotal streams it is half a gigabyte, and each
	// stranger has StreamsPerPeer of them.
	MaxPut = 256 << 10
	// MaxAnswer is the greatest answer to a FIND_NODE or PING that is read.
	// k+1 peers with the 8 KiB of addresses that go-libp2p-kad-dht sends of
	// each make 170 KiB; an honest answer above MaxRequest does occur.
	MaxAnswer = 256 << 10
	// ReadChunk is what is allocated for a frame before any of it has come;
	// each further piece doubles it, so that memory follows the bytes
	// received and never the length announced.
	ReadChunk = 4 << 10
	// EmptyReads is how often in a row a stream may hand over nothing without
	// an error before it counts as broken (as in package bufio).
	EmptyReads = 100
	// MaxKey is the longest key of a request that is served.
	MaxKey = 1024
	// MaxProviderKey is the longest key of a provider record.
	MaxProviderKey = 80
	// MaxPeersRead is how many peers of one list are decoded: k and the
	// target itself, twice over, as js-libp2p may list them.
	MaxPeersRead = 2 * (K + 1)
	// MaxAddrLen is the longest single multiaddr that is kept.
	MaxAddrLen = 512
	// MaxPeerAddrs is how many bytes of addresses of one peer are sent and
	// read: 8 KiB, as go-libp2p-kad-dht trims them.
	MaxPeerAddrs = 8 << 10
	// MaxID is the longest peer ID; an Ed25519 one is 38 bytes, RSA 34.
	MaxID = 128
	// MaxInlineKey is the longest public key that a peer ID holds as it is
	// (libp2p specification, "Peer IDs"); a longer one is hashed.
	MaxInlineKey = 42
	// IdleStream is how long an inbound stream may stay silent.
	IdleStream = 60 * time.Second
	// ServeDeadline is what reading one begun request, and writing its
	// answer, may each take.
	ServeDeadline = 10 * time.Second
	// StreamsPerConn and StreamsTotal cap inbound streams.
	StreamsPerPeer = 32
	StreamsTotal   = 2048
	// CloseDeadline is how long Close waits for what it has cut.
	CloseDeadline = 2 * time.Second
)

// Values and providers. KAD-13, KAD-14.
const (
	// MaxWanted is the greatest number of closest peers that can be asked for:
	// half of MaxPeers, so that a lookup can contact as many that fail.
	MaxWanted = MaxPeers / 2
	// MaxCandidates is how many distinct valid values a get tells apart; who
	// can make more of them than the k closest hold is not worth a comparison.
	MaxCandidates = 2 * K
	// ChooseDeadline is what a validator may take to compare values. A
	// signature takes a tenth of a millisecond; the rest is for a busy machine.
	ChooseDeadline = HardMax
	// ValueAge and ProviderAge are how long a value and a provider record are
	// served after they came: 48 hours, as all deployed servers do.
	ValueAge    = 48 * time.Hour
	ProviderAge = 48 * time.Hour
	// ProvidersServed is how many providers of a key the store is asked for;
	// the answer holds as many of them as fit into MaxAnswer.
	ProvidersServed = 1000
	// StoreCalls and StoreDeadline bound what a store that blocks can hold up:
	// so many goroutines, and each request for so long, which is as long as
	// others wait for the answer.
	StoreCalls    = 64
	StoreDeadline = HardMax
	// Agreement is how many of the k closest have to give the same best value
	// for a get to end, unless its caller wants another quorum: more than half.
	Agreement = K/2 + 1
	// MaxValue is the longest value that can be put: what is left of
	// MaxPut for it, with a key and a date.
	MaxValue = MaxPut - 4<<10
	// ProvideWidth is how many keys ProvideMany announces at a time: each has
	// at least MinShare of the node's places, and others want some too.
	ProvideWidth = 16
	// QueryEvents is how many of go-libp2p's query events a reader may fall
	// behind: two for each of the requests of a lookup.
	QueryEvents = 2 * MaxPeers
	// MaxProvidersFound is how many providers one search tells of: three times
	// what anybody fetches from, and few enough to keep their IDs in mind.
	MaxProvidersFound = 1000
)

// OutageFailures is how many attempts in a row, none answered between them,
// make an outage of our own once they span OutageGroups. Beside a third of
// dead peers, twelve failures in a row come by chance once in 500 000. KAD-4.
const OutageFailures = 12

// DriverLead is how much earlier than the engine the driver gives up an
// attempt, so that the outcome says in which phase it failed: a dozen
// scheduling delays of a busy two-core machine. KAD-3.
const DriverLead = 25 * time.Millisecond

// LookupSlots is what lookups may have in flight together: MaxInFlight less
// what bootstrap probes and admission probes may need beside them. KAD-6.
const LookupSlots = MaxInFlight - ProbeWidth - AdmissionProbes

// AdmissionQueue is how many newly met servers may wait for their check; the
// next ones are ignored, and met again by a later lookup. KAD-6.
const AdmissionQueue = 4 * AdmissionProbes

// StallWindow is how long an operation may go without the end of any attempt
// before it is said to stall: longer than any single attempt may take, so that
// only an operation that waits for its place, or a defect, can. KAD-6.4.
const StallWindow = 8 * time.Second

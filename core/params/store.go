package params

import "time"

// What a node stores for others. KAD-9.
const (
	// StoreProviders caps provider records: a million of them are some 130 MB in
	// memory. A network of 25 000 servers that holds 200 million records 20
	// times over leaves 160 000 on each.
	StoreProviders = 1 << 20
	// StoreProvidersPerPeer is an eighth of it: one peer that provides a
	// hundred million keys leaves 80 000 on each of 25 000 servers.
	StoreProvidersPerPeer = StoreProviders / 8
	// StoreProvidersPerKey caps the providers of one key, of which an answer
	// carries some hundred: more of them give a finder no better choice.
	StoreProvidersPerKey = 1 << 10
	// StoreOwn caps the records of what the node provides itself, which none of
	// the limits above is for: as many as a schedule may have keys.
	StoreOwn = ScheduleKeys
	// StoreProviderPeers caps the peers that have provider records, each with
	// its addresses (some 500 bytes): five times the servers of the largest
	// network, so that a crowd of invented ones cannot fill the memory.
	StoreProviderPeers = 1 << 17
	// StoreLocks is over how many locks the values are spread, so that of two
	// that come for one key at the same time the better stays: two of all that
	// may be under way (StoreCalls) rarely meet at one.
	StoreLocks = 4 * StoreCalls
	// ExpireEvery is how often what has expired is removed: it is not served
	// meanwhile, so that this only frees its room.
	ExpireEvery = 10 * time.Minute
	// SaveEvery is how often the routing table is kept: a node that is killed
	// then remembers whom it knew five minutes ago.
	SaveEvery = 5 * time.Minute
	// StoreValues, StoreValuesPerPeer and StoreValueBytes cap values. An IPNS
	// record has some 400 bytes and at most 10 KiB. What the node itself has put
	// may be as many again, and as many bytes.
	StoreValues        = 1 << 17
	StoreValuesPerPeer = StoreValues / 8
	StoreValueBytes    = 128 << 20
)

// The store on disk. KAD-9.
const (
	// StoreQueue is how many callers may wait for the disk, and StoreGroup how
	// many bytes of what they write go there with one sync: at 100 bytes a
	// record 40 000, as many as the queue holds.
	StoreQueue = 1 << 12
	StoreGroup = 4 << 20
	// StoreMemtable is what is kept in memory and in the log before it is
	// sorted; the log is read again at the next start, which takes half a
	// second for so much.
	StoreMemtable = 64 << 20
	// StoreCache holds blocks of the disk: few, as all reads are answered from
	// the index in memory.
	StoreCache = 8 << 20
	// StoreReserve is the room on disk below which nothing more is written:
	// four times StoreMemtable, as a log, its sorted copy and the merging of
	// that with what is there may each need as much at a time.
	StoreReserve = 4 * StoreMemtable
)

// Storing values again. KAD-15.
const (
	// ReplicateEvery is how long a value waits without a new copy until one of
	// those who store it stores it with the others again.
	ReplicateEvery = time.Hour
	// ReplicateLeast is the shortest period that can be configured.
	ReplicateLeast = time.Minute
	// ReplicateSpreadPercent is the part of a further period over which they
	// are drawn apart, so that one acts for all: the first of 20 is a minute
	// and a half before the second, and a storing takes seconds.
	ReplicateSpreadPercent = 50
	// ReplicatePause is the least between two values that are stored again: 80
	// requests in a second, so that a node with a full store does not flood
	// its neighbours; then a period is as long as it has to be.
	ReplicatePause = 250 * time.Millisecond
	// ReplicateRecall is what the list of the values that an earlier node has
	// stored may take at the start; nobody waits for it.
	ReplicateRecall = time.Minute
)

// An early end, and who sits too close. KAD-13.4, KAD-13.7.
const (
	// EarlyPeers and EarlyGroups: a provide returns when so many have stored
	// the record, of so many IP groups, and goes on with the others. Half of k
	// are there after ten hours of churn but for one case in a hundred, and who
	// controls four IP groups cannot end it alone.
	EarlyPeers  = K / 2
	EarlyGroups = 5
	// SpacingSamples is how many results of lookups are remembered to reckon
	// how many peers there are: their median is right to 5 %. With fewer than
	// SpacingLeast the table is asked instead, which is right to 24 %.
	SpacingSamples = 32
	SpacingLeast   = 5
	// CrowdSigmas is how far from chance the closest peers must be to count as
	// placed there: in two of 10 000 lookups chance alone goes so far (drawn
	// 100 000 times), and they only cost more requests. Of twenty strangers so
	// close that they leave room for five others or fewer it is certain.
	// CrowdLeast is how many peers are looked at, at least: of fewer, chance
	// says too little.
	CrowdSigmas = 5
	CrowdLeast  = K / 2
	// CrowdRegion times k is how many peers are to be expected where a record
	// goes then: k of them are honest in all but one of 10 000 cases.
	CrowdRegion = 2
)

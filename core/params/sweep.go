package params

import "time"

// Providing again, region by region. KAD-17.
const (
	// ProvideEvery is the cycle in which every key is announced again; a
	// record lives for 48 hours (ProviderAge), so that one failed cycle loses
	// nothing. go-libp2p-kad-dht takes 22 hours; but servers leave, and nobody
	// else can store the record again: after 22 hours all of 20 are gone in
	// 5.5 % of cases, after ten in 3 of 10 000 (sessions of Weibull's law with
	// k = 0.61 and λ = 3.66 h; docs/TESTING.md has the curve).
	ProvideEvery = 10 * time.Hour
	// ScheduleKeys caps the keys of a schedule: a million of them are some 90 MB.
	ScheduleKeys = 1 << 20
	// ScheduleChunk is how many keys are put into a schedule at a time: it is
	// nobody else's for a few milliseconds meanwhile.
	ScheduleChunk = 1 << 12
	// ScheduleCell is how many keys are kept in one sorted stretch on average,
	// at most: an insertion moves half of 4 KiB.
	ScheduleCell = 128
	// ScheduleShardBits: a schedule is kept in so many blobs (256), of which
	// only those that changed are written. Of a million keys each has 160 KB.
	ScheduleShardBits = 8
	// ScheduleDeadline is how long it may take to read or write all of them: a
	// disk that is slow takes some tens of milliseconds for each. One that blocks
	// is noticed at the first, after StoreDeadline.
	ScheduleDeadline = OpDeadline
	// SweepSpan is how many bits a region's prefix is shorter than what a
	// target shares with the last of its k closest, so that a region has some
	// 80 to 160 peers: eight lookups, of which none is made twice, and with
	// fewer than k peers in a region its keys would need those of the next.
	SweepSpan = 2
	// SweepSamples is over how many lookups that is smoothed: one alone is off
	// by a bit and more, 32 of them by a fourth of one.
	SweepSamples = 32
	// SweepUnit is how many parts a bit has in that mean: with sixteen of them
	// it stood still when it was off by two bits, as a 32nd of that is none.
	SweepUnit = 1 << 10
	// SweepSlackPercent is how far, in parts of a bit, a region's prefix may be
	// from what it should be before all are made anew: a half is rounding,
	// another fourth is chance.
	SweepSlackPercent = 75
	// SweepWidth is how many regions are under way at a time, each with one
	// lookup. A million peers take 70 000 lookups of two and a half seconds:
	// twelve of the 22 hours, with four.
	SweepWidth = 4
	// SweepLookups is how many lookups explore a region before its keys are
	// announced to the closest that are known: five times what a region of
	// eight times k peers needs, so that only who lies about its neighbours,
	// or lookups that do not converge, can use them up.
	SweepLookups = 64
	// SweepKeys is how many keys of one region are provided in one go: a
	// megabyte, and what a network of 10 000 has in a region of a million keys.
	SweepKeys = 1 << 14
	// SweepBatch is how many keys one peer is told at a time, and SweepPace how
	// much time is between two such times: half of the RequestsPerIP of our own
	// server. With eight addresses of ours in each, a batch has 100 KiB.
	SweepBatch = 256
	SweepPace  = RequestsWindow
	// SweepStrikes is how often a peer may fail to take its keys before the
	// next nearest take its place, and SweepRounds how often the keys that are
	// not where they should be are announced: once, once more to those that
	// failed, and to those in their place.
	SweepStrikes = 2
	SweepRounds  = 3
	// SweepEnough is how many of a key's k closest must have taken it for the
	// key to be provided: half of them.
	SweepEnough = K / 2
	// SweepRetry is when a region is tried again in which keys were not
	// provided: seventy times before what was stored a cycle ago expires.
	SweepRetry = 30 * time.Minute
	// SweepHold is how long nothing is begun after a lookup that found nobody;
	// it doubles with each further one, up to SweepRetry. A node that is told
	// that it has peers again does not wait for it.
	SweepHold          = time.Minute
	SweepHoldDoublings = 5
	// SweepDeadline is what telling the peers of a region may take: a hundred
	// and sixty of them at the least share of the node's places, all on slow
	// links, take 400 s, and usually four.
	SweepDeadline = 60 * time.Second
	// ProvideLeast and ProvideMost are the shortest and the longest cycle that can
	// be asked for: what telling one region may take (SweepDeadline), and half of
	// the time for which peers keep a record, so that one failed cycle loses none.
	ProvideLeast = SweepDeadline
	ProvideMost  = ProviderAge / 2
	// SweepParts is how many parts of a cycle are summed up apart, so that the sums
	// of the last cycle are right to one of them.
	SweepParts = 10
	// SweepCheck is how often the schedule's clock is looked at, as timers
	// stand still while a machine sleeps.
	SweepCheck = time.Minute
)

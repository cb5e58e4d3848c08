package params

import "time"

// The shape of the ecosystem: what stands around one node. KAD-20, KAD-21.
const (
	// DualGrace is how long the slower of two networks is waited for once the
	// other has found a peer: as long as one request may take.
	DualGrace = HardMax
	// DelegatedBudget is what one request for delegated routing may take: more
	// than the bound of a lookup, and less than the 30 s after which clients
	// give up, for in a tie they lose every record.
	DelegatedBudget = 25 * time.Second
	// DelegatedHeaders is when the headers of an answer that streams are sent
	// though there is no record yet: a slow lookup must not look dead.
	DelegatedHeaders = time.Second
	// DelegatedRecords is the most records of an answer that does not stream:
	// what the specification of delegated routing says it should be.
	DelegatedRecords = 100
	// DelegatedNothing is how long an answer without a record may be kept.
	DelegatedNothing = 15 * time.Second
)

package engine

import (
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/republish"
	"github.com/waymark-dht/waymark/core/siege"
)

// Kind says what an operation is for.
type Kind uint8

// The kinds of operation.
const (
	KindLookup        Kind = iota + 1 // closest peers
	KindFindPeer                      // closest peers, ends when the peer itself is found
	KindPing                          // one request
	KindBootstrap                     // seeds, self-lookup, bucket refreshes
	KindRefresh                       // the self-lookup or one bucket's refresh within a bootstrap
	KindGet                           // the value under a key
	KindPut                           // a value onto the closest peers
	KindProvide                       // a provider record onto the closest peers
	KindFindProviders                 // who provides a key
	KindStore                         // what nobody waits for: the rest of a get, put or provide, a replication
)

var kindWords = [...]string{
	"", "lookup", "findpeer", "ping", "bootstrap", "refresh",
	"get", "put", "provide", "findprovs", "store",
}

// String returns the kind's word.
func (k Kind) String() string { return kindWords[k] }

// Outcome says why an operation ended. Every operation has exactly one.
type Outcome uint8

// The outcomes, in the words of the command line.
const (
	Converged       Outcome = iota + 1 // no closer peer is left to ask
	Found                              // what was asked for is there
	NotFound                           // converged, and it is not there
	Ready                              // a bootstrap left a useful table
	Degraded                           // a bootstrap ended with less than that
	PartialDeadline                    // time ran out; the result is what there was
	NoPeers                            // nobody could be asked, or nobody answered
	Stopped                            // the caller cancelled it, or the node closed
	Rejected                           // too many operations wait already
	Stored                             // enough peers acknowledged a record
	Unstored                           // peers were found, and none of them took the record
)

var outcomeWords = [...]string{
	"", "converged", "found", "not-found", "ready", "degraded",
	"partial-deadline", "no-peers", "cancelled", "rejected", "stored", "failed",
}

// String returns the outcome's word.
func (o Outcome) String() string { return outcomeWords[o] }

// Stats counts what an operation did, as OutboundQueryProgressed of
// rust-libp2p does.
type Stats struct {
	Requests  int // attempts issued
	Successes int
	Failures  contact.Failures // by kind
	Depth     int              // hops of the farthest informant that helped; seeds are 1
}

// Result is what an operation leaves.
type Result struct {
	Outcome Outcome
	Closest []*contact.Info // that answered, nearest first, at most k; KindPing: who was named
	Found   *contact.Info   // KindFindPeer: the peer; KindPing: who answered
	Stats   Stats
	Started mono.Time
	Ended   mono.Time
	Bound   mono.Time // when it had to end at the latest
	Report  *Report   // KindBootstrap only

	Value     *record.Record  // KindGet: the best that was found; KindPing: what came
	Named     []*contact.Info // KindPing: the providers that came
	Agree     int             // KindGet: how many peers gave it
	Providers int             // KindFindProviders: how many were found
	FellBack  bool            // of a walk: too few of the peers it was to ask alone have answered
	Stored    []*contact.Info // KindPut, KindProvide, KindStore: who acknowledged, in that order
	Unstored  []NotStored     // and who did not, with the reason; what is under way is in neither
	Outage    bool            // of a storing: at its end everybody failed, which speaks against this node and nobody else
	Pending   int             // KindPut, KindProvide: peers who are still being told, by an operation of its own
	Eclipse   bool            // the closest were nearer than chance explains: the whole region was asked (a lookup only says so)

	Network siege.Network // KindLookup: what is known of how many peers there are

	FirstAnswer mono.Time   // a walk: when anybody first answered; zero if nobody did
	AnsweredAt  []mono.Time // a walk: when each of Closest answered
}

// Spared returns the keys of the peers that did not acknowledge a record for
// reasons that are not theirs: our side had no room, or was down.
func (r *Result) Spared() (keys []key.Key) {
	for _, u := range r.Unstored {
		if r.Outage || !u.Failure.Blames() {
			keys = append(keys, u.Peer.Key)
		}
	}
	return keys
}

// NotStored is a peer that did not acknowledge a record.
type NotStored struct {
	Peer    *contact.Info
	Failure contact.Failure
	Detail  string // one line of evidence
}

// Report says, step by step, how a bootstrap went.
type Report struct {
	Steps []StepReport
	Table int // contacts in the table at its end
	Known int // contacts it could have had: those that answered anybody
}

// StepReport is one step of a bootstrap.
type StepReport struct {
	Name     string // "names", "seeds", "self", "bucket 3", "verify"
	Outcome  Outcome
	Asked    int
	Answered int
	Failures contact.Failures
	Reason   string // one line of evidence: the last failure's, or empty
	Elapsed  time.Duration
}

// Fact is something the engine noticed, for whoever watches.
type Fact interface{ fact() }

type (
	// OpStarted opens an operation.
	OpStarted struct {
		At     mono.Time
		Op     OpID
		Parent OpID // the bootstrap that it is a step of, or zero
		Kind   Kind
		Target key.Key
		Bound  mono.Time // it ends by then
	}

	// RequestSent is one attempt, with the peer that named the peer.
	RequestSent struct {
		At       mono.Time
		Op       OpID
		Attempt  AttemptID
		Path     int
		Ask      Ask
		Peer     *contact.Info
		Cause    *contact.Info // who named it; nil for a seed
		Depth    int           // hops from the seeds; a seed is 1
		Deadline mono.Time
	}

	// RequestEnded closes one attempt.
	RequestEnded struct {
		At      mono.Time
		Op      OpID
		Attempt AttemptID
		Peer    *contact.Info
		Failure contact.Failure // None if it answered
		Detail  string
		Took    time.Duration
		Named   int // peers in its answer
		Fresh   int // of them new to the operation
		Closer  []*contact.Info
	}

	// Progressed is one step of an operation, in the field's words: Count
	// steps are done, Last says that no more follow, Remaining how many are
	// still planned (a bootstrap knows; -1 where it cannot be known).
	Progressed struct {
		At        mono.Time
		Op        OpID
		Parent    OpID
		Kind      Kind
		Step      StepReport // a bootstrap's; zero otherwise
		Count     int
		Last      bool
		Remaining int
		Stats     Stats
	}

	// ValueFound is a valid value, better than any before it. Peer is nil if
	// it was this node's own.
	ValueFound struct {
		At     mono.Time
		Op     OpID
		Peer   *contact.Info
		Record *record.Record
	}

	// ProviderFound is a provider that was not named before.
	ProviderFound struct {
		At       mono.Time
		Op       OpID
		Peer     *contact.Info // who named it
		Provider *contact.Info
	}

	// Eclipsed says that the peers closest to a target are nearer to it than
	// chance explains, as if somebody had placed them there to be all that is
	// found. A get, a search for providers, a put and a provide go on to the
	// whole region around the target.
	Eclipsed struct {
		At      mono.Time
		Op      OpID
		Kind    Kind
		Target  key.Key
		Closest []*contact.Info
		Peers   int     // how many there are, by estimate
		Crowd   float64 // how many are to be expected where Closest are
	}

	// OpEnded closes an operation: exactly one for each OpStarted.
	OpEnded struct {
		At     mono.Time
		Op     OpID
		Parent OpID
		Kind   Kind
		Result Result
	}

	// Refused says that an operation could not be started: it is the only
	// fact of its operation.
	Refused struct {
		At     mono.Time
		Op     OpID
		Reason string
	}

	// Alarmed says that an operation gets nowhere, no attempt of it having
	// ended for params.StallWindow, or (Overdue) that it has outlived its
	// bound, which would be a defect. Waiting is what it waits for.
	Alarmed struct {
		At      mono.Time
		Op      OpID
		Parent  OpID
		Kind    Kind
		Overdue bool
		Waiting []Waiting
	}

	// BecameReady says that a bootstrap has made the node useful: its walk for
	// the node itself converged. What is still refreshed goes on.
	BecameReady struct {
		At    mono.Time
		Op    OpID
		Table int // contacts in the table
	}

	// HealthChanged says that the supervisor thinks otherwise of the node now.
	HealthChanged struct {
		At     mono.Time
		State  boot.State
		Reason string
	}

	// TableChanged says who entered or left the table, and why.
	TableChanged struct {
		At     mono.Time
		Peer   *contact.Info
		Bucket int
		Added  bool
		Reason string // "answered", "vouched"; "failed", "withdrawn", "replaced"
		Size   int    // contacts in the table now
	}
)

// Swept says how one region of the schedule was provided for.
type Swept struct {
	At mono.Time
	republish.Swept
}

func (Swept) fact() {}

func (OpStarted) fact()     {}
func (RequestSent) fact()   {}
func (RequestEnded) fact()  {}
func (Progressed) fact()    {}
func (ValueFound) fact()    {}
func (ProviderFound) fact() {}
func (Eclipsed) fact()      {}
func (OpEnded) fact()       {}
func (Refused) fact()       {}
func (Alarmed) fact()       {}
func (BecameReady) fact()   {}
func (HealthChanged) fact() {}
func (TableChanged) fact()  {}

// Open is what one running operation looks like from outside: promise 3.
type Open struct {
	Op       OpID
	Parent   OpID
	Kind     Kind
	Target   key.Key
	Started  mono.Time
	Bound    mono.Time
	Stalled  bool   // no attempt of it has ended for params.StallWindow
	Phase    string // "queued", "asking", "last round", "probing"; a bootstrap's step
	Stats    Stats
	InFlight []Waiting // what it waits for, the longest first
}

// Waiting is one thing that an operation waits for.
type Waiting struct {
	Attempt  AttemptID
	Peer     *contact.Info // nil for a DNS name
	What     string        // "find_node", "dns bootstrap.example"
	Since    mono.Time
	Deadline mono.Time
	Overdue  bool // past its soft deadline
}

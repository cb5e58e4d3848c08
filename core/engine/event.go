package engine

import (
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
)

// OpID names one operation of a node for as long as the node lives. Whoever
// starts the operation chooses it; it must be new and not zero.
type OpID uint64

// AttemptID names one effect that is under way (a request, a DNS lookup).
// The outcome repeats it, so that an outcome of an earlier phase, a second
// outcome or an invented one is recognised and ignored.
type AttemptID uint64

// Event is something that happened, told to the engine. The outcomes of
// requests and the news of connections may be told by pointer, too; the engine
// keeps none, so that a driver may tell a million of them with one value.
type Event interface{ event() }

type (
	// StartLookup asks for the closest peers to the key of a preimage.
	StartLookup struct {
		Op       OpID
		Kind     Kind   // KindLookup or KindFindPeer
		Preimage []byte // what FIND_NODE will carry; for KindFindPeer the peer ID
		// Deadline may move the operation's end: zero leaves the default
		// (now + params.OpDeadline); a caller's context makes it earlier.
		Deadline mono.Time
		Paths    int // disjoint paths; zero takes the node's default
		Want     int // peers in the result; zero takes k, more than params.MaxWanted is clipped
		// Near are peers that are believed to be the closest, at most
		// params.MaxNear: they alone are asked, unless half of k or fewer answer;
		// then an ordinary lookup follows.
		Near []*contact.Info
	}

	// StartGet asks for the value under a key. Each valid one that is better
	// than those before it is told by ValueFound as soon as it is known to be;
	// those of the closest peers that lacked the best are sent it afterwards,
	// by an operation of its own (KindStore).
	StartGet struct {
		Op  OpID
		Key []byte // the record's key, a namespace first
		// Quorum is how many peers must have given the best value for the
		// operation to end; zero goes on until the lookup has converged.
		Quorum   int
		Local    *record.Record // what this node stores itself, valid; or nil
		Deadline mono.Time      // as in StartLookup
		Paths    int
		Near     []*contact.Info // as in StartLookup
	}

	// StartPut stores a value on the peers closest to its key.
	StartPut struct {
		Op     OpID
		Record record.Record
		// To names the peers to store it on, instead of the closest.
		To []*contact.Info
		// Enough is how many acknowledgements end the operation; what is still
		// under way goes on as an operation of its own (KindStore). Zero waits
		// for all.
		Enough   int
		Deadline mono.Time
		Paths    int
	}

	// StartReplicate stores a value that this node stores for others with the
	// rest of the k closest again. Nothing comes of it if the node is not one
	// of them; else it is an operation that nobody waits for (KindStore).
	StartReplicate struct{ Record record.Record }

	// StartProvide announces this node as a provider to the peers closest to
	// a key.
	StartProvide struct {
		Op       OpID
		Key      []byte          // a multihash
		To       []*contact.Info // as in StartPut
		More     [][]byte        // further keys for the peers in To
		Each     [][][]byte      // instead of Key and More: what each of To is told, one key at least
		Enough   int             // as in StartPut
		Deadline mono.Time
		Paths    int
	}

	// StartFindProviders asks who provides a key. Each provider is told once,
	// by ProviderFound.
	StartFindProviders struct {
		Op       OpID
		Key      []byte
		Limit    int // providers that end the operation; zero: all there are
		Deadline mono.Time
		Paths    int
		Near     []*contact.Info // as in StartLookup
	}

	// StartBootstrap makes the node fill its table. While one is running
	// another joins it: both end with the same report.
	StartBootstrap struct {
		Op       OpID
		Deadline mono.Time // as in StartLookup; the default is now + params.BootDeadline
		refresh  bool      // the supervisor's: the table alone, no seeds
	}

	// StartPing asks one peer once: for itself, unless something else is named.
	StartPing struct {
		Op       OpID
		Peer     *contact.Info
		Ask      Ask
		Key      []byte // of the request; nil is the asker's own ID
		Deadline mono.Time
		// Apart says that the peer is anybody's hearsay, as in a crawl: a failure
		// is neither held against it nor counted for an outage of our own.
		Apart bool
	}

	// Cancel ends an operation now, with what it has.
	Cancel struct{ Op OpID }

	// Answered is the outcome of a Send: the peer's closer peers, already
	// clipped to the limits of the wire and filtered by the address policy.
	Answered struct {
		Attempt AttemptID
		From    *contact.Info // who answered, with verified addresses; nil if nothing new is known
		Closer  []*contact.Info
		// Record is the answer to AskValue: one that the key's validator
		// accepted, or nil. Refused says why one was not accepted.
		Record    *record.Record
		Refused   string
		Providers []*contact.Info // the answer to AskProviders
		Unwanted  bool            // the owner does not want who answered in the table
	}

	// Chosen is the outcome of a Choose: which of its values is the best, as
	// an index, or -1 if the validator could not say.
	Chosen struct {
		Attempt AttemptID
		Best    int
	}

	// Failed is the other outcome of a Send.
	Failed struct {
		Attempt AttemptID
		Failure contact.Failure
		Detail  string // one line of evidence for people, e.g. the error's text
	}

	// Resolved is the outcome of a Resolve; Err is empty if it succeeded.
	Resolved struct {
		Attempt AttemptID
		Seeds   []*contact.Info
		Err     string
	}

	// Connected says that a connection to the peer is open: asking it is warm.
	Connected struct {
		Peer  contact.ID
		Known contact.Handle // its name in the engine's book, by who shares that; else zero
	}

	// Disconnected says that the last connection to the peer is gone.
	Disconnected struct {
		Peer  contact.ID
		Known contact.Handle // as in Connected
	}

	// Met says that a peer is known to serve this DHT (by identify). It may
	// enter the table once it has answered. Called: it has dialled us.
	Met struct {
		Peer   *contact.Info
		Called bool
	}

	// Withdrawn says that a peer no longer serves this DHT.
	Withdrawn struct{ Peer contact.ID }

	// Vouched puts a contact into the table without asking it: for a table
	// that is known to be true, as in tests, benches and the simulator.
	Vouched struct{ Peer *contact.Info }

	// Neighbour says that a peer has announced itself on the local network. It
	// is asked with the remembered contacts from now on, and soon if the node
	// is not of use.
	Neighbour struct{ Peer *contact.Info }

	// ClockJumped says that the machine slept or its clock was set: what was
	// under way is lost and blames nobody.
	ClockJumped struct{ Gap int64 }

	// NetworkChanged says that interfaces or addresses changed.
	NetworkChanged struct{}

	// Supervise makes the node look after itself from now on: it bootstraps
	// at once, and again whenever it must.
	Supervise struct{}

	// Tick says nothing but the time. The driver sends one at Wake.
	Tick struct{}

	// Shutdown ends every operation. The engine ignores all later events.
	Shutdown struct{}
)

func (StartLookup) event()    {}
func (StartGet) event()       {}
func (StartPut) event()       {}
func (StartProvide) event()   {}
func (StartReplicate) event() {}
func (Chosen) event()         {}
func (StartBootstrap) event() {}
func (StartPing) event()      {}
func (Cancel) event()         {}
func (Answered) event()       {}
func (Failed) event()         {}
func (Resolved) event()       {}
func (Connected) event()      {}
func (Disconnected) event()   {}
func (Met) event()            {}
func (Withdrawn) event()      {}
func (Vouched) event()        {}
func (Neighbour) event()      {}
func (ClockJumped) event()    {}
func (NetworkChanged) event() {}
func (Supervise) event()      {}
func (Tick) event()           {}
func (Shutdown) event()       {}

func (StartFindProviders) event() {}

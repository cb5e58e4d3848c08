package waymark

import (
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/core/engine"
)

// The vocabulary of operations is the engine's; these names save callers an
// import.
type (
	// Fact is something that the node noticed: one of engine.OpStarted,
	// RequestSent, RequestEnded, Progressed, OpEnded, Refused, BecameReady,
	// HealthChanged, TableChanged and Missed.
	Fact = engine.Fact
	// Outcome says why an operation ended.
	Outcome = engine.Outcome
	// Stats counts what an operation did.
	Stats = engine.Stats
	// StepReport is one step of a bootstrap.
	StepReport = engine.StepReport
	// OpenOp is a running operation: its age, its phase, what it waits for
	// and when it must end.
	OpenOp = engine.Open
)

// Op is a kind of call, for Bound.
type Op int

// The calls that have a bound.
const (
	OpLookup        Op = iota + 1 // Lookup, GetClosestPeers
	OpFindPeer                    // FindPeer
	OpPing                        // Ping
	OpBootstrap                   // RunBootstrap
	OpClose                       // Close
	OpGet                         // GetValue, Get, SearchValue
	OpPut                         // PutValue, Put, PutTo
	OpProvide                     // Provide, Announce
	OpFindProviders               // FindProviders, FindProvidersAsync
)

// Result is what a lookup leaves.
type Result struct {
	Outcome Outcome         // why it ended
	Eclipse bool            // Peers are nearer to the key than chance explains: somebody may have placed them there
	Peers   []peer.AddrInfo // that answered, nearest first, at most k
	Stats   Stats
	Elapsed time.Duration
	Bound   time.Duration // what Elapsed could have been at most
}

// Report is how a bootstrap went.
type Report struct {
	Outcome Outcome // engine.Ready, Degraded, NoPeers, …
	Steps   []StepReport
	Table   int // contacts in the routing table at its end
	Known   int // contacts that it could have had
	Stats   Stats
	Elapsed time.Duration
	Bound   time.Duration
}

// Reasons returns one line for each step that did not go well.
func (r Report) Reasons() (lines []string) {
	for _, s := range r.Steps {
		if s.Reason != "" && s.Answered < s.Asked {
			lines = append(lines, s.Name+": "+s.Reason)
		}
	}
	return lines
}

// Table is a snapshot of the routing table.
type Table struct {
	Size    int
	Buckets []Bucket // those that are not empty, from the farthest half of the key space to the nearest
	// Refreshed is when a walk into each bucket has found whoever is there, by the
	// number of bits (Bucket.Prefix), up to the deepest that is not empty. Zero is
	// not yet, or not since the node began.
	Refreshed []time.Time
}

// Bucket is the contacts that share exactly Prefix leading bits with the node.
type Bucket struct {
	Prefix   int
	Capacity int
	Contacts []peer.AddrInfo
}

// Health is how the node is, in words.
type Health struct {
	State   string   // "starting", "ready", "degraded", "offline", "closed"
	Reasons []string // why it is not ready
	Next    string   // what the node, or its owner, does next
	Mode    Mode     // what it is now: ModeClient or ModeServer
	Table   int      // contacts in the routing table

	InFlight    int   // calls into libp2p that are under way
	Zombies     int   // of them overdue: they ignore their deadline
	ZombiesPeak int   // the most there were at a time
	Streams     int   // inbound streams being served
	Overdue     int64 // operations that broke their bound
	Server      ServerCounters
}

// String returns the state with its reasons.
func (h Health) String() string {
	if len(h.Reasons) == 0 {
		return h.State
	}
	return h.State + ": " + strings.Join(h.Reasons, "; ")
}

// ServerCounters count what the node did for others since its start.
type ServerCounters struct {
	Answered uint64 // requests
	Refused  uint64 // streams over the limits
	Reset    uint64 // streams that were reset, for bad or slow requests
}

// resultOf converts an engine's result.
func resultOf(r engine.Result) Result {
	return Result{
		Outcome: r.Outcome, Eclipse: r.Eclipse, Peers: infosOf(r.Closest), Stats: r.Stats,
		Elapsed: r.Ended.Sub(r.Started), Bound: r.Bound.Sub(r.Started),
	}
}

// reportOf converts a bootstrap's result.
func reportOf(r engine.Result) Report {
	rep := Report{
		Outcome: r.Outcome, Stats: r.Stats,
		Elapsed: r.Ended.Sub(r.Started), Bound: r.Bound.Sub(r.Started),
	}
	if r.Report != nil {
		rep.Steps, rep.Table, rep.Known = r.Report.Steps, r.Report.Table, r.Report.Known
	}
	return rep
}

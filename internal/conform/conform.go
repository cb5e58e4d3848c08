// Package conform is a hostile conformance kit: it treats one running libp2p Kademlia node the way broken and malicious peers do, and reports what the node did.
//
// It may not know which implementation it exercises, nor how Waymark is made:
// it sees what crosses the network, and at most what an operation answers that
// it has the target carry out. It talks to nobody but the target, whose address
// must not be public, and its load is bounded by limits.go.
// Start reading at [Run], then [Cases].
package conform

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark/internal/fault"
)

// DefaultProtocol is the Kademlia of IPFS.
const DefaultProtocol = fault.DefaultProtocol

// Options say what is exercised. Target is required.
type Options struct {
	// Target is the node's address with its peer ID at the end. It has to be
	// loopback, link-local or private.
	Target ma.Multiaddr
	// Protocol is what the target serves; DefaultProtocol if empty.
	Protocol protocol.ID
	// Only names cases or groups; none means all.
	Only []string
	// Drain is how long after the last case the target is watched for what it
	// still holds. Under Patience nothing is judged of it. 0 is DefaultDrain.
	Drain time.Duration
	// Driver has the target carry out operations. Without it the target asks
	// when it wants, and what has to be asked for is skipped.
	Driver Driver
	// Seed is the origin of what the kit draws, its identities included.
	Seed uint64
	// Began is called before each case and before the drain, Ended with each
	// result when it is final. Both may be nil; neither may block for long.
	Began func(n, of int, name string)
	Ended func(Result)
}

// Driver has the target carry out operations.
type Driver interface {
	// Closest looks up the peers closest to a key and returns their IDs in raw bytes.
	Closest(ctx context.Context, key []byte) ([]string, error)
	// Get finds a value.
	Get(ctx context.Context, key []byte) ([]byte, error)
}

// Verdict is what is to be said of one case.
type Verdict uint8

// The verdicts, from the best to the worst.
const (
	Pass    Verdict = iota
	Skipped         // not tried, or the target had no occasion; Why says which
	Warn            // a manner: allowed, but others do it better
	Fail            // it did not survive, recover, stay bounded, or did what no node may
)

var verdictWords = [...]string{"pass", "skipped", "warn", "fail"}

// String returns the verdict's word.
func (v Verdict) String() string { return verdictWords[v] }

// Result is what came of one case.
type Result struct {
	Case, Group, About string
	Verdict            Verdict
	Saw                []string // what the target did
	Why                []string // what speaks against it, or why the case was skipped

	Took      time.Duration // of the case
	Recovered time.Duration // until a fresh peer got a right answer afterwards
	Lookup    time.Duration // the longest operation that the target was made to carry out
	Held      int           // what was left open towards the target
	Freed     time.Duration // when the target had let go of the last of it
	Kept      int           // what it still held when the kit ended
}

// worse notes a verdict if it is worse than what there is.
func (r *Result) worse(v Verdict, why string) {
	r.Verdict = max(r.Verdict, v)
	r.Why = append(r.Why, why)
}

// Report is what came of a run.
type Report struct {
	Peer, Agent string // who the target says it is
	Results     []Result
	Counts      map[string]int // of verdicts, by their words
	Elapsed     time.Duration
}

// The errors of Run, beside those of the context.
var (
	// ErrPublic says that the target's address is not one that may be exercised.
	ErrPublic = errors.New("conform: the target is neither on this machine nor in a private network")
	// ErrAddress says that the address names no peer, or no IP address.
	ErrAddress = errors.New("conform: not an IP address with a peer ID")
	// ErrUnreachable says that the target gave no right answer before the first case.
	ErrUnreachable = errors.New("conform: the target does not answer")
	// ErrCase says that there is no such case.
	ErrCase = errors.New("conform: no such case or group")
)

// Bound returns how long Run takes at most.
func Bound(o Options) (time.Duration, error) {
	cases, err := chosen(o.Only)
	if err != nil {
		return 0, err
	}
	total := time.Duration(0)
	for _, c := range cases {
		total += c.limit(o.Driver != nil) + 2*RecoverWithin
	}
	return min(total, RunLimit) + startLimit + closeLimit + drainOf(o), nil
}

func drainOf(o Options) time.Duration {
	if o.Drain == 0 {
		return DefaultDrain
	}
	return o.Drain
}

// Run exercises the target with one case after the other, and after each asks
// as a fresh and honest peer. It returns what there is if ctx ends. It leaves
// nothing running.
func Run(ctx context.Context, o Options) (Report, error) {
	began := time.Now()
	cases, err := chosen(o.Only)
	if err != nil {
		return Report{}, err
	}
	k, err := newKit(ctx, o)
	if err != nil {
		return Report{}, err
	}
	defer k.close()
	if err := k.meet(ctx); err != nil {
		return Report{}, err
	}
	k.runAll(ctx, cases)
	k.drain(ctx)
	r := k.report()
	r.Elapsed = time.Since(began)
	return r, ctx.Err()
}

// chosen returns the cases of these names and groups, in the kit's order.
func chosen(only []string) (some []Case, err error) {
	all := Cases()
	for _, name := range only {
		if !slices.ContainsFunc(all, func(c Case) bool { return c.named(name) }) {
			return nil, errors.Join(ErrCase, errors.New(name))
		}
	}
	for _, c := range all {
		if len(only) == 0 || slices.ContainsFunc(only, c.named) {
			some = append(some, c)
		}
	}
	return some, nil
}

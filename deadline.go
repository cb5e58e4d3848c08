package waymark

import (
	"context"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/params"
)

// patienceKey is under what a context carries what WithDeadline was told.
type patienceKey struct{}

// WithDeadline returns a context with which a Lookup, GetClosestPeers, FindPeer
// or RunBootstrap may take until d from its start, instead of what [DHT.Bound]
// says: for a slow link, or a caller who would rather wait than have part of a
// result. It only extends; a deadline of ctx itself still holds, and is the way
// to shorten. It is cut to params.MaxDeadline; [DHT.BoundOf] tells the bound
// that follows. A Ping is one attempt, to which more time says nothing.
func WithDeadline(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, min(d, params.MaxDeadline))
}

// begunKey is under what a context carries when the call began that it is for.
type begunKey struct{}

// begun returns a context that knows when a call began, so long ago, which does
// something else before its operation: what that takes, of a store or a peerstore
// that blocks, comes out of the call's bound.
func begun(ctx context.Context, ago time.Duration) context.Context {
	if ctx.Value(begunKey{}) != nil {
		return ctx
	}
	return context.WithValue(ctx, begunKey{}, time.Now().Add(-ago))
}

// BoundOf is Bound for a call with a certain context: one that WithDeadline
// returned, or with a deadline of its own.
func (d *DHT) BoundOf(ctx context.Context, op Op) time.Duration {
	bound := d.Bound(op)
	if longer, told := ctx.Value(patienceKey{}).(time.Duration); told && op.extends() {
		bound = max(bound, longer+params.Epsilon)
	}
	if at, ok := ctx.Value(begunKey{}).(time.Time); ok {
		bound = max(0, bound-time.Since(at))
	}
	if at, ok := ctx.Deadline(); ok {
		bound = min(bound, max(0, time.Until(at))+params.Epsilon)
	}
	return bound
}

// extends reports whether WithDeadline holds for a kind of call.
func (op Op) extends() bool { return op != OpPing && op != OpClose }

// BoundBack returns the time within which a node that looks after itself is of
// use again once a fault has ended, if one of its seeds, its remembered
// contacts or its table can be reached: after a sleep, on another network, from
// seeds that were down. It is shorter if an interface or a clock tells of the
// end (told) than if the node has to find out by trying.
func BoundBack(told bool) time.Duration { return boot.BoundBack(told) + params.Epsilon }

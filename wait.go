package waymark

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// waiters are the callers that wait for the end of an operation, each on a
// channel that has room for it.
type waiters struct {
	mu     sync.Mutex
	of     map[engine.OpID]waiter
	closed bool
}

// waiter is one caller: where its result goes, and who hears meanwhile what
// the operation does and finds. Hear runs on the engine's goroutine and must
// not block; it is not called any more once the caller is forgotten.
type waiter struct {
	end  chan engine.Result
	hear func(engine.Fact)
}

func newWaiters() *waiters { return &waiters{of: make(map[engine.OpID]waiter)} }

func (w *waiters) add(op engine.OpID, hear func(engine.Fact)) (<-chan engine.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return nil, ErrClosed
	case len(w.of) >= params.MaxCallers:
		return nil, ErrOverloaded
	}
	ch := make(chan engine.Result, 1)
	w.of[op] = waiter{ch, hear}
	return ch, nil
}

// tell hands a fact to the caller of its operation.
func (w *waiters) tell(op engine.OpID, f engine.Fact) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.of[op]; c.hear != nil {
		c.hear(f)
	}
}

func (w *waiters) end(op engine.OpID, r engine.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, waits := w.of[op]; waits {
		c.end <- r
		delete(w.of, op)
	}
}

func (w *waiters) forget(op engine.OpID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.of, op)
}

// close ends all that the engine did not end.
func (w *waiters) close(at mono.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for op, c := range w.of {
		c.end <- engine.Result{Outcome: engine.Stopped, Started: at, Ended: at, Bound: at}
		delete(w.of, op)
	}
}

// nextOp names a new operation.
func (d *DHT) nextOp() engine.OpID { return engine.OpID(d.lastOp.Add(1)) }

// lead is how much before a caller's own deadline the operation ends, so that
// its result comes before the caller's context tells of nothing but time.
func lead(ctx context.Context, left time.Duration) time.Duration {
	if _, own := ctx.Deadline(); !own {
		return 0
	}
	return min(params.DriverLead, left/2)
}

// run starts an operation and waits for its end, which comes from the engine:
// its deadline is the engine's. The timer here is for an engine that breaks
// its promise; a caller is not made to pay for that.
func (d *DHT) run(ctx context.Context, op Op, event func(engine.OpID, mono.Time) engine.Event) (engine.Result, error) {
	return d.runHeard(ctx, op, nil, event)
}

// runHeard is run with somebody who hears what the operation does and finds.
func (d *DHT) runHeard(ctx context.Context, op Op, hear func(engine.Fact),
	event func(engine.OpID, mono.Time) engine.Event,
) (engine.Result, error) {
	if err := ctx.Err(); err != nil {
		return engine.Result{}, err
	}
	id := d.nextOp()
	end, err := d.waiters.add(id, hear)
	if err != nil {
		return engine.Result{}, err
	}
	defer d.waiters.forget(id)
	limit := d.BoundOf(ctx, op) - params.Epsilon
	if err := d.mail.send(event(id, d.time.mono().Add(max(limit-lead(ctx, limit), 1)))); err != nil {
		return engine.Result{}, err
	}
	if op == OpBootstrap {
		d.tend() // after it, or the node would begin with one of its own
	}
	timer := time.NewTimer(limit + params.Epsilon)
	defer timer.Stop()
	select {
	case r := <-end:
		return r, nil
	case <-ctx.Done():
		return d.cancelled(ctx, id, end)
	case <-timer.C:
		_ = d.mail.insist(engine.Cancel{Op: id}) // a node that is closed has ended it
		return engine.Result{}, ErrDeadline
	}
}

// cancelled withdraws an operation and waits a moment for what it has.
func (d *DHT) cancelled(ctx context.Context, id engine.OpID, end <-chan engine.Result) (engine.Result, error) {
	_ = d.mail.insist(engine.Cancel{Op: id}) // a node that is closed has ended it
	timer := time.NewTimer(params.CancelGrace)
	defer timer.Stop()
	select {
	case r := <-end:
		if r.Outcome != engine.Stopped {
			return r, nil // it ended by itself in the same instant
		}
		return r, ctx.Err()
	case <-timer.C:
		return engine.Result{}, ctx.Err()
	}
}

// failure is the error for an outcome of which so many peers are left.
func failure(o engine.Outcome, peers int) error {
	switch o {
	case engine.NoPeers:
		return ErrNoPeers
	case engine.Rejected:
		return ErrOverloaded
	case engine.Stopped:
		return ErrClosed
	case engine.PartialDeadline, engine.Degraded:
		if peers == 0 {
			return ErrDeadline
		}
	}
	return nil
}

// noAnswer says how the one request of a ping failed.
func noAnswer(f contact.Failures) error {
	words := make([]string, 0, 1)
	for w := range f.Words() {
		words = append(words, w)
	}
	slices.Sort(words)
	if len(words) == 0 {
		words = append(words, "not in time")
	}
	return fmt.Errorf("%w (%s)", ErrNoAnswer, strings.Join(words, ", "))
}

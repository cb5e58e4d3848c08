package waymark

import (
	"context"
	"sync"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/republish"
)

// sweeper carries out what a republish.Machine wants done, which is never more
// than its width at a time: each is a lookup or an announcement of the engine,
// and ends within its bound.
type sweeper struct {
	*DHT
	ctx    context.Context // of all that is under way
	cancel context.CancelFunc
	news   chan struct{}             // has room for one: something has changed
	hold   func(keys [][]byte) error // stores that the node provides what it is about to announce; nil if it has

	mu      sync.Mutex
	machine *republish.Machine
	sums    sweeps
	failed  int   // keys that were not provided
	last    error // why the last thing that failed did
	halted  bool
	live    sync.WaitGroup
}

func newSweeper(ctx context.Context, d *DHT, m *republish.Machine) *sweeper {
	s := &sweeper{DHT: d, news: make(chan struct{}, 1), machine: m}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// step tells the machine something and begins what it wants done. It reports
// false if the sweeper has stopped.
func (s *sweeper) step(ev republish.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.halted {
		return false
	}
	s.machine.Step(s.time.now(), ev)
	for a, ok := s.machine.Next(); ok; a, ok = s.machine.Next() {
		s.live.Go(func() { s.carryOut(a) })
	}
	for _, f := range s.machine.Facts() {
		now := s.time.mono()
		s.sums.add(now, s.machine.Cycle(), f)
		s.failed += f.Keys - f.Stored
		s.facts.publish(now, engine.Swept{At: now, Swept: f})
	}
	s.tell()
	return true
}

// tell says that something has changed.
func (s *sweeper) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// halt begins nothing any more, and withdraws what is under way; the channel is
// closed when that is over.
func (s *sweeper) halt() <-chan struct{} {
	s.mu.Lock()
	s.halted = true
	s.mu.Unlock()
	s.cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.live.Wait()
	}()
	return over
}

// pause is how long nothing is due: at most params.SweepCheck, as the machine
// may sleep meanwhile.
func (s *sweeper) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wake, _ := s.machine.Wake()
	return min(max(0, s.time.until(wake)), params.SweepCheck)
}

func (s *sweeper) carryOut(a republish.Action) {
	switch a := a.(type) {
	case republish.Lookup:
		s.step(s.lookUp(a))
	case republish.Announce:
		s.step(s.announceAll(a))
	}
}

func (s *sweeper) lookUp(a republish.Lookup) republish.LookedUp {
	what := engine.StartLookup{Kind: engine.KindLookup, Preimage: a.Preimage, Paths: s.cfg.Paths}
	if a.Wide {
		what.Want = params.MaxWanted
	}
	r, err := s.run(s.ctx, OpLookup, func(op engine.OpID, deadline mono.Time) engine.Event {
		what.Op, what.Deadline = op, deadline
		return what
	})
	if err == nil {
		err = failure(r.Outcome, len(r.Closest))
	}
	s.note(err)
	if err != nil {
		return republish.LookedUp{ID: a.ID}
	}
	return republish.LookedUp{ID: a.ID, Peers: r.Closest, Converged: r.Outcome == engine.Converged, Network: r.Network}
}

// announceAll tells each peer its keys. That this node provides them it stores
// itself as well; a store that fails is no reason to tell nobody.
func (s *sweeper) announceAll(a republish.Announce) republish.Announced {
	out := republish.Announced{ID: a.ID}
	ev := engine.StartProvide{Paths: s.cfg.Paths}
	seen := make(map[string]bool)
	var keys [][]byte
	for _, b := range a.Batches {
		ev.To, ev.Each = append(ev.To, b.Peer), append(ev.Each, b.Keys)
		for _, k := range b.Keys {
			if !seen[string(k)] {
				seen[string(k)] = true
				keys = append(keys, k)
			}
		}
	}
	ev.Key = keys[0]
	if s.hold != nil {
		s.note(s.hold(keys))
	}
	r, err := s.run(WithDeadline(s.ctx, params.SweepDeadline), OpProvide, func(op engine.OpID, deadline mono.Time) engine.Event {
		ev.Op, ev.Deadline = op, deadline
		return ev
	})
	if err == nil && len(r.Stored) == 0 {
		err = notStored(storedOf(r))
	}
	s.note(err)
	for _, p := range r.Stored {
		out.Took = append(out.Took, p.Key)
	}
	if out.Spared = r.Spared(); len(r.Stored)+len(r.Unstored) == 0 { // there was no place for it: nobody was told
		for _, p := range ev.To {
			out.Spared = append(out.Spared, p.Key)
		}
	}
	return out
}

// note remembers why something failed.
func (s *sweeper) note(err error) {
	if err != nil {
		s.mu.Lock()
		s.last = err
		s.mu.Unlock()
	}
}

// disown forgets that this node provides some keys.
func (s *shelf) disown(ctx context.Context, keys [][]byte) error {
	return guarded(s, ctx, func(ctx context.Context) error {
		return s.store.RemoveProviders(ctx, keys, contact.ID(s.self))
	})
}

// addAll stores that a peer provides some keys.
func (s *shelf) addAll(ctx context.Context, keys [][]byte, p *contact.Info) error {
	now := s.wall()
	recs := make([]record.Provider, len(keys))
	for i, k := range keys {
		recs[i] = record.Provider{Key: k, Peer: p, Received: now}
	}
	return guarded(s, ctx, func(ctx context.Context) error {
		return s.store.AddProviders(ctx, recs, now+mono.Wall(params.ProviderAge))
	})
}

// sweepMany announces many keys once, region by region, and returns how many
// were: each region is tried once. It returns early if ctx ends, or if nobody
// is found.
func (d *DHT) sweepMany(ctx context.Context, keys [][]byte) (provided int, err error) {
	s := newSweeper(ctx, d, republish.NewOnce(d.time.now(), params.ProvideWidth))
	defer func() { <-s.halt() }()
	defer s.cancel()
	s.step(republish.Once{Keys: keys})
	timer := time.NewTimer(s.pause())
	defer timer.Stop()
	for {
		s.mu.Lock()
		over := s.machine.Status().Running == 0
		provided, err = s.sums.all.Stored, s.last
		s.mu.Unlock()
		if over {
			return provided, err
		}
		select {
		case <-s.news:
		case <-timer.C:
			s.step(republish.Tick{})
		case <-ctx.Done():
			return provided, ctx.Err()
		}
		timer.Reset(s.pause())
	}
}

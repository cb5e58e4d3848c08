// Package buffered has calls of a provider return at once, with the names of go-libp2p-kad-dht/provider/buffered.
//
// It may not decide what is announced: it hands on what it was told, in that
// order, and what comes while one call waits for the disk goes into the next.
// Start reading at [New].
package buffered

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
)

// Provider is what it hands calls on to.
type Provider interface {
	StartProviding(force bool, keys ...multihash.Multihash) error
	StopProviding(keys ...multihash.Multihash) error
	ProvideOnce(keys ...multihash.Multihash) error
	Clear() int
	RefreshSchedule() error
	Close() error
}

// Option is accepted, and has no effect: what waits is in memory, for as long as
// the disk takes for what came before it.
type Option func()

// WithBatchSize has no effect: a call has all that has come.
func WithBatchSize(int) Option { return func() {} }

// WithDsName has no effect.
func WithDsName(string) Option { return func() {} }

// WithIdleWriteTime has no effect.
func WithIdleWriteTime(time.Duration) Option { return func() {} }

// WithLoggerName has no effect.
func WithLoggerName(string) Option { return func() {} }

// verb is what is to be done with some keys.
type verb uint8

const (
	start verb = iota
	force
	once
	stop
)

type job struct {
	do   verb
	keys []multihash.Multihash
}

// SweepingProvider hands calls on. A call returns nil once it is queued; what
// comes of it the next call returns, if it is an error.
type SweepingProvider struct {
	Provider Provider

	mu      sync.Mutex
	queue   []job
	waiting int // keys in the queue
	failed  error
	closed  bool
	news    chan struct{} // has room for one
	ended   chan struct{}
}

// New begins to hand on to a provider. The datastore is not used.
func New(p Provider, _ ds.Batching, _ ...Option) *SweepingProvider {
	b := &SweepingProvider{Provider: p, news: make(chan struct{}, 1), ended: make(chan struct{})}
	go b.work()
	return b
}

// StartProviding announces keys, and again and again.
func (b *SweepingProvider) StartProviding(again bool, keys ...multihash.Multihash) error {
	if again {
		return b.put(force, keys)
	}
	return b.put(start, keys)
}

// ProvideOnce announces keys once.
func (b *SweepingProvider) ProvideOnce(keys ...multihash.Multihash) error { return b.put(once, keys) }

// StopProviding announces keys no more.
func (b *SweepingProvider) StopProviding(keys ...multihash.Multihash) error { return b.put(stop, keys) }

// put queues keys, together with those before them if the same is to be done.
func (b *SweepingProvider) put(do verb, keys []multihash.Multihash) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return waymark.ErrClosed
	case len(keys) == 0:
		return nil
	case b.waiting+len(keys) > params.ScheduleKeys:
		return fmt.Errorf("%w: %d keys wait for the disk", waymark.ErrOverloaded, b.waiting)
	}
	if n := len(b.queue); n > 0 && b.queue[n-1].do == do {
		b.queue[n-1].keys = append(b.queue[n-1].keys, keys...)
	} else {
		b.queue = append(b.queue, job{do, append([]multihash.Multihash(nil), keys...)})
	}
	b.waiting += len(keys)
	b.tell()
	err := b.failed
	b.failed = nil
	return err
}

func (b *SweepingProvider) tell() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// work hands on what is queued until Close, and then what is left.
func (b *SweepingProvider) work() {
	defer close(b.ended)
	for range b.news {
		b.mu.Lock()
		jobs, closed := b.queue, b.closed
		b.queue, b.waiting = nil, 0
		b.mu.Unlock()
		for _, j := range jobs {
			if err := b.carryOut(j); err != nil {
				b.mu.Lock()
				b.failed = err
				b.mu.Unlock()
			}
		}
		if closed {
			return
		}
	}
}

func (b *SweepingProvider) carryOut(j job) error {
	switch j.do {
	case start:
		return b.Provider.StartProviding(false, j.keys...)
	case force:
		return b.Provider.StartProviding(true, j.keys...)
	case once:
		return b.Provider.ProvideOnce(j.keys...)
	}
	return b.Provider.StopProviding(j.keys...)
}

// Clear forgets what is to be announced once, here and in the provider, and what
// the provider is to announce at once, and returns how many keys that were. What
// was started or stopped here is still handed on.
func (b *SweepingProvider) Clear() (n int) {
	b.mu.Lock()
	b.queue = slices.DeleteFunc(b.queue, func(j job) bool {
		if j.do == once {
			n += len(j.keys)
		}
		return j.do == once
	})
	b.waiting -= n
	b.mu.Unlock()
	return n + b.Provider.Clear()
}

// RefreshSchedule tries again now whatever failed or is overdue.
func (b *SweepingProvider) RefreshSchedule() error { return b.Provider.RefreshSchedule() }

// Close hands on what is queued, and closes the provider.
func (b *SweepingProvider) Close() error {
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	b.tell()
	b.mu.Unlock()
	<-b.ended
	if !first {
		return waymark.ErrClosed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(b.failed, b.Provider.Close())
}

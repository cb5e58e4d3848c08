// Package keystore is how a program says what all it provides, with the names of go-libp2p-kad-dht/provider/keystore.
//
// It may not keep a key: what is provided is in the node's schedule, and in its
// store.
// Start reading at [ResettableKeystore.ResetCids].
package keystore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
)

// The errors of a reset.
var (
	ErrClosed          = errors.New("keystore is closed")
	ErrResetInProgress = errors.New("reset already in progress")
)

// Option and ResettableKeystoreOption are accepted, and have no effect: there are
// no keys of its own to keep.
type (
	Option                   func()
	ResettableKeystoreOption func()
)

// WithPrefixBits has no effect.
func WithPrefixBits(int) Option { return func() {} }

// WithBatchSize has no effect.
func WithBatchSize(int) Option { return func() {} }

// WithLoggerName has no effect.
func WithLoggerName(string) Option { return func() {} }

// KeystoreOption has no effect.
func KeystoreOption(...Option) ResettableKeystoreOption { return func() {} }

// WithResetBufferCapacity has no effect.
func WithResetBufferCapacity(int) ResettableKeystoreOption { return func() {} }

// WithDatastoreFactory has no effect: neither function is called.
func WithDatastoreFactory(create func(string) (ds.Batching, error), destroy func(string) error) ResettableKeystoreOption {
	return func() {}
}

// ResettableKeystore hands the keys of a reset to the providers that have it.
type ResettableKeystore struct {
	resetting sync.Mutex

	mu     sync.Mutex
	takers []Taker
	closed bool
}

// NewResettableKeystore makes a keystore. The datastore is not used.
func NewResettableKeystore(_ ds.Batching, _ ...ResettableKeystoreOption) (*ResettableKeystore, error) {
	return &ResettableKeystore{}, nil
}

// Taker is told of each reset: that it begins, then the keys unless it fails, and
// that it has ended. What is started in between belongs to what there is after it.
type Taker interface {
	ResetBegins()
	Reset(keys []multihash.Multihash) error
	ResetEnds()
}

// OnReset has a provider be told of each reset.
func (s *ResettableKeystore) OnReset(t Taker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takers = append(s.takers, t)
}

// ResetCids makes what is provided again and again these CIDs and no others, but
// for what is started meanwhile: it reads them until the channel closes, at most params.ScheduleKeys, and then
// tells the providers. If ctx ends before that nothing has changed.
func (s *ResettableKeystore) ResetCids(ctx context.Context, all <-chan cid.Cid) error {
	if !s.resetting.TryLock() {
		return ErrResetInProgress
	}
	defer s.resetting.Unlock()
	s.mu.Lock()
	takers := s.takers
	s.mu.Unlock()
	for _, t := range takers {
		t.ResetBegins()
		defer t.ResetEnds()
	}
	keys, err := collect(ctx, all)
	if err != nil {
		return err
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	var failed []error
	for _, t := range takers {
		failed = append(failed, t.Reset(keys))
	}
	return errors.Join(failed...)
}

// collect reads CIDs until the channel closes, each multihash once.
func collect(ctx context.Context, all <-chan cid.Cid) (keys []multihash.Multihash, err error) {
	seen := make(map[string]bool)
	for {
		select {
		case c, open := <-all:
			switch {
			case !open:
				return keys, ctx.Err()
			case !c.Defined() || seen[string(c.Hash())]:
				continue
			case len(keys) == params.ScheduleKeys:
				return nil, fmt.Errorf("%w: a schedule has at most %d keys", waymark.ErrOverloaded, params.ScheduleKeys)
			}
			seen[string(c.Hash())] = true
			keys = append(keys, c.Hash())
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close ends it: a reset that comes later is ErrClosed.
func (s *ResettableKeystore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

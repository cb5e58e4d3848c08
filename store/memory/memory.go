// Package memory is the store that forgets: values, provider records and blobs in memory, compact enough for a million records.
//
// It may not know the disk, the clock or the network; engines on disk keep their index in it.
// Start reading at [Store], then [providers].
package memory

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
)

// Config says what a Store keeps, and who wants to know what it evicts. The
// zero value works.
type Config struct {
	Limits store.Limits // zero fields take the defaults
	// Dropped and DroppedValue hear of what was evicted or has expired, so that
	// it can be deleted elsewhere too. They are called under the store's lock,
	// must not call the store, and may keep what they are given.
	Dropped      func(key []byte, peer contact.ID)
	DroppedValue func(key []byte)
	DroppedPeer  func(peer contact.ID) // who has no provider record any more, removed ones included
}

// Store is a store in memory.
//
// One lock guards it all: the longest that anybody holds it is a batch of
// step records.
type Store struct {
	mu        sync.RWMutex
	closed    bool
	providers *providers
	values    *values
	blobs     map[string][]byte
}

var _ store.Store = (*Store)(nil)

// step is how many records are looked at under one lock, by whatever looks at
// all of them: some ten microseconds.
const step = 1 << 10

// New returns an empty store.
func New(cfg Config) *Store {
	limits := cfg.Limits.OrDefault()
	return &Store{
		providers: newProviders(limits, cfg),
		values:    newValues(limits, cfg.DroppedValue),
		blobs:     map[string][]byte{},
	}
}

// lock takes the lock for a writer, unless there is nothing to be done any more.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return store.ErrClosed
	}
	return nil
}

func (s *Store) rlock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return store.ErrClosed
	}
	return nil
}

// AddProvider stores a provider record.
func (s *Store) AddProvider(ctx context.Context, p record.Provider, expires mono.Wall) error {
	if err := store.CheckProvider(p); err != nil {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	s.providers.add(p, expires)
	s.mu.Unlock()
	return nil
}

// AddProviders stores many provider records, or none if one is not valid.
func (s *Store) AddProviders(ctx context.Context, ps []record.Provider, expires mono.Wall) error {
	for _, p := range ps {
		if err := store.CheckProvider(p); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(ps, step) {
		if err := s.lock(ctx); err != nil {
			return err
		}
		for _, p := range some {
			s.providers.add(p, expires)
		}
		s.mu.Unlock()
	}
	return nil
}

// ProvidersOf returns providers of a key. They share the key that was given.
func (s *Store) ProvidersOf(ctx context.Context, key []byte, now mono.Wall, max int) ([]record.Provider, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	return s.providers.of(key, now, max), nil
}

// RemoveProviders forgets that a peer provides some keys.
func (s *Store) RemoveProviders(ctx context.Context, keys [][]byte, peer contact.ID) error {
	for some := range slices.Chunk(keys, step) {
		if err := s.lock(ctx); err != nil {
			return err
		}
		for _, key := range some {
			s.providers.remove(key, peer)
		}
		s.mu.Unlock()
	}
	return nil
}

// Peer returns what is known of a peer that has provider records, or nil.
func (s *Store) Peer(id contact.ID) *contact.Info {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if ref, ok := s.providers.peers.byID[id]; ok {
		return s.providers.peers.slots.at(ref).info
	}
	return nil
}

// Provides reports whether it is stored that a peer provides a key.
func (s *Store) Provides(key []byte, peer contact.ID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, p := s.providers.keys.find(key), s.providers.peers.byID[peer]
	return k != 0 && p != 0 && s.providers.find(k, p) != 0
}

// Settle puts the records of every peer in the order of their dates, of which
// the oldest are evicted first: for who has loaded them in another order.
func (s *Store) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.providers.settle()
}

// Value returns a value. It is shared: not to be changed.
func (s *Store) Value(ctx context.Context, key []byte) (record.Record, error) {
	if err := s.rlock(ctx); err != nil {
		return record.Record{}, err
	}
	defer s.mu.RUnlock()
	r, ok := s.values.get(key)
	if !ok {
		return record.Record{}, store.ErrNotFound
	}
	return r, nil
}

// PutValue stores a value.
func (s *Store) PutValue(ctx context.Context, r record.Record, expires mono.Wall) error {
	if len(r.Key) == 0 {
		return store.ErrKey
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.values.put(r, expires)
}

// RemoveValue forgets a value.
func (s *Store) RemoveValue(ctx context.Context, key []byte) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.values.remove(key)
	return nil
}

// Blob returns a blob.
func (s *Store) Blob(ctx context.Context, name string) ([]byte, error) {
	if err := s.rlock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	data, ok := s.blobs[name]
	if !ok {
		return nil, store.ErrNotFound
	}
	return slices.Clone(data), nil
}

// PutBlob stores a blob.
func (s *Store) PutBlob(ctx context.Context, name string, data []byte) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.blobs[name] = append([]byte{}, data...)
	return nil
}

// Own tells which peer the node is.
func (s *Store) Own(ctx context.Context, peer contact.ID) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.providers.peers.setOwn(peer)
	return nil
}

// Expire forgets what has expired.
func (s *Store) Expire(ctx context.Context, now mono.Wall) (int, error) {
	gone := 0
	for _, expire := range []func(from uint32, now mono.Wall) (int, uint32){s.providers.expire, s.values.expire} {
		for from := uint32(1); from != 0; {
			if err := s.lock(ctx); err != nil {
				return gone, err
			}
			n, next := expire(from, now)
			s.mu.Unlock()
			gone, from = gone+n, next
		}
	}
	return gone, nil
}

// AllValues lists the values. They are shared: not to be changed.
func (s *Store) AllValues(ctx context.Context) iter.Seq2[record.Record, error] {
	return list(ctx, s, func(from uint32) ([]record.Record, uint32) { return s.values.list(from) })
}

// AllProviders lists the provider records.
func (s *Store) AllProviders(ctx context.Context) iter.Seq2[record.Provider, error] {
	return list(ctx, s, func(from uint32) ([]record.Provider, uint32) { return s.providers.list(from) })
}

// list reads a few records at a time, so that who iterates holds no lock.
func list[T any](ctx context.Context, s *Store, read func(from uint32) ([]T, uint32)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for from := uint32(1); from != 0; {
			if err := s.rlock(ctx); err != nil {
				var none T
				yield(none, err)
				return
			}
			some, next := read(from)
			s.mu.RUnlock()
			for _, one := range some {
				if !yield(one, nil) {
					return
				}
			}
			from = next
		}
	}
}

// Count returns how much is stored.
func (s *Store) Count() (values, providers int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.values.entries.len(), s.providers.entries.len()
}

// Close forgets everything.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.providers, s.values, s.blobs = newProviders(store.Limits{}, Config{}), newValues(store.Limits{}, nil), nil
	return nil
}

// Package lsm is the store on disk: a log-structured tree that makes durable what an index in memory serves.
//
// It may not know the network or the engine. What is read comes from memory, so
// that a disk that blocks holds up nobody but those who write.
// Start reading at [Open], then [Store.write].
package lsm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
	"github.com/waymark-dht/waymark/store/memory"
)

// Store is a store on disk. What it says is durable has been synced.
type Store struct {
	index  *memory.Store
	limits store.Limits
	folder string
	fs     vfs.FS
	lock   *pebble.Lock // of the folder, against a second process
	db     *pebble.DB

	queue   chan *job     // to the one goroutine that writes
	closing chan struct{} // no more jobs are taken
	written chan struct{} // the writer has ended
	once    sync.Once     // of closing
	failure               // of the disk
	dropped []row         // what the index has evicted and the disk still has; the writer's
}

var _ store.Store = (*Store)(nil)

// Open opens the store in a folder, which is made if there is none, and reads
// all of it: what it cannot read is told now (store.ErrCorrupt) and not later.
// Zero limits take their defaults.
func Open(folder string, limits store.Limits) (*Store, error) {
	return open(folder, limits, vfs.Default)
}

func open(folder string, limits store.Limits, fs vfs.FS) (*Store, error) {
	s := &Store{
		limits: limits.OrDefault(), folder: folder, fs: fs,
		queue: make(chan *job, params.StoreQueue), closing: make(chan struct{}), written: make(chan struct{}),
		failure: failure{failed: make(chan struct{})},
	}
	s.index = memory.New(memory.Config{
		Limits:       limits,
		Dropped:      func(key []byte, peer contact.ID) { s.drop(providerRow(key, peer)) },
		DroppedValue: func(key []byte) { s.drop(valueRow(key)) },
		DroppedPeer:  func(peer contact.ID) { s.drop(peerRow(peer)) },
	})
	var err error
	if s.lock, err = lock(folder, fs); err != nil {
		return nil, fmt.Errorf("store: cannot open %s, is another process using it? %w", folder, err)
	}
	if err := guarded(s.begin); err != nil {
		return nil, unreadable(folder, errors.Join(err, s.lock.Close()))
	}
	go s.write()
	return s, nil
}

func lock(folder string, fs vfs.FS) (*pebble.Lock, error) {
	if err := fs.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	return pebble.LockDirectory(folder, fs)
}

// begin opens the tree and loads the index.
func (s *Store) begin() (err error) {
	s.db, err = pebble.Open(s.folder, &pebble.Options{
		FS: s.fs, Lock: s.lock, Logger: &s.failure, CacheSize: params.StoreCache, MemTableSize: params.StoreMemtable,
	})
	if err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return errors.Join(err, s.db.Close())
	}
	return nil
}

// unreadable says what to do about a store that cannot be opened. What the
// operating system did not refuse is damage.
func unreadable(folder string, err error) error {
	var refused syscall.Errno
	if errors.As(err, &refused) {
		return fmt.Errorf("store: cannot open %s: %w", folder, err)
	}
	return fmt.Errorf("%w: %s: move the folder away and start again, others still have its records: %w", store.ErrCorrupt, folder, err)
}

// Value returns a value. It is shared: not to be changed.
func (s *Store) Value(ctx context.Context, key []byte) (record.Record, error) {
	return s.index.Value(ctx, key)
}

// PutValue stores a value.
func (s *Store) PutValue(ctx context.Context, r record.Record, expires mono.Wall) error {
	if len(r.Key) == 0 {
		return store.ErrKey
	}
	if len(r.Key)+len(r.Value) > s.limits.ValueBytes {
		return store.ErrFull
	}
	r.Key, r.Value = slices.Clone(r.Key), slices.Clone(r.Value) // a caller may leave, and reuse its own
	return s.submit(ctx, &job{
		size:  len(r.Key) + len(r.Value),
		write: func(b *pebble.Batch) error { return b.Set(valueRow(r.Key).key, encodeValue(r, expires), nil) },
		apply: func(ctx context.Context) error { return s.index.PutValue(ctx, r, expires) },
	})
}

// RemoveValue forgets a value.
func (s *Store) RemoveValue(ctx context.Context, key []byte) error {
	key = slices.Clone(key)
	return s.submit(ctx, &job{
		frees: true,
		write: func(b *pebble.Batch) error { return b.Delete(valueRow(key).key, nil) },
		apply: func(ctx context.Context) error { return s.index.RemoveValue(ctx, key) },
	})
}

// AddProvider stores a provider record. Callers at the same time share a sync.
func (s *Store) AddProvider(ctx context.Context, p record.Provider, expires mono.Wall) error {
	return s.AddProviders(ctx, []record.Provider{p}, expires)
}

// AddProviders stores many provider records with one sync, or none if one is
// not valid.
func (s *Store) AddProviders(ctx context.Context, ps []record.Provider, expires mono.Wall) error {
	for _, p := range ps {
		if err := store.CheckProvider(p); err != nil {
			return err
		}
	}
	ps = slices.Clone(ps)
	for i := range ps {
		ps[i].Key = slices.Clone(ps[i].Key)
	}
	return s.submit(ctx, &job{
		size:  len(ps) * recordSize,
		write: func(b *pebble.Batch) error { return s.writeProviders(b, ps, expires) },
		apply: func(ctx context.Context) error { return s.index.AddProviders(ctx, ps, expires) },
	})
}

// recordSize is about what a provider record takes in the log.
const recordSize = 100

func (s *Store) writeProviders(b *pebble.Batch, ps []record.Provider, expires mono.Wall) error {
	for _, p := range ps {
		if err := s.writePeer(b, p.Peer); err != nil {
			return err
		}
		if err := b.Set(providerRow(p.Key, p.Peer.ID).key, encodeProvider(p.Received, expires), nil); err != nil {
			return err
		}
	}
	return nil
}

// writePeer writes the addresses of a peer if they are not those known.
func (s *Store) writePeer(b *pebble.Batch, peer *contact.Info) error {
	known := s.index.Peer(peer.ID)
	if known != nil && (len(peer.Addrs) == 0 || sameAddrs(known.Addrs, peer.Addrs)) {
		return nil
	}
	return b.Set(peerRow(peer.ID).key, encodeAddrs(peer.Addrs), nil)
}

// ProvidersOf returns providers of a key. They share the key that was given.
func (s *Store) ProvidersOf(ctx context.Context, key []byte, now mono.Wall, max int) ([]record.Provider, error) {
	return s.index.ProvidersOf(ctx, key, now, max)
}

// RemoveProviders forgets that a peer provides some keys, with one sync.
func (s *Store) RemoveProviders(ctx context.Context, keys [][]byte, peer contact.ID) error {
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i] = slices.Clone(keys[i]) // a caller may leave, and reuse its own
	}
	return s.submit(ctx, &job{
		size: len(keys) * recordSize, frees: true,
		write: func(b *pebble.Batch) (err error) {
			for _, key := range keys {
				err = errors.Join(err, b.Delete(providerRow(key, peer).key, nil))
			}
			return err
		},
		apply: func(ctx context.Context) error { return s.index.RemoveProviders(ctx, keys, peer) },
	})
}

// Blob returns a blob.
func (s *Store) Blob(ctx context.Context, name string) ([]byte, error) {
	return s.index.Blob(ctx, name)
}

// PutBlob stores a blob.
func (s *Store) PutBlob(ctx context.Context, name string, data []byte) error {
	data = slices.Clone(data)
	return s.submit(ctx, &job{
		size:  len(data),
		write: func(b *pebble.Batch) error { return b.Set(blobRow(name).key, data, nil) },
		apply: func(ctx context.Context) error { return s.index.PutBlob(ctx, name, data) },
	})
}

// ownBlob is the name under which it is kept who the node is. Blobs are read
// before the records, so that a start evicts none of the node's own.
const ownBlob = "own"

// Own tells which peer the node is.
func (s *Store) Own(ctx context.Context, peer contact.ID) error {
	if err := s.index.Own(ctx, peer); err != nil {
		return err
	}
	if known, err := s.index.Blob(ctx, ownBlob); err == nil && string(known) == string(peer) {
		return nil
	}
	return s.PutBlob(ctx, ownBlob, []byte(peer))
}

// Expire forgets what has expired. The disk forgets it a little later: if the
// power is cut before, it is there again, and as little served as before.
func (s *Store) Expire(ctx context.Context, now mono.Wall) (int, error) {
	gone := 0
	err := s.submit(ctx, &job{
		frees: true,
		write: func(*pebble.Batch) error { return nil },
		apply: func(ctx context.Context) (err error) {
			gone, err = s.index.Expire(ctx, now)
			return err
		},
	})
	if err != nil {
		return 0, err
	}
	return gone, nil
}

// AllValues lists the values. They are shared: not to be changed.
func (s *Store) AllValues(ctx context.Context) iter.Seq2[record.Record, error] {
	return s.index.AllValues(ctx)
}

// AllProviders lists the provider records.
func (s *Store) AllProviders(ctx context.Context) iter.Seq2[record.Provider, error] {
	return s.index.AllProviders(ctx)
}

// Count returns how much is stored.
func (s *Store) Count() (values, providers int) { return s.index.Count() }

// Close waits for the writes under way and closes the disk.
func (s *Store) Close() error {
	err := store.ErrClosed
	s.once.Do(func() { err = s.close() })
	return err
}

func (s *Store) close() error {
	close(s.closing)
	select {
	case <-s.written:
	case <-s.failed: // the tree is in no state to be closed
	}
	_ = s.index.Close() // it always succeeds
	if cause := s.cause(); cause != nil {
		return cause
	}
	return errors.Join(guarded(s.db.Close), s.lock.Close())
}

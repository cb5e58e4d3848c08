// Package datastore is the store in a go-datastore of the host, in the layout that Kubo and go-libp2p-kad-dht use, so that either can take up where the other left.
//
// It may not know which datastore that is, nor when a host closes it.
// Start reading at [Open]; the layout stands in keys.go.
package datastore

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"

	ds "github.com/ipfs/go-datastore"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
	"github.com/waymark-dht/waymark/store/memory"
)

// Config says what of the host's datastore is the store's. The zero value fits
// what go-libp2p-kad-dht keeps for a plain libp2p host.
type Config struct {
	// Values is the key that values are below: "/dht" in a Kubo repository.
	Values string
	// Namespaces are those whose values are read at the start; "pk" and "ipns"
	// if there are none. What is elsewhere is not looked at: a repository may
	// hold millions of other keys.
	Namespaces []string
	// Addrs returns the addresses of a provider that was stored before: the
	// layout has no room for them, hosts keep them in their peerstore. They are
	// told to whoever asks: waymark.Config.Accepts says which may be. Nil leaves
	// them out.
	Addrs func(contact.ID) []contact.Addr
	// Limits are as everywhere; but the layout has no room for who brought a
	// value, so that after a restart all are counted as the node's own.
	Limits store.Limits // zero fields take the defaults
}

// Store is a store in a datastore. It serves from an index in memory, and
// writes to the datastore before it acknowledges.
type Store struct {
	ds      ds.Datastore
	cfg     Config
	index   *memory.Store
	turn    chan struct{} // holds one token: who has it may write
	closed  atomic.Bool
	dropped []evicted // whoever has the turn
}

var _ store.Store = (*Store)(nil)

// Open reads the index from a datastore. What it cannot read it forgets, as
// Kubo does.
func Open(ctx context.Context, d ds.Datastore, cfg Config) (*Store, error) {
	if len(cfg.Namespaces) == 0 {
		cfg.Namespaces = []string{"pk", "ipns"}
	}
	s := &Store{ds: d, cfg: cfg, turn: make(chan struct{}, 1)}
	s.index = memory.New(memory.Config{
		Limits: cfg.Limits,
		Dropped: func(key []byte, peer contact.ID) {
			s.drop(providerKey(key, peer), func() bool { return s.index.Provides(key, peer) })
		},
		DroppedValue: func(key []byte) {
			s.drop(s.valueKey(key), func() bool {
				_, err := s.index.Value(context.Background(), key)
				return err == nil
			})
		},
	})
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// evicted is an entry that the index has evicted, and whether it has it again.
type evicted struct {
	key   ds.Key
	again func() bool
}

func (s *Store) drop(k ds.Key, again func() bool) { s.dropped = append(s.dropped, evicted{k, again}) }

// write makes one change durable and then visible, one caller at a time. A
// caller whose turn does not come before its context ends has changed nothing.
func (s *Store) write(ctx context.Context, put func(ds.Write) error, apply func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	if err := s.change(ctx, put); err != nil {
		return err
	}
	return apply()
}

// change writes in one batch if the datastore has batches.
func (s *Store) change(ctx context.Context, put func(ds.Write) error) error {
	var w ds.Write = s.ds
	commit := func() error { return nil }
	if batching, ok := s.ds.(ds.Batching); ok {
		b, err := batching.Batch(ctx)
		if err == nil {
			w, commit = b, func() error { return b.Commit(ctx) }
		} else if !errors.Is(err, ds.ErrBatchUnsupported) {
			return err
		}
	}
	for _, e := range s.dropped {
		if e.again() {
			continue // it was stored together with what evicted it
		}
		if err := w.Delete(ctx, e.key); err != nil {
			return err
		}
	}
	if err := errors.Join(put(w), commit()); err != nil {
		return err
	}
	s.dropped = s.dropped[:0]
	return s.ds.Sync(ctx, ds.NewKey("/"))
}

// Value returns a value. It is shared: not to be changed.
func (s *Store) Value(ctx context.Context, key []byte) (record.Record, error) {
	return s.index.Value(ctx, key)
}

// PutValue stores a value. After a restart it expires params.ValueAge after its
// TimeReceived, as the layout has no room for another date.
func (s *Store) PutValue(ctx context.Context, r record.Record, expires mono.Wall) error {
	if len(r.Key) == 0 {
		return store.ErrKey
	}
	if len(r.Key)+len(r.Value) > s.cfg.Limits.OrDefault().ValueBytes {
		return store.ErrFull
	}
	data := encodeValue(r)
	return s.write(ctx,
		func(w ds.Write) error { return w.Put(ctx, s.valueKey(r.Key), data) },
		func() error { return s.index.PutValue(context.WithoutCancel(ctx), r, expires) })
}

// RemoveValue forgets a value.
func (s *Store) RemoveValue(ctx context.Context, key []byte) error {
	return s.write(ctx,
		func(w ds.Write) error { return w.Delete(ctx, s.valueKey(key)) },
		func() error { return s.index.RemoveValue(context.WithoutCancel(ctx), key) })
}

// AddProvider stores a provider record.
func (s *Store) AddProvider(ctx context.Context, p record.Provider, expires mono.Wall) error {
	return s.AddProviders(ctx, []record.Provider{p}, expires)
}

// AddProviders stores many provider records. After a restart they expire
// params.ProviderAge after their dates.
func (s *Store) AddProviders(ctx context.Context, ps []record.Provider, expires mono.Wall) error {
	for _, p := range ps {
		if err := store.CheckProvider(p); err != nil {
			return err
		}
	}
	put := func(w ds.Write) error {
		for _, p := range ps {
			if err := w.Put(ctx, providerKey(p.Key, p.Peer.ID), encodeDate(p.Received)); err != nil {
				return err
			}
		}
		return nil
	}
	return s.write(ctx, put, func() error { return s.index.AddProviders(context.WithoutCancel(ctx), ps, expires) })
}

// ProvidersOf returns providers of a key. They share the key that was given.
func (s *Store) ProvidersOf(ctx context.Context, key []byte, now mono.Wall, max int) ([]record.Provider, error) {
	return s.index.ProvidersOf(ctx, key, now, max)
}

// RemoveProviders forgets that a peer provides some keys.
func (s *Store) RemoveProviders(ctx context.Context, keys [][]byte, peer contact.ID) error {
	put := func(w ds.Write) error {
		for _, key := range keys {
			if err := w.Delete(ctx, providerKey(key, peer)); err != nil {
				return err
			}
		}
		return nil
	}
	return s.write(ctx, put, func() error { return s.index.RemoveProviders(context.WithoutCancel(ctx), keys, peer) })
}

// Blob returns a blob.
func (s *Store) Blob(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.closed.Load() {
		return nil, store.ErrClosed
	}
	data, err := s.ds.Get(ctx, blobKey(name))
	if errors.Is(err, ds.ErrNotFound) {
		return nil, store.ErrNotFound
	}
	return data, err
}

// PutBlob stores a blob.
func (s *Store) PutBlob(ctx context.Context, name string, data []byte) error {
	data = slices.Clone(data)
	return s.write(ctx,
		func(w ds.Write) error { return w.Put(ctx, blobKey(name), data) },
		func() error { return nil })
}

// ownBlob is the name under which it is kept who the node is.
const ownBlob = "own"

// Own tells which peer the node is.
func (s *Store) Own(ctx context.Context, peer contact.ID) error {
	if err := s.index.Own(ctx, peer); err != nil {
		return err
	}
	if known, err := s.Blob(ctx, ownBlob); err == nil && string(known) == string(peer) {
		return nil
	}
	return s.PutBlob(ctx, ownBlob, []byte(peer))
}

// Expire forgets what has expired.
func (s *Store) Expire(ctx context.Context, now mono.Wall) (gone int, err error) {
	err = s.write(ctx, func(ds.Write) error { return nil }, func() error {
		if gone, err = s.index.Expire(context.WithoutCancel(ctx), now); err != nil {
			return err
		}
		return s.change(ctx, func(ds.Write) error { return nil })
	})
	return gone, err
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

// Close leaves the datastore open: it is the host's.
func (s *Store) Close() error {
	s.turn <- struct{}{} // what is being written is written
	defer func() { <-s.turn }()
	if s.closed.Swap(true) {
		return store.ErrClosed
	}
	ctx := context.Background()
	return errors.Join(s.change(ctx, func(ds.Write) error { return nil }), s.index.Close())
}

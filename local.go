package waymark

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// LocalValue is a value that this node stores.
type LocalValue struct {
	Key       string
	Bytes     []byte
	Received  time.Time // when it came
	Expires   time.Time // when it is not served any more
	From      peer.ID   // who brought it; empty if this node put it, or does not remember
	Publisher peer.ID   // who put it first, as the record says; mostly empty
}

// LocalProvider is a provider record that this node stores.
type LocalProvider struct {
	Key      multihash.Multihash
	Peer     peer.AddrInfo
	Received time.Time // when the provider said so last
}

// LocalValues lists the values that this node stores, its own and those that
// others have brought, in no order. It ends at the first error, which comes
// with a zero value: the context's, ErrClosed, or the store's, which may take no
// longer than params.StoreDeadline for each. Without an error the list is whole.
func (d *DHT) LocalValues(ctx context.Context) iter.Seq2[LocalValue, error] {
	return listed(d.shelf, ctx, d.shelf.store.AllValues, func(r record.Record) LocalValue {
		return LocalValue{
			Key: string(r.Key), Bytes: r.Value, Received: r.Received().Time(), Expires: d.shelf.ends(&r).Time(),
			From: peer.ID(r.From), Publisher: peer.ID(r.Publisher),
		}
	})
}

// LocalProviders lists the provider records that this node stores, as
// LocalValues does.
func (d *DHT) LocalProviders(ctx context.Context) iter.Seq2[LocalProvider, error] {
	return listed(d.shelf, ctx, d.shelf.store.AllProviders, func(p record.Provider) LocalProvider {
		return LocalProvider{Key: p.Key, Peer: infoOf(p.Peer), Received: p.Received.Time()}
	})
}

// LocalProvidersOf returns who provides a key by what this node stores, at most
// params.ProvidersServed, those that said so last first. It asks nobody.
func (d *DHT) LocalProvidersOf(ctx context.Context, key multihash.Multihash) ([]LocalProvider, error) {
	found, err := d.shelf.providers(ctx, key, params.ProvidersServed)
	if err != nil {
		return nil, err
	}
	list := make([]LocalProvider, len(found))
	for i, p := range found {
		list[i] = LocalProvider{Key: p.Key, Peer: infoOf(p.Peer), Received: p.Received.Time()}
	}
	return list, nil
}

// AddLocalProvider stores here that a peer provides a key, and tells nobody: as
// if the peer had said so, so that who asks is told, for params.ProviderAge. Of
// its addresses those are kept that the network has use for, at most
// params.MaxAddrs. The node itself is stored with its own.
func (d *DHT) AddLocalProvider(ctx context.Context, key multihash.Multihash, p peer.AddrInfo) error {
	if err := p.ID.Validate(); err != nil {
		return badConfig("a provider without an ID: %v", err)
	}
	if p.ID == d.host.ID() {
		return d.ProvideLocal(ctx, []multihash.Multihash{key})
	}
	if err := checkKeys([]multihash.Multihash{key}); err != nil {
		return err
	}
	return d.shelf.add(ctx, key, contact.New(contact.ID(p.ID), d.policy.addrs(packed(p.Addrs))...))
}

// RemoveValue removes a value from this node's store. Other nodes keep theirs,
// and may bring it back. It is no error if there is none.
func (d *DHT) RemoveValue(ctx context.Context, key string) error {
	return guarded(d.shelf, ctx, func(ctx context.Context) error { return d.shelf.store.RemoveValue(ctx, []byte(key)) })
}

// RemoveProvider removes the record that a peer provides a key from this node's
// store; with the node's own ID, that it does so itself, which others remember
// until they expire it. It is no error if there is none.
func (d *DHT) RemoveProvider(ctx context.Context, key multihash.Multihash, id peer.ID) error {
	return guarded(d.shelf, ctx, func(ctx context.Context) error {
		return d.shelf.store.RemoveProviders(ctx, [][]byte{key}, contact.ID(id))
	})
}

// listed is a list of the store's, one item after the other, in the caller's
// terms. The store is read on a goroutine of its own, for it may block.
func listed[T, U any](s *shelf, ctx context.Context, all func(context.Context) iter.Seq2[T, error], as func(T) U) iter.Seq2[U, error] {
	return func(yield func(U, error) bool) {
		var none U
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.base, cancel)()
		items, err := listing(s, ctx, all)
		if err != nil {
			yield(none, err)
			return
		}
		timer := time.NewTimer(params.StoreDeadline)
		defer timer.Stop()
		for {
			timer.Reset(params.StoreDeadline)
			select {
			case i, more := <-items:
				if !more {
					return
				}
				if i.err != nil {
					yield(none, s.told(i.err))
					return
				}
				if !yield(as(i.got), nil) {
					return
				}
			case <-timer.C:
				yield(none, fmt.Errorf("the store did not answer: %w", context.DeadlineExceeded))
				return
			case <-ctx.Done():
				yield(none, s.told(ctx.Err()))
				return
			}
		}
	}
}

// item is one that a store has listed, or why it did not.
type item[T any] struct {
	got T
	err error
}

// listing sends what a store lists, until ctx ends. It counts as one call. The
// channel is closed at the end of the list alone: one that was cut short must
// not pass for whole.
func listing[T any](s *shelf, ctx context.Context, all func(context.Context) iter.Seq2[T, error]) (<-chan item[T], error) {
	if s.base.Err() != nil {
		return nil, ErrClosed
	}
	select {
	case s.calls <- struct{}{}:
	default:
		return nil, errBusy
	}
	items := make(chan item[T])
	go func() {
		defer func() { <-s.calls }()
		for got, err := range all(ctx) {
			select {
			case items <- item[T]{got, err}:
			case <-ctx.Done():
				return
			}
		}
		if ctx.Err() == nil { // else the store may have stopped amid it
			close(items)
		}
	}()
	return items, nil
}

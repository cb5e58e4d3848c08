// Package store is what persistence owes a node: values, provider records and a few named blobs that survive a restart.
//
// It may not know the network or the engine; what a record means is decided by who stores it.
// Start reading at [Store]; package storetest is the suite that every engine passes.
package store

import (
	"context"
	"errors"
	"iter"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// The errors that a caller may meet.
var (
	// ErrNotFound: nothing is stored under that key or name.
	ErrNotFound = errors.New("store: nothing is stored there")
	// ErrFull: a limit of the store is reached, or the disk is full. Nothing
	// that was stored before is lost.
	ErrFull = errors.New("store: full")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
	// ErrKey: a key is empty or too long, or a provider has no ID. It can never
	// be stored.
	ErrKey = errors.New("store: not a key")
	// ErrCorrupt: what is stored cannot be read; it is not served.
	ErrCorrupt = errors.New("store: corrupt")
)

// Values keeps records by their key.
type Values interface {
	// Value returns what is stored under a key, or ErrNotFound.
	Value(ctx context.Context, key []byte) (record.Record, error)
	// PutValue stores a record in the place of an earlier one. It is durable
	// when PutValue returns nil. expires is when it is of no use any more.
	PutValue(ctx context.Context, r record.Record, expires mono.Wall) error
	// RemoveValue forgets a key; it is no error if there is nothing.
	RemoveValue(ctx context.Context, key []byte) error
}

// Providers keeps provider records by key and peer.
type Providers interface {
	// AddProvider stores that a peer provides a key, or that it says so again.
	AddProvider(ctx context.Context, p record.Provider, expires mono.Wall) error
	// AddProviders stores many of them at the price of one wait for the disk.
	// After an error any number of them may be stored.
	AddProviders(ctx context.Context, ps []record.Provider, expires mono.Wall) error
	// ProvidersOf returns up to max providers of a key that have not expired
	// at now, those that said so last first. None is no error.
	ProvidersOf(ctx context.Context, key []byte, now mono.Wall, max int) ([]record.Provider, error)
	// RemoveProviders forgets that a peer provides some keys, at the price of one
	// wait for the disk; no error for those that are not there. After an error any
	// number of them may be forgotten.
	RemoveProviders(ctx context.Context, keys [][]byte, peer contact.ID) error
}

// CheckProvider returns ErrKey for a provider record that no engine takes.
func CheckProvider(p record.Provider) error {
	if len(p.Key) == 0 || len(p.Key) > params.MaxProviderKey || p.Peer == nil || p.Peer.ID == "" {
		return ErrKey
	}
	return nil
}

// Blobs keeps a few named pieces of state: the routing table, the schedule of
// what is provided.
type Blobs interface {
	// Blob returns a blob, or ErrNotFound.
	Blob(ctx context.Context, name string) ([]byte, error)
	// PutBlob stores a blob, whole or not at all.
	PutBlob(ctx context.Context, name string, data []byte) error
}

// Store is all that one node keeps. Its methods are safe for concurrent use.
// Who calls gives a context with a deadline; an engine that cannot honour it
// is abandoned by the caller, not waited for.
type Store interface {
	Values
	Providers
	Blobs
	// Own tells which peer the node is: the provider records of that peer are its
	// own, as are the values that nobody has brought (record.From is empty), and
	// the limits on those of strangers are not for them. It is remembered over a
	// restart, which could else evict them before it is told.
	Own(ctx context.Context, peer contact.ID) error
	// Expire forgets what has expired at now, and returns how many records that were.
	Expire(ctx context.Context, now mono.Wall) (int, error)
	// AllValues and AllProviders list what is stored, in no order. They stop
	// at the first error.
	AllValues(ctx context.Context) iter.Seq2[record.Record, error]
	AllProviders(ctx context.Context) iter.Seq2[record.Provider, error]
	// Count returns how many values and provider records are stored.
	Count() (values, providers int)
	// Close makes everything durable. Later calls return ErrClosed.
	Close() error
}

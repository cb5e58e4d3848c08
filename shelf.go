package waymark

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
)

// shelf is what the node stores for others and for itself: a store, the rules
// of what may be in it, and a limit on the calls into it, for a store may block
// for as long as its disk does.
type shelf struct {
	store store.Store
	rules rules
	hooks Approve
	keep  policy
	self  peer.ID
	age   time.Duration // how long a value is served
	wall  func() mono.Wall
	calls chan struct{}                    // one for each call under way
	locks [params.StoreLocks]chan struct{} // of the values, by the hash of their keys; who has the token may replace one
	blobs blobWrites
	taken func(key []byte) // hears of each value that is stored for the network
	base  context.Context
	halt  context.CancelFunc
}

func newShelf(d *DHT) *shelf {
	s := &shelf{
		store: d.cfg.Store, rules: d.cfg.Validators, hooks: d.cfg.Approve, keep: d.policy,
		self: d.host.ID(), age: d.cfg.ValueAge, wall: func() mono.Wall { return d.time.now().Wall },
		calls: make(chan struct{}, params.StoreCalls), taken: func(key []byte) { d.replicator.taken(key) },
	}
	for i := range s.locks {
		s.locks[i] = make(chan struct{}, 1)
	}
	s.base, s.halt = context.WithCancel(context.Background())
	return s
}

// errBusy: the store has as many calls under way as it may have. It blocks, or
// the node is asked for more than its disk can do.
var errBusy = errors.New("the store is busy")

// guard makes one call into the store and waits for it no longer than
// params.StoreDeadline. A call that goes on after that keeps its place.
func guard[T any](s *shelf, ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	return guardFor(s, ctx, params.StoreDeadline, call)
}

// guardFor is guard with another limit. Once the node is closed it makes no
// call, and what it cuts short is ErrClosed: the caller's context has not ended.
func guardFor[T any](s *shelf, ctx context.Context, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	var none T
	if s.base.Err() != nil {
		return none, ErrClosed
	}
	select {
	case s.calls <- struct{}{}:
	default:
		return none, errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer context.AfterFunc(s.base, cancel)()
	type outcome struct {
		got T
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-s.calls }()
		got, err := call(ctx)
		done <- outcome{got, err}
	}()
	select {
	case o := <-done:
		return o.got, s.told(o.err)
	case <-ctx.Done():
		return none, s.told(fmt.Errorf("the store did not answer: %w", ctx.Err()))
	}
}

// told is the error of a call into the store as its caller may know it: what the
// end of the node has cut short says that, and not that a context has ended.
func (s *shelf) told(err error) error {
	if err != nil && s.base.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return ErrClosed
	}
	return err
}

// guarded is guard for a call that returns nothing.
func guarded(s *shelf, ctx context.Context, call func(context.Context) error) error {
	_, err := guard(s, ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
	return err
}

// value returns what is stored under a key and not too old to be served, or
// nil; its time to live is what is left of it.
func (s *shelf) value(ctx context.Context, key []byte) (*record.Record, error) {
	r, err := guard(s, ctx, func(ctx context.Context) (*record.Record, error) { return s.read(ctx, key) })
	if r != nil {
		r.Leave(s.wall())
	}
	return r, err
}

// valid is value if its validator still accepts it. One that does not return
// holds up nobody for longer than a store that does not.
func (s *shelf) valid(ctx context.Context, key []byte) (*record.Record, error) {
	r, err := guard(s, ctx, func(ctx context.Context) (*record.Record, error) {
		r, err := s.read(ctx, key)
		if r == nil || s.rules.check(key, r.Value) != nil {
			return nil, err
		}
		return r, nil
	})
	if r != nil {
		r.Leave(s.wall())
	}
	return r, err
}

// read is what is stored under a key and not too old to be served, or nil, as it
// was stored; it takes as long as the store does.
func (s *shelf) read(ctx context.Context, key []byte) (*record.Record, error) {
	r, err := s.store.Value(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case s.wall() > s.ends(&r):
		return nil, nil
	}
	return &r, nil
}

// ends is when a record is not served any more: by its own time to live, or
// because its owner keeps none for so long.
func (s *shelf) ends(r *record.Record) mono.Wall {
	return min(r.Ends(), r.Received()+mono.Wall(s.age))
}

// put stores a record that is valid, if what is there is not better. The same
// value is none: which of two equals is the best a validator need not say. Its
// date of arrival is ours, whatever it says. KAD-13.2. A validator that does not
// return holds up nobody for longer than a store that does not.
func (s *shelf) put(ctx context.Context, r record.Record) error {
	if _, err := s.rules.of(r.Key); err != nil {
		return err
	}
	r.Key, r.Value = slices.Clone(r.Key), slices.Clone(r.Value) // the call may outlive its caller
	return guarded(s, ctx, func(ctx context.Context) error {
		if err := s.rules.check(r.Key, r.Value); err != nil {
			return err
		}
		lock := s.locks[key.Of(r.Key)[0]%params.StoreLocks]
		select {
		case lock <- struct{}{}:
			defer func() { <-lock }()
		case <-ctx.Done():
			return ctx.Err()
		}
		return s.replace(ctx, r)
	})
}

// replace puts a valid record in the place of what is stored, if that is not
// better. Whoever calls it has the key's lock: of two that come at the same time
// each would else be better than what both have found, and the last would stay.
func (s *shelf) replace(ctx context.Context, r record.Record) error {
	have, err := s.read(ctx, r.Key)
	if err != nil {
		return err
	}
	if have != nil && !bytes.Equal(have.Value, r.Value) && s.rules.check(r.Key, have.Value) == nil { // else it has become invalid
		if best, err := s.rules.best(r.Key, [][]byte{r.Value, have.Value}); err != nil || best != 0 {
			return fmt.Errorf("%w under %s", ErrOlder, readable(r.Key))
		}
	}
	if ctx.Err() != nil {
		return ctx.Err() // nobody waits for it: it is said not to be stored
	}
	r.Arrive(s.wall(), have)
	return s.store.PutValue(ctx, r, s.ends(&r))
}

// keepBlob writes a blob. While an earlier write of it that was given up goes on
// it is errWriting: what is old would else be put over what is new.
func (s *shelf) keepBlob(ctx context.Context, name string, data []byte) error {
	return guarded(s, ctx, func(ctx context.Context) error {
		if !s.blobs.begin(name) {
			return errWriting
		}
		defer s.blobs.end(name)
		if ctx.Err() != nil {
			return ctx.Err() // it was given up before it began
		}
		return s.store.PutBlob(ctx, name, data)
	})
}

// errWriting: an earlier write of the same blob has not come back.
var errWriting = fmt.Errorf("an earlier write goes on: %w", errBusy)

// blobWrites is which blobs are being written.
type blobWrites struct {
	mu sync.Mutex
	on map[string]bool
}

func (w *blobWrites) begin(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.on[name] {
		return false
	}
	if w.on == nil {
		w.on = make(map[string]bool)
	}
	w.on[name] = true
	return true
}

func (w *blobWrites) end(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.on, name)
}

// providers returns who provides a key, those that said so last first.
func (s *shelf) providers(ctx context.Context, key []byte, limit int) ([]record.Provider, error) {
	return guard(s, ctx, func(ctx context.Context) ([]record.Provider, error) {
		return s.store.ProvidersOf(ctx, key, s.wall(), limit)
	})
}

// add stores that a peer provides a key.
func (s *shelf) add(ctx context.Context, key []byte, p *contact.Info) error {
	now := s.wall()
	rec := record.Provider{Key: slices.Clone(key), Peer: p, Received: now}
	return guarded(s, ctx, func(ctx context.Context) error {
		return s.store.AddProvider(ctx, rec, now+mono.Wall(params.ProviderAge))
	})
}

// readable is a key as an error may quote it.
func readable(key []byte) string { return fmt.Sprintf("%.64q", key) }

// What the server sees of the shelf: core/server's Values and Providers.

// Value implements server.Values.
func (s *shelf) Value(key []byte) (*record.Record, error) { return s.value(s.base, key) }

// PutValue implements server.Values.
func (s *shelf) PutValue(r *record.Record, from contact.ID) error {
	if s.hooks.Record != nil {
		if err := s.hooks.Record(peer.ID(from), string(r.Key), r.Value); err != nil {
			return err
		}
	}
	kept := *r
	kept.From = from
	if err := s.put(s.base, kept); err != nil {
		return err
	}
	s.taken(r.Key)
	return nil
}

// Providers implements server.Providers.
func (s *shelf) Providers(key []byte) ([]*contact.Info, error) {
	found, err := s.providers(s.base, key, params.ProvidersServed)
	if err != nil {
		return nil, err
	}
	infos := make([]*contact.Info, 0, len(found))
	for _, p := range found {
		infos = append(infos, p.Peer)
	}
	return infos, nil
}

// AddProvider implements server.Providers.
func (s *shelf) AddProvider(key []byte, p *contact.Info) error {
	if s.hooks.Provider != nil {
		if err := s.hooks.Provider(peer.ID(p.ID), key); err != nil {
			return err
		}
	}
	kept := s.keep.addrs(p.Addrs)
	return s.add(s.base, key, contact.New(p.ID, kept...))
}

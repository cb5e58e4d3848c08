package waymark

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Provide stores that this node provides what a CID names and, if announce,
// tells the peers closest to its multihash. It is [DHT.Announce] for
// go-libp2p's routing.Routing, but returns as soon as params.EarlyPeers in
// params.EarlyGroups IP groups have stored the record, and goes on with the
// others within its bound, or until Close.
func (d *DHT) Provide(ctx context.Context, c cid.Cid, announce bool) error {
	if !c.Defined() {
		return badConfig("an undefined CID has no multihash to provide")
	}
	ctx = begun(ctx, 0)
	if err := d.provideHere(ctx, c.Hash()); err != nil || !announce {
		return err
	}
	_, err := d.announce(ctx, c.Hash(), params.EarlyPeers)
	return err
}

// Announce tells the peers closest to a key that this node provides it, and
// says who took the record. The key is a multihash, of 1 to
// params.MaxProviderKey bytes. Nobody is an error: ErrNotStored, or ErrNoPeers
// if nobody was found.
func (d *DHT) Announce(ctx context.Context, key multihash.Multihash) (Stored, error) {
	ctx = begun(ctx, 0)
	if err := d.provideHere(ctx, key); err != nil {
		return Stored{}, err
	}
	return d.announce(ctx, key, 0)
}

// announce waits for enough peers, and for all if that is zero.
func (d *DHT) announce(ctx context.Context, key []byte, enough int) (Stored, error) {
	return d.storing(ctx, OpProvide, func(op engine.OpID, deadline mono.Time) engine.Event {
		return engine.StartProvide{Op: op, Key: key, Enough: enough, Deadline: deadline, Paths: d.cfg.Paths}
	})
}

// ProvideLocal stores that this node provides some keys, and tells nobody: many at
// the price of one wait for the store's disk. After an error any number of them
// may be stored.
func (d *DHT) ProvideLocal(ctx context.Context, keys []multihash.Multihash) error {
	if err := checkKeys(keys); err != nil {
		return err
	}
	for some := range slices.Chunk(keys, params.ScheduleChunk) {
		if err := d.shelf.addAll(ctx, bytesOf(some), d.self.Load()); err != nil {
			return err
		}
	}
	return nil
}

// checkKeys says what is wrong with the first of some keys that no provider
// record can be for.
func checkKeys(keys []multihash.Multihash) error {
	for _, k := range keys {
		if len(k) == 0 || len(k) > params.MaxProviderKey {
			return badConfig("a key of %d bytes; a multihash has 1 to %d", len(k), params.MaxProviderKey)
		}
	}
	return nil
}

// provideHere stores that this node provides a key.
func (d *DHT) provideHere(ctx context.Context, key []byte) error {
	if err := checkKeys([]multihash.Multihash{key}); err != nil {
		return err
	}
	return d.shelf.add(ctx, key, d.self.Load())
}

// ProvideMany announces many keys. It ends with the first error that has to do
// with the caller, and otherwise with how many keys nobody took: too few of the
// closest, if they are so many that it goes by regions of the key space, which
// costs as many lookups as there are regions (KAD-17). See StartProviding for
// keys that are to be announced again and again. A key that comes twice counts
// once.
func (d *DHT) ProvideMany(ctx context.Context, keys []multihash.Multihash) error {
	select {
	case <-d.stopped:
		return ErrClosed
	default:
	}
	if err := checkKeys(keys); err != nil {
		return err
	}
	if keys = distinct(keys); d.sweeps(len(keys)) {
		return d.provideSwept(ctx, keys)
	}
	return d.provideEach(ctx, keys)
}

// sweeps reports whether so many keys are better announced by regions: a region
// takes one lookup for some 14 of its peers, so that the whole network takes
// less lookups than keys do if there are more of them than a k-th of the peers.
func (d *DHT) sweeps(keys int) bool {
	n, err := d.NetworkSize()
	return err == nil && keys > max(params.ProvideWidth, n/params.K)
}

// provideSwept announces keys region by region.
func (d *DHT) provideSwept(ctx context.Context, keys []multihash.Multihash) error {
	failed, last := 0, error(nil)
	for part := range slices.Chunk(keys, params.ScheduleKeys) {
		if err := d.ProvideLocal(ctx, part); err != nil {
			return err
		}
		list := bytesOf(part)
		provided, err := d.sweepMany(ctx, list)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if provided < len(list) {
			failed, last = failed+len(list)-provided, err
		}
	}
	if failed > 0 {
		if last == nil {
			last = ErrNotStored
		}
		return fmt.Errorf("%d of %d keys were not announced, the last: %w", failed, len(keys), last)
	}
	return nil
}

// distinct returns keys in their order, each once.
func distinct(keys []multihash.Multihash) []multihash.Multihash {
	seen := make(map[string]bool, len(keys))
	list := make([]multihash.Multihash, 0, len(keys))
	for _, k := range keys {
		if !seen[string(k)] {
			seen[string(k)] = true
			list = append(list, k)
		}
	}
	return list
}

// provideEach announces keys one by one, some at a time.
func (d *DHT) provideEach(ctx context.Context, keys []multihash.Multihash) error {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed int
		last   error
	)
	places := make(chan struct{}, params.ProvideWidth)
	for _, key := range keys {
		if ctx.Err() != nil {
			break
		}
		places <- struct{}{} // an announcement ends by itself
		wg.Go(func() {
			defer func() { <-places }()
			err := d.provideHere(ctx, key)
			if err == nil {
				_, err = d.announce(ctx, key, params.EarlyPeers)
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed, last = failed+1, err
			}
		})
	}
	wg.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case failed > 0:
		return fmt.Errorf("%d of %d keys were not announced, the last: %w", failed, len(keys), last)
	}
	return nil
}

// FindProviders returns who provides what a CID names, all that the closest
// peers know of, at most params.MaxProvidersFound. ErrNotFound means that they
// were asked and know of none.
func (d *DHT) FindProviders(ctx context.Context, c cid.Cid) ([]peer.AddrInfo, error) {
	var found []peer.AddrInfo
	err := d.EachProvider(ctx, c, 0, func(p peer.AddrInfo) { found = append(found, p) })
	return found, err
}

// FindProvidersAsync streams who provides what a CID names, each once, until
// count of them are found; 0 is as many as there are. It returns at once. The
// channel is closed when the search has ended, by itself or with the context;
// it has room for all of them, so that nobody waits for who does not read.
func (d *DHT) FindProvidersAsync(ctx context.Context, c cid.Cid, count int) <-chan peer.AddrInfo {
	if !c.Defined() || count < 0 {
		out := make(chan peer.AddrInfo)
		close(out)
		return out
	}
	if count == 0 || count > params.MaxProvidersFound {
		count = params.MaxProvidersFound
	}
	out := make(chan peer.AddrInfo, count)
	go func() {
		defer close(out)
		_ = d.EachProvider(ctx, c, count, func(p peer.AddrInfo) { out <- p })
	}()
	return out
}

// EachProvider calls found with who provides what a CID names, each once, as
// they are found, until count of them are; 0 is params.MaxProvidersFound, and
// more are never told of. It returns when the search has ended: ErrNotFound
// means that the closest peers were asked and know of none. Found runs on the
// caller's goroutine: it may take its time, which comes on top of the bound, and
// may call the node.
func (d *DHT) EachProvider(ctx context.Context, c cid.Cid, count int, found func(peer.AddrInfo)) error {
	_, err := d.SearchProviders(ctx, c, count, found)
	return err
}

// SearchProviders is EachProvider that says why it ended, also where some were
// found: engine.Found if there were enough of them, engine.PartialDeadline if
// there may be more.
func (d *DHT) SearchProviders(ctx context.Context, c cid.Cid, count int, found func(peer.AddrInfo)) (Outcome, error) {
	if !c.Defined() || count < 0 {
		return 0, badConfig("%d providers of the CID %s", count, c)
	}
	key := []byte(c.Hash())
	if count == 0 || count > params.MaxProvidersFound {
		count = params.MaxProvidersFound
	}
	seen := make(map[contact.ID]bool)
	fresh := func(c *contact.Info) bool {
		is := !seen[c.ID] && len(seen) < count
		if is {
			seen[c.ID] = true
		}
		return is
	}
	began := time.Now()
	here, _ := d.shelf.providers(ctx, key, count) // a store that fails or blocks is as good as empty
	took := time.Since(began)
	for _, p := range here {
		if fresh(p.Peer) {
			found(d.known.addrInfo(p.Peer))
		}
	}
	if len(seen) >= count {
		return engine.Found, nil
	}
	r, err := d.searchProviders(begun(ctx, took), key, count, fresh, found)
	switch {
	case err != nil:
		return r.Outcome, err
	case len(seen) > 0:
		return r.Outcome, nil
	case r.Outcome == engine.NotFound:
		return r.Outcome, ErrNotFound
	}
	return r.Outcome, failure(r.Outcome, 0)
}

// searchProviders asks the network for count providers that are fresh, and calls
// found with each on the caller's goroutine: fresh runs on the engine's, where
// nobody's code may.
func (d *DHT) searchProviders(ctx context.Context, key []byte, count int, fresh func(*contact.Info) bool,
	found func(peer.AddrInfo),
) (r engine.Result, err error) {
	publish, done := d.queryEvents(ctx)
	heard := make(chan *contact.Info, count) // no more than that are fresh
	hear := func(f engine.Fact) {
		if p, is := f.(engine.ProviderFound); is && fresh(p.Provider) {
			heard <- p.Provider
		}
		publish(f)
	}
	limit := count
	if count == params.MaxProvidersFound {
		limit = 0
	}
	go func() {
		defer close(heard)
		defer done()
		r, err = d.runHeard(ctx, OpFindProviders, hear, func(op engine.OpID, deadline mono.Time) engine.Event {
			return engine.StartFindProviders{
				Op: op, Key: key, Limit: limit, Deadline: deadline, Paths: d.cfg.Paths, Near: nearOf(ctx),
			}
		})
	}()
	for c := range heard {
		found(d.known.addrInfo(c))
	}
	return r, err
}

package dual

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
)

// The shapes in which go-libp2p, boxo and Kubo use a DHT.
var (
	_ routing.Routing       = (*DHT)(nil)
	_ routing.PubKeyFetcher = (*DHT)(nil)
	_ interface {
		ProvideMany(context.Context, []multihash.Multihash) error
		Ready() bool
	} = (*DHT)(nil)
)

// PutValue stores a value in the wide network if anybody there is known, else
// in the local one; and on this host for both.
func (d *DHT) PutValue(ctx context.Context, key string, value []byte, opts ...routing.Option) error {
	one, other, name := d.main()
	err := one.PutValue(ctx, key, value, opts...)
	if err == nil {
		// What the other has of it is its own, and no promise of ours.
		_ = other.PutValue(ctx, key, value, append(slices.Clone(opts), routing.Offline)...)
	}
	return said(name, err)
}

// GetValue returns the best value of either network. It ends when the wide one
// has one, and otherwise when both have ended. If the context ends first it
// returns the best until then, together with the context's error.
func (d *DHT) GetValue(ctx context.Context, key string, opts ...routing.Option) ([]byte, error) {
	get := func(ctx context.Context, n *waymark.DHT) ([]byte, error) { return n.GetValue(ctx, key, opts...) }
	local, enough := context.WithCancel(ctx)
	defer enough()
	l, w := ask(local, d.LAN, get), ask(ctx, d.WAN, get)
	wan := <-w
	if wan.err == nil {
		enough() // the local one has had its time until now
	}
	lan := <-l
	best := d.better(key, wan.got, lan.got)
	switch {
	case wan.err == nil || lan.err == nil:
		return best, nil
	case ctx.Err() != nil:
		return best, ctx.Err()
	}
	return best, neither(wan.err, lan.err)
}

// better returns the better of two values, of which either may be nil.
func (d *DHT) better(key string, a, b []byte) []byte {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	if i, err := d.WAN.Best(key, [][]byte{a, b}); err == nil && i == 1 {
		return b
	}
	return a
}

// SearchValue streams the values of both networks, each better than the one
// before. The channel is closed when both searches have ended; nobody waits for
// who does not read.
func (d *DHT) SearchValue(ctx context.Context, key string, opts ...routing.Option) (<-chan []byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	wan, err := d.WAN.SearchValue(ctx, key, opts...)
	if err != nil {
		cancel()
		return nil, said("wan", err)
	}
	lan, err := d.LAN.SearchValue(ctx, key, opts...)
	if err != nil {
		cancel()
		return nil, said("lan", err)
	}
	out := make(chan []byte, 2*params.MaxCandidates)
	go func() {
		defer close(out)
		defer cancel()
		var best []byte
		for v := range merged(wan, lan) {
			if best == nil || slices.Equal(d.better(key, best, v), v) && !slices.Equal(best, v) {
				best = v
				out <- v
			}
		}
	}()
	return out, nil
}

// merged yields what two channels bring until both are closed.
func merged[T any](a, b <-chan T) func(yield func(T) bool) {
	return func(yield func(T) bool) {
		for a != nil || b != nil {
			var v T
			var open bool
			select {
			case v, open = <-a:
				if !open {
					a = nil
				}
			case v, open = <-b:
				if !open {
					b = nil
				}
			}
			if open && !yield(v) {
				return
			}
		}
	}
}

// Provide stores that this host provides what a CID names, for both networks,
// and, if announce, tells the wide one if anybody there is known, else the
// local one.
func (d *DHT) Provide(ctx context.Context, c cid.Cid, announce bool) error {
	one, other, name := d.main()
	return errors.Join(said(name, one.Provide(ctx, c, announce)), other.Provide(ctx, c, false))
}

// ProvideMany announces many keys as Provide does one.
func (d *DHT) ProvideMany(ctx context.Context, keys []multihash.Multihash) error {
	one, other, name := d.main()
	here := other.ProvideLocal(ctx, keys)
	return errors.Join(said(name, one.ProvideMany(ctx, keys)), here)
}

// FindProvidersAsync streams who provides what a CID names in either network,
// each peer once, until count of them are found; 0 is as many as there are. It
// returns at once. The channel is closed when both searches have ended, by
// themselves or with the context; nobody waits for who does not read.
func (d *DHT) FindProvidersAsync(ctx context.Context, c cid.Cid, count int) <-chan peer.AddrInfo {
	if count < 0 {
		out := make(chan peer.AddrInfo)
		close(out)
		return out
	}
	most := 2 * params.MaxProvidersFound
	if count > 0 {
		most = min(count, most)
	}
	ctx, cancel := context.WithCancel(ctx)
	wan, lan := d.WAN.FindProvidersAsync(ctx, c, count), d.LAN.FindProvidersAsync(ctx, c, count)
	out := make(chan peer.AddrInfo, most)
	go func() {
		defer close(out)
		defer cancel()
		seen := make(map[peer.ID]bool)
		for p := range merged(wan, lan) {
			if seen[p.ID] {
				continue
			}
			seen[p.ID] = true
			if out <- p; len(seen) == most {
				return
			}
		}
	}()
	return out
}

// FindProviders is FindProvidersAsync that returns when it has ended.
// ErrNotFound means that there is none in what could be asked.
func (d *DHT) FindProviders(ctx context.Context, c cid.Cid) ([]peer.AddrInfo, error) {
	wan, lan := both(ctx, d, func(ctx context.Context, n *waymark.DHT) ([]peer.AddrInfo, error) {
		return n.FindProviders(ctx, c)
	})
	all := wan.got
	for _, p := range lan.got {
		if !slices.ContainsFunc(all, func(q peer.AddrInfo) bool { return p.ID == q.ID }) {
			all = append(all, p)
		}
	}
	if wan.err != nil && lan.err != nil {
		return all, neither(wan.err, lan.err)
	}
	return all, nil
}

// SearchProviders calls found with who provides what a CID names in either
// network, each peer once, as they are found, until count of them are; 0 is
// params.MaxProvidersFound. It returns why it ended: engine.PartialDeadline if
// either network may have more. Found is called by one goroutine at a time; it
// may take its time, which comes on top of the bound.
func (d *DHT) SearchProviders(ctx context.Context, c cid.Cid, count int, found func(peer.AddrInfo)) (waymark.Outcome, error) {
	most := count
	if count == 0 || count > params.MaxProvidersFound {
		most = params.MaxProvidersFound
	}
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	var mu sync.Mutex
	seen := make(map[peer.ID]bool)
	wan, lan := both(ctx, d, func(ctx context.Context, n *waymark.DHT) (waymark.Outcome, error) {
		return n.SearchProviders(ctx, c, count, func(p peer.AddrInfo) {
			mu.Lock()
			defer mu.Unlock()
			if seen[p.ID] || len(seen) == most {
				return
			}
			seen[p.ID] = true
			if found(p); len(seen) == most {
				enough()
			}
		})
	})
	switch {
	case len(seen) > 0 && len(seen) == most:
		return engine.Found, nil
	case wan.err != nil && lan.err != nil:
		return wan.got, neither(wan.err, lan.err)
	case wan.err == nil && lan.err == nil && lan.got == engine.PartialDeadline, wan.err != nil:
		return lan.got, nil
	}
	return wan.got, nil
}

// FindPeer returns the addresses of a peer that either network knows. Once one
// has found it the other has params.DualGrace to add what it knows.
func (d *DHT) FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	find := func(ctx context.Context, n *waymark.DHT) (peer.AddrInfo, error) { return n.FindPeer(ctx, id) }
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l, w := ask(ctx, d.LAN, find), ask(ctx, d.WAN, find)
	var wan, lan answer[peer.AddrInfo]
	select {
	case wan = <-w:
		defer giveUp(wan.err, cancel)()
		lan = <-l
	case lan = <-l:
		defer giveUp(lan.err, cancel)()
		wan = <-w
	}
	if wan.err != nil && lan.err != nil {
		return peer.AddrInfo{}, neither(wan.err, lan.err)
	}
	return peer.AddrInfo{ID: id, Addrs: ma.Unique(append(slices.Clone(wan.got.Addrs), lan.got.Addrs...))}, nil
}

// giveUp cancels the second call a while after the first has succeeded; what
// it returns undoes that.
func giveUp(first error, cancel func()) func() bool {
	if first != nil {
		return func() bool { return false }
	}
	return time.AfterFunc(params.DualGrace, cancel).Stop
}

// GetPublicKey returns a peer's public key, from whichever network has it.
func (d *DHT) GetPublicKey(ctx context.Context, id peer.ID) (crypto.PubKey, error) {
	wan, lan := both(ctx, d, func(ctx context.Context, n *waymark.DHT) (crypto.PubKey, error) {
		return n.GetPublicKey(ctx, id)
	})
	switch {
	case wan.err == nil:
		return wan.got, nil
	case lan.err == nil:
		return lan.got, nil
	}
	return nil, neither(wan.err, lan.err)
}

// GetClosestPeers returns the peers nearest to a key in the wide network if
// anybody there is known, else in the local one.
func (d *DHT) GetClosestPeers(ctx context.Context, key string) ([]peer.ID, error) {
	one, _, name := d.main()
	ids, err := one.GetClosestPeers(ctx, key)
	return ids, said(name, err)
}

// Lookup is GetClosestPeers with addresses and the reason why it ended.
func (d *DHT) Lookup(ctx context.Context, key string) (waymark.Result, error) {
	one, _, name := d.main()
	r, err := one.Lookup(ctx, key)
	return r, said(name, err)
}

// Bound returns the time within which a call of the given kind ends: both
// nodes are asked at once, so that it is the longer of theirs.
func (d *DHT) Bound(op waymark.Op) time.Duration {
	b := max(d.WAN.Bound(op), d.LAN.Bound(op))
	if op == waymark.OpPut || op == waymark.OpProvide {
		b += params.StoreDeadline // the other node's store, afterwards
	}
	return b
}

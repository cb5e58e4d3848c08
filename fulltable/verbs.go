package fulltable

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// The shapes in which go-libp2p, boxo and Kubo use a DHT.
var (
	_ routing.Routing       = (*Client)(nil)
	_ routing.PubKeyFetcher = (*Client)(nil)
	// Of go-libp2p-routing-helpers: ProvideManyRouter and ReadyAbleRouter.
	_ interface {
		ProvideMany(context.Context, []multihash.Multihash) error
		Ready() bool
	} = (*Client)(nil)
)

// Bound is the time within which a call of the given kind ends: that of the
// node, and for a put or provide what the one hop before it may take.
func (c *Client) Bound(op waymark.Op) time.Duration {
	switch op {
	case waymark.OpPut, waymark.OpProvide:
		return params.FullHop + c.dht.Bound(op)
	case waymark.OpClose:
		return params.CloseDeadline + params.Epsilon
	}
	return c.dht.Bound(op)
}

// Host returns the host that the node runs on.
func (c *Client) Host() host.Host { return c.dht.Host() }

// Bootstrap starts to fill the node's routing table and returns at once.
func (c *Client) Bootstrap(ctx context.Context) error { return c.dht.Bootstrap(ctx) }

// nearest returns the peers of the table that are nearest to a key, or nothing
// while it is not ready; the operation is then left to an ordinary lookup.
func (c *Client) nearest(preimage []byte, n int) []*contact.Info {
	if !c.Ready() {
		c.fellBack.Add(1)
		return nil
	}
	c.oneHop.Add(1)
	return c.table.Load().nearest(key.Of(preimage), n)
}

// near returns a context with which a lookup asks the peers nearest to its key,
// and goes on from there only if too few of them answer.
func (c *Client) near(ctx context.Context, preimage []byte) context.Context {
	if near := c.nearest(preimage, params.MaxNear); len(near) > 0 {
		return waymark.WithNear(ctx, infosOf(near))
	}
	return ctx
}

func infosOf(list []*contact.Info) []peer.AddrInfo {
	infos := make([]peer.AddrInfo, len(list))
	for i, p := range list {
		infos[i] = waymark.InfoOf(p)
	}
	return infos
}

// GetClosestPeers returns the peers nearest to a key, nearest first, as the
// table has them: nobody is asked. Lookup asks them.
func (c *Client) GetClosestPeers(ctx context.Context, preimage string) ([]peer.ID, error) {
	near := c.nearest([]byte(preimage), params.K)
	if len(near) == 0 || preimage == "" {
		return c.dht.GetClosestPeers(ctx, preimage)
	}
	ids := make([]peer.ID, len(near))
	for i, p := range near {
		ids[i] = peer.ID(p.ID)
	}
	return ids, nil
}

// Lookup is DHT.Lookup in one hop: who of the nearest answers.
func (c *Client) Lookup(ctx context.Context, preimage string) (waymark.Result, error) {
	return c.dht.Lookup(c.near(ctx, []byte(preimage)), preimage)
}

// Known returns what the table has of a peer, asking nobody.
func (c *Client) Known(id peer.ID) (peer.AddrInfo, bool) {
	if info := c.table.Load().lookUp(contact.ID(id)); info != nil {
		return waymark.InfoOf(info), true
	}
	return peer.AddrInfo{}, false
}

// Everybody returns who is in the table, in the order of the key space.
func (c *Client) Everybody() []peer.AddrInfo {
	all := c.table.Load().all()
	infos := make([]peer.AddrInfo, len(all))
	for i, f := range all {
		infos[i] = waymark.InfoOf(f.info)
	}
	return infos
}

// FindPeer returns the addresses of a peer: those that it is connected by, that
// the table has, or what the network says. Where a peer has failed since it last
// answered, the table's word is worth nothing, and the network is asked.
func (c *Client) FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	known, is := c.Known(id)
	failing := c.table.Load().failing(contact.ID(id))
	if is && !failing && c.Ready() && len(c.dht.Host().Network().ConnsToPeer(id)) == 0 {
		c.oneHop.Add(1)
		return known, nil
	}
	return c.dht.FindPeer(c.near(ctx, []byte(id)), id)
}

// GetValue returns the best value under a key, as DHT.GetValue does.
func (c *Client) GetValue(ctx context.Context, name string, opts ...routing.Option) ([]byte, error) {
	return c.dht.GetValue(c.near(ctx, []byte(name)), name, opts...)
}

// Get returns the best value under a key, as DHT.Get does.
func (c *Client) Get(ctx context.Context, name string, opts ...routing.Option) (waymark.Value, error) {
	return c.dht.Get(c.near(ctx, []byte(name)), name, opts...)
}

// SearchValue streams the values under a key, as DHT.SearchValue does.
func (c *Client) SearchValue(ctx context.Context, name string, opts ...routing.Option) (<-chan []byte, error) {
	return c.dht.SearchValue(c.near(ctx, []byte(name)), name, opts...)
}

// GetPublicKey returns a peer's public key, as DHT.GetPublicKey does.
func (c *Client) GetPublicKey(ctx context.Context, id peer.ID) (crypto.PubKey, error) {
	return c.dht.GetPublicKey(c.near(ctx, []byte(routing.KeyForPublicKey(id))), id)
}

// FindProvidersAsync streams who provides what a CID names, as
// DHT.FindProvidersAsync does.
func (c *Client) FindProvidersAsync(ctx context.Context, id cid.Cid, count int) <-chan peer.AddrInfo {
	if id.Defined() {
		ctx = c.near(ctx, id.Hash())
	}
	return c.dht.FindProvidersAsync(ctx, id, count)
}

// FindProviders returns who provides what a CID names, as DHT.FindProviders does.
func (c *Client) FindProviders(ctx context.Context, id cid.Cid) ([]peer.AddrInfo, error) {
	if id.Defined() {
		ctx = c.near(ctx, id.Hash())
	}
	return c.dht.FindProviders(ctx, id)
}

// PutValue stores a value on the peers closest to its key.
func (c *Client) PutValue(ctx context.Context, name string, value []byte, opts ...routing.Option) error {
	_, err := c.Put(ctx, name, value, opts...)
	return err
}

// Put stores a value as DHT.Put does: on the peers that the table has as the
// closest, in place of those that fail on the next, and by an ordinary lookup
// if that were fewer than half.
func (c *Client) Put(ctx context.Context, name string, value []byte, opts ...routing.Option) (waymark.Stored, error) {
	var all routing.Options
	if err := all.Apply(opts...); err != nil || all.Offline {
		return c.dht.Put(ctx, name, value, opts...)
	}
	return c.place(ctx, []byte(name), func(ctx context.Context, to []peer.AddrInfo) (waymark.Stored, error) {
		if to == nil {
			return c.dht.Put(ctx, name, value, opts...)
		}
		return c.dht.PutTo(ctx, name, value, to, opts...)
	})
}

// Provide stores that this node provides what a CID names and, if announce,
// tells the closest peers.
func (c *Client) Provide(ctx context.Context, id cid.Cid, announce bool) error {
	if err := c.dht.Provide(ctx, id, false); err != nil || !announce {
		return err
	}
	_, err := c.announce(ctx, id.Hash())
	return err
}

// Announce tells the peers closest to a key that this node provides it, in the
// way in which Put stores a value.
func (c *Client) Announce(ctx context.Context, k multihash.Multihash) (waymark.Stored, error) {
	if err := c.dht.Provide(ctx, cid.NewCidV1(cid.Raw, k), false); err != nil {
		return waymark.Stored{}, err
	}
	return c.announce(ctx, k)
}

func (c *Client) announce(ctx context.Context, k multihash.Multihash) (waymark.Stored, error) {
	return c.place(ctx, k, func(ctx context.Context, to []peer.AddrInfo) (waymark.Stored, error) {
		if to == nil {
			return c.dht.Announce(ctx, k)
		}
		return c.dht.AnnounceTo(ctx, []multihash.Multihash{k}, to)
	})
}

// place puts a record on the closest peers. Send sends it to some, or to those
// that an ordinary lookup finds. One hop is enough if more than half of those whom
// the record is for have taken it, in so many IP groups that they are not one.
func (c *Client) place(ctx context.Context, preimage []byte, send func(context.Context, []peer.AddrInfo) (waymark.Stored, error)) (waymark.Stored, error) {
	began := time.Now()
	near, besieged := c.takers(preimage)
	want := min(params.K, len(near))
	if besieged {
		want = len(near)
	}
	total, err := inRounds(ctx, near, want, send)
	total.Eclipse = besieged
	if !(len(total.Peers) > want/2 && c.spread(total.Peers)) && !ours(ctx, err) {
		if len(near) > 0 {
			c.fellBack.Add(1)
		}
		var s waymark.Stored
		s, err = send(ctx, nil)
		total = sum(total, s)
	}
	if len(total.Peers) > 0 {
		total.Outcome, err = engine.Stored, nil
	}
	total.Elapsed, total.Bound = time.Since(began), c.Bound(waymark.OpProvide)
	return total, err
}

// takers are the peers that a record is sent to in one hop, nearest first: the
// nearest and those that may have to take the place of them, or all in the region
// around a key that is besieged. Nobody while the table is not ready.
func (c *Client) takers(preimage []byte) (near []peer.AddrInfo, besieged bool) {
	list := c.nearest(preimage, params.FullSpares)
	if len(list) > 0 {
		if region := c.table.Load().region(key.Of(preimage)); region != nil {
			return infosOf(region), true
		}
	}
	return infosOf(list), false
}

// inRounds sends a record to the first of some peers, as many as are wanted, and
// in the place of each that does not take it to the next. It leaves time for an
// ordinary lookup.
func inRounds(ctx context.Context, near []peer.AddrInfo, want int, send func(context.Context, []peer.AddrInfo) (waymark.Stored, error)) (total waymark.Stored, err error) {
	hop, cancel := context.WithTimeout(ctx, params.FullHop)
	defer cancel()
	for range params.FullRounds {
		next := near[:min(len(near), want-len(total.Peers))]
		near = near[len(next):]
		if len(next) == 0 || hop.Err() != nil {
			return total, nil
		}
		var s waymark.Stored
		s, err = send(hop, next)
		total = sum(total, s)
		if ours(ctx, err) {
			return total, err
		}
	}
	return total, nil
}

// ours reports whether an error is the caller's or this node's, so that nothing
// comes of going on.
func ours(ctx context.Context, err error) bool {
	if err == nil {
		return ctx.Err() != nil
	}
	for _, peers := range []error{waymark.ErrNotStored, waymark.ErrNoPeers, waymark.ErrDeadline, waymark.ErrOverloaded} {
		if errors.Is(err, peers) {
			return ctx.Err() != nil
		}
	}
	return true
}

// sum is what two parts of one put or provide have left together. A peer that
// refused and then took the record has taken it.
func sum(a, b waymark.Stored) waymark.Stored {
	seen := make(map[peer.ID]bool)
	var s waymark.Stored
	for _, p := range slices.Concat(a.Peers, b.Peers) {
		if !seen[p.ID] {
			seen[p.ID] = true
			s.Peers = append(s.Peers, p)
		}
	}
	for _, r := range slices.Concat(a.Refused, b.Refused) {
		if !seen[r.Peer] {
			seen[r.Peer] = true
			s.Refused = append(s.Refused, r)
		}
	}
	s.Outcome, s.Stats = b.Outcome, a.Stats
	s.Eclipse, s.Pending = a.Eclipse || b.Eclipse, a.Pending+b.Pending
	s.Stats.Requests += b.Stats.Requests
	s.Stats.Successes += b.Stats.Successes
	s.Stats.Depth = max(a.Stats.Depth, b.Stats.Depth)
	for kind, n := range b.Stats.Failures {
		s.Stats.Failures[kind] += n
	}
	return s
}

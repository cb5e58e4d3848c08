// Package delegated answers for a DHT over HTTP: the Delegated Routing V1 API, on the server of boxo.
//
// It may not decide anything about Kademlia, and the rest of the house may not
// know boxo: what is of boxo is in this room, so that another server can take
// its place.
// Start reading at [Handler], then at [AsDelegatedRouter].
package delegated

import (
	"context"
	"errors"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/routing/http/server"
	"github.com/ipfs/boxo/routing/http/types"
	"github.com/ipfs/boxo/routing/http/types/iter"
	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
)

// Node is what answers: a *waymark.DHT or a *dual.DHT. Each call ends by itself
// within a bound.
type Node interface {
	routing.ValueStore
	// SearchProviders calls found with each provider as it is found, at most
	// count of them, and returns why it ended.
	SearchProviders(ctx context.Context, c cid.Cid, count int, found func(peer.AddrInfo)) (waymark.Outcome, error)
	// FindPeer returns a peer's addresses.
	FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error)
	// Lookup returns the peers nearest to a key.
	Lookup(ctx context.Context, key string) (waymark.Result, error)
}

// Router is a node as boxo's server wants it.
type Router struct{ node Node }

var _ server.DelegatedRouter = (*Router)(nil)

// AsDelegatedRouter returns a node as boxo's server wants it, for programs that
// have such a server already; Handler is the whole of it. Its iterators work
// while they are read, and end with their context and when they are closed.
func AsDelegatedRouter(n Node) *Router { return &Router{n} }

// FindProviders implements server.DelegatedRouter. What fails before anything
// was found is the iterator's one result.
func (r *Router) FindProviders(ctx context.Context, c cid.Cid, limit int) (iter.ResultIter[types.Record], error) {
	most := params.MaxProvidersFound
	if limit > 0 {
		most = min(limit, most)
	}
	return newStream(ctx, most, func(ctx context.Context, yield func(types.Record)) (string, error) {
		o, err := r.node.SearchProviders(ctx, c, most, func(p peer.AddrInfo) { yield(recordOf(p)) })
		return wordOf(o, err), err
	}), nil
}

// FindPeers implements server.DelegatedRouter. There is one result, or none.
func (r *Router) FindPeers(ctx context.Context, id peer.ID, _ int) (iter.ResultIter[*types.PeerRecord], error) {
	return newStream(ctx, 1, func(ctx context.Context, yield func(*types.PeerRecord)) (string, error) {
		p, err := r.node.FindPeer(ctx, id)
		if err == nil {
			yield(recordOf(p))
		}
		return wordOf(engine.Found, err), err
	}), nil
}

// GetClosestPeers implements server.DelegatedRouter. The key is that of the
// CID's multihash, which for a peer is its ID.
func (r *Router) GetClosestPeers(ctx context.Context, key cid.Cid) (iter.ResultIter[*types.PeerRecord], error) {
	return newStream(ctx, params.MaxWanted, func(ctx context.Context, yield func(*types.PeerRecord)) (string, error) {
		got, err := r.node.Lookup(ctx, string(key.Hash()))
		for _, p := range got.Peers[:min(len(got.Peers), params.MaxWanted)] {
			yield(recordOf(p))
		}
		return wordOf(got.Outcome, err), err
	}), nil
}

// GetIPNS implements server.DelegatedRouter.
func (r *Router) GetIPNS(ctx context.Context, name ipns.Name) (*ipns.Record, error) {
	raw, err := r.node.GetValue(ctx, string(name.RoutingKey()))
	if err = note(ctx, supported(err)); err != nil {
		return nil, err
	}
	return ipns.UnmarshalRecord(raw)
}

// PutIPNS implements server.DelegatedRouter.
func (r *Router) PutIPNS(ctx context.Context, name ipns.Name, record *ipns.Record) error {
	raw, err := ipns.MarshalRecord(record)
	if err != nil {
		return err
	}
	return note(ctx, supported(r.node.PutValue(ctx, string(name.RoutingKey()), raw)))
}

// supported says routing.ErrNotSupported of a node that has no rule for /ipns.
func supported(err error) error {
	if errors.Is(err, waymark.ErrNamespace) {
		return errors.Join(routing.ErrNotSupported, err)
	}
	return err
}

// note tells the request's report how its one call ended.
func note(ctx context.Context, err error) error {
	reportOf(ctx).ended(wordOf(engine.Found, err), err)
	return err
}

// ProvideBitswap implements server.DelegatedRouter: it is not supported, for it
// would announce others than those who ask.
//
//lint:ignore SA1019 boxo's interface still has it
func (r *Router) ProvideBitswap(ctx context.Context, _ *server.BitswapWriteProvideRequest) (time.Duration, error) {
	return 0, note(ctx, routing.ErrNotSupported)
}

// recordOf is a peer as the API has it. What it speaks is not known.
func recordOf(p peer.AddrInfo) *types.PeerRecord {
	r := &types.PeerRecord{Schema: types.SchemaPeer, ID: &p.ID, Addrs: []types.Multiaddr{}, Protocols: []string{}}
	for _, a := range p.Addrs {
		r.Addrs = append(r.Addrs, types.Multiaddr{Multiaddr: ma.Multiaddr(a)})
	}
	return r
}

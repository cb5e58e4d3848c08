// Package dht is Waymark with the names of go-libp2p-kad-dht, for programs that were written for it: change the import path, and keep the rest.
//
// It may not do anything that package waymark does not: each option becomes a
// field of waymark.Config or is refused, and README.md lists what becomes of
// which. Programs that begin today use package waymark.
// Start reading at [New], then options.go.
package dht

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-cid"
	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// DefaultPrefix is what comes before /kad/1.0.0 in the protocol of the public
// network.
const DefaultPrefix protocol.ID = "/ipfs"

// ProtocolDHT is the protocol of the public network, and DefaultProtocols all
// that a node speaks there.
var (
	ProtocolDHT      = waymark.DefaultProtocol
	DefaultProtocols = []protocol.ID{ProtocolDHT}
)

// IpfsDHT is a node. The node of package waymark is in it, with all its
// methods, and with bounds and reports that the incumbent does not have.
type IpfsDHT struct {
	*waymark.DHT

	cfg   config
	table *RoutingTable
	made  chan struct{} // closed once the node above is there
	store interface{ Close() error }

	lifetime   context.Context
	background context.CancelFunc
	tasks      sync.WaitGroup
	closing    atomic.Bool
	over       chan struct{} // closed at the end of the first Close
	closed     error

	mu     sync.Mutex
	before []peer.ID // servers that were met before the node was there
}

var (
	_ routing.Routing       = (*IpfsDHT)(nil)
	_ routing.PubKeyFetcher = (*IpfsDHT)(nil)
)

// New starts a node on a host and, unless DisableAutoRefresh says otherwise,
// begins to fill its table at once. When ctx ends, the node closes.
func New(ctx context.Context, h host.Host, options ...Option) (*IpfsDHT, error) {
	cfg := defaults(h)
	for i, option := range options {
		if err := option(&cfg); err != nil {
			return nil, fmt.Errorf("dht option %d failed: %w", i, err)
		}
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	d := &IpfsDHT{cfg: cfg, made: make(chan struct{}), over: make(chan struct{})}
	wcfg, err := d.translated(ctx, h)
	if err != nil {
		return nil, err
	}
	if d.DHT, err = waymark.New(h, wcfg); err != nil {
		return nil, errors.Join(err, d.closeStore())
	}
	d.table = newTable(d.DHT)
	close(d.made)
	go d.table.follow(d.Facts(context.Background())) // until the node closes, which does not wait for the owner's functions
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// NewDHT is New with a datastore; it panics on an error, as it always has.
func NewDHT(ctx context.Context, h host.Host, dstore ds.Batching) *IpfsDHT {
	return must(New(ctx, h, Datastore(dstore)))
}

// NewDHTClient is NewDHT for a node that serves nobody.
func NewDHTClient(ctx context.Context, h host.Host, dstore ds.Batching) *IpfsDHT {
	return must(New(ctx, h, Datastore(dstore), Mode(ModeClient)))
}

func must(d *IpfsDHT, err error) *IpfsDHT {
	if err != nil {
		panic(err)
	}
	return d
}

// Close ends every operation, closes the node, and then its store, for which it
// waits params.StoreDeadline. A datastore that was handed over stays open.
func (d *IpfsDHT) Close() error {
	if d.closing.CompareAndSwap(false, true) {
		if d.background != nil {
			d.background()
		}
		d.closed = errors.Join(d.DHT.Close(), d.closeStore())
		d.tasks.Wait() // every one of them ends with the node
		close(d.over)
	}
	<-d.over
	return d.closed
}

// closeStore waits no longer than params.StoreDeadline: a datastore of the host's
// may block for as long as its disk does.
func (d *IpfsDHT) closeStore() error {
	if d.store == nil {
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- d.store.Close() }()
	timer := time.NewTimer(params.StoreDeadline)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("what is being written to the datastore goes on: %w", context.DeadlineExceeded)
	}
}

// Mode returns the mode that was asked for.
func (d *IpfsDHT) Mode() ModeOpt { return d.cfg.mode }

// Context returns a context that ends when the node closes.
func (d *IpfsDHT) Context() context.Context { return d.lifetime }

// BucketSize returns k.
func (d *IpfsDHT) BucketSize() int { return params.K }

// FindLocal returns the addresses of a peer that is connected, else none.
func (d *IpfsDHT) FindLocal(_ context.Context, id peer.ID) peer.AddrInfo {
	if d.Host().Network().Connectedness(id) != network.Connected {
		return peer.AddrInfo{}
	}
	return d.Host().Peerstore().PeerInfo(id)
}

// PeerKey returns the node's place in the key space.
func (d *IpfsDHT) PeerKey() []byte {
	k := key.OfString(string(d.PeerID())).Bytes()
	return k[:]
}

// Ping asks a peer once whether it serves this DHT.
func (d *IpfsDHT) Ping(ctx context.Context, p peer.ID) error {
	_, err := d.DHT.Ping(ctx, p)
	return err
}

// NetworkSize estimates how many servers the network has.
func (d *IpfsDHT) NetworkSize() (int32, error) {
	n, err := d.DHT.NetworkSize()
	return int32(min(n, math.MaxInt32)), err
}

// Waymark returns the node of package waymark that is in it.
func (d *IpfsDHT) Waymark() *waymark.DHT { return d.DHT }

// RoutingTable returns a view of the routing table.
func (d *IpfsDHT) RoutingTable() *RoutingTable { return d.table }

// ProviderStore returns a view of the provider records that the node stores.
func (d *IpfsDHT) ProviderStore() *ProviderStore { return &ProviderStore{d.DHT} }

// ProviderStore is a view of the provider records that a node stores, its own and
// those that others have brought.
type ProviderStore struct{ of *waymark.DHT }

// AddProvider stores that a peer provides a key, and tells nobody; see
// waymark.DHT.AddLocalProvider. Without addresses the peerstore's are taken.
func (s *ProviderStore) AddProvider(ctx context.Context, key []byte, p peer.AddrInfo) error {
	if len(p.Addrs) == 0 {
		p = s.of.Host().Peerstore().PeerInfo(p.ID)
	}
	return s.of.AddLocalProvider(ctx, key, p)
}

// GetProviders returns who provides a key by what the node stores. Addresses that
// only the peerstore has are added.
func (s *ProviderStore) GetProviders(ctx context.Context, key []byte) ([]peer.AddrInfo, error) {
	found, err := s.of.LocalProvidersOf(ctx, key)
	list := make([]peer.AddrInfo, 0, len(found))
	for _, p := range found {
		if len(p.Peer.Addrs) == 0 {
			p.Peer = s.of.Host().Peerstore().PeerInfo(p.Peer.ID)
		}
		list = append(list, p.Peer)
	}
	return list, err
}

// Close does nothing: the store is the node's.
func (s *ProviderStore) Close() error { return nil }

// What is switched off is not supported.

// PutValue stores a value; see waymark.DHT.
func (d *IpfsDHT) PutValue(ctx context.Context, key string, value []byte, opts ...routing.Option) error {
	if d.cfg.noValues {
		return routing.ErrNotSupported
	}
	return d.DHT.PutValue(ctx, key, value, opts...)
}

// GetValue returns the best value under a key; see waymark.DHT.
func (d *IpfsDHT) GetValue(ctx context.Context, key string, opts ...routing.Option) ([]byte, error) {
	if d.cfg.noValues {
		return nil, routing.ErrNotSupported
	}
	return d.DHT.GetValue(ctx, key, opts...)
}

// SearchValue streams ever better values; see waymark.DHT.
func (d *IpfsDHT) SearchValue(ctx context.Context, key string, opts ...routing.Option) (<-chan []byte, error) {
	if d.cfg.noValues {
		return nil, routing.ErrNotSupported
	}
	return d.DHT.SearchValue(ctx, key, opts...)
}

// Provide stores, and announces, that this host provides what a CID names; see
// waymark.DHT.
func (d *IpfsDHT) Provide(ctx context.Context, c cid.Cid, announce bool) error {
	if d.cfg.noProviders {
		return routing.ErrNotSupported
	}
	return d.DHT.Provide(ctx, c, announce)
}

// ProvideMany announces many keys; see waymark.DHT.
func (d *IpfsDHT) ProvideMany(ctx context.Context, keys []multihash.Multihash) error {
	if d.cfg.noProviders {
		return routing.ErrNotSupported
	}
	return d.DHT.ProvideMany(ctx, keys)
}

// FindProviders returns who provides what a CID names. None is no error.
func (d *IpfsDHT) FindProviders(ctx context.Context, c cid.Cid) ([]peer.AddrInfo, error) {
	if d.cfg.noProviders {
		return nil, routing.ErrNotSupported
	}
	found, err := d.DHT.FindProviders(ctx, c)
	if errors.Is(err, waymark.ErrNotFound) {
		err = nil
	}
	return found, err
}

// FindProvidersAsync streams who provides what a CID names; see waymark.DHT.
func (d *IpfsDHT) FindProvidersAsync(ctx context.Context, c cid.Cid, count int) <-chan peer.AddrInfo {
	if d.cfg.noProviders {
		none := make(chan peer.AddrInfo)
		close(none)
		return none
	}
	return d.DHT.FindProvidersAsync(ctx, c, count)
}

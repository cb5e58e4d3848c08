// Package fullrt is package fulltable with the names of go-libp2p-kad-dht/fullrt: a client that knows everybody.
//
// It may not do anything that package fulltable does not; compat/README.md has
// what becomes of each name.
// Start reading at [NewFullRT].
package fullrt

import (
	"context"
	"errors"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/waymark-dht/waymark"
	dht "github.com/waymark-dht/waymark/compat"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/fulltable"
)

// keptAt is where the client keeps its own records in a datastore that others
// use too, such as a node that serves beside it.
var keptAt = ds.NewKey("/waymark/fullrt")

// FullRT is a client that knows everybody, and the node that it works with, which
// serves nobody.
type FullRT struct {
	*fulltable.Client
	node *dht.IpfsDHT
}

type config struct {
	node  []dht.Option
	table fulltable.Config
}

// Option is one thing that NewFullRT is told.
type Option func(*config) error

// DHTOption is for the node that the client works with.
func DHTOption(opts ...dht.Option) Option {
	return func(c *config) error { c.node = append(c.node, opts...); return nil }
}

// WithCrawlInterval is how often the network is crawled. Default:
// params.FullEvery.
func WithCrawlInterval(every time.Duration) Option {
	return func(c *config) error { c.table.Every = every; return nil }
}

// WithSuccessWaitFraction has no effect: a put or provide ends as Waymark's does.
func WithSuccessWaitFraction(float64) Option { return func(*config) error { return nil } }

// WithTimeoutPerOperation has no effect: Bound says how long each takes at most.
func WithTimeoutPerOperation(time.Duration) Option { return func(*config) error { return nil } }

// WithBulkSendParallelism has no effect: params.FullWidth peers are told at a time.
func WithBulkSendParallelism(int) Option { return func(*config) error { return nil } }

// NewFullRT starts a client, and a node of its own, of the network whose protocol
// begins so. It begins to crawl at once. While it is not Ready ordinary lookups
// do the work.
func NewFullRT(h host.Host, protocolPrefix protocol.ID, options ...Option) (*FullRT, error) {
	var c config
	for _, o := range options {
		if err := o(&c); err != nil {
			return nil, err
		}
	}
	opts := append([]dht.Option{dht.ProtocolPrefix(protocolPrefix)}, c.node...)
	node, err := dht.New(context.Background(), h, append(opts, dht.Mode(dht.ModeClient), dht.DatastoreBelow(keptAt))...)
	if err != nil {
		return nil, err
	}
	return &FullRT{Client: fulltable.New(node.DHT, c.table), node: node}, nil
}

// Close ends the crawl that may be under way, and then the node.
func (f *FullRT) Close() error { return errors.Join(f.Client.Close(), f.node.Close()) }

// Waymark returns the node of package waymark that the client works with.
func (f *FullRT) Waymark() *waymark.DHT { return f.node.DHT }

// BucketSize returns k.
func (f *FullRT) BucketSize() int { return params.K }

// FindLocal returns the addresses of a peer that is connected, else none.
func (f *FullRT) FindLocal(id peer.ID) peer.AddrInfo {
	if f.Host().Network().Connectedness(id) != network.Connected {
		return peer.AddrInfo{}
	}
	return f.Host().Peerstore().PeerInfo(id)
}

// Stat returns everybody in the table, by each one's place in the key space.
func (f *FullRT) Stat() map[string]peer.ID {
	all := make(map[string]peer.ID)
	for _, p := range f.Everybody() {
		place := key.OfString(string(p.ID)).Bytes()
		all[string(place[:])] = p.ID
	}
	return all
}

// TriggerRefresh has the network be crawled now, and returns at once.
func (f *FullRT) TriggerRefresh(ctx context.Context) error {
	f.Refresh()
	return ctx.Err()
}

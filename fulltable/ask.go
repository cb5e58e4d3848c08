package fulltable

import (
	"context"
	"errors"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/crawl"
)

// asker asks peers for a crawl through a node. Each request is an operation of
// the node's, so that all of its limits apply. Connections that it has opened
// are closed when a peer is left, unless the node has a use for them: a host
// with a connection to everybody would run out of memory.
type asker struct {
	dht  *waymark.DHT
	stop context.CancelFunc // ends the crawl: the node is closed

	mu   sync.Mutex
	ours map[contact.ID]bool // whom we were not connected to before
}

// Ask implements crawl.Asker.
func (a *asker) Ask(ctx context.Context, to *contact.Info, preimage []byte) crawl.Answer {
	a.arrive(to.ID)
	s, err := a.dht.Survey(ctx, to, preimage)
	if errors.Is(err, waymark.ErrClosed) {
		a.stop()
	}
	return crawl.Answer{Closer: s.Closer, From: s.From, Failure: s.Failure, Detail: s.Detail}
}

// arrive notes whether we are connected to a peer before we ask it.
func (a *asker) arrive(id contact.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.ours[id]; !known {
		a.ours[id] = a.dht.Host().Network().Connectedness(peer.ID(id)) != network.Connected
	}
}

// Leave implements crawl.Asker.
func (a *asker) Leave(of *contact.Info) {
	a.mu.Lock()
	ours := a.ours[of.ID]
	delete(a.ours, of.ID)
	a.mu.Unlock()
	id := peer.ID(of.ID)
	h := a.dht.Host()
	if ours && !a.dht.Knows(id) && !h.ConnManager().IsProtected(id, "") {
		_ = h.Network().ClosePeer(id) // one that will not close is the host's to deal with
	}
}

// Crawl walks the whole network that a node has joined, through the node, and
// returns who is in it. It begins with the node's routing table, which must
// not be empty (waymark.ErrNotReady), and ends within cfg.Bound.
func Crawl(ctx context.Context, d *waymark.DHT, cfg crawl.Config) (crawl.Result, error) {
	c, err := Begin(d, cfg, nil)
	if err != nil {
		return crawl.Result{}, err
	}
	return Run(ctx, d, c), nil
}

// Begin is the beginning of Crawl, for one that is to go on with more peers or
// to be stopped and gone on with.
func Begin(d *waymark.DHT, cfg crawl.Config, more []*contact.Info) (*crawl.Crawl, error) {
	var seeds []*contact.Info
	for _, b := range d.RoutingTable().Buckets {
		for _, p := range b.Contacts {
			if c, err := waymark.ContactOf(p); err == nil {
				seeds = append(seeds, c)
			}
		}
	}
	if seeds = append(seeds, more...); len(seeds) == 0 {
		return nil, waymark.ErrNotReady
	}
	cfg.Self = contact.ID(d.PeerID())
	return crawl.New(cfg, seeds), nil
}

// Run is the rest of Crawl, and goes on where an earlier Run was stopped.
func Run(ctx context.Context, d *waymark.DHT, c *crawl.Crawl) crawl.Result {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return c.Run(ctx, &asker{dht: d, stop: cancel, ours: make(map[contact.ID]bool)})
}

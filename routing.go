package waymark

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
)

// The shapes in which go-libp2p, boxo and Kubo use a DHT.
var (
	_ routing.Routing       = (*DHT)(nil)
	_ routing.PubKeyFetcher = (*DHT)(nil)
	// Of go-libp2p-routing-helpers: ProvideManyRouter and ReadyAbleRouter.
	_ interface {
		ProvideMany(context.Context, []multihash.Multihash) error
		Ready() bool
	} = (*DHT)(nil)
)

// GetPublicKey returns a peer's public key: from its ID, if that holds it, from
// the peerstore, or from the network.
func (d *DHT) GetPublicKey(ctx context.Context, id peer.ID) (crypto.PubKey, error) {
	if err := named(id); err != nil {
		return nil, err
	}
	if k, err := id.ExtractPublicKey(); err == nil {
		return k, nil
	}
	ctx = begun(ctx, 0)
	keys := d.host.Peerstore
	if k, _ := consult(ctx, d.workers, params.PeerstoreDeadline, func() crypto.PubKey { return keys().PubKey(id) }); k != nil {
		return k, nil
	}
	raw, err := d.GetValue(ctx, routing.KeyForPublicKey(id))
	if err != nil {
		return nil, err
	}
	k, err := crypto.UnmarshalPublicKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	err, _ = consult(ctx, d.workers, params.PeerstoreDeadline, func() error { return keys().AddPubKey(id, k) })
	return k, err
}

// GetNClosest is Lookup for another number of peers than k, at most
// params.MaxWanted.
func (d *DHT) GetNClosest(ctx context.Context, key string, n int) (Result, error) {
	if n < 1 || n > params.MaxWanted {
		return Result{}, badConfig("the %d closest peers; from 1 to %d are possible", n, params.MaxWanted)
	}
	if err := keyed([]byte(key)); err != nil {
		return Result{}, err
	}
	return d.lookup(ctx, OpLookup, engine.StartLookup{Kind: engine.KindLookup, Preimage: []byte(key), Want: n})
}

// RefreshRoutingTable bootstraps and sends the error, or nil, once it is done.
// It is RunBootstrap in the form that callers of go-libp2p-kad-dht know.
func (d *DHT) RefreshRoutingTable() <-chan error {
	done := make(chan error, 1)
	go func() {
		defer close(done)
		_, err := d.RunBootstrap(context.Background()) // it ends by its own bound
		done <- err
	}()
	return done
}

// ForceRefresh is RefreshRoutingTable: every refresh is forced.
func (d *DHT) ForceRefresh() <-chan error { return d.RefreshRoutingTable() }

// FilteredAddrs returns the addresses under which this node is announced as a
// provider: those of the host that its network's policy lets others dial.
func (d *DHT) FilteredAddrs() []ma.Multiaddr { return unpacked(d.self.Load().Addrs) }

// addrInfo is a peer as others told of it, with what it told itself first.
func (f *firstHand) addrInfo(c *contact.Info) peer.AddrInfo {
	if own := f.with(c.ID, nil); own != nil {
		c = own
	}
	return infoOf(c)
}

// queryEvents publishes what an operation does to whoever has registered on
// the context for go-libp2p's query events. Publishing waits for the reader,
// and the engine does not: what a slow reader has no room for is left out.
// The caller calls done when the operation is over.
func (d *DHT) queryEvents(ctx context.Context) (publish func(engine.Fact), done func()) {
	if !routing.SubscribesToQueryEvents(ctx) {
		return func(engine.Fact) {}, func() {}
	}
	events := make(chan *routing.QueryEvent, params.QueryEvents)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		for e := range events {
			routing.PublishQueryEvent(ctx, e)
			if e.Type == routing.SendingQuery && d.host.Network().Connectedness(e.ID) != network.Connected {
				routing.PublishQueryEvent(ctx, &routing.QueryEvent{ID: e.ID, Type: routing.DialingPeer})
			}
		}
	}()
	var once sync.Once
	return func(f engine.Fact) {
			if e := queryEvent(f); e != nil {
				select {
				case events <- e:
				default:
				}
			}
		}, func() {
			once.Do(func() {
				close(events)
				time.AfterFunc(params.CancelGrace, cancel) // what a reader has not taken by then is lost
			})
		}
}

// queryEvent translates a fact, or returns nil.
func queryEvent(f engine.Fact) *routing.QueryEvent {
	switch f := f.(type) {
	case engine.RequestSent:
		if f.Ask == engine.AskStore {
			return &routing.QueryEvent{ID: peer.ID(f.Peer.ID), Type: routing.Value}
		}
		return &routing.QueryEvent{ID: peer.ID(f.Peer.ID), Type: routing.SendingQuery}
	case engine.RequestEnded:
		if f.Failure == contact.None {
			return &routing.QueryEvent{ID: peer.ID(f.Peer.ID), Type: routing.PeerResponse, Responses: pointers(f.Closer)}
		}
		return &routing.QueryEvent{ID: peer.ID(f.Peer.ID), Type: routing.QueryError, Extra: f.Failure.String() + ": " + f.Detail}
	}
	return nil
}

func pointers(cs []*contact.Info) []*peer.AddrInfo {
	out := make([]*peer.AddrInfo, len(cs))
	for i, c := range cs {
		info := infoOf(c)
		out[i] = &info
	}
	return out
}

// Package dual is package dual of Waymark with the names of go-libp2p-kad-dht/dual: a node of the public network and one of the local network, behind one routing.Routing.
//
// It may not do anything that package dual does not; compat/README.md has what
// becomes of each name.
// Start reading at [New].
package dual

import (
	"context"
	"errors"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	dht "github.com/waymark-dht/waymark/compat"
	"github.com/waymark-dht/waymark/dual"
)

// LanExtension is what the protocol of the local network has after its prefix.
const LanExtension protocol.ID = "/lan"

// lanAt is where the local network's node keeps its records in a datastore that
// both were handed. The public network's are where the incumbent has both.
var lanAt = ds.NewKey("/waymark/lan")

// DHT is a node on each of two networks. The verbs are those of package dual,
// with its methods that the incumbent does not have.
type DHT struct {
	WAN, LAN *dht.IpfsDHT
	*dual.DHT
}

var (
	_ routing.Routing       = (*DHT)(nil)
	_ routing.PubKeyFetcher = (*DHT)(nil)
)

// config is the options for each network.
type config struct{ wan, lan []dht.Option }

// Option is one thing that New is told.
type Option func(*config) error

// WanDHTOption is for the node of the public network.
func WanDHTOption(opts ...dht.Option) Option {
	return func(c *config) error { c.wan = append(c.wan, opts...); return nil }
}

// LanDHTOption is for the node of the local network.
func LanDHTOption(opts ...dht.Option) Option {
	return func(c *config) error { c.lan = append(c.lan, opts...); return nil }
}

// DHTOption is for both.
func DHTOption(opts ...dht.Option) Option {
	return func(c *config) error { return errors.Join(WanDHTOption(opts...)(c), LanDHTOption(opts...)(c)) }
}

// New starts both nodes on one host; until Close, as the newest versions of the
// incumbent have it. Unless options say otherwise the public network's believes
// public addresses alone, and the local network's all but those of this machine.
// The local network's always serves, unless the other is a client.
func New(h host.Host, options ...Option) (*DHT, error) {
	c := config{
		wan: []dht.Option{
			dht.QueryFilter(dht.PublicQueryFilter), dht.RoutingTableFilter(dht.PublicRoutingTableFilter),
			dht.RoutingTablePeerDiversityFilter(dht.NewRTPeerDiversityFilter(h, 0, 0)), only(manet.IsPublicAddr),
		},
		lan: []dht.Option{
			dht.ProtocolExtension(LanExtension),
			dht.QueryFilter(dht.PrivateQueryFilter), dht.RoutingTableFilter(dht.PrivateRoutingTableFilter),
			only(func(a ma.Multiaddr) bool { return !manet.IsIPLoopback(a) }),
		},
	}
	for _, o := range options {
		if err := o(&c); err != nil {
			return nil, err
		}
	}
	wan, err := dht.New(context.Background(), h, c.wan...)
	if err != nil {
		return nil, err
	}
	c.lan = append(c.lan, dht.DatastoreBelow(lanAt))
	if wan.Mode() != dht.ModeClient {
		c.lan = append(c.lan, dht.Mode(dht.ModeServer))
	}
	lan, err := dht.New(context.Background(), h, c.lan...)
	if err != nil {
		return nil, errors.Join(err, wan.Close())
	}
	return &DHT{WAN: wan, LAN: lan, DHT: &dual.DHT{WAN: wan.DHT, LAN: lan.DHT}}, nil
}

// only keeps the addresses that are of use.
func only(keep func(ma.Multiaddr) bool) dht.Option {
	return dht.AddressFilter(func(all []ma.Multiaddr) []ma.Multiaddr { return ma.FilterAddrs(all, keep) })
}

// WANActive reports whether anybody of the public network is known.
func (d *DHT) WANActive() bool { return !d.WAN.RoutingTable().IsEmpty() }

// Close closes both nodes at once, each within its bound. A datastore that was
// handed over stays open.
func (d *DHT) Close() error {
	lan := make(chan error, 1)
	go func() { lan <- d.LAN.Close() }()
	return errors.Join(d.WAN.Close(), <-lan)
}

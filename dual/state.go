package dual

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
)

// Bootstrap starts to fill both routing tables and returns at once.
func (d *DHT) Bootstrap(ctx context.Context) error {
	return errors.Join(said("wan", d.WAN.Bootstrap(ctx)), said("lan", d.LAN.Bootstrap(ctx)))
}

// WaitReady returns nil once either node has a useful table, as
// waymark.DHT.WaitReady does for one.
func (d *DHT) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wait := func(ctx context.Context, n *waymark.DHT) (struct{}, error) { return struct{}{}, n.WaitReady(ctx) }
	l, w := ask(ctx, d.LAN, wait), ask(ctx, d.WAN, wait)
	var wan, lan answer[struct{}]
	select {
	case wan = <-w:
		if wan.err != nil {
			lan = <-l
		}
	case lan = <-l:
		if lan.err != nil {
			wan = <-w
		}
	}
	return unlessEither(wan.err, lan.err)
}

// Ready reports whether either node has a useful table.
func (d *DHT) Ready() bool { return d.WAN.Ready() || d.LAN.Ready() }

// RefreshRoutingTable bootstraps both nodes and sends nil once that is done, or
// the errors if neither table is of use.
func (d *DHT) RefreshRoutingTable() <-chan error {
	wan, lan := d.WAN.RefreshRoutingTable(), d.LAN.RefreshRoutingTable()
	done := make(chan error, 1)
	go func() {
		defer close(done)
		done <- unlessEither(<-wan, <-lan)
	}()
	return done
}

// ForceRefresh is RefreshRoutingTable: every refresh is forced.
func (d *DHT) ForceRefresh() <-chan error { return d.RefreshRoutingTable() }

// NetworkSize estimates how many servers the wide network has.
func (d *DHT) NetworkSize() (int, error) { return d.WAN.NetworkSize() }

// FilteredAddrs returns the addresses under which this host is announced in
// the wide network.
func (d *DHT) FilteredAddrs() []ma.Multiaddr { return d.WAN.FilteredAddrs() }

// Mode returns what the node of the wide network is now.
func (d *DHT) Mode() waymark.Mode { return d.WAN.Mode() }

// Host returns the host that both nodes run on.
func (d *DHT) Host() host.Host { return d.WAN.Host() }

// PeerID returns the host's ID.
func (d *DHT) PeerID() peer.ID { return d.WAN.PeerID() }

// Overdue returns how many operations of either node did not end within their
// bound, ever. It is a defect if this is not zero.
func (d *DHT) Overdue() int64 { return d.WAN.Overdue() + d.LAN.Overdue() }

package waymark

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// consult asks the host for what it should know at once, such as what its
// peerstore has of a peer, and reports whether it said. Whatever stands behind that
// may read a disk or block: it is waited for until a limit, or the end of ctx, and
// then left behind. It counts as a call under way, of which there are
// params.HostCalls at a time. KAD-11.9.
func consult[T any](ctx context.Context, w *workers, limit time.Duration, call func() T) (got T, said bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case w.consults <- struct{}{}:
	case <-timer.C:
		return got, false
	case <-ctx.Done():
		return got, false
	}
	done := make(chan T, 1)
	if !w.besides(func() {
		defer func() { <-w.consults }()
		done <- call()
	}) {
		<-w.consults
		return got, false
	}
	select {
	case got = <-done:
		return got, true
	case <-timer.C:
	case <-ctx.Done():
	}
	return got, false
}

// atHand returns what the host knows of a peer that it is connected to, or of
// itself.
func (d *DHT) atHand(ctx context.Context, id peer.ID) (peer.AddrInfo, bool) {
	info, said := consult(ctx, d.workers, params.PeerstoreDeadline, func() *peer.AddrInfo {
		if d.host.Network().Connectedness(id) != network.Connected && id != d.host.ID() {
			return nil
		}
		info := d.host.Peerstore().PeerInfo(id)
		return &info
	})
	switch {
	case info != nil:
		return *info, true
	case !said && id == d.host.ID():
		return infoOf(d.self.Load()), true
	}
	return peer.AddrInfo{}, false
}

// contactAt is a peer with the addresses that the peerstore has; with none if it
// does not say, as the peer may be connected.
func (d *DHT) contactAt(ctx context.Context, id peer.ID) *contact.Info {
	info, said := consult(ctx, d.workers, params.PeerstoreDeadline, func() peer.AddrInfo { return d.host.Peerstore().PeerInfo(id) })
	if !said {
		return contact.New(contact.ID(id))
	}
	return contactOf(info)
}

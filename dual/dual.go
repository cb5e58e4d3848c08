// Package dual is two nodes behind one routing.Routing: one on the network of the whole world and one on that of the local network, as go-libp2p-kad-dht/dual has them.
//
// It may not decide anything about Kademlia, and it knows the nodes by their
// front door alone: here is only whom to ask, and what to make of two answers.
// Start reading at [New], then at the verbs in routing.go.
package dual

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/waymark-dht/waymark"
)

// LANProtocol is the protocol of the public network's nodes among those of
// their own LAN.
const LANProtocol protocol.ID = "/ipfs/lan/kad/1.0.0"

// Config is what the two nodes may be told. The zero value is a node of the
// public IPFS network and one of the LAN, neither of which has a seed.
type Config struct {
	// WAN is the node of the wide network: its zero value serves once the host
	// is publicly reachable, and believes public addresses alone.
	WAN waymark.Config

	// LAN is the node of the local network. What it does not say is LANProtocol,
	// always a server (nothing can tell whether a LAN reaches it; ModeClient
	// is kept), LocalAddr, OneSite, and the validators and logger of WAN. Its
	// store is its own: two nodes on one would mix their routing tables.
	LAN waymark.Config
}

// DHT is a node on each of two networks. It is safe for concurrent use. WAN and
// LAN may be used by themselves; to close them is the DHT's.
type DHT struct {
	WAN, LAN *waymark.DHT
}

// PublicAddr reports whether an address is one of the whole world.
func PublicAddr(a ma.Multiaddr) bool { return manet.IsPublicAddr(a) }

// LocalAddr reports whether an address is private, link-local or of this
// machine, and so means something to neighbours alone.
func LocalAddr(a ma.Multiaddr) bool { return manet.IsPrivateAddr(a) }

// New starts both nodes on one host. The host stays the caller's.
func New(h host.Host, cfg Config) (*DHT, error) {
	cfg = cfg.completed(h)
	if w, l := cfg.WAN.Protocol, cfg.LAN.Protocol; w == l {
		return nil, fmt.Errorf("%w: both networks speak %s; give one of them another Protocol", waymark.ErrBadConfig, w)
	}
	if s := cfg.WAN.Store; s != nil && reflect.TypeOf(s).Comparable() && s == cfg.LAN.Store {
		return nil, fmt.Errorf("%w: both networks have one store, and would mix their routing tables; give each its own", waymark.ErrBadConfig)
	}
	wan, err := waymark.New(h, cfg.WAN)
	if err != nil {
		return nil, fmt.Errorf("wan: %w", err)
	}
	lan, err := waymark.New(h, cfg.LAN)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lan: %w", err), wan.Close())
	}
	return &DHT{WAN: wan, LAN: lan}, nil
}

// completed fills in what the owner left to us.
func (c Config) completed(h host.Host) Config {
	if c.WAN.Protocol == "" {
		c.WAN.Protocol = waymark.DefaultProtocol
	}
	if c.LAN.Protocol == "" {
		c.LAN.Protocol = LANProtocol
	}
	if c.LAN.Mode == waymark.ModeAuto {
		c.LAN.Mode = waymark.ModeServer
	}
	if c.LAN.Addrs == nil {
		c.LAN.Addrs = LocalAddr
	}
	if c.LAN.Validators == nil {
		c.LAN.Validators = c.WAN.Validators
	}
	if c.LAN.Logger == nil {
		c.LAN.Logger = c.WAN.Logger
	}
	c.LAN.OneSite = true
	c.LAN.Approve.Admit = neighbours(h, c.LAN.Addrs, c.LAN.Approve.Admit)
	return c
}

// neighbours admits only who is connected from a local address: anybody in the
// world may speak the LAN's protocol, and say that it lives in 192.168.0.0/16.
func neighbours(h host.Host, local func(ma.Multiaddr) bool, also func(peer.AddrInfo) bool) func(peer.AddrInfo) bool {
	return func(info peer.AddrInfo) bool {
		for _, c := range h.Network().ConnsToPeer(info.ID) {
			if near(c, local) {
				return also == nil || also(info)
			}
		}
		return false
	}
}

// near reports whether a connection stays on the local network.
func near(c network.Conn, local func(ma.Multiaddr) bool) bool {
	a := c.RemoteMultiaddr()
	if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		return false
	}
	return local(a)
}

// Close closes both nodes, at once, within Bound(OpClose).
func (d *DHT) Close() error {
	lan := ask(context.Background(), d.LAN, func(_ context.Context, n *waymark.DHT) (struct{}, error) {
		return struct{}{}, n.Close()
	})
	wan := d.WAN.Close()
	return errors.Join(said("wan", wan), said("lan", (<-lan).err))
}

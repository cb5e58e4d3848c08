package main

import (
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// dialCounter is a connection gater that lets everything pass and counts the
// peers that are dialled, by whomever in the process.
type dialCounter struct{ dials atomic.Int64 }

func (c *dialCounter) count() int { return int(c.dials.Load()) }

// InterceptPeerDial implements connmgr.ConnectionGater.
func (c *dialCounter) InterceptPeerDial(peer.ID) bool {
	c.dials.Add(1)
	return true
}

// InterceptAddrDial implements connmgr.ConnectionGater.
func (c *dialCounter) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }

// InterceptAccept implements connmgr.ConnectionGater.
func (c *dialCounter) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured implements connmgr.ConnectionGater.
func (c *dialCounter) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

// InterceptUpgraded implements connmgr.ConnectionGater.
func (c *dialCounter) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) {
	return true, 0
}

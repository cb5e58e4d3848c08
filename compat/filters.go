package dht

import (
	"cmp"
	"slices"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// DefaultBootstrapPeers are seeds of the public network.
var DefaultBootstrapPeers = publicSeeds()

func publicSeeds() (addrs []ma.Multiaddr) {
	for _, id := range []string{
		"QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
		"QmQCU2EcMqAqQPR2i9bChDtGNJchTbq5TbXJJ16u19uLTa",
		"QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb",
		"QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt",
	} {
		addrs = append(addrs, ma.StringCast("/dnsaddr/bootstrap.libp2p.io/p2p/"+id))
	}
	return addrs
}

// GetDefaultBootstrapPeerAddrInfos returns them for BootstrapPeers.
func GetDefaultBootstrapPeerAddrInfos() []peer.AddrInfo {
	infos, err := peer.AddrInfosFromP2pAddrs(DefaultBootstrapPeers...)
	if err != nil {
		return nil // only if somebody has changed the variable
	}
	slices.SortFunc(infos, func(a, b peer.AddrInfo) int { return cmp.Compare(a.ID, b.ID) })
	return infos
}

// hasHost is what the filters need of a node.
type hasHost interface{ Host() host.Host }

// PublicQueryFilter asks only peers with a public address.
func PublicQueryFilter(_ any, ai peer.AddrInfo) bool { return slices.ContainsFunc(ai.Addrs, isPublic) }

// PublicRoutingTableFilter admits only peers with a public address.
func PublicRoutingTableFilter(dht any, p peer.ID) bool {
	return slices.ContainsFunc(dht.(hasHost).Host().Peerstore().Addrs(p), isPublic)
}

// PrivateQueryFilter asks every peer that has an address.
func PrivateQueryFilter(_ any, ai peer.AddrInfo) bool { return len(ai.Addrs) > 0 }

// PrivateRoutingTableFilter admits only peers that are connected from a private
// address, or from a public one that this host has too.
func PrivateRoutingTableFilter(dht any, p peer.ID) bool {
	h := dht.(hasHost).Host()
	for _, c := range h.Network().ConnsToPeer(p) {
		a := c.RemoteMultiaddr()
		if isRelayed(a) {
			continue
		}
		if manet.IsPrivateAddr(a) || slices.ContainsFunc(h.Addrs(), func(own ma.Multiaddr) bool { return isPublic(own) && sameIP(own, a) }) {
			return true
		}
	}
	return false
}

func isPublic(a ma.Multiaddr) bool { return !isRelayed(a) && manet.IsPublicAddr(a) }

func isRelayed(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

func sameIP(a, b ma.Multiaddr) bool {
	x, err := manet.ToIP(a)
	if err != nil {
		return false
	}
	y, err := manet.ToIP(b)
	return err == nil && x.Equal(y)
}

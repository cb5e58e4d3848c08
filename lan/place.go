package lan

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/waymark-dht/waymark/core/params"
)

// place is where a host is on its local networks.
type place struct {
	texts []string // what it announces: its addresses, as dnsaddr=…/p2p/…
	ips   []string // one of each family
	key   string   // changes with the interfaces and the addresses
}

// textPrefix stands before an address in an announcement, as libp2p specifies it.
const textPrefix = "dnsaddr="

// maxText is the longest text of a TXT record.
const maxText = 255

var errNowhere = errors.New("no interface has an address that others on the local network could dial")

// lookAround finds a host's place.
func lookAround(h host.Host) (place, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return place{}, err
	}
	var at place
	for _, i := range interfaces {
		if i.Flags&net.FlagMulticast != 0 {
			at.key += fmt.Sprintf("%d %s %v\n", i.Index, i.Name, i.Flags)
		}
	}
	addrs, err := manet.ResolveUnspecifiedAddresses(h.Network().ListenAddresses(), nil)
	if err != nil { // there is none at all
		return at, fmt.Errorf("%w: %w", errNowhere, err)
	}
	at.take(h.ID(), addrs)
	if len(at.texts) == 0 {
		return at, errNowhere
	}
	return at, nil
}

// take adds addresses of which others on the local network can make use.
func (at *place) take(id peer.ID, addrs []ma.Multiaddr) {
	families := make(map[int]bool)
	for _, a := range addrs {
		text := fmt.Sprintf("%s%s/p2p/%s", textPrefix, a, id)
		if !dialable(a) || len(text) > maxText || len(at.texts) >= params.MaxAddrs {
			continue
		}
		at.texts = append(at.texts, text)
		at.key += text + "\n"
		if ip, err := manet.ToIP(a); err == nil && !families[len(family(ip))] {
			families[len(family(ip))] = true
			at.ips = append(at.ips, ip.String())
		}
	}
}

// family is an IP in its family's length.
func family(ip net.IP) net.IP {
	if short := ip.To4(); short != nil {
		return short
	}
	return ip
}

// dialable reports whether a neighbour could dial an address: an IP that means
// the same to both, and a transport that is no browser's.
func dialable(a ma.Multiaddr) bool {
	ip, err := manet.ToIP(a)
	if err != nil || a[0].Protocol().Code == ma.P_IP6ZONE || ip.IsLoopback() || ip.IsUnspecified() || ip.To4() == nil && ip.IsLinkLocalUnicast() {
		return false // the zone of a link-local address is this host's own name for it
	}
	for _, c := range a {
		switch c.Protocol().Code {
		case ma.P_CIRCUIT, ma.P_WEBTRANSPORT, ma.P_WEBRTC, ma.P_WEBRTC_DIRECT, ma.P_P2P_WEBRTC_DIRECT, ma.P_WS, ma.P_WSS:
			return false
		}
	}
	return true
}

// peersOf reads an announcement; what is no address of a peer is left out.
func peersOf(texts []string) []peer.AddrInfo {
	var addrs []ma.Multiaddr
	for _, text := range texts[:min(len(texts), maxTexts)] {
		if at, is := strings.CutPrefix(text, textPrefix); is {
			if a, err := ma.NewMultiaddr(at); err == nil && dialable(a) {
				addrs = append(addrs, a)
			}
		}
	}
	infos, err := peer.AddrInfosFromP2pAddrs(addrs...)
	if err != nil {
		return nil
	}
	return infos
}

// maxTexts is how many texts of one announcement are read: hosts of others may
// announce all that they have, and mean one peer.
const maxTexts = 8 * params.MaxAddrs

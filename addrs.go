package waymark

import (
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// contactOf converts go-libp2p's idea of a peer to the ground floor's.
func contactOf(info peer.AddrInfo) *contact.Info {
	return contact.New(contact.ID(info.ID), packed(info.Addrs)...)
}

func packed(addrs []ma.Multiaddr) []contact.Addr {
	out := make([]contact.Addr, 0, len(addrs))
	for _, a := range addrs {
		if len(a) > 0 {
			out = append(out, contact.Addr(a.Bytes()))
		}
	}
	return out
}

// infoOf converts back. Addresses that go-libp2p cannot parse are left out.
func infoOf(c *contact.Info) peer.AddrInfo {
	return peer.AddrInfo{ID: peer.ID(c.ID), Addrs: unpacked(c.Addrs)}
}

func unpacked(addrs []contact.Addr) []ma.Multiaddr {
	out := make([]ma.Multiaddr, 0, len(addrs))
	for _, a := range addrs {
		if m, err := ma.NewMultiaddrBytes([]byte(a)); err == nil {
			out = append(out, m)
		}
	}
	return out
}

func infosOf(cs []*contact.Info) []peer.AddrInfo {
	out := make([]peer.AddrInfo, len(cs))
	for i, c := range cs {
		out[i] = infoOf(c)
	}
	return out
}

// isName reports whether an address begins with a DNS name.
func isName(a ma.Multiaddr) bool {
	if len(a) == 0 {
		return false
	}
	switch a[0].Protocol().Code {
	case ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_DNSADDR:
		return true
	}
	return false
}

// policy decides which addresses that others name are believed enough to be
// dialled and kept.
type policy struct {
	loopback bool                    // accept what is not public
	oneSite  bool                    // everybody may be in one IP network
	own      func(ma.Multiaddr) bool // Config.Addrs
}

// Accepts reports whether a node with this Config believes an address enough to
// dial it, keep it and pass it on: for whoever hands a node addresses from
// elsewhere, such as a store.
func (c Config) Accepts(a ma.Multiaddr) bool {
	return policy{c.AllowLoopback, c.OneSite, c.Addrs}.accepts(contact.Addr(a.Bytes()))
}

// accepts reports whether one address may be kept: an IP without relay, and
// one of those that the network lives on: public ones, if its owner says
// nothing else. Names are never taken from others: they would make this node
// ask a DNS server of their choice.
func (p policy) accepts(a contact.Addr) bool {
	if len(a) == 0 || len(a) > params.MaxAddrLen {
		return false
	}
	m, err := ma.NewMultiaddrBytes([]byte(a))
	if err != nil || isRelay(m) || !startsWithIP(m) {
		return false
	}
	if p.own != nil {
		return p.own(m)
	}
	return p.loopback || manet.IsPublicAddr(m)
}

// filter returns what of a contact the policy accepts, at most
// params.MaxAddrs, and nil if nothing is left to dial.
func (p policy) filter(c *contact.Info) *contact.Info {
	kept := p.addrs(c.Addrs)
	switch len(kept) {
	case 0:
		return nil
	case len(c.Addrs):
		return c
	}
	return contact.New(c.ID, kept...)
}

func (p policy) addrs(addrs []contact.Addr) []contact.Addr {
	kept := make([]contact.Addr, 0, min(len(addrs), params.MaxAddrs))
	for _, a := range addrs {
		if len(kept) < params.MaxAddrs && p.accepts(a) {
			kept = append(kept, a)
		}
	}
	return kept
}

// contacts applies the policy to the peers of one answer. The node itself is
// left in: it is the engine that knows what to make of that.
func (p policy) contacts(cs []*contact.Info) []*contact.Info {
	kept := cs[:0:0]
	for _, c := range cs {
		if c = p.filter(c); c != nil {
			kept = append(kept, c)
		}
	}
	return kept
}

func isRelay(m ma.Multiaddr) bool {
	_, err := m.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

func startsWithIP(m ma.Multiaddr) bool {
	if len(m) == 0 {
		return false
	}
	switch m[0].Protocol().Code {
	case ma.P_IP4, ma.P_IP6, ma.P_IP6ZONE:
		return true
	}
	return false
}

package fault

import (
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
)

// Oracle is an honest server that knows the whole network and learns nothing:
// it answers with the k members nearest to what was asked. Safe for
// concurrent use.
type Oracle struct {
	members atomic.Pointer[[]*contact.Info]
}

// NewOracle returns an oracle that knows the given members.
func NewOracle(members []peer.AddrInfo) *Oracle {
	o := &Oracle{}
	o.SetMembers(members)
	return o
}

// SetMembers replaces what the oracle knows, for members that can only be
// named after they have started.
func (o *Oracle) SetMembers(members []peer.AddrInfo) {
	known := make([]*contact.Info, len(members))
	for i, m := range members {
		known[i] = contactOf(m)
	}
	o.members.Store(&known)
}

// Closest returns the n members nearest to a target that are not left out,
// the nearest first: the truth that a lookup's result is compared with.
func (o *Oracle) Closest(target key.Key, n int, except func(*contact.Info) bool) []*contact.Info {
	var near []*contact.Info
	for _, m := range *o.members.Load() {
		if except != nil && except(m) {
			continue
		}
		i, _ := slices.BinarySearchFunc(near, m.Key, func(a *contact.Info, k key.Key) int {
			return target.Closer(a.Key, k)
		})
		if i < n {
			near = slices.Insert(near, i, m)[:min(n, len(near)+1)]
		}
	}
	return near
}

// Serve makes a host answer from what the oracle knows.
func (o *Oracle) Serve(h host.Host, proto protocol.ID) {
	self := contact.ID(h.ID())
	h.SetStreamHandler(proto, func(s network.Stream) {
		from := contact.ID(s.Conn().RemotePeer())
		serve(s, func(m *wire.Message) *wire.Message { return o.answer(m, self, from) })
	})
}

// answer returns nil where the protocol resets the stream: an oracle keeps no
// records.
func (o *Oracle) answer(m *wire.Message, self, from contact.ID) *wire.Message {
	switch m.Type {
	case wire.FindNode, wire.GetProviders, wire.GetValue:
	case wire.Ping:
		return m
	default:
		return nil
	}
	if len(m.Key) == 0 {
		return nil
	}
	target := key.Of(m.Key)
	near := o.Closest(target, params.K, func(i *contact.Info) bool {
		return (i.ID == self || i.ID == from) && i.Key != target
	})
	answer := &wire.Message{Type: m.Type, Closer: named(near)}
	if m.Type != wire.FindNode { // whose answer carries no key
		answer.Key = m.Key
	}
	return answer
}

func named(infos []*contact.Info) (list []wire.Peer) {
	for _, i := range infos {
		list = append(list, wire.Peer{Contact: i})
	}
	return list
}

func contactOf(p peer.AddrInfo) *contact.Info {
	addrs := make([]contact.Addr, len(p.Addrs))
	for i, a := range p.Addrs {
		addrs[i] = contact.Addr(a.Bytes())
	}
	return contact.New(contact.ID(p.ID), addrs...)
}

// serve answers the requests of one stream in their order.
func serve(s network.Stream, answer func(*wire.Message) *wire.Message) {
	var buf []byte
	for {
		_ = s.SetReadDeadline(time.Now().Add(params.IdleStream))
		body, err := wire.ReadFrame(s, buf, params.MaxRequest)
		if err == io.EOF {
			_ = s.Close()
			return
		}
		if err != nil || !reply(s, body, answer) {
			_ = s.Reset()
			return
		}
		buf = body
	}
}

func reply(s network.Stream, body []byte, answer func(*wire.Message) *wire.Message) bool {
	m, err := wire.Decode(body, wire.RequestLimits())
	if err != nil {
		return false
	}
	a := answer(&m)
	if a == nil {
		return false
	}
	_, err = s.Write(wire.AppendFrame(nil, a))
	return err == nil
}

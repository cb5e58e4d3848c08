package conform

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/wire"
	"github.com/waymark-dht/waymark/internal/fault"
)

// nameCases are servers that answer in time and name whom they should not.
var nameCases = []Case{
	{Name: "names-nobody", Group: "names", About: "answers with no peer", slow: true, run: metBy(naming(func(*server, wire.Message) []wire.Peer { return nil }))},
	{Name: "names-itself", Group: "names", About: "names itself alone", slow: true, run: metBy(naming(func(v *server, _ wire.Message) []wire.Peer { return []wire.Peer{v.self()} }))},
	{Name: "names-the-target", Group: "names", About: "names whoever asks", slow: true, run: metBy(naming(func(v *server, _ wire.Message) []wire.Peer {
		return slices.Repeat([]wire.Peer{{Contact: contactOf(v.t.target, v.t.addr)}}, 20)
	}))},
	{Name: "names-one-often", Group: "names", About: "names one peer 20 times, each time elsewhere", slow: true, run: metBy(naming(oneOften))},
	{Name: "liar", Group: "names", About: "names 20 peers near the key that do not exist", slow: true, run: metBy(naming(func(v *server, q wire.Message) []wire.Peer { return v.t.forged(string(q.Key), 20) }))},
	{Name: "no-addresses", Group: "names", About: "names 20 peers without an address", slow: true, run: metBy(naming(noAddresses))},
	{Name: "many-addresses", Group: "names", About: "names a peer with 1000 addresses", slow: true, run: metBy(naming(manyAddresses))},
	{Name: "malformed-names", Group: "names", About: "names what is no peer, at what is no address", slow: true, run: metBy(naming(malformed))},
	{Name: "relay-cycle", Group: "names", About: "names two peers that can be reached through each other alone", slow: true, run: metBy(naming(relayCycle))},
	{Name: "flood-of-names", Group: "names", About: "names as many peers as fit into 4 MiB, some 80 000", slow: true, run: metBy(flood)},
	{Name: "loop", Group: "names", About: "two servers that name each other", slow: true, run: loop},
	{Name: "endless-chain", Group: "names", About: fmt.Sprintf("%d servers, each of which names the next, nearer one; the last, inventions", chainLength), slow: true, run: chain(0)},
	{Name: "slow-chain", Group: "names", About: fmt.Sprintf("the same, and each answers after %v", chainPause), slow: true, run: chain(chainPause)},
}

// naming is the manner of a server that names the peers that it is told to.
func naming(whom func(*server, wire.Message) []wire.Peer) manner {
	return func(v *server, k *talk, q wire.Message) bool {
		return k.send(answering(q, whom(v, q))) == nil
	}
}

// answering is the answer to a request, with some peers in it.
func answering(q wire.Message, closer []wire.Peer) []byte {
	m := wire.Message{Type: q.Type, Key: q.Key, Closer: closer}
	switch q.Type {
	case wire.FindNode:
		m.Key = nil
	case wire.AddProvider:
		return nil
	case wire.PutValue, wire.Ping:
		m.Record, m.Closer = q.Record, nil
	}
	return message(m)
}

func answerTo(q wire.Message, closer ...*contact.Info) []byte {
	var list []wire.Peer
	for _, c := range closer {
		list = append(list, wire.Peer{Contact: c})
	}
	return answering(q, list)
}

func (v *server) self() wire.Peer { return wire.Peer{Contact: infoOf(v.host, v.host.Addrs()...)} }

func infoOf(h host.Host, addrs ...ma.Multiaddr) *contact.Info { return contactOf(h.ID(), addrs...) }

func contactOf(id peer.ID, addrs ...ma.Multiaddr) *contact.Info {
	var list []contact.Addr
	for _, a := range addrs {
		list = append(list, contact.Addr(a.Bytes()))
	}
	return contact.New(contact.ID(id), list...)
}

// near makes up a peer ID near another's key.
func (k *kit) near(id peer.ID) string {
	return string(fault.NearID(key.OfString(string(id)), k.chance()))
}

// forged are peers near a preimage's key that nobody is.
func (k *kit) forged(preimage string, n int) (list []wire.Peer) {
	rng, at := k.chance(), contact.Addr(k.nowhere().Bytes())
	for range n {
		list = append(list, wire.Peer{Contact: contact.New(fault.NearID(key.OfString(preimage), rng), at)})
	}
	return list
}

// nowhere is an address of this machine at which nobody listens. On loopback
// the kit keeps the port.
func (k *kit) nowhere() ma.Multiaddr {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refuses == nil {
		k.refuses = k.unusedPort()
	}
	return k.refuses
}

func (k *kit) unusedPort() ma.Multiaddr {
	if k.local.IsLoopback() && k.local.Is4() {
		if p, err := fault.Start(fault.Refused, fault.Options{}); err == nil {
			k.closers = append(k.closers, p)
			return p.AddrInfo().Addrs[0]
		}
	}
	at := net.TCPAddrFromAddrPort(netip.AddrPortFrom(k.local, 0))
	if l, err := net.ListenTCP("tcp", at); err == nil {
		at = l.Addr().(*net.TCPAddr)
		_ = l.Close()
	}
	a, err := manet.FromNetAddr(at)
	if err != nil {
		panic(err) // it is an address of ours
	}
	return a
}

func oneOften(v *server, q wire.Message) (list []wire.Peer) {
	one := v.t.forged(string(q.Key), 1)[0].Contact
	for i := range 20 {
		c := contact.New(one.ID, contact.Addr(elsewhere(v.t.nowhere(), i).Bytes()))
		list = append(list, wire.Peer{Contact: c})
	}
	return list
}

// elsewhere is the same port at another address of 127.0.0.0/8, if it is a
// loopback address.
func elsewhere(a ma.Multiaddr, i int) ma.Multiaddr {
	na, err := manet.ToNetAddr(a)
	if err != nil {
		return a
	}
	at, ok := na.(*net.TCPAddr)
	if !ok || !at.IP.IsLoopback() || at.IP.To4() == nil {
		return a
	}
	moved, err := manet.FromNetAddr(&net.TCPAddr{IP: net.IPv4(127, 0, byte(i>>8), byte(i)), Port: at.Port})
	if err != nil {
		return a
	}
	return moved
}

func noAddresses(v *server, q wire.Message) (list []wire.Peer) {
	for _, p := range v.t.forged(string(q.Key), 20) {
		list = append(list, wire.Peer{Contact: contact.New(p.Contact.ID)})
	}
	return list
}

func manyAddresses(v *server, q wire.Message) []wire.Peer {
	one := v.t.forged(string(q.Key), 1)[0].Contact
	var addrs []contact.Addr
	for i := range 1000 {
		addrs = append(addrs, contact.Addr(elsewhere(v.t.nowhere(), i).Bytes()))
	}
	return []wire.Peer{{Contact: contact.New(one.ID, addrs...)}}
}

func malformed(v *server, q wire.Message) []wire.Peer {
	good := v.t.forged(string(q.Key), 1)[0].Contact
	return []wire.Peer{
		{Contact: contact.New("", good.Addrs...)},
		{Contact: contact.New(contact.ID(noise(38)), good.Addrs...)},
		{Contact: contact.New(good.ID, contact.Addr(noise(12)), "")},
		{Contact: contact.New(contact.ID(make([]byte, 4096)), good.Addrs...)},
		{Contact: good},
	}
}

// relayCycle is go-libp2p's issue 816: who follows it waits in a circle.
func relayCycle(v *server, q wire.Message) (list []wire.Peer) {
	two := v.t.forged(string(q.Key), 2)
	for i, p := range two {
		via, err := ma.NewMultiaddr(fmt.Sprintf("/p2p/%s/p2p-circuit", peer.ID(two[1-i].Contact.ID)))
		if err == nil {
			list = append(list, wire.Peer{Contact: contactOf(peer.ID(p.Contact.ID), via)})
		}
	}
	return list
}

// flood answers a few times with as much as one message may hold, then with
// nothing: the load is bounded.
func flood(v *server, k *talk, q wire.Message) bool {
	if v.count() > floodAnswers || q.Type != wire.FindNode && q.Type != wire.GetProviders && q.Type != wire.GetValue {
		return k.send(answering(q, nil)) == nil
	}
	return k.send(answering(q, v.t.crowdOfNames())) == nil
}

// crowdOfNames are as many made-up peers as an answer holds.
func (k *kit) crowdOfNames() (list []wire.Peer) {
	at := contact.Addr(k.nowhere().Bytes())
	room := namesFlood
	for i := uint32(0); room > 0; i++ {
		id := make([]byte, 34)
		id[0], id[1] = 0x12, 0x20
		binary.BigEndian.PutUint32(id[2:], i)
		p := wire.Peer{Contact: contact.New(contact.ID(id), at)}
		room -= wire.SizeListed(p)
		list = append(list, p)
	}
	return list[:len(list)-1]
}

// loop is two servers that know nothing but each other.
func loop(t *try) {
	var pair [2]*server
	for i := range pair {
		v, err := t.serve(naming(func(*server, wire.Message) []wire.Peer { return []wire.Peer{pair[1-i].self()} }))
		if err != nil {
			t.skip("this machine: %v", err)
			return
		}
		pair[i] = v
	}
	t.meets(pair[:]...)
}

// chain is servers in a row. The target meets the first, which is the farthest
// from the last; the lookup is for the last.
func chain(wait time.Duration) func(*try) {
	return func(t *try) {
		next := map[*server]*server{}
		m := naming(func(v *server, q wire.Message) []wire.Peer {
			pause(t.life, wait)
			if n := next[v]; n != nil {
				return []wire.Peer{n.self()}
			}
			return t.forged(string(q.Key), 1)
		})
		links, err := t.row(chainLength, m)
		if err != nil {
			t.skip("this machine: %v", err)
			return
		}
		for i := range len(links) - 1 {
			next[links[i]] = links[i+1]
		}
		t.follows(links)
	}
}

// row is servers in the order of their distance from the last, the farthest first.
func (t *try) row(n int, m manner) (links []*server, err error) {
	for range n {
		v, err := t.serve(m)
		if err != nil {
			return nil, err
		}
		links = append(links, v)
	}
	goal := key.OfString(string(links[n-1].host.ID()))
	slices.SortFunc(links, func(a, b *server) int {
		return goal.Closer(key.OfString(string(b.host.ID())), key.OfString(string(a.host.ID())))
	})
	return links, nil
}

// follows has the target meet the first of a chain and look up the last.
func (t *try) follows(links []*server) {
	t.tells([]peer.AddrInfo{{ID: links[0].host.ID(), Addrs: links[0].host.Addrs()}})
	if err := t.connect(t.ctx, links[0].host); err != nil {
		t.fail("no connection: %v", brief(err))
		return
	}
	if t.o.Driver == nil {
		pause(t.ctx, askLimit)
	} else {
		pause(t.ctx, drivenAsk)
		t.looksUp([]byte(links[len(links)-1].host.ID()))
	}
	t.wasAsked(links)
	if last := slices.IndexFunc(links, func(v *server) bool { return v.count() == 0 }); last > 0 {
		t.saw("followed the chain to link %d of %d", last, len(links))
	}
}

// oneOfTwo is the peer of rust-libp2p's issue 5432: two connections, of which
// the one dies that a request went out on.
func oneOfTwo(t *try) {
	var once sync.Once
	m := func(v *server, k *talk, q wire.Message) bool {
		dies := false
		once.Do(func() { dies = true })
		if dies {
			_ = k.Conn().Close()
			return false
		}
		return k.send(v.truth(q)) == nil
	}
	one, err := t.serve(m)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	two := &server{t: t, manner: m, first: make(chan struct{})}
	two.host, err = libp2p.New(t.options(one.host.Peerstore().PrivKey(one.host.ID()), true)...)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	two.host.SetStreamHandler(t.o.Protocol, two.handle)
	t.mu.Lock()
	t.hosts = append(t.hosts, two.host)
	t.mu.Unlock()
	t.meets(one, two)
}

// faultKinds are peers that a server names, and that only who dials them meets.
var faultKinds = []fault.Kind{
	fault.Refused, fault.BlackHole, fault.WrongPeer, fault.MuteHandshake, fault.MuteIdentify,
	fault.NoStream, fault.NoProtocol, fault.ZeroWindow, fault.Frozen, fault.Cut,
}

var faultWords = map[fault.Kind]string{
	fault.Refused: "at an address that refuses", fault.BlackHole: "at an address that never answers",
	fault.WrongPeer: "where somebody else lives", fault.MuteHandshake: "that is mute in the security handshake",
	fault.MuteIdentify: "that is mute on every stream", fault.NoStream: "that gives no stream",
	fault.NoProtocol: "that does not speak the protocol", fault.ZeroWindow: "that reads nothing",
	fault.Frozen: "whose wire falls silent under the request", fault.Cut: "whose connection is cut within the answer",
}

// faultCases are servers that name one real peer that misbehaves. The target
// meets it if it follows.
func faultCases() (list []Case) {
	for _, kind := range faultKinds {
		list = append(list, Case{
			Name: "names-" + kind.String(), Group: "faults", About: "names a peer " + faultWords[kind], slow: true,
			run: func(t *try) { t.leadsTo(kind) },
		})
	}
	return list
}

func (t *try) leadsTo(kind fault.Kind) {
	switch {
	case t.o.Driver == nil:
		t.skip("the target has to be made to follow; --drive makes it")
		return
	case !t.local.IsLoopback() || !t.local.Is4():
		t.skip("such peers live on 127.0.0.1, and the target does not")
		return
	}
	p, err := fault.Start(kind, fault.Options{Rand: t.chance(), Protocol: t.o.Protocol})
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	t.owns(p)
	there := p.AddrInfo()
	v, err := t.serve(naming(func(v *server, _ wire.Message) []wire.Peer {
		return []wire.Peer{{Contact: contactOf(there.ID, there.Addrs...)}, v.self()}
	}))
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	t.meets(v)
}

// spoilt is the manner of a server whose answers a fault spoils.
func spoilt(word string) manner {
	return func(v *server, k *talk, q wire.Message) bool {
		kind, err := fault.ParseKind(word)
		if err != nil {
			return false
		}
		s := fault.Spoil(k.Stream, kind, v.t.chance(), v.t.closing)
		_, err = s.Write(v.truth(q))
		return err == nil
	}
}

package fault

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
)

// forgeTries is how many names a liar makes up for each that it gives: the
// best of 1024 shares about ten bits with the target, more than the truth
// does in a network of a thousand, and costs a tenth of a millisecond.
const forgeTries = 1024

// edPrefix begins the peer ID of every Ed25519 key: an identity multihash of
// 36 bytes, in which a protobuf says the key's type and length.
var edPrefix = []byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}

// startLiar makes a server that answers every question with made-up peers
// near its target, at addresses in 127.0.0.0/8 that refuse.
func (p *Peer) startLiar() error {
	if err := p.startHost(); err != nil {
		return err
	}
	nowhere, err := bindTCP([4]byte{}) // the port is nobody's at any address
	if err != nil {
		return err
	}
	p.owns(nowhere)
	l := &liar{seed: p.rng.Uint64(), port: nowhere.port}
	p.host.SetStreamHandler(p.opts.Protocol, p.counted(func(s network.Stream) { serve(s, l.answer) }))
	return nil
}

type liar struct {
	seed uint64
	port uint16
}

func (l *liar) answer(m *wire.Message) *wire.Message {
	if m.Type != wire.FindNode || len(m.Key) == 0 {
		return nil
	}
	return &wire.Message{Type: m.Type, Closer: named(l.forge(key.Of(m.Key)))}
}

// forge makes up k peers, the same ones whenever the same is asked.
func (l *liar) forge(target key.Key) []*contact.Info {
	rng := rand.New(rand.NewPCG(l.seed, target[0]))
	names := make([]*contact.Info, params.K)
	for i := range names {
		names[i] = contact.New(NearID(target, rng), l.nowhere(rng))
	}
	return names
}

// NearID makes up IDs of Ed25519 keys and returns the one nearest to the target,
// of whose key nobody knows the secret.
func NearID(target key.Key, rng *rand.Rand) contact.ID {
	id := append([]byte(nil), edPrefix...)
	for range 4 {
		id = binary.LittleEndian.AppendUint64(id, rng.Uint64())
	}
	var best contact.ID
	var bestKey key.Key
	for range forgeTries {
		binary.LittleEndian.PutUint64(id[len(id)-8:], rng.Uint64())
		if k := key.Of(id); best == "" || target.Closer(k, bestKey) < 0 {
			best, bestKey = contact.ID(id), k
		}
	}
	return best
}

// nowhere is an address of 127.0.0.0/8 that refuses.
func (l *liar) nowhere(rng *rand.Rand) contact.Addr {
	ip := [4]byte{127, byte(rng.Uint32()), byte(rng.Uint32()), byte(1 + rng.IntN(254))}
	s := socket{port: l.port}
	return contact.Addr(multiaddr(s.on(ip)).Bytes())
}

package fault

import (
	"crypto/ed25519"
	"encoding/binary"
	"math/rand/v2"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
)

// HostOptions say what host NewHost makes. The zero value is a host with a
// random key that listens on TCP.
type HostOptions struct {
	// Rand draws the identity, so that a seed names a network. Nil draws it
	// from the machine.
	Rand *rand.Rand
	// QUIC listens on QUIC, and NoTCP not on TCP.
	QUIC, NoTCP bool
	// Silent listens on nothing: a client that can only dial.
	Silent bool
	// Limits replace the absence of any, for tests of our own side's refusals.
	Limits network.ResourceManager
	// Extra comes after LoopbackOptions.
	Extra []libp2p.Option
}

// NewHost makes a host on 127.0.0.1 with ports that the kernel chooses.
func NewHost(o HostOptions) (host.Host, error) {
	limits := o.Limits
	if limits == nil {
		limits = &network.NullResourceManager{}
	}
	opts := append(loopbackOptions(NewKey(o.Rand), limits), libp2p.ListenAddrStrings(o.listens()...))
	if o.Silent {
		opts = append(opts, libp2p.NoListenAddrs)
	}
	return libp2p.New(append(opts, o.Extra...)...)
}

func (o HostOptions) listens() (addrs []string) {
	if o.Silent {
		return nil
	}
	if !o.NoTCP {
		addrs = append(addrs, "/ip4/127.0.0.1/tcp/0")
	}
	if o.QUIC {
		addrs = append(addrs, "/ip4/127.0.0.1/udp/0/quic-v1")
	}
	return addrs
}

// NewKey draws an Ed25519 key. The same draws give the same key, which
// crypto.GenerateEd25519Key does not promise.
func NewKey(rng *rand.Rand) crypto.PrivKey {
	draw := rand.Uint64
	if rng != nil {
		draw = rng.Uint64
	}
	var seed []byte
	for range ed25519.SeedSize / 8 {
		seed = binary.LittleEndian.AppendUint64(seed, draw())
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		panic(err) // it is as long as it must be
	}
	return key
}

// LoopbackOptions are what a host among many on one machine wants: no limits
// that assume a machine per peer, and nothing that looks for the Internet (no
// relay, no NAT traversal, no reachability probes).
func LoopbackOptions(priv crypto.PrivKey) []libp2p.Option {
	return loopbackOptions(priv, &network.NullResourceManager{})
}

func loopbackOptions(priv crypto.PrivKey, limits network.ResourceManager) []libp2p.Option {
	return []libp2p.Option{
		libp2p.Identity(priv),
		libp2p.ResourceManager(limits),
		libp2p.ConnectionManager(connmgr.NullConnMgr{}),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ForceReachabilityPublic(),
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
		libp2p.Ping(true),
	}
}

package fault

import (
	"math/rand/v2"
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	manet "github.com/multiformats/go-multiaddr/net"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func newHost(t *testing.T, o HostOptions) host.Host {
	t.Helper()
	h := must[host.Host](t)(NewHost(o))
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func TestAHostListensWhereItIsTold(t *testing.T) {
	leakFree(t)
	rng := seeded(1)
	both := newHost(t, HostOptions{Rand: rng, QUIC: true})
	quic := newHost(t, HostOptions{Rand: rng, QUIC: true, NoTCP: true})
	none := newHost(t, HostOptions{Rand: rng, Silent: true})
	for _, c := range []struct {
		host host.Host
		want int
	}{{both, 2}, {quic, 1}, {none, 0}} {
		if got := len(c.host.Addrs()); got != c.want {
			t.Errorf("%v: want %d addresses", c.host.Addrs(), c.want)
		}
		onLoopback(t, info(c.host))
	}
	both.SetStreamHandler(echo, echoHandler)
	for _, h := range []host.Host{quic, none} {
		connect(t, h, both)
		exchange(t, openEcho(t, h, both), "hello")
	}
}

func TestASeedNamesTheKeys(t *testing.T) {
	a, b := seeded(7), seeded(7)
	first := NewKey(a)
	if !first.Equals(NewKey(b)) {
		t.Error("one seed, two keys")
	}
	if first.Equals(NewKey(a)) || first.Equals(NewKey(nil)) {
		t.Error("two draws, one key")
	}
}

// onLoopback fails the test if a peer names any address but a loopback one.
func onLoopback(t *testing.T, p peer.AddrInfo) {
	t.Helper()
	for _, a := range p.Addrs {
		if !manet.IsIPLoopback(a) {
			t.Errorf("%v is not on loopback", a)
		}
	}
}

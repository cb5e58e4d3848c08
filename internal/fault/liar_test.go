package fault

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

func TestALiarsPeersLookRealAndRefuse(t *testing.T) {
	leakFree(t)
	client := newHost(t, HostOptions{Rand: seeded(2), Silent: true})
	p := start(t, Liar, 1, false)
	target := key.OfString("target")
	got := ask(t, client, p.AddrInfo(), ample, findNode("target"))
	if got.step != done || len(got.answer.Closer) != params.K {
		t.Fatalf("%v: %d peers", got, len(got.answer.Closer))
	}
	seen := map[contact.ID]bool{}
	for _, named := range got.answer.Closer {
		c := named.Contact
		if seen[c.ID] {
			t.Error("one name twice")
		}
		seen[c.ID] = true
		if id := peer.ID(c.ID); id.Validate() != nil {
			t.Errorf("%x is no peer ID", c.ID)
		}
		if _, err := peer.ID(c.ID).ExtractPublicKey(); err != nil {
			t.Errorf("no key in the ID: %v", err)
		}
		if shared := target.CommonPrefix(c.Key); shared < 5 {
			t.Errorf("a name shares %d bits with the target", shared)
		}
		refuses(t, c)
	}
}

func refuses(t *testing.T, c *contact.Info) {
	t.Helper()
	if len(c.Addrs) != 1 || !c.Addrs[0].Loopback() {
		t.Fatalf("addresses %x", c.Addrs)
	}
	at := must[ma.Multiaddr](t)(ma.NewMultiaddrBytes([]byte(c.Addrs[0])))
	to, err := addrPort(at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.DialTimeout("tcp4", to.String(), ample); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v: %v", to, err)
	}
}

func TestALiarSticksToItsStory(t *testing.T) {
	a, b, other := &liar{seed: 7, port: 1}, &liar{seed: 7, port: 1}, &liar{seed: 8, port: 1}
	target := key.OfString("x")
	first, again, elsewhere := a.forge(target), b.forge(target), other.forge(target)
	for i := range first {
		if first[i].ID != again[i].ID || first[i].Addrs[0] != again[i].Addrs[0] {
			t.Fatal("one seed, two stories")
		}
		if first[i].ID == elsewhere[i].ID {
			t.Fatal("two seeds, one story")
		}
	}
}

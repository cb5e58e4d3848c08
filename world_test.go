package waymark_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/internal/fault"
)

// world is hosts on one in-memory wire, inside a bubble of virtual time.
type world struct {
	*testing.T
	wire *fault.Switch
	rng  *rand.Rand
}

// inBubble runs a story in virtual time and sees that nothing outlives it.
func inBubble(t *testing.T, story func(t *testing.T, w *world)) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	synctest.Test(t, func(t *testing.T) {
		story(t, &world{T: t, wire: fault.NewSwitch(), rng: rand.New(rand.NewPCG(1, 0))})
	})
	goleak.VerifyNone(t, before)
}

// host puts a host on the wire, until the end of the story.
func (w *world) host() host.Host {
	w.Helper()
	h, err := w.wire.Host(fault.NewKey(w.rng))
	if err != nil {
		w.Fatal(err)
	}
	w.closes(h)
	return h
}

// closes closes a host at the end of the story, when nothing is about to happen:
// go-libp2p's swarm panics if it is closed in the instant in which the worker of
// one of its dials starts.
func (w *world) closes(h host.Host) {
	w.Cleanup(func() { synctest.Wait(); h.Close() })
}

// node puts a node on the wire.
func (w *world) node(cfg waymark.Config) *waymark.DHT { return w.nodeOn(w.host(), cfg) }

func (w *world) nodeOn(h host.Host, cfg waymark.Config) *waymark.DHT {
	w.Helper()
	cfg.AllowLoopback = true
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	d, err := waymark.New(h, cfg)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { d.Close() })
	return d
}

// servers puts n servers on the wire that know each other.
func (w *world) servers(n int) []*waymark.DHT {
	w.Helper()
	nodes := make([]*waymark.DHT, n)
	for i := range nodes {
		nodes[i] = w.node(waymark.Config{Mode: waymark.ModeServer})
	}
	introduce(w.T, nodes)
	synctest.Wait() // each takes note of the others
	return nodes
}

// peer puts a host on the wire that answers the DHT's protocol its own way.
func (w *world) peer(answer network.StreamHandler) host.Host {
	h := w.host()
	h.SetStreamHandler(waymark.DefaultProtocol, answer)
	return h
}

// pass lets virtual time go by, and what is due in it happen.
func pass(d time.Duration) { <-time.After(d) }

// silent reads what comes and says nothing, until the other side is gone.
func silent(s network.Stream) {
	buf := make([]byte, 512)
	for {
		if _, err := s.Read(buf); err != nil {
			s.Reset()
			return
		}
	}
}

// knows has a host's peerstore know where another is.
func knows(d *waymark.DHT, h host.Host) {
	d.Host().Peerstore().AddAddrs(h.ID(), h.Addrs(), time.Hour)
}

func addrOf(h host.Host) peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }

func seedOf(t *testing.T, h host.Host) ma.Multiaddr {
	t.Helper()
	addrs, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	return addrs[0]
}

// lastFailure waits for the end of a request and returns how it failed.
func lastFailure(t *testing.T, facts <-chan waymark.Fact) engine.RequestEnded {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case f := <-facts:
			if end, ok := f.(engine.RequestEnded); ok {
				return end
			}
		case <-timer.C:
			t.Fatal("no request has ended")
		}
	}
}

func newKey(w *world) crypto.PrivKey { return fault.NewKey(w.rng) }

func keyOf(i int) string { return fmt.Sprintf("key %d", i) }

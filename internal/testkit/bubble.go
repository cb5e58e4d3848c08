package testkit

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"
	"go.uber.org/goleak"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
	"github.com/waymark-dht/waymark/internal/fault"
)

// World is hosts on one in-memory wire, inside a bubble of virtual time.
type World struct {
	*testing.T
	Wire *fault.Switch
	rng  *rand.Rand
}

// InBubble runs a story in virtual time and sees that nothing outlives it.
func InBubble(t *testing.T, story func(*testing.T, *World)) {
	t.Helper()
	Bubble(t, func(t *testing.T) {
		story(t, &World{T: t, Wire: fault.NewSwitch(), rng: rand.New(rand.NewPCG(1, 0))})
	})
}

// Bubble is InBubble for stories without hosts.
func Bubble(t *testing.T, story func(*testing.T)) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	spareTheDetector(t)
	synctest.Test(t, story)
	goleak.VerifyNone(t, before)
}

// spareTheDetector gives a test one processor when the race detector watches.
// All timers of a bubble are one goroutine to the detector of Go 1.26, and two
// that fire on two processors at a time break it: it ends the program with
// "ThreadSanitizer: CHECK failed" or a SIGSEGV of its own (golang/go#78156). On
// one processor it finds what it finds by the order of events, all the same.
func spareTheDetector(t *testing.T) {
	if raceDetector {
		before := runtime.GOMAXPROCS(1)
		t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	}
}

// Host puts a host on the wire, until the end of the story. It listens on an
// address of 127.1.0.0/16, besides what the options say.
func (w *World) Host(opts ...libp2p.Option) host.Host {
	w.Helper()
	h, err := w.Wire.Host(w.Key(), opts...)
	w.Check(err)
	// go-libp2p's swarm panics if it is closed in the instant in which the
	// worker of one of its dials starts.
	w.Cleanup(func() { synctest.Wait(); h.Close() })
	return h
}

// Key is the key of another host.
func (w *World) Key() crypto.PrivKey { return fault.NewKey(w.rng) }

// Peer puts a host on the wire that answers the DHT's protocol its own way.
func (w *World) Peer(answer network.StreamHandler) host.Host {
	w.Helper()
	h := w.Host()
	h.SetStreamHandler(waymark.DefaultProtocol, answer)
	return h
}

// Node puts a node on the wire.
func (w *World) Node(cfg waymark.Config) *waymark.DHT {
	w.Helper()
	return w.NodeOn(w.Host(), cfg)
}

// NodeOn starts a node on a host, until the end of the story.
func (w *World) NodeOn(h host.Host, cfg waymark.Config) *waymark.DHT {
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

// Servers puts n servers on the wire that know each other.
func (w *World) Servers(n int, cfg waymark.Config) []*waymark.DHT {
	w.Helper()
	cfg.Mode = waymark.ModeServer
	nodes := make([]*waymark.DHT, n)
	for i := range nodes {
		nodes[i] = w.Node(cfg)
	}
	for _, d := range nodes {
		w.Introduce(d, nodes...)
	}
	synctest.Wait() // each takes note of the others
	return nodes
}

// Introduce has one node know others, with the addresses that its own network
// takes.
func (w *World) Introduce(d *waymark.DHT, others ...*waymark.DHT) {
	w.Helper()
	for _, o := range others {
		if o != d {
			w.Check(d.Admit(peer.AddrInfo{ID: o.PeerID(), Addrs: o.FilteredAddrs()}))
		}
	}
}

// Dead puts a host on the wire that takes requests of a DHT and never answers.
func (w *World) Dead(d *waymark.DHT) {
	w.Helper()
	h := w.Peer(Silent)
	w.Check(d.Admit(peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}))
}

// Check ends the test with an error.
func (w *World) Check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// Silent reads what comes and says nothing, until the other side is gone.
func Silent(s network.Stream) {
	buf := make([]byte, 512)
	for {
		if _, err := s.Read(buf); err != nil {
			s.Reset()
			return
		}
	}
}

// Answering is a handler that reads one request after the other off a stream and
// has each answered, until the stream ends or one was the last. Whatever comes
// of it, the stream is reset.
func Answering(answer func(s network.Stream, m *wire.Message) (more bool)) network.StreamHandler {
	return func(s network.Stream) {
		defer s.Reset()
		for more := true; more; {
			frame, err := wire.ReadFrame(s, nil, params.MaxRequest)
			if err != nil {
				return
			}
			m, err := wire.Decode(frame, wire.RequestLimits())
			if err != nil {
				return
			}
			more = answer(s, &m)
		}
	}
}

// Pass lets virtual time go by, and what is due in it happen.
func Pass(d time.Duration) { <-time.After(d) }

// CID is the name of a text as content.
func CID(text string) cid.Cid {
	h, err := multihash.Sum([]byte(text), multihash.SHA2_256, -1)
	if err != nil {
		panic(err) // SHA-256 is always there
	}
	return cid.NewCidV1(cid.Raw, h)
}

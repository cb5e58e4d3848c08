package conform

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/fault"
)

// testDrain is as long as go-libp2p gives a handshake, and then some.
const testDrain = 17 * time.Second

// TestMain sees that neither the kit nor a node that it has exercised leaves a
// goroutine behind. This program is also a target that can be driven.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(program())
	}
	goleak.VerifyTestMain(m)
}

// TestWaymarkSurvivesEveryCase runs the whole kit against real nodes: every
// case passes, each lookup ends within its bound, and nothing is left of it.
func TestWaymarkSurvivesEveryCase(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of waiting; CI runs it")
	}
	t.Parallel()
	var all sync.WaitGroup
	for _, groups := range [][]string{{"frames", "load"}, {"wire", "records"}, {"answers"}, {"names", "faults"}} {
		n := startNode(t)
		all.Go(func() { survives(t, n, groups) }) // it is waiting for the most part, however few the cores
	}
	all.Wait()
}

// TestWaymarkSurvivesOverOtherTransports tries what does not need TCP and IPv4.
func TestWaymarkSurvivesOverOtherTransports(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip6/::1/tcp/0"} {
		if c, err := net.Listen("tcp6", "[::1]:0"); err == nil {
			_ = c.Close()
		} else if strings.HasPrefix(listen, "/ip6") {
			t.Logf("%s is not tried: %v", listen, err)
			continue
		}
		n := startNode(t, libp2p.ListenAddrStrings(listen))
		r, err := Run(t.Context(), Options{Target: n.addr, Drain: time.Millisecond, Driver: n, Only: []string{
			"frames", "zero-window", "stream-flood", "crowd", "mute-identify", "tcp-silent", "garbage-answer", "liar", "names-itself", "loop", "names-refused",
		}})
		if err != nil {
			t.Fatalf("%s: %v", listen, err)
		}
		for _, c := range r.Results {
			needsTCP4 := c.Case == "tcp-silent" || c.Case == "names-refused" && !strings.HasPrefix(listen, "/ip4")
			if c.Verdict != Pass && (c.Verdict != Skipped || !needsTCP4) {
				t.Errorf("%s: %s: %v: %v %v", listen, c.Case, c.Verdict, c.Saw, c.Why)
			}
		}
		n.left(t)
	}
}

// longer is what may be held longer than this test waits: what costs nothing
// and is honest for all a server can tell. docs/TESTING.md has how long.
var longer = []string{"idle-streams", "crowd", "frozen-wire"}

func survives(t *testing.T, n *node, groups []string) {
	// A starved node may miss an honest peer that is late by its measure: that
	// is a warning, and may not happen twice.
	warned := exercised(t, n, groups, testDrain)
	if len(warned) > 0 && len(exercised(t, n, warned, time.Millisecond)) > 0 {
		t.Errorf("warned twice, see above: %v", warned)
	}
	n.left(t)
}

// exercised runs some cases and returns those with a warning.
func exercised(t *testing.T, n *node, only []string, drain time.Duration) (warned []string) {
	r, err := Run(t.Context(), Options{
		Target: n.addr, Only: only, Drain: drain, Driver: n, Seed: uint64(drain),
		Ended: func(r Result) { t.Logf("%v %s %v %v", r.Verdict, r.Case, r.Saw, r.Why) },
	})
	if err != nil {
		t.Errorf("%v: %v", only, err)
	}
	t.Logf("%v: %v in %v; repeat: go test ./internal/conform -run TestWaymarkSurvivesEveryCase", only, r.Counts, r.Elapsed)
	for _, c := range r.Results {
		switch c.Verdict {
		case Pass:
		case Warn:
			warned = append(warned, c.Case)
		default:
			t.Errorf("%s: %v: %v", c.Case, c.Verdict, c.Why)
		}
		if bound := n.dht.Bound(waymark.OpLookup); c.Lookup > bound {
			t.Errorf("%s: a lookup took %v of at most %v", c.Case, c.Lookup, bound)
		}
		if c.Kept > 0 && drain == testDrain && !slices.Contains(longer, c.Case) {
			t.Errorf("%s: still holds %d after %v", c.Case, c.Kept, drain)
		}
	}
	return warned
}

// node is a Waymark server that the kit exercises, and drives as its Driver.
type node struct {
	dht  *waymark.DHT
	addr ma.Multiaddr
}

func startNode(t *testing.T, opts ...libp2p.Option) *node {
	t.Helper()
	if len(opts) == 0 {
		opts = []libp2p.Option{libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0")}
	}
	h, err := libp2p.New(append(fault.LoopbackOptions(fault.NewKey(nil)), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	d, err := waymark.New(h, waymark.Config{Mode: waymark.ModeServer, AllowLoopback: true, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return &node{d, addrOf(t, peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})}
}

func addrOf(t *testing.T, info peer.AddrInfo) ma.Multiaddr {
	t.Helper()
	addrs, err := peer.AddrInfoToP2pAddrs(&info)
	if err != nil || len(addrs) == 0 {
		t.Fatal(err, info)
	}
	return addrs[0]
}

// left wants nothing to be left in the node when its peers have gone.
func (n *node) left(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); ; <-tick.C {
		h := n.dht.Health()
		if h.Streams == 0 && h.InFlight == 0 && h.Zombies == 0 && len(n.dht.Host().Network().Conns()) == 0 {
			if h.Overdue > 0 {
				t.Errorf("%d operations broke their bound", h.Overdue)
			}
			return
		}
		if time.Now().After(end) {
			t.Errorf("left behind: %d streams, %d calls, %d zombies, connections %v",
				h.Streams, h.InFlight, h.Zombies, n.dht.Host().Network().Conns())
			return
		}
	}
}

func (n *node) Closest(ctx context.Context, key []byte) (raw []string, err error) {
	ids, err := n.dht.GetClosestPeers(ctx, string(key))
	for _, id := range ids {
		raw = append(raw, string(id))
	}
	return raw, err
}

func (n *node) Get(ctx context.Context, key []byte) ([]byte, error) {
	return n.dht.GetValue(ctx, string(key))
}

package waymark_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// patience is how long a test waits for what has no bound of its own.
const patience = 30 * time.Second

// TestOverTCPAndQUIC bootstraps a fresh node on real connections and compares
// what a lookup finds with the truth.
func TestOverTCPAndQUIC(t *testing.T) {
	for _, c := range []struct {
		name string
		opts fault.HostOptions
	}{
		{"tcp", fault.HostOptions{}},
		{"quic", fault.HostOptions{QUIC: true, NoTCP: true}},
	} {
		t.Run(c.name, func(t *testing.T) { overReal(t, c.opts) })
	}
}

func overReal(t *testing.T, opts fault.HostOptions) {
	const nodes = 30
	opts.Rand = rand.New(rand.NewPCG(1, 2))
	servers := make([]*waymark.DHT, nodes)
	for i := range servers {
		servers[i] = node(t, opts, waymark.Config{Mode: waymark.ModeServer})
	}
	introduce(t, servers)
	fresh := node(t, opts, waymark.Config{Mode: waymark.ModeClient, Seeds: seedsAt(t, servers[0], servers[1])})

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	report, err := fresh.RunBootstrap(ctx)
	if err != nil || report.Outcome != engine.Ready {
		t.Fatalf("bootstrap: %v, %+v", err, report)
	}
	if report.Elapsed > fresh.Bound(waymark.OpBootstrap) || report.Table < nodes/2 {
		t.Fatalf("report %+v", report)
	}
	if err := fresh.WaitReady(ctx); err != nil {
		t.Fatalf("after a bootstrap that ended ready: %v", err)
	}
	for _, k := range []string{"a", "b", "c", string(servers[7].PeerID())} {
		findsTruth(ctx, t, fresh, k, nearest(servers, k, params.K))
	}
	rtt, err := fresh.Ping(ctx, servers[3].PeerID())
	for range 2 {
		if err != nil {
			rtt, err = fresh.Ping(ctx, servers[3].PeerID())
		}
	}
	if err != nil || rtt <= 0 {
		t.Errorf("ping: %v, %v", rtt, err)
	}
	found, err := fresh.FindPeer(ctx, servers[9].PeerID())
	if err != nil || len(found.Addrs) == 0 {
		t.Errorf("findpeer: %v, %v", found, err)
	}
	if n := fresh.Overdue(); n != 0 {
		t.Errorf("%d operations were overdue", n)
	}
}

// findsTruth looks a key up until that finds the truth, three times at most: on a
// busy machine a peer may be silent for the quarter of a second that it is given,
// and so it is with a ping.
func findsTruth(ctx context.Context, t *testing.T, d *waymark.DHT, key string, want []peer.ID) {
	t.Helper()
	var got []peer.ID
	for range 3 {
		r, err := d.Lookup(ctx, key)
		if err != nil || r.Outcome != engine.Converged {
			t.Fatalf("lookup %q: %v, %v", key, err, r.Outcome)
		}
		if got = idsOf(r.Peers); slices.Equal(got, want) {
			return
		}
	}
	t.Errorf("lookup %q found\n%v, and the truth is\n%v", key, got, want)
}

// node starts a node on a real host of its own; both end with the test.
func node(t *testing.T, opts fault.HostOptions, cfg waymark.Config) *waymark.DHT {
	t.Helper()
	h, err := fault.NewHost(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	cfg.AllowLoopback, cfg.Seed = true, 1
	d, err := waymark.New(h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// introduce fills every node's table with all the others, and waits until they
// are in it: what a node answers comes from its table as it is.
func introduce(t *testing.T, nodes []*waymark.DHT) {
	t.Helper()
	for _, d := range nodes {
		for _, other := range nodes {
			if d == other {
				continue
			}
			if err := d.Admit(peer.AddrInfo{ID: other.PeerID(), Addrs: other.Host().Addrs()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for began := time.Now(); slices.ContainsFunc(nodes, func(d *waymark.DHT) bool { return d.RoutingTable().Size < len(nodes)-1 }); {
		if time.Since(began) > patience {
			t.Fatal("the nodes have not taken note of each other")
		}
		testkit.Pass(time.Millisecond)
	}
}

func seedsAt(t *testing.T, nodes ...*waymark.DHT) (seeds []ma.Multiaddr) {
	t.Helper()
	for _, d := range nodes {
		addrs, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: d.PeerID(), Addrs: d.Host().Addrs()})
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, addrs...)
	}
	return seeds
}

func idsOf(infos []peer.AddrInfo) (ids []peer.ID) {
	for _, i := range infos {
		ids = append(ids, i.ID)
	}
	return ids
}

// nearest is the truth: the n nodes nearest to a key.
func nearest(nodes []*waymark.DHT, preimage string, n int) []peer.ID {
	target := key.OfString(preimage)
	ids := make([]peer.ID, len(nodes))
	for i, d := range nodes {
		ids[i] = d.PeerID()
	}
	slices.SortFunc(ids, func(a, b peer.ID) int {
		return target.Closer(key.OfString(string(a)), key.OfString(string(b)))
	})
	return ids[:min(n, len(ids))]
}

package devnet

import (
	"context"
	"slices"
	"strings"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
)

func nobody(int) {}

func start(t *testing.T, cfg Config) *Network {
	t.Helper()
	n, err := Start(t.Context(), cfg, nobody)
	if err != nil {
		t.Fatalf("%+v: %v", cfg, err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestTheShareOfFaultyMembersIsExact(t *testing.T) {
	for _, c := range []struct{ nodes, percent, faulty int }{{10, 0, 0}, {10, 30, 3}, {7, 50, 4}, {4, 100, 4}} {
		n := start(t, Config{Nodes: c.nodes, Faulty: c.percent, Seed: 1})
		if len(n.Members) != c.nodes || n.Faulty() != c.faulty {
			t.Errorf("%+v: %d members, %d faulty", c, len(n.Members), n.Faulty())
		}
		for _, m := range n.Members {
			if (m.Kind == fault.Honest) != (m.dht != nil) || len(m.Info.Addrs) == 0 {
				t.Errorf("%+v: a member of kind %v is not what it should be", c, m.Kind)
			}
		}
	}
}

func TestServersKnowEverybody(t *testing.T) {
	n := start(t, Config{Nodes: 12, Faulty: 25, Seed: 2})
	for i, m := range n.Members {
		if m.dht != nil && m.dht.RoutingTable().Size != len(n.Members)-1 {
			t.Errorf("member %d knows %d of %d", i, m.dht.RoutingTable().Size, len(n.Members)-1)
		}
	}
}

func TestTheTruthIsTheNearestThatAnswer(t *testing.T) {
	n := start(t, Config{Nodes: 30, Faulty: 60, Seed: 3})
	const preimage, k = "somewhere", 5
	truth := n.Truth(preimage, k)
	target := key.OfString(preimage)
	farthest := key.OfString(string(truth[len(truth)-1]))
	for _, m := range n.Members {
		nearer := target.Closer(key.OfString(string(m.Info.ID)), farthest) <= 0
		if want := m.Answers && nearer; slices.Contains(truth, m.Info.ID) != want {
			t.Errorf("a member of kind %v: in the truth %v, want %v", m.Kind, !want, want)
		}
	}
	if got := n.Truth(preimage, 100); len(got) < 12 || len(got) > 13 {
		t.Errorf("%d members answer; 12 are honest, and a liar or none", len(got))
	}
}

func TestOneSeedAtLeastIsHonest(t *testing.T) {
	for seed := range uint64(5) {
		n := start(t, Config{Nodes: 10, Faulty: 90, Seed: seed})
		addrs, err := n.Seeds(2)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(n.Members, func(m *Member) bool { return m.Kind == fault.Honest })
		found := false
		for _, a := range addrs {
			found = found || strings.HasSuffix(a.String(), "/p2p/"+n.Members[i].Info.ID.String())
		}
		if !found {
			t.Errorf("seed %d: nobody honest in %v", seed, addrs)
		}
	}
}

func TestStoppingWhileItStartsLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	n, err := Start(ctx, Config{Nodes: 8, Faulty: 50, Seed: 4}, func(up int) {
		if up == 5 {
			cancel()
		}
	})
	if err == nil || n != nil {
		t.Errorf("it was stopped, and gave %v, %v", n, err)
	}
	goleak.VerifyNone(t, before)
}

func TestRecallOfASample(t *testing.T) {
	n := start(t, Config{Nodes: 30, Faulty: 60, Seed: 3})
	var found []string
	for _, id := range n.Truth("somewhere", params.K)[:3] {
		found = append(found, id.String())
	}
	truth := len(n.Truth("somewhere", params.K))
	if r := n.Recall("somewhere", append(found, "stranger")); r != 3/float64(truth) {
		t.Errorf("recall of three of %d is %v", truth, r)
	}
}

// Newcomers that know TCP alone must meet every fault.
func TestANetworkOnTCPHasNothingElse(t *testing.T) {
	for _, tcp := range []bool{false, true} {
		n := start(t, Config{Nodes: 20, Faulty: 80, Seed: 1, TCP: tcp})
		others := 0
		for _, m := range n.Members {
			for _, a := range m.Info.Addrs {
				if _, err := a.ValueForProtocol(ma.P_TCP); err != nil {
					others++
				}
			}
		}
		if tcp == (others > 0) {
			t.Errorf("TCP alone: %v, and %d other addresses", tcp, others)
		}
	}
}

func TestTheSameNetworkHasTheSameKeys(t *testing.T) {
	a, b := start(t, Config{Nodes: 4, Seed: 7}), start(t, Config{Nodes: 4, Seed: 7, TCP: true})
	c := start(t, Config{Nodes: 4, Seed: 8})
	first := a.Keys(2)
	switch {
	case slices.Equal(first[0], first[1]) || len(first[0]) != 32:
		t.Errorf("two keys of one network: %x", first)
	case !slices.Equal(first[1], b.Keys(2)[1]):
		t.Error("the same seed drew other keys")
	case slices.Equal(first[0], c.Keys(1)[0]):
		t.Error("another seed drew the same key")
	}
}

package waymark_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/devnet"
	"github.com/waymark-dht/waymark/internal/fault"
)

// records is how many records are tried, of each kind, in a network of 200;
// without it a few are, in a small one. .ci/full records takes 250.
var records = flag.Int("records", 0, "records of each kind to store and find in a network of 200 nodes")

// neighbourhood is a network of real hosts of which a share misbehaves in every
// way that there is, and two strangers in it.
type neighbourhood struct {
	*testing.T
	net         *devnet.Network
	alice, bob  *waymark.DHT
	tries, lost int
	slowest     time.Duration
}

func newNeighbourhood(t *testing.T, nodes, faulty int) *neighbourhood {
	t.Helper()
	net, err := devnet.Start(t.Context(), devnet.Config{Nodes: nodes, Faulty: faulty, Seed: 1, Validators: withSequence}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { net.Close() })
	seeds, err := net.HonestSeeds(3)
	if err != nil {
		t.Fatal(err)
	}
	join := func() *waymark.DHT {
		h, err := fault.NewHost(fault.HostOptions{QUIC: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		d, err := waymark.New(h, waymark.Config{Mode: waymark.ModeClient, Seeds: seeds, AllowLoopback: true, Validators: withSequence})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		return d
	}
	return &neighbourhood{T: t, net: net, alice: join(), bob: join()}
}

// try counts one call: whether it did what it should, and whether in time.
func (n *neighbourhood) try(d *waymark.DHT, op waymark.Op, what string, call func(context.Context) error) {
	began := time.Now()
	err := call(n.Context())
	took := time.Since(began)
	n.tries++
	n.slowest = max(n.slowest, took)
	if err != nil {
		n.lost++
		n.Logf("%s: %v after %v", what, err, took)
	}
	if took > d.Bound(op) {
		n.Errorf("%s took %v, and its bound is %v", what, took, d.Bound(op))
	}
}

// TestRecordsAmongPeersOfWhichAThirdMisbehaves stores and finds values and
// providers on real hosts. What a healthy peer holds is found, all but one time
// in a thousand, and who is said to have taken a record has it.
func TestRecordsAmongPeersOfWhichAThirdMisbehaves(t *testing.T) {
	if testing.Short() {
		t.Skip("real hosts: not in -short")
	}
	nodes, tries := 40, 8
	if *records > 0 {
		nodes, tries = 200, *records
	}
	n := newNeighbourhood(t, nodes, 30)
	for i := range tries {
		key, content := fmt.Sprintf("/v/%d", i), contentID(fmt.Sprint(i))
		value := fmt.Sprintf("%d:value", i+1)
		var s waymark.Stored
		n.try(n.alice, waymark.OpPut, "put "+key, func(ctx context.Context) (err error) {
			s, err = n.alice.Put(ctx, key, []byte(value))
			return err
		})
		n.honest(key, s)
		n.try(n.bob, waymark.OpGet, "get "+key, func(ctx context.Context) error {
			got, err := n.bob.GetValue(ctx, key)
			if err == nil && string(got) != value {
				err = fmt.Errorf("it is %q", got)
			}
			return err
		})
		n.try(n.alice, waymark.OpProvide, "provide", func(ctx context.Context) error { return n.alice.Provide(ctx, content, true) })
		n.try(n.bob, waymark.OpFindProviders, "find", func(ctx context.Context) error {
			found, err := n.bob.FindProviders(ctx, content)
			if err == nil && !slices.ContainsFunc(found, func(p peer.AddrInfo) bool { return p.ID == n.alice.PeerID() }) {
				err = errors.New("the provider is not among them")
			}
			return err
		})
	}
	if n.lost*1000 > n.tries {
		t.Errorf("%d of %d failed", n.lost, n.tries)
	}
	if late := n.alice.Overdue() + n.bob.Overdue(); late != 0 {
		t.Errorf("%d operations were overdue", late)
	}
	t.Logf("%d tries among %d nodes, 30 %% faulty: %d failed, the slowest took %v", n.tries, nodes, n.lost, n.slowest)
}

// honest sees that the healthy peers that are said to have taken a value have
// it, and that of those that have it none is passed over: at worst its word
// came too late.
func (n *neighbourhood) honest(key string, s waymark.Stored) {
	said, late := make(map[peer.ID]bool), make(map[peer.ID]bool)
	for _, r := range s.Refused {
		late[r.Peer] = true
	}
	for _, p := range s.Peers {
		said[p.ID] = true
	}
	has := make(map[peer.ID]bool)
	for _, id := range n.net.Holds(n.Context(), key) {
		has[id] = true
		if !said[id] && !late[id] {
			n.Errorf("%s: %v has it and is not counted", key, id)
		}
	}
	for _, m := range n.net.Members {
		if said[m.Info.ID] && m.Kind == fault.Honest && !has[m.Info.ID] {
			n.Errorf("%s: %v is counted and does not have it", key, m.Info.ID)
		}
	}
}

package waymark_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// Rows of docs/HANGS.md that are told best with a whole node.

// Row 105: whatever is called after the node was closed fails, at once.
func TestEveryCallAfterCloseFailsAtOnce(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{})
		peer := w.Host().ID()
		w.Check(d.Close())
		content, other := cid.NewCidV1(cid.Raw, hashOf(t, "content")), cid.NewCidV1(cid.Raw, hashOf(t, "nobody's"))
		calls := map[string]func(context.Context) error{
			"Bootstrap":       d.Bootstrap,
			"RunBootstrap":    func(ctx context.Context) error { _, err := d.RunBootstrap(ctx); return err },
			"WaitReady":       d.WaitReady,
			"Lookup":          func(ctx context.Context) error { _, err := d.Lookup(ctx, "key"); return err },
			"GetClosestPeers": func(ctx context.Context) error { _, err := d.GetClosestPeers(ctx, "key"); return err },
			"FindPeer":        func(ctx context.Context) error { _, err := d.FindPeer(ctx, peer); return err },
			"Ping":            func(ctx context.Context) error { _, err := d.Ping(ctx, peer); return err },
			"Provide":         func(ctx context.Context) error { return d.Provide(ctx, content, true) },
			"FindProviders":   func(ctx context.Context) error { _, err := d.FindProviders(ctx, content); return err },
			"GetValue":        func(ctx context.Context) error { _, err := d.GetValue(ctx, "/pk/"+string(peer)); return err },
			"LocalValues": func(ctx context.Context) (err error) {
				for _, err = range d.LocalValues(ctx) {
				}
				return err
			},
			"Refresh": func(context.Context) error { return <-d.RefreshRoutingTable() },
		}
		for name, call := range calls {
			began := time.Now()
			if err := call(t.Context()); err == nil {
				t.Errorf("%s succeeds", name)
			} else if !errors.Is(err, waymark.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("%s took %v", name, took)
			}
		}
		for range d.FindProvidersAsync(t.Context(), other, 0) {
			t.Error("a provider is found")
		}
		if _, open := <-d.Facts(t.Context()); open {
			t.Error("a closed node has news")
		}
		if err := d.Close(); err != nil || d.Overdue() != 0 || len(d.Open()) != 0 {
			t.Errorf("closed again: %v, overdue %d, open %d", err, d.Overdue(), len(d.Open()))
		}
	})
}

func hashOf(t *testing.T, text string) multihash.Multihash {
	t.Helper()
	h, err := multihash.Sum([]byte(text), multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Row 36: New returns at once though the host has connections already, and
// whoever is connected and serves is in the table soon.
func TestWhoIsConnectedBeforeTheNodeIsMadeIsNoticed(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(10, waymark.Config{})
		h := w.Host()
		for _, s := range servers {
			w.Check(h.Connect(t.Context(), addrOf(s.Host())))
		}
		began := time.Now()
		d := w.NodeOn(h, waymark.Config{})
		if took := time.Since(began); took != 0 {
			t.Errorf("New took %v", took)
		}
		testkit.Pass(5 * time.Second)
		if n := d.RoutingTable().Size; n != len(servers) {
			t.Errorf("%d of %d servers are in the table", n, len(servers))
		}
	})
}

// Row 35: a refresh that is asked for while one runs, whose only peer is
// silent, ends with it and within its bound.
func TestARefreshThatIsAskedForTwiceEndsOnce(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		mute := w.Peer(testkit.Silent)
		d := w.Node(waymark.Config{Seeds: []ma.Multiaddr{seedOf(t, mute)}})
		began := time.Now()
		first, second := d.RefreshRoutingTable(), d.RefreshRoutingTable()
		if err := <-first; err == nil {
			t.Error("a refresh without anybody who answers succeeds")
		}
		if err := <-second; err == nil {
			t.Error("the second one succeeds")
		}
		if took := time.Since(began); took > d.Bound(waymark.OpBootstrap) {
			t.Errorf("it took %v of %v", took, d.Bound(waymark.OpBootstrap))
		}
	})
}

package waymark_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// TestWhatMakesNoSenseIsRefusedAtOnce: nobody is asked, and nothing panics.
func TestWhatMakesNoSenseIsRefusedAtOnce(t *testing.T) {
	if _, err := waymark.New(nil, waymark.Config{}); !errors.Is(err, waymark.ErrBadConfig) {
		t.Errorf("New without a host: %v", err)
	}
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d, other := w.Node(waymark.Config{Validators: withSequence}), w.Host()
		w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
		long := strings.Repeat("x", params.MaxKey+1)
		for name, call := range map[string]func(context.Context) error{
			"Lookup of nothing":     func(ctx context.Context) error { _, err := d.Lookup(ctx, ""); return err },
			"Lookup of a long key":  func(ctx context.Context) error { _, err := d.Lookup(ctx, long); return err },
			"GetNClosest, none":     func(ctx context.Context) error { _, err := d.GetNClosest(ctx, "k", 0); return err },
			"GetNClosest, long":     func(ctx context.Context) error { _, err := d.GetNClosest(ctx, long, 1); return err },
			"FindPeer of nobody":    func(ctx context.Context) error { _, err := d.FindPeer(ctx, ""); return err },
			"FindPeer, long":        func(ctx context.Context) error { _, err := d.FindPeer(ctx, peer.ID(long)); return err },
			"Ping of nobody":        func(ctx context.Context) error { _, err := d.Ping(ctx, ""); return err },
			"Ping of itself":        func(ctx context.Context) error { _, err := d.Ping(ctx, d.PeerID()); return err },
			"Ask of nobody":         func(ctx context.Context) error { _, err := d.Ask(ctx, "", engine.AskPeers, "k"); return err },
			"Ask for a long key":    func(ctx context.Context) error { _, err := d.Ask(ctx, other.ID(), engine.AskPeers, long); return err },
			"Ask to store":          func(ctx context.Context) error { _, err := d.Ask(ctx, other.ID(), engine.AskStore, "k"); return err },
			"Admit nobody":          func(context.Context) error { return d.Admit(peer.AddrInfo{}) },
			"Survey of nobody":      func(ctx context.Context) error { _, err := d.Survey(ctx, nil, []byte("k")); return err },
			"Survey of no key":      func(ctx context.Context) error { _, err := d.Survey(ctx, contact.New("a"), nil); return err },
			"Survey for a long key": func(ctx context.Context) error { _, err := d.Survey(ctx, contact.New("a"), []byte(long)); return err },
			"AnnounceTo, nothing":   func(ctx context.Context) error { _, err := d.AnnounceTo(ctx, nil, nil); return err },
			"AnnounceTo nobody": func(ctx context.Context) error {
				_, err := d.AnnounceTo(ctx, []multihash.Multihash{{1}}, []peer.AddrInfo{{}})
				return err
			},
			"Provide nothing":        func(ctx context.Context) error { return d.Provide(ctx, cid.Undef, true) },
			"Announce nothing":       func(ctx context.Context) error { _, err := d.Announce(ctx, nil); return err },
			"FindProviders, nothing": func(ctx context.Context) error { _, err := d.FindProviders(ctx, cid.Undef); return err },
			"GetPublicKey of nobody": func(ctx context.Context) error { _, err := d.GetPublicKey(ctx, ""); return err },
			"a mode that is not":     func(context.Context) error { return d.SetMode(9) },
			"PutTo nobody": func(ctx context.Context) error {
				_, err := d.PutTo(ctx, "/v/a", []byte("1:a"), []peer.AddrInfo{{}})
				return err
			},
			"PutValue under no key":  func(ctx context.Context) error { return d.PutValue(ctx, "", []byte("1:a")) },
			"PutValue under a long":  func(ctx context.Context) error { return d.PutValue(ctx, "/v/"+long, []byte("1:a")) },
			"GetValue under a long":  func(ctx context.Context) error { _, err := d.GetValue(ctx, "/v/"+long); return err },
			"SearchValue under none": func(ctx context.Context) error { _, err := d.SearchValue(ctx, ""); return err },
		} {
			began := time.Now()
			if err := call(t.Context()); err == nil || !errors.Is(err, waymark.ErrBadConfig) && !errors.Is(err, waymark.ErrBadKey) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("%s took %v", name, took)
			}
		}
	})
}

// TestWhoIsNobodyIsNotAsked: peers without an ID, or without an address, that a
// caller or a config names do no harm.
func TestWhoIsNobodyIsNotAsked(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(3, waymark.Config{})
		nobody := []peer.AddrInfo{{}, {ID: "x"}, {Addrs: []ma.Multiaddr{nil}}, {ID: w.Host().ID()}, {ID: servers[0].PeerID(), Addrs: []ma.Multiaddr{nil}}}
		d := w.Node(waymark.Config{Remembered: append(nobody, addrOf(servers[0].Host()))})
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Errorf("bootstrap: %v", err)
		}
		r, err := d.Lookup(waymark.WithNear(t.Context(), nobody), "key")
		if err != nil || len(r.Peers) != len(servers) {
			t.Errorf("lookup: %d peers, %v", len(r.Peers), err)
		}
		synctest.Wait()
		if d.Overdue() != 0 || len(d.Open()) != 0 {
			t.Errorf("%d overdue, open: %v", d.Overdue(), d.Open())
		}
	})
}

package waymark_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// realNode is a node on a host with sockets on loopback.
func realNode(t *testing.T, cfg waymark.Config) *waymark.DHT {
	t.Helper()
	h, err := fault.NewHost(fault.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	cfg.AllowLoopback, cfg.Validators = true, withSequence
	d, err := waymark.New(h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// TestEveryHookIsAskedOnRealHosts: each hook sees who asks for what, and its no
// is kept.
func TestEveryHookIsAskedOnRealHosts(t *testing.T) {
	var mu sync.Mutex
	asked := map[string][]string{}
	var unwelcome peer.ID
	note := func(hook, what string) {
		mu.Lock()
		defer mu.Unlock()
		asked[hook] = append(asked[hook], what)
	}
	no := errors.New("not here")
	strict := realNode(t, waymark.Config{Mode: waymark.ModeServer, Approve: waymark.Approve{
		Record: func(_ peer.ID, key string, value []byte) error {
			note("record", key+" "+string(value))
			if key == "/v/bad" {
				return no
			}
			return nil
		},
		Provider: func(_ peer.ID, key []byte) error {
			note("provider", string(key))
			if string(key) == string(contentID("bad").Hash()) {
				return no
			}
			return nil
		},
		Request: func(_ peer.ID, what string, key []byte) error {
			note("request", what)
			if what == "GET_VALUE" && string(key) == "/v/secret" {
				return no
			}
			return nil
		},
		Admit: func(p peer.AddrInfo) bool {
			mu.Lock()
			defer mu.Unlock()
			asked["admit"] = append(asked["admit"], p.ID.String())
			return p.ID != unwelcome
		},
	}})
	client := realNode(t, waymark.Config{Mode: waymark.ModeServer})
	mu.Lock()
	unwelcome = client.PeerID()
	mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := client.Admit(addrOf(strict.Host())); err != nil {
		t.Fatal(err)
	}
	put := func(key string) error { return client.PutValue(ctx, key, []byte("1:one")) }
	announce := func(what string) error { _, err := client.Announce(ctx, contentID(what).Hash()); return err }
	if err := put("/v/bad"); !errors.Is(err, waymark.ErrNotStored) {
		t.Errorf("a record that is not approved: %v", err)
	}
	if err := errors.Join(put("/v/good"), announce("good")); err != nil {
		t.Error(err)
	}
	if err := announce("bad"); !errors.Is(err, waymark.ErrNotStored) {
		t.Errorf("a provider that is not approved: %v", err)
	}
	other := realNode(t, waymark.Config{Mode: waymark.ModeClient})
	if err := other.Admit(addrOf(strict.Host())); err != nil {
		t.Fatal(err)
	}
	if v, err := other.GetValue(ctx, "/v/good"); err != nil || string(v) != "1:one" {
		t.Errorf("a request that is approved: %q, %v", v, err)
	}
	if _, err := other.GetValue(ctx, "/v/secret"); !errors.Is(err, waymark.ErrNoPeers) {
		t.Errorf("a request that is not approved: %v", err)
	}
	if n := strict.RoutingTable().Size; n != 0 {
		t.Errorf("%d peers that were not to be admitted are in the table", n)
	}
	mu.Lock()
	defer mu.Unlock()
	for hook, want := range map[string]string{
		"record": "/v/good 1:one", "provider": string(contentID("good").Hash()), "request": "PUT_VALUE", "admit": unwelcome.String(),
	} {
		if !slices.Contains(asked[hook], want) {
			t.Errorf("%s was asked of %q, and not of %q", hook, asked[hook], want)
		}
	}
}

// TestATableKeptByHand holds whom its owner has admitted, and nobody else: not
// who answers, who is named or who connects; and whom a failure put out of it
// may come back.
func TestATableKeptByHand(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(25, waymark.Config{})
		d := w.Node(waymark.Config{ManualAdmission: true, Mode: waymark.ModeServer, Seeds: seedsAt(t, servers[0])})
		w.Check(d.Admit(addrOf(servers[1].Host())))
		w.Check(d.Admit(addrOf(servers[2].Host())))
		r, err := d.Lookup(t.Context(), "anything")
		if err != nil || len(r.Peers) != params.K {
			t.Fatalf("a lookup finds %d: %v", len(r.Peers), err)
		}
		only := func(when string) {
			t.Helper()
			if n := d.RoutingTable().Size; n != 2 {
				t.Errorf("%s: %d in the table", when, n)
			}
		}
		only("after a lookup")
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Error(err)
		}
		for _, s := range servers {
			_, err := s.Ping(t.Context(), d.PeerID())
			_ = err // whoever does not know its address cannot
		}
		testkit.Pass(time.Minute)
		only("after a bootstrap")
		at := servers[1].Host().Addrs()[0]
		w.Wire.CutAll()
		w.Check(w.Wire.Refuse(at))
		for i := range 5 {
			_, _ = d.Lookup(t.Context(), keyOf(i))
		}
		if n := d.RoutingTable().Size; n >= 2 {
			t.Errorf("with one of them gone: %d in the table", n)
		}
		w.Check(w.Wire.Heal(at))
		testkit.Pass(30 * time.Minute)
		only("when it is back")
	})
}

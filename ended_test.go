package waymark_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// verbs are the calls that may ask the network, each with a bound.
func verbs(d, other *waymark.DHT) map[string]func(context.Context) error {
	id := other.PeerID()
	return map[string]func(context.Context) error{
		"RunBootstrap":    func(ctx context.Context) error { _, err := d.RunBootstrap(ctx); return err },
		"Bootstrap":       d.Bootstrap,
		"WaitReady":       d.WaitReady,
		"Lookup":          func(ctx context.Context) error { _, err := d.Lookup(ctx, "key"); return err },
		"GetClosestPeers": func(ctx context.Context) error { _, err := d.GetClosestPeers(ctx, "key"); return err },
		"GetNClosest":     func(ctx context.Context) error { _, err := d.GetNClosest(ctx, "key", 3); return err },
		"Ping":            func(ctx context.Context) error { _, err := d.Ping(ctx, id); return err },
		"Ask":             func(ctx context.Context) error { _, err := d.Ask(ctx, id, engine.AskPeers, "key"); return err },
		"Survey": func(ctx context.Context) error {
			_, err := d.Survey(ctx, contact.New(contact.ID(id)), []byte("key"))
			return err
		},
		"Announce":      func(ctx context.Context) error { _, err := d.Announce(ctx, contentID("a").Hash()); return err },
		"FindProviders": func(ctx context.Context) error { _, err := d.FindProviders(ctx, contentID("b")); return err },
		"PutValue":      func(ctx context.Context) error { return d.PutValue(ctx, "/v/a", []byte("1:one")) },
		"GetValue":      func(ctx context.Context) error { _, err := d.GetValue(ctx, "/v/b"); return err },
	}
}

// TestAContextThatHasEndedEndsEveryCallAtOnce: nobody is asked for it.
func TestAContextThatHasEndedEndsEveryCallAtOnce(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, d := town(w, 3)
		facts := d.Facts(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, call := range verbs(d, servers[0]) {
			within(t, 0, name, func() {
				if err := call(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		synctest.Wait()
		select {
		case f := <-facts:
			t.Errorf("something was begun: %+v", f)
		default:
		}
	})
}

// TestAHostThatIsClosedUnderItsNode is nobody's fault: every call ends within its
// bound, and so does Close.
func TestAHostThatIsClosedUnderItsNode(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, _ := town(w, 5)
		h := w.Host()
		d := w.NodeOn(h, waymark.Config{Mode: waymark.ModeServer, Validators: withSequence, Seeds: seedsAt(t, servers[0])})
		_, err := d.RunBootstrap(t.Context())
		w.Check(err)
		slow := make(chan error, 1)
		go func() { _, err := d.Ask(t.Context(), w.Peer(testkit.Silent).ID(), engine.AskPeers, "key"); slow <- err }()
		synctest.Wait()
		w.Check(h.Close())
		<-slow
		for name, call := range verbs(d, servers[0]) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			within(t, d.Bound(waymark.OpBootstrap), name, func() { _ = call(ctx) })
			cancel()
		}
		w.Check(d.SetMode(waymark.ModeClient))
		testkit.Pass(10 * time.Minute)
		if d.Overdue() != 0 {
			t.Errorf("%d operations were overdue", d.Overdue())
		}
		within(t, d.Bound(waymark.OpClose), "Close", func() { w.Check(d.Close()) })
		late, err := waymark.New(h, waymark.Config{Seeds: []ma.Multiaddr{seedOf(t, servers[0].Host())}})
		if err == nil {
			within(t, late.Bound(waymark.OpBootstrap), "a bootstrap", func() {
				if _, err := late.RunBootstrap(t.Context()); !errors.Is(err, waymark.ErrNoPeers) {
					t.Errorf("a bootstrap of a node on a closed host: %v", err)
				}
			})
			w.Check(late.Close())
		}
	})
}

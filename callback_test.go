package waymark_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// Whatever the node calls or hands out may close the node from within.

func TestAReaderOfFactsMayCloseTheNode(t *testing.T) {
	for after := range 30 {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			servers := w.Servers(4, waymark.Config{})
			d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0])})
			facts := d.Facts(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				seen, ends := 0, 0
				for f := range facts { // it ends, for the node is closed
					if seen++; seen == after+1 {
						if err := d.Close(); err != nil {
							t.Errorf("close at fact %d: %v", seen, err)
						}
					}
					if end, is := f.(engine.OpEnded); is && end.Kind == engine.KindBootstrap {
						ends++
					}
				}
				if ends != 1 {
					t.Errorf("closed at fact %d, it was told %d ends of one bootstrap", after+1, ends)
				}
			}()
			began := time.Now()
			if _, err := d.RunBootstrap(t.Context()); err != nil && !errors.Is(err, waymark.ErrClosed) {
				t.Errorf("closed at fact %d: %v", after+1, err)
			}
			d.Close() // it may have had fewer facts
			<-ended
			if took := time.Since(began); took > d.Bound(waymark.OpClose) {
				t.Errorf("closed at fact %d, it took %v", after+1, took)
			}
		})
	}
}

// closer is a resolver that closes the node when it is asked.
type closer struct {
	node atomic.Pointer[waymark.DHT]
	err  chan error
}

func (c *closer) Resolve(context.Context, ma.Multiaddr) ([]ma.Multiaddr, error) {
	c.err <- c.node.Load().Close()
	return nil, errors.New("closed")
}

// TestAResolverMayCloseTheNode has Close wait for the very call that it is made
// from: it says so within its bound.
func TestAResolverMayCloseTheNode(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		c := &closer{err: make(chan error, 1)}
		d := w.Node(waymark.Config{Seeds: []ma.Multiaddr{ma.StringCast("/dnsaddr/seeds.example")}, Resolver: c})
		c.node.Store(d)
		began := time.Now()
		_, err := d.RunBootstrap(t.Context())
		if !errors.Is(err, waymark.ErrClosed) || time.Since(began) > params.CancelGrace {
			t.Errorf("the bootstrap: %v after %v", err, time.Since(began))
		}
		if err := <-c.err; !errors.Is(err, waymark.ErrLeftover) || time.Since(began) > d.Bound(waymark.OpClose) {
			t.Errorf("close from within the resolver: %v after %v", err, time.Since(began))
		}
		synctest.Wait()
		if h := d.Health(); h.InFlight != 0 || h.Zombies != 0 {
			t.Errorf("left behind: %+v", h)
		}
	})
}

// shutter is a log handler that closes the node at its first line.
type shutter struct {
	slog.Handler
	node atomic.Pointer[waymark.DHT]
	err  chan error
}

func (s *shutter) Enabled(context.Context, slog.Level) bool { return true }

func (s *shutter) Handle(context.Context, slog.Record) error {
	select {
	case s.err <- s.node.Load().Close():
	default:
	}
	return nil
}

func TestALoggerMayCloseTheNode(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(3, waymark.Config{})
		s := &shutter{Handler: slog.DiscardHandler, err: make(chan error, 1)}
		d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0]), Logger: slog.New(s)})
		s.node.Store(d)
		began := time.Now()
		w.Check(d.Bootstrap(t.Context()))
		if err := <-s.err; !errors.Is(err, waymark.ErrLeftover) || time.Since(began) > d.Bound(waymark.OpClose) {
			t.Errorf("close from within the logger: %v after %v", err, time.Since(began))
		}
	})
}

// TestWhoHearsOfAProviderHoldsUpNobody: whoever is called with a provider may
// take its time, ask the node more, and close it.
func TestWhoHearsOfAProviderHoldsUpNobody(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers, client := town(w, 25)
		for _, s := range servers[:3] {
			w.Check(s.Provide(t.Context(), contentID("content"), true))
		}
		told, held := 0, 0
		err := client.EachProvider(t.Context(), contentID("content"), 0, func(peer.AddrInfo) {
			began := time.Now()
			client.Open()
			if told++; time.Since(began) > 0 {
				held++ // the engine did not answer at once,
				return // and whatever else is asked of it would never end
			}
			switch told {
			case 1:
				if r, err := client.Lookup(t.Context(), "a key"); err != nil || len(r.Peers) != params.K {
					t.Errorf("a lookup from within: %d peers, %v", len(r.Peers), err)
				}
			case 3:
				w.Check(client.Close())
			}
		})
		if told != 3 || held > 0 {
			t.Errorf("%d of 3 providers, %d times the node stood still; %v", told, held, err)
		}
	})
}

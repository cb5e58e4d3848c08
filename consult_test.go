package waymark_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// stuckBook is a peerstore that does not return from what a node asks of it, or
// tells it, until it is released.
type stuckBook struct {
	peerstore.Peerstore
	released chan struct{}
}

func (b *stuckBook) PeerInfo(id peer.ID) peer.AddrInfo {
	<-b.released
	return b.Peerstore.PeerInfo(id)
}

func (b *stuckBook) Addrs(id peer.ID) []ma.Multiaddr {
	<-b.released
	return b.Peerstore.Addrs(id)
}

func (b *stuckBook) AddAddrs(id peer.ID, addrs []ma.Multiaddr, ttl time.Duration) {
	<-b.released
	b.Peerstore.AddAddrs(id, addrs, ttl)
}

func (b *stuckBook) SupportsProtocols(id peer.ID, ps ...protocol.ID) ([]protocol.ID, error) {
	<-b.released
	return b.Peerstore.SupportsProtocols(id, ps...)
}

// bookHost is a host with another peerstore.
type bookHost struct {
	host.Host
	book peerstore.Peerstore
}

func (h *bookHost) Peerstore() peerstore.Peerstore { return h.book }
func (h *bookHost) Network() network.Network       { return &bookNetwork{h.Host.Network(), h.book} }

type bookNetwork struct {
	network.Network
	book peerstore.Peerstore
}

func (n *bookNetwork) Peerstore() peerstore.Peerstore { return n.book }

// TestAPeerstoreThatBlocksHoldsUpNobody beyond the bound of a call: not those who
// start a node, nor those who ask a peer, of whom the host knows or not.
func TestAPeerstoreThatBlocksHoldsUpNobody(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s, far, h := w.Servers(1, waymark.Config{})[0], w.Host(), w.Host()
		w.Check(h.Connect(t.Context(), addrOf(s.Host())))
		synctest.Wait()
		book := &stuckBook{h.Peerstore(), make(chan struct{})}
		began := time.Now()
		d := w.NodeOn(&bookHost{h, book}, waymark.Config{Mode: waymark.ModeClient})
		if took := time.Since(began); took > params.HostDeadline {
			t.Errorf("New took %v", took)
		}
		call := func(what string, op waymark.Op, f func(context.Context) error) error {
			began := time.Now()
			err := f(t.Context())
			if took := time.Since(began); took > d.Bound(op) {
				t.Errorf("%s took %v, of %v", what, took, d.Bound(op))
			}
			return err
		}
		ping := func(id peer.ID) func(context.Context) error {
			return func(ctx context.Context) error { _, err := d.Ping(ctx, id); return err }
		}
		if err := call("a ping of who is connected", waymark.OpPing, ping(s.PeerID())); err != nil {
			t.Errorf("who is connected needs no peerstore: %v", err)
		}
		facts := d.Facts(t.Context())
		if err := call("a ping of who is not", waymark.OpPing, ping(far.ID())); !errors.Is(err, waymark.ErrNoAnswer) {
			t.Errorf("who has to be dialled: %v", err)
		}
		if end := lastFailure(t, facts); end.Failure != contact.NotSent {
			t.Errorf("blamed for our own peerstore: %v: %s", end.Failure, end.Detail)
		}
		err := call("a question", waymark.OpPing, func(ctx context.Context) error {
			_, err := d.Ask(ctx, s.PeerID(), engine.AskPeers, "key")
			return err
		})
		if err != nil {
			t.Errorf("a question to who is connected: %v", err)
		}
		for _, id := range []peer.ID{s.PeerID(), far.ID(), h.ID()} {
			_ = call("a search", waymark.OpFindPeer, func(ctx context.Context) error { _, err := d.FindPeer(ctx, id); return err })
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Ping(ctx, s.PeerID()); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who has gone: %v", err)
		}
		close(book.released)
		synctest.Wait()
		testkit.Pass(params.ZombieGrace)
		if left := d.Health(); left.InFlight+left.Zombies != 0 {
			t.Errorf("left: %d calls, %d zombies", left.InFlight, left.Zombies)
		}
		if info, err := d.FindPeer(t.Context(), s.PeerID()); err != nil || len(info.Addrs) == 0 {
			t.Errorf("released: %v, %v", info, err)
		}
	})
}

// TestWhatAStoreTakesComesOutOfTheBound: a call that waits for a store first has
// so much less time for the network, not more time in all.
func TestWhatAStoreTakesComesOutOfTheBound(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{Mode: waymark.ModeClient, Validators: withSequence, Store: &stuckStore{}, ReplicateEvery: -1})
		knows(d, w.Servers(1, waymark.Config{})[0].Host())
		facts := d.Facts(t.Context())
		for op, call := range map[waymark.Op]func() error{
			waymark.OpGet:           func() error { _, err := d.Get(t.Context(), "/v/key"); return err },
			waymark.OpFindProviders: func() error { _, err := d.FindProviders(t.Context(), contentID("content")); return err },
		} {
			began := time.Now()
			if err := call(); err == nil {
				t.Errorf("%v has found something", op)
			}
			for f := range facts {
				start, is := f.(engine.OpStarted)
				if !is || start.Kind != engine.KindGet && start.Kind != engine.KindFindProviders {
					continue
				}
				if end := d.Time(start.Bound); end.After(began.Add(d.Bound(op))) {
					t.Errorf("%v may end %v after its bound", op, end.Sub(began)-d.Bound(op))
				}
				break
			}
		}
		w.Check(d.Close())
		testkit.Pass(3 * time.Hour)
	})
}

// TestCallsIntoAPeerstoreThatBlocksAreCounted: they are not made without end, and
// Close says that they are left.
func TestCallsIntoAPeerstoreThatBlocksAreCounted(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s, h := w.Servers(1, waymark.Config{})[0], w.Host()
		book := &stuckBook{h.Peerstore(), make(chan struct{})}
		d := w.NodeOn(&bookHost{h, book}, waymark.Config{Mode: waymark.ModeClient})
		w.Check(h.Connect(t.Context(), addrOf(s.Host())))
		for range 2 * params.HostCalls {
			if _, err := d.Ping(t.Context(), s.PeerID()); err != nil {
				t.Fatal(err)
			}
		}
		if n := d.Health().InFlight; n != params.HostCalls {
			t.Errorf("%d calls are under way, of which there are to be %d", n, params.HostCalls)
		}
		if err := d.Close(); !errors.Is(err, waymark.ErrLeftover) {
			t.Errorf("close: %v", err)
		}
		close(book.released)
		synctest.Wait()
	})
}

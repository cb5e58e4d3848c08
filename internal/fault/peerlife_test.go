package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multistream"
)

// request opens a stream of the protocol to a peer and writes a FIND_NODE.
func request(t *testing.T, client host.Host, p *Peer) network.Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if err := client.Connect(ctx, p.AddrInfo()); err != nil {
		t.Fatal(err)
	}
	conn := client.Network().ConnsToPeer(p.AddrInfo().ID)[0]
	s := must[network.Stream](t)(conn.NewStream(ctx))
	_ = s.SetDeadline(time.Now().Add(ample))
	if err := multistream.SelectProtoOrFail(DefaultProtocol, s); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(findNode("target")); err != nil {
		t.Fatal(err)
	}
	return s
}

// Peers that keep a request waiting are closed under it: whoever waits learns
// it at once, and nothing is left on their side.
func TestCloseEndsARunningRequest(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		quic bool
	}{{Silent, false}, {Silent, true}, {Slow, false}, {Slow, true}, {ZeroWindow, false}, {ZeroWindow, true}, {Oversize, false}} {
		t.Run(fmt.Sprintf("%v/quic=%v", c.kind, c.quic), func(t *testing.T) {
			leakFree(t)
			client := newHost(t, HostOptions{Rand: seeded(2), Silent: true})
			p := start(t, c.kind, 1, c.quic)
			s := request(t, client, p)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, s); isTimeout(err) {
				t.Errorf("%v: the end was not noticed", err)
			}
			if err := p.Close(); err != nil {
				t.Errorf("closed twice: %v", err)
			}
		})
	}
}

// A frozen connection is dead without a sign of it, even when its peer ends.
func TestAFrozenConnectionHidesThatThePeerIsGone(t *testing.T) {
	leakFree(t)
	client := newHost(t, HostOptions{Rand: seeded(2), Silent: true})
	p := start(t, Frozen, 1, false)
	s := request(t, client, p)
	_ = s.SetReadDeadline(time.Now().Add(brief))
	if _, err := s.Read(make([]byte, 1)); !isTimeout(err) {
		t.Fatal(err)
	}
	if err := p.Host().Close(); err != nil {
		t.Fatal(err)
	}
	_ = s.SetReadDeadline(time.Now().Add(brief))
	if _, err := s.Read(make([]byte, 1)); !isTimeout(err) {
		t.Fatalf("%v: the end was seen", err)
	}
}

func TestAZeroWindowStopsALargeRequest(t *testing.T) {
	for _, quic := range []bool{false, true} {
		leakFree(t)
		client := newHost(t, HostOptions{Rand: seeded(2), Silent: true})
		p := start(t, ZeroWindow, 1, quic)
		got := ask(t, client, p.AddrInfo(), brief, make([]byte, 16<<20))
		if got.step != writing || !timeout(got.err) {
			t.Errorf("quic=%v: %v", quic, got)
		}
	}
}

// Wherever the seed cuts, it is inside a frame: the end is never a clean one.
func TestACutIsInsideAFrameWhateverTheSeed(t *testing.T) {
	leakFree(t)
	client := newHost(t, HostOptions{Rand: seeded(2), Silent: true})
	for seed := range uint64(60) {
		p := must[*Peer](t)(Start(Cut, Options{Rand: seeded(1000 + seed), Serve: NewOracle(nobody(40)).Serve}))
		got := ask(t, client, p.AddrInfo(), ample, findNode("target"))
		if got.step != waiting || !errors.Is(got.err, io.ErrUnexpectedEOF) {
			t.Errorf("seed %d: %v", 1000+seed, got)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A second request finds the peer as it was: a cut ends one connection, not
// the peer.
func TestAPeerMisbehavesTheSameWayAgain(t *testing.T) {
	leakFree(t)
	client := newHost(t, HostOptions{Rand: seeded(2), Silent: true})
	for _, kind := range []Kind{Cut, Hangup, Reset, Garbage} {
		p := start(t, kind, 1, false)
		first := ask(t, client, p.AddrInfo(), ample, findNode("target"))
		again := ask(t, client, p.AddrInfo(), ample, findNode("target"))
		if first.err == nil || again.err == nil || timeout(again.err) || again.step == dialling {
			t.Errorf("%v: first %v, then %v", kind, first, again)
		}
	}
}

func TestABlackHoleSwallowsManyClients(t *testing.T) {
	for _, quic := range []bool{false, true} {
		leakFree(t)
		p := start(t, BlackHole, 1, quic)
		var wg sync.WaitGroup
		for i := range 20 {
			client := newHost(t, HostOptions{Rand: seeded(100 + uint64(i)), Silent: true})
			wg.Go(func() {
				got := ask(t, client, p.AddrInfo(), 3*brief, findNode("target"))
				if got.step != dialling || !timeout(got.err) {
					t.Errorf("quic=%v, client %d: %v", quic, i, got)
				}
			})
		}
		wg.Wait()
	}
}

// Identify tells all addresses of a host. Behind a proxy it must not tell the
// way past it.
func TestAPeerBehindAProxyTellsNoWayPastIt(t *testing.T) {
	leakFree(t)
	client := newHost(t, HostOptions{Rand: seeded(2), Silent: true})
	p := start(t, Frozen, 1, false)
	if err := client.Connect(t.Context(), p.AddrInfo()); err != nil {
		t.Fatal(err)
	}
	known := client.Peerstore().Addrs(p.AddrInfo().ID)
	if len(known) != 1 || !known[0].Equal(p.AddrInfo().Addrs[0]) {
		t.Errorf("the client knows %v", known)
	}
}

func TestASeedNamesThePeer(t *testing.T) {
	leakFree(t)
	for _, kind := range []Kind{Refused, Honest, Liar, NoStream} {
		a, b, other := start(t, kind, 1, false), start(t, kind, 1, false), start(t, kind, 2, false)
		if a.AddrInfo().ID != b.AddrInfo().ID || a.AddrInfo().ID == other.AddrInfo().ID {
			t.Errorf("%v: a seed does not name the ID", kind)
		}
		if h := a.Host(); h != nil && h.ID() != a.AddrInfo().ID {
			t.Errorf("%v: the host has another ID than the peer", kind)
		}
	}
}

func TestAKindThatQUICLacksIsRefused(t *testing.T) {
	leakFree(t)
	for k := range kinds {
		p, err := Start(k, Options{Rand: seeded(1), QUIC: true})
		if (err == nil) != k.QUIC() {
			t.Errorf("%v over QUIC: %v", k, err)
		}
		if err == nil {
			p.Close()
		}
	}
	if _, err := Start(kinds, Options{}); err == nil {
		t.Error("started a kind that does not exist")
	}
}

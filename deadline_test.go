package waymark_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	keyspace "github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
)

func TestWithDeadlineExtendsTheBoundAndNothingElse(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{})
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		hour := waymark.WithDeadline(t.Context(), time.Hour)
		minute := waymark.WithDeadline(t.Context(), time.Minute)
		for _, c := range []struct {
			name string
			ctx  context.Context
			op   waymark.Op
			want time.Duration
		}{
			{"without", t.Context(), waymark.OpLookup, d.Bound(waymark.OpLookup)},
			{"a minute", minute, waymark.OpLookup, time.Minute + params.Epsilon},
			{"a minute for a peer", minute, waymark.OpFindPeer, time.Minute + params.Epsilon},
			{"beyond the cap", hour, waymark.OpBootstrap, params.MaxDeadline + params.Epsilon},
			{"beyond all", waymark.WithDeadline(t.Context(), math.MaxInt64), waymark.OpLookup, params.MaxDeadline + params.Epsilon},
			{"less than it has", waymark.WithDeadline(t.Context(), time.Second), waymark.OpLookup, d.Bound(waymark.OpLookup)},
			{"less than nothing", waymark.WithDeadline(t.Context(), -time.Second), waymark.OpLookup, d.Bound(waymark.OpLookup)},
			{"a ping", hour, waymark.OpPing, d.Bound(waymark.OpPing)},
			{"a close", hour, waymark.OpClose, d.Bound(waymark.OpClose)},
			{"the context is shorter", waymark.WithDeadline(short, time.Hour), waymark.OpLookup, time.Second + params.Epsilon},
		} {
			if got := d.BoundOf(c.ctx, c.op); got != c.want {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	})
}

// TestALookupWithMoreTimeGoesOn walks along a chain of peers on a slow link,
// each of whom names only the next: it takes longer than a lookup is given.
func TestALookupWithMoreTimeGoesOn(t *testing.T) {
	for _, c := range []struct {
		more    time.Duration
		outcome waymark.Outcome
		asked   int
	}{{0, engine.PartialDeadline, 0}, {90 * time.Second, engine.Converged, params.MaxDepth}} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			d := w.Node(waymark.Config{})
			w.Check(d.Admit(chain(w, "key", params.MaxDepth)))
			ctx := waymark.WithDeadline(t.Context(), c.more)
			began := time.Now()
			r, err := d.Lookup(ctx, "key")
			if took := time.Since(began); err != nil || r.Outcome != c.outcome || took > d.BoundOf(ctx, waymark.OpLookup) {
				t.Errorf("with %v: %v, %v after %v", c.more, err, r.Outcome, took)
			}
			if c.asked > 0 && len(r.Peers) != c.asked {
				t.Errorf("with %v: %d peers, want %d", c.more, len(r.Peers), c.asked)
			}
		})
	}
}

// chain puts n peers on the wire, each of whom knows only the next nearer one
// to a key and answers late, and returns the first.
func chain(w *testkit.World, key string, n int) (first peer.AddrInfo) {
	hosts := make([]host.Host, n)
	for i := range hosts {
		hosts[i] = w.Host()
	}
	target := keyspace.OfString(key)
	slices.SortFunc(hosts, func(a, b host.Host) int {
		return target.Closer(keyspace.OfString(string(b.ID())), keyspace.OfString(string(a.ID())))
	})
	for i, h := range hosts {
		after := 1900 * time.Millisecond // within the patience for any link, …
		if i > 3 {
			after = 4 * time.Second // … and for one that is known to be slow
		}
		next := fault.NewOracle(nil)
		if i+1 < n {
			next.SetMembers([]peer.AddrInfo{addrOf(hosts[i+1])})
		}
		next.Serve(&lateHost{h, w, after}, waymark.DefaultProtocol)
	}
	return addrOf(hosts[0])
}

// lateHost is a host that lets every stream wait.
type lateHost struct {
	host.Host
	*testkit.World
	after time.Duration
}

func (h *lateHost) SetStreamHandler(proto protocol.ID, handle network.StreamHandler) {
	h.Host.SetStreamHandler(proto, func(s network.Stream) {
		select {
		case <-time.After(h.after):
			handle(s)
		case <-h.Context().Done():
			s.Reset()
		}
	})
}

package waymark_test

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// cutter is a network of honest peers, of which the one that is asked the
// n-th request of all loses its connection in the middle of its answer's yamux
// frame, and with it, if mute, all others fall silent in the same moment.
type cutter struct {
	*testkit.World
	oracle *fault.Oracle
	seeds  []host.Host

	mu     sync.Mutex
	served int
	at     int
	mute   bool
	over   bool // the cut has been made
}

func newCutter(w *testkit.World, at int, mute bool) *cutter {
	c := &cutter{World: w, at: at, mute: mute}
	var members []peer.AddrInfo
	for range 8 {
		c.seeds = append(c.seeds, w.Peer(testkit.Answering(c.answer)))
		members = append(members, addrOf(c.seeds[len(c.seeds)-1]))
	}
	c.oracle = fault.NewOracle(members)
	return c
}

// answer answers what comes on a stream, until the cut.
func (c *cutter) answer(s network.Stream, m *wire.Message) bool {
	if !c.turn(s) {
		testkit.Silent(s)
		return false
	}
	answer := wire.Message{Type: m.Type}
	asker := contact.ID(s.Conn().RemotePeer())
	for _, near := range c.oracle.Closest(key.Of(m.Key), params.K, func(i *contact.Info) bool { return i.ID == asker }) {
		answer.Closer = append(answer.Closer, wire.Peer{Contact: near})
	}
	_, err := s.Write(wire.AppendFrame(nil, &answer))
	return err == nil
}

// turn counts a request, cuts if it is the one, and reports whether it is to
// be answered.
func (c *cutter) turn(s network.Stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.served++; c.served != c.at {
		return !c.mute || c.served < c.at || c.over
	}
	here := endpoint(s)
	for _, l := range c.Wire.Links() {
		switch {
		case l.Listener == here:
			l.CutAfter(fault.Down, 20) // yamux's header is 12 bytes, the frame some hundreds
		case c.mute:
			l.Stall(fault.Down)
		}
	}
	return true
}

// heal lets everybody answer again.
func (c *cutter) heal() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.Wire.CutAll()
}

func endpoint(s network.Stream) netip.AddrPort {
	addr, err := manet.ToNetAddr(s.Conn().LocalMultiaddr())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.MustParseAddrPort(addr.String())
}

// TestTheConnectionIsCutUnderEachRequestOfABootstrap is rust-libp2p #5432: the
// connection dies in the middle of a yamux frame under a running request. Here
// under each request of the bootstrap in turn, alone and with all other peers
// silent from that moment on. It ends within its bound, once, with the reason
// in its report, and the node is of use again when the network is.
func TestTheConnectionIsCutUnderEachRequestOfABootstrap(t *testing.T) {
	requests := 1 // of a whole bootstrap: more come to light with each that is not silenced
	for _, mute := range []bool{false, true} {
		hit := map[string]int{}
		for at := 1; at <= requests; at++ {
			testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
				c := newCutter(w, at, mute)
				requests = max(requests, c.bootstrap(hit))
			})
		}
		for _, step := range []string{"seeds", "self", "bucket", "healed"} { // verify asks on streams that it has, and heals
			if hit[step] == 0 {
				t.Errorf("mute %v: cuts under %d requests hit %v, and never %s", mute, requests, hit, step)
			}
		}
		t.Logf("mute %v: cut under each of %d requests, which hit %v", mute, requests, hit)
	}
}

// bootstrap runs one and returns how many requests were served in it.
func (c *cutter) bootstrap(hit map[string]int) int {
	seeds := []ma.Multiaddr{seedOf(c.T, c.seeds[0]), seedOf(c.T, c.seeds[1])}
	d := c.Node(waymark.Config{Seeds: seeds, Mode: waymark.ModeClient})
	began := time.Now()
	report, err := d.RunBootstrap(c.Context())
	if took := time.Since(began); took > d.Bound(waymark.OpBootstrap) || d.Overdue() != 0 {
		c.Errorf("cut under request %d (mute %v): it took %v, %d overdue", c.at, c.mute, took, d.Overdue())
	}
	cuts := 0
	for _, s := range report.Steps {
		if n := int(s.Failures[contact.Reset]); n > 0 {
			hit[strings.Fields(s.Name)[0]] += n
			cuts += n
			if s.Reason == "" {
				c.Errorf("cut under request %d (mute %v): the step %s gives no reason", c.at, c.mute, s.Name)
			}
		}
	}
	c.mu.Lock()
	served := c.served
	c.mu.Unlock()
	if served < c.at {
		return served // the bootstrap was over before it: the order of requests is not always the same
	}
	if cuts == 0 { // the request was on a stream from an earlier one, and made again on a fresh one
		hit["healed"]++
		silence := report.Stats.Failures.Total() > 0 && len(report.Reasons()) > 0
		if c.mute != silence || !c.mute && err != nil {
			c.Errorf("cut under request %d (mute %v): neither told nor healed: %v, %+v", c.at, c.mute, err, report.Steps)
		}
	}
	c.heal()
	comesBack(c.T, d)
	return served
}

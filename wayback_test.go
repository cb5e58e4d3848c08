package waymark_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
)

var wholeWayBack = flag.Bool("wayback", false, "faults as long as the guarantee has them, over TCP and QUIC: some six minutes")

// wayBack is one fault on real hosts over real connections, and what is known
// of the node's way back from it.
type wayBack struct {
	*testing.T
	quic    bool
	servers []*waymark.DHT
	homes   [][]ma.Multiaddr // where each server listens when it is up
	dials   *gater           // the node's
	gates   []*gater         // the servers'

	began    time.Time // of the fault
	told     bool      // an interface or a clock tells of its end
	contacts int       // seeds and remembered contacts
	lookups  int       // of its user, during the fault
}

// Each fault leaves a node, the moment at which the fault ended, and the facts
// since before that.
var wayBacks = []struct {
	name        string
	short, long time.Duration // how long the fault lasts, in the sample and in the whole
	tell        func(w *wayBack, lasts time.Duration) (d *waymark.DHT, facts <-chan waymark.Fact, ended time.Time)
}{
	{"all seeds down at the start", 3 * time.Second, 20 * time.Second, (*wayBack).seedsDown},
	{"all seeds down for minutes", 0, 150 * time.Second, (*wayBack).seedsDown},
	{"DNS that answers late", 6 * time.Second, 20 * time.Second, (*wayBack).lateDNS},
	{"every connection cut, in use", 5 * time.Second, 20 * time.Second, (*wayBack).cutInUse},
	{"every connection cut, idle", 0, 60 * time.Second, (*wayBack).cutIdle},
	{"every connection cut for a moment, idle", 0, time.Millisecond, (*wayBack).cutIdle},
	{"the node's address changed", 4 * time.Second, 20 * time.Second, (*wayBack).moved},
	{"remembered contacts all dead", time.Millisecond, time.Millisecond, (*wayBack).rememberedDead},
}

// TestTheWayBackOnRealHosts is promise 2 of the guarantee. The sample shortens
// the faults; with -wayback they are as long as they should be.
func TestTheWayBackOnRealHosts(t *testing.T) {
	t.Parallel() // with the stopped process, and after all that measures
	for i, c := range wayBacks {
		for _, quic := range []bool{false, true} {
			lasts := c.long
			if !*wholeWayBack {
				lasts = c.short
			}
			if lasts == 0 || !*wholeWayBack && quic != (i%2 == 1) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", c.name, transport(quic)), func(t *testing.T) {
				t.Parallel()
				w := &wayBack{T: t, quic: quic, dials: new(gater)}
				w.serve(6)
				d, facts, ended := c.tell(w, lasts)
				w.judge(c.name, ended, usefulAt(facts, d, ended, w.allowed()))
				if r, err := d.Lookup(t.Context(), "key"); err != nil || len(r.Peers) == 0 {
					t.Errorf("useful, and a lookup finds %d peers: %v", len(r.Peers), err)
				}
			})
		}
	}
}

func transport(quic bool) string {
	if quic {
		return "quic"
	}
	return "tcp"
}

func (w *wayBack) allowed() time.Duration { return waymark.BoundBack(w.told) }

// usefulAt waits for the end of a walk for the node itself that converged after
// the fault ended. It returns zero if there is none in time.
func usefulAt(facts <-chan waymark.Fact, d *waymark.DHT, ended time.Time, allowed time.Duration) time.Time {
	timer := time.NewTimer(time.Until(ended) + allowed)
	defer timer.Stop()
	for {
		select {
		case f := <-facts:
			if r, is := f.(engine.BecameReady); is && d.Time(r.At).After(ended) {
				return d.Time(r.At)
			}
		case <-timer.C:
			return time.Time{}
		}
	}
}

// judge prints the fault as a row of docs/TESTING.md, and holds it to the promise.
// A lookup of the user's asks whom the node knows once more.
func (w *wayBack) judge(name string, ended, useful time.Time) {
	most := boot.DialsOffline(w.contacts, len(w.servers)) + w.lookups*len(w.servers)
	dials := w.dials.worstMinute(w.began, later(ended, useful))
	w.Logf("| %s | %s, %s | lasted %.1f s, to %s | useful after %.2f s | %v allowed | %d dials in the worst minute | %d stated |",
		time.Now().UTC().Format(time.DateOnly), name, transport(w.quic), ended.Sub(w.began).Seconds(),
		ended.UTC().Format("15:04:05.000"), useful.Sub(ended).Seconds(), w.allowed(), dials, most)
	repeat := fmt.Sprintf("repeat: go test -count=1 -v -run '^%s$' . -wayback=%v", w.Name(), *wholeWayBack)
	if useful.IsZero() {
		w.Fatalf("not useful within %v of the end of the fault\n%s", w.allowed(), repeat)
	}
	if dials > most {
		w.Errorf("%d dials in a minute, %d are stated\n%s", dials, most, repeat)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// gater counts a host's dials, and takes no connections while it is shut.
type gater struct {
	shut atomic.Bool
	mu   sync.Mutex
	at   []time.Time
}

func (c *gater) InterceptPeerDial(peer.ID) bool { return true }

func (c *gater) InterceptAddrDial(peer.ID, ma.Multiaddr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = append(c.at, time.Now())
	return true
}

// dialled counts dials that another process tells of.
func (c *gater) dialled(n int, at time.Time) {
	for range n {
		c.at = append(c.at, at)
	}
}

func (c *gater) InterceptAccept(network.ConnMultiaddrs) bool { return !c.shut.Load() }

func (c *gater) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

func (c *gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

var _ connmgr.ConnectionGater = (*gater)(nil)

// worstMinute returns the most dials in any minute between two moments.
func (c *gater) worstMinute(from, to time.Time) (worst int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.DeleteFunc(slices.Clone(c.at), func(t time.Time) bool { return t.Before(from) || t.After(to) })
	first := 0
	for i, t := range at {
		for t.Sub(at[first]) >= time.Minute {
			first++
		}
		worst = max(worst, i-first+1)
	}
	return worst
}

// serve starts servers that know each other.
func (w *wayBack) serve(n int) {
	for i := range n {
		g, opts := new(gater), w.options(uint64(i))
		opts.Extra = []libp2p.Option{libp2p.ConnectionGater(g)}
		s := node(w.T, opts, waymark.Config{Mode: waymark.ModeServer})
		w.gates = append(w.gates, g)
		w.servers = append(w.servers, s)
		w.homes = append(w.homes, s.Host().Network().ListenAddresses())
	}
	introduce(w.T, w.servers)
}

func (w *wayBack) options(chance uint64) fault.HostOptions {
	return fault.HostOptions{Rand: rand.New(rand.NewPCG(chance, 5)), QUIC: w.quic, NoTCP: w.quic}
}

// fresh starts the node that has to come back, and makes it look after itself.
func (w *wayBack) fresh(cfg waymark.Config) *waymark.DHT {
	opts := w.options(1000)
	opts.Extra = []libp2p.Option{libp2p.ConnectionGater(w.dials)}
	w.contacts = len(cfg.Seeds) + len(cfg.Remembered)
	d := node(w.T, opts, cfg)
	if err := d.Bootstrap(w.Context()); err != nil {
		w.Fatal(err)
	}
	return d
}

func (w *wayBack) ready(d *waymark.DHT) {
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	if err := d.WaitReady(ctx); err != nil {
		w.Fatal(err)
	}
}

// down makes every server deaf: nothing listens at its address (over QUIC, what
// listens hangs up at once: its socket cannot be opened twice), and whoever was
// connected is no longer.
func (w *wayBack) down() {
	w.began = time.Now()
	for i, s := range w.servers {
		w.gates[i].shut.Store(true)
		if !w.quic {
			unlisten(s.Host(), w.homes[i])
		}
		for _, id := range s.Host().Network().Peers() {
			s.Host().Network().ClosePeer(id)
		}
	}
}

func (w *wayBack) up() (ended time.Time) {
	for i, s := range w.servers {
		w.gates[i].shut.Store(false)
		if w.quic {
			continue
		}
		if err := s.Host().Network().Listen(w.homes[i]...); err != nil {
			w.Fatalf("server %d cannot listen again at %v: %v", i, w.homes[i], err)
		}
	}
	return time.Now()
}

func unlisten(h host.Host, addrs []ma.Multiaddr) {
	h.Network().(interface{ ListenClose(...ma.Multiaddr) }).ListenClose(addrs...)
}

func (w *wayBack) seedsDown(lasts time.Duration) (*waymark.DHT, <-chan waymark.Fact, time.Time) {
	w.down()
	d := w.fresh(waymark.Config{Seeds: w.seeds()})
	facts := d.Facts(w.Context())
	testkit.Pass(lasts)
	return d, facts, w.up()
}

// seeds are two of the servers, wherever they listen.
func (w *wayBack) seeds() (seeds []ma.Multiaddr) {
	for i, s := range w.servers[:2] {
		addrs, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: s.PeerID(), Addrs: w.homes[i]})
		if err != nil {
			w.Fatal(err)
		}
		seeds = append(seeds, addrs...)
	}
	return seeds
}

func (w *wayBack) lateDNS(lasts time.Duration) (*waymark.DHT, <-chan waymark.Fact, time.Time) {
	server := newNameServer(w.T, w.seeds())
	resolver, err := madns.NewResolver(madns.WithDefaultResolver(server.resolver()))
	if err != nil {
		w.Fatal(err)
	}
	w.began = time.Now()
	d := w.fresh(waymark.Config{Seeds: []ma.Multiaddr{ma.StringCast("/dnsaddr/seeds.test")}, Resolver: resolver})
	facts := d.Facts(w.Context())
	testkit.Pass(lasts)
	server.awake.Store(true)
	return d, facts, time.Now()
}

func (w *wayBack) cutInUse(lasts time.Duration) (*waymark.DHT, <-chan waymark.Fact, time.Time) {
	d := w.fresh(waymark.Config{Seeds: w.seeds()})
	w.ready(d)
	facts := d.Facts(w.Context())
	w.down()
	w.use(d, lasts)
	return d, facts, w.up()
}

// use looks something up every second.
func (w *wayBack) use(d *waymark.DHT, lasts time.Duration) {
	for i := 0; time.Since(w.began) < lasts; i++ {
		d.Lookup(w.Context(), keyOf(i))
		w.lookups++
		testkit.Pass(time.Second)
	}
}

func (w *wayBack) cutIdle(lasts time.Duration) (*waymark.DHT, <-chan waymark.Fact, time.Time) {
	d := w.fresh(waymark.Config{Seeds: w.seeds()})
	w.ready(d)
	testkit.Pass(time.Second) // until the buckets are refreshed, and the node is at rest
	facts := d.Facts(w.Context())
	w.down()
	testkit.Pass(lasts)
	return d, facts, w.up()
}

func (w *wayBack) moved(lasts time.Duration) (*waymark.DHT, <-chan waymark.Fact, time.Time) {
	w.told = true
	d := w.fresh(waymark.Config{Seeds: w.seeds()})
	w.ready(d)
	facts := d.Facts(w.Context())
	w.down()
	w.use(d, lasts)
	ended := w.up()
	net := d.Host().Network()
	before := net.ListenAddresses()
	other := "/ip4/127.0.0.2/tcp/0"
	if w.quic {
		other = "/ip4/127.0.0.2/udp/0/quic-v1"
	}
	if err := net.Listen(ma.StringCast(other)); err != nil {
		w.Fatal(err)
	}
	unlisten(d.Host(), before)
	return d, facts, ended
}

// rememberedDead fills a node's memory with contacts that are refused, black
// holes, and mute. One seed lives, and is the fault's end at the start.
func (w *wayBack) rememberedDead(time.Duration) (*waymark.DHT, <-chan waymark.Fact, time.Time) {
	var dead []peer.AddrInfo
	kinds := []fault.Kind{fault.Refused, fault.BlackHole, fault.MuteHandshake, fault.Silent}
	for i := range params.MaxRemembered {
		p, err := fault.Start(kinds[i%len(kinds)], fault.Options{Rand: rand.New(rand.NewPCG(uint64(i), 6))})
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { p.Close() })
		dead = append(dead, p.AddrInfo())
	}
	w.began = time.Now()
	d := w.fresh(waymark.Config{Seeds: w.seeds()[:1], Remembered: dead})
	return d, d.Facts(w.Context()), w.began
}

package testkit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/lan"
)

// Main is to be called first by TestMain of a test program whose tests start
// nodes. In a process that Host.Start or Host.Shape began it does that work,
// until its input ends, and exits; in any other it returns.
func Main() {
	if text := os.Getenv(environment); text != "" {
		os.Exit(liveAs(text))
	}
	if text := os.Getenv(wireEnvironment); text != "" {
		os.Exit(carry(text))
	}
}

func liveAs(text string) (code int) {
	var spec Spec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		fmt.Fprintln(os.Stderr, environment, "is no Spec:", err)
		return 2
	}
	if err := live(spec); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child is a node in this process.
type child struct {
	dht    *waymark.DHT
	dials  *dialLog
	out    *json.Encoder
	mu     sync.Mutex // of out and tally
	tally  Tally
	using  bool
	facts  factLog
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	drawn  *rand.Rand // what is looked up
}

func live(spec Spec) error {
	before := goleak.IgnoreCurrent()
	c := &child{dials: new(dialLog), out: json.NewEncoder(os.Stdout), drawn: rand.New(rand.NewPCG(spec.Key, 1))}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	h, err := spec.host(c.dials)
	if err != nil {
		return err
	}
	cfg := spec.config()
	if spec.MDNS != "" {
		cfg.LAN = lan.MDNS(h, spec.MDNS)
	}
	if c.dht, err = waymark.New(h, cfg); err != nil {
		return err
	}
	read := make(chan struct{})
	facts := c.dht.Facts(context.Background())
	go func() { defer close(read); c.watch(facts) }()
	c.say(line{What: isUp})
	if err := c.dht.Bootstrap(c.ctx); err != nil {
		return err
	}
	c.serve()
	c.cancel()
	watchdog := time.AfterFunc(c.dht.Bound(waymark.OpClose)+patience, func() {
		fmt.Fprintln(os.Stderr, "the node does not close")
		os.Exit(3)
	})
	defer watchdog.Stop()
	c.work.Wait()
	began := time.Now()
	failed := c.dht.Close()
	bye := Bye{CloseMS: time.Since(began).Milliseconds()}
	<-read
	failed = errors.Join(failed, h.Close(), goleak.Find(before))
	if failed != nil {
		bye.Left = failed.Error()
	}
	bye.Open, bye.Repeated, bye.Missed = c.facts.verdict()
	c.say(line{What: isBye, Bye: bye})
	return nil
}

// patience is what a process is given beyond what it promises.
const patience = 5 * time.Second

// host makes the host that the owner of a private network would make.
func (s Spec) host(dials *dialLog) (host.Host, error) {
	options := []libp2p.Option{
		libp2p.Identity(fault.NewKey(rand.New(rand.NewPCG(s.Key, 0)))),
		libp2p.ListenAddrStrings(s.Listen...),
		libp2p.ConnectionManager(connmgr.NullConnMgr{}),
		libp2p.ResourceManager(&network.NullResourceManager{}), // its limits hold for all of a LAN of IPv6 together
		libp2p.ConnectionGater(dials),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	}
	if s.Ephemeral {
		options = append(options, libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()))
	}
	return libp2p.New(options...)
}

func (s Spec) config() waymark.Config {
	cfg := waymark.Config{Protocol: "/lab/kad/1.0.0", Mode: s.Mode, Addrs: onLAN, OneSite: true, Seed: s.Key}
	for _, a := range s.Seeds {
		cfg.Seeds = append(cfg.Seeds, ma.StringCast(a))
	}
	return cfg
}

// say writes one line.
func (c *child) say(l line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.At == 0 {
		l.At = time.Now().UnixNano()
	}
	_ = c.out.Encode(l) // whoever reads it is gone, and our input has ended
}

// serve does what it is told until its input ends.
func (c *child) serve() {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var r request
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			fmt.Fprintln(os.Stderr, "no request:", err)
			continue
		}
		c.work.Go(func() { c.do(r) })
	}
}

func (c *child) do(r request) {
	switch r.Do {
	case "find":
		c.say(line{What: isReply, N: r.N, Reply: c.find(string(c.dht.PeerID()))})
		return
	case "use", "rest":
		c.mu.Lock()
		begin := r.Do == "use" && !c.using
		c.using = r.Do == "use"
		c.mu.Unlock()
		if begin {
			c.work.Go(c.use)
		}
	}
	c.say(line{What: isReply, N: r.N, Reply: c.state()})
}

// state is how the node is. It asks nobody.
func (c *child) state() Reply {
	h := c.dht.Health()
	c.mu.Lock()
	defer c.mu.Unlock()
	r := Reply{State: h.State, Mode: h.Mode.String(), Reasons: h.Reasons, Tally: c.tally, Dials: c.dials.all()}
	r.Overdue = h.Overdue
	for _, b := range c.dht.RoutingTable().Buckets {
		for _, info := range b.Contacts {
			r.Table = append(r.Table, info.ID.String())
		}
	}
	return r
}

// find walks to a key, and holds the call to its bound.
func (c *child) find(key string) Reply {
	bound, began := c.dht.Bound(waymark.OpLookup), time.Now()
	r, err := c.dht.Lookup(c.ctx, key)
	took := time.Since(began)
	c.mu.Lock()
	c.tally.Calls++
	c.tally.Slowest = max(c.tally.Slowest, took.Milliseconds())
	if took > bound {
		c.tally.Late++
	}
	c.mu.Unlock()
	reply := c.state()
	reply.Outcome = r.Outcome.String()
	if err != nil {
		reply.Error = err.Error()
	}
	if r.Outcome == engine.Converged {
		for _, p := range r.Peers {
			reply.Found = append(reply.Found, p.ID.String())
		}
	}
	return reply
}

// use looks something up every second until told to rest.
func (c *child) use() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		using := c.using
		c.mu.Unlock()
		if !using {
			return
		}
		c.find(fmt.Sprint(c.drawn.Uint64()))
	}
}

// watch reads the node's facts until it closes.
func (c *child) watch(facts <-chan waymark.Fact) {
	for f := range facts {
		if r, is := f.(engine.BecameReady); is {
			c.say(line{What: isReady, At: c.dht.Time(r.At).UnixNano()})
		}
		c.facts.note(f)
	}
}

// factLog sees that every operation ends once.
type factLog struct {
	ends     map[engine.OpID]int
	missed   int
	repeated int
}

func (l *factLog) note(f waymark.Fact) {
	if l.ends == nil {
		l.ends = make(map[engine.OpID]int)
	}
	switch f := f.(type) {
	case engine.OpStarted:
		l.ends[f.Op] += 0
	case engine.OpEnded:
		if l.ends[f.Op]++; l.ends[f.Op] > 1 {
			l.repeated++
		}
	case engine.Missed:
		l.missed += f.Count
	}
}

func (l *factLog) verdict() (open, repeated, missed int) {
	for _, n := range l.ends {
		if n == 0 {
			open++
		}
	}
	return open, l.repeated, l.missed
}

// dialLog is a connection gater that refuses nothing and counts the peers that
// are dialled.
type dialLog struct {
	mu sync.Mutex
	at []int64
}

// dialsKept is how many dials a node remembers: more than any minute has.
const dialsKept = 8 * params.MaxPeers

func (d *dialLog) all() []int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]int64(nil), d.at...)
}

func (d *dialLog) InterceptPeerDial(peer.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = append(d.at, time.Now().UnixNano())
	d.at = d.at[max(0, len(d.at)-dialsKept):]
	return true
}

func (d *dialLog) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }

func (d *dialLog) InterceptAccept(network.ConnMultiaddrs) bool { return true }

func (d *dialLog) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

func (d *dialLog) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

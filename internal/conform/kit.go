package conform

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/waymark-dht/waymark/core/wire"
	"github.com/waymark-dht/waymark/internal/fault"
)

// kit is one run.
type kit struct {
	o      Options
	addr   ma.Multiaddr // without the ID
	target peer.ID
	local  netip.Addr // of this machine, towards the target
	agent  string

	companion host.Host     // an honest server that the target knows all along
	oracle    *fault.Oracle // what the companion answers from
	listed    bool          // the target named it before the first case

	mu      sync.Mutex
	rng     *rand.Rand
	held    map[*try][]*held
	closers []io.Closer
	stops   []func() bool // of what ends streams when the run is interrupted
	life    context.Context
	closing chan struct{}
	work    sync.WaitGroup

	tries []*try
	dead  bool // the target answers nobody any more
	stuck bool // its own operations do not end any more
	keys  keyring

	refuses ma.Multiaddr // see nowhere
}

// forConform tells the kit's chance from that of a network of the same seed,
// whose nodes would have the kit's own identities.
const forConform = 0xc0f0a31

func newKit(ctx context.Context, o Options) (*kit, error) {
	info, err := Permitted(o.Target)
	if err != nil {
		return nil, err
	}
	if o.Protocol == "" {
		o.Protocol = DefaultProtocol
	}
	return &kit{
		o: o, addr: info.Addrs[0], target: info.ID, rng: rand.New(rand.NewPCG(o.Seed, forConform)),
		held: map[*try][]*held{}, closing: make(chan struct{}), life: ctx,
	}, nil
}

// close ends every host, and with them whatever still waits for the target.
func (k *kit) close() {
	close(k.closing)
	k.mu.Lock()
	closers := k.closers
	for _, stop := range k.stops {
		stop()
	}
	k.mu.Unlock()
	for _, t := range k.tries {
		t.closeHosts()
	}
	for i := len(closers) - 1; i >= 0; i-- {
		_ = closers[i].Close()
	}
	k.work.Wait()
}

// owns has something closed with the kit.
func (k *kit) owns(c io.Closer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closers = append(k.closers, c)
}

// meet finds out who the target is, and makes it know one honest server.
func (k *kit) meet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	t := k.newTry(ctx, Case{Name: "meet"})
	defer t.closeHosts()
	if err := k.findLocal(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	c, err := t.dial()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if agent, err := c.host.Peerstore().Get(k.target, "AgentVersion"); err == nil {
		k.agent, _ = agent.(string)
	}
	s, err := c.open()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if _, err := s.ask(findNode(string(k.target)), answerLimit); err != nil {
		return fmt.Errorf("%w FIND_NODE: %w", ErrUnreachable, err)
	}
	return k.introduce(ctx, s)
}

// findLocal asks the system which address of this machine leads to the target.
// Connecting a UDP socket sends nothing; a QUIC connection would not tell.
func (k *kit) findLocal() error {
	ip, err := ipOf(k.addr)
	if err != nil {
		return err
	}
	if zone, err := k.addr.ValueForProtocol(ma.P_IP6ZONE); err == nil {
		ip = ip.WithZone(zone) // of a link-local address
	}
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, discardPort)))
	if err != nil {
		return err
	}
	defer c.Close()
	k.local = c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	return nil
}

// introduce starts the companion and waits until the target names it, if it
// ever does.
func (k *kit) introduce(ctx context.Context, s *talk) error {
	h, err := k.newHost(true)
	if err != nil {
		return err
	}
	k.owns(h)
	k.companion = h
	k.oracle = fault.NewOracle(nil)
	k.tells(nil)
	k.oracle.Serve(h, k.o.Protocol)
	if err := k.connect(ctx, h); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	for end := time.Now().Add(answerLimit); time.Now().Before(end) && !k.listed; {
		m, err := s.ask(findNode(string(h.ID())), answerLimit)
		if err != nil {
			return fmt.Errorf("%w FIND_NODE: %w", ErrUnreachable, err)
		}
		k.listed = names(m, h.ID())
		if !pause(ctx, tick) {
			return fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
		}
	}
	return nil
}

// tells has the companion know, beside itself and the target, some peers more,
// so that the target hears of them when it asks.
func (k *kit) tells(more []peer.AddrInfo) {
	known := []peer.AddrInfo{{ID: k.companion.ID(), Addrs: k.companion.Addrs()}, {ID: k.target, Addrs: []ma.Multiaddr{k.addr}}}
	k.oracle.SetMembers(append(known, more...))
}

// connect dials the target, again if it refuses: it may count connections by
// the second.
func (k *kit) connect(ctx context.Context, h host.Host) error {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	h.Peerstore().AddAddr(k.target, k.addr, peerstore.PermanentAddrTTL)
	var cause error // not that the host still waits before it dials again
	for {
		err := k.connectOnce(ctx, h)
		if err == nil {
			return nil
		}
		if cause == nil || ctx.Err() == nil && !strings.Contains(err.Error(), swarm.ErrDialBackoff.Error()) {
			cause = err
		}
		if !pause(ctx, connectPause) {
			return cause
		}
	}
}

// connectOnce returns when its context ends, whatever the transport does.
func (k *kit) connectOnce(ctx context.Context, h host.Host) error {
	done := make(chan error, 1)
	k.work.Go(func() { done <- h.Connect(ctx, peer.AddrInfo{ID: k.target}) })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pause waits, and reports whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func (k *kit) newTry(ctx context.Context, c Case) *try {
	return &try{kit: k, Case: c, ctx: ctx, began: time.Now(), res: Result{Case: c.Name, Group: c.Group, About: c.About}}
}

// runAll tries the cases in their order until ctx ends. When the time of the
// run is over the rest is skipped.
func (k *kit) runAll(ctx context.Context, cases []Case) {
	limited, cancel := context.WithTimeout(ctx, RunLimit)
	defer cancel()
	for i, c := range cases {
		if ctx.Err() != nil {
			return
		}
		if k.o.Began != nil {
			k.o.Began(i, len(cases), c.Name)
		}
		t := k.newTry(limited, c)
		k.tries = append(k.tries, t)
		k.runOne(limited, t)
		if k.holds(t) == nil {
			k.ended(t)
		}
	}
}

// runOne tries one case, and asks afterwards as anybody would.
func (k *kit) runOne(ctx context.Context, t *try) {
	switch {
	case k.dead:
		t.skip("the target does not answer any more")
		return
	case k.stuck && t.slow:
		t.skip("the target's lookups do not end any more")
		return
	case ctx.Err() != nil:
		t.skip("the time of the run, %v, was over", RunLimit)
		return
	}
	var cancel context.CancelFunc
	t.ctx, cancel = context.WithTimeout(ctx, t.limit(k.o.Driver != nil))
	t.run(t)
	cancel()
	k.tells(nil)
	k.awaitGivenUp(ctx, t)
	t.res.Took = time.Since(t.began)
	if !t.kept() {
		t.closeHosts()
	}
	k.recover(ctx, t)
}

// awaitGivenUp waits for what a server of the kit still owes the target, which
// gives it up soon. Else the server would be met in the cases that follow.
func (k *kit) awaitGivenUp(ctx context.Context, t *try) {
	all := k.holds(t)
	if all == nil || !t.slow {
		return
	}
	limit := time.NewTimer(giveUpLimit)
	defer limit.Stop()
	for _, h := range all {
		select {
		case <-h.done:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
	if len(k.holds(t)) > len(all) {
		return // it was asked once more
	}
	k.mu.Lock()
	delete(k.held, t)
	k.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settleHeld(all, 0)
	t.keep = false
}

// recover notes how long it takes until a fresh peer gets a right answer.
func (k *kit) recover(ctx context.Context, t *try) {
	began := time.Now()
	err := k.healthy(ctx)
	t.res.Recovered = time.Since(began)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		if k.o.Driver != nil && t.slow {
			k.operable(ctx, t)
		}
		return
	}
	t.fail("did not recover within %v: %v", RecoverWithin, brief(err))
	k.dead = k.healthy(ctx) != nil
}

// operable has the target look something up that nothing speaks against. A node
// whose own lookups do not end has not recovered, however well it answers.
func (k *kit) operable(ctx context.Context, t *try) {
	limited, cancel := context.WithTimeout(ctx, operateWithin)
	defer cancel()
	_, _ = k.o.Driver.Closest(limited, []byte("a key of nobody"))
	if limited.Err() != nil && ctx.Err() == nil {
		t.fail("afterwards its own lookups do not end within %v", operateWithin)
		k.stuck = true
	}
}

// healthy asks as a fresh peer. A right answer names the companion, if the
// target did so before.
func (k *kit) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, RecoverWithin)
	defer cancel()
	t := k.newTry(ctx, Case{Name: "probe"})
	defer t.closeHosts()
	for {
		err := t.honest()
		if err == nil || !pause(ctx, tick) {
			return err
		}
	}
}

// honest asks one right question and wants the right answer.
func (t *try) honest() error {
	c, err := t.dial()
	if err != nil {
		return err
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Reset()
	m, err := s.ask(findNode(string(t.companion.ID())), answerLimit)
	switch {
	case err != nil:
		return err
	case m.Type != wire.FindNode:
		return fmt.Errorf("FIND_NODE was answered by %v", m.Type)
	case t.listed && !names(m, t.companion.ID()):
		return fmt.Errorf("the answer does not name a peer that the target knew")
	}
	return nil
}

func (k *kit) holds(t *try) []*held {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held[t]
}

// drain waits until the target has let go of everything, or its time is over.
func (k *kit) drain(ctx context.Context) {
	if k.o.Began != nil {
		k.o.Began(len(k.tries), len(k.tries), "drain")
	}
	began, interrupted := time.Now(), ctx
	ctx, cancel := context.WithTimeout(ctx, drainOf(k.o))
	defer cancel()
	for _, t := range k.tries {
		for _, h := range k.holds(t) {
			select {
			case <-h.done:
			case <-ctx.Done():
			}
		}
	}
	drained := drainOf(k.o)
	if ctx.Err() != nil {
		drained = time.Since(began)
	}
	for _, t := range k.tries {
		all := k.holds(t)
		if all == nil {
			continue
		}
		if interrupted.Err() != nil {
			t.saw("was not watched to the end")
		} else {
			t.mu.Lock()
			t.settleHeld(all, drained)
			t.mu.Unlock()
		}
		k.ended(t)
	}
}

func (k *kit) ended(t *try) {
	if k.o.Ended != nil {
		k.o.Ended(t.result())
	}
}

func (k *kit) report() Report {
	r := Report{Peer: k.target.String(), Agent: k.agent, Counts: map[string]int{}}
	for _, t := range k.tries {
		res := t.result()
		r.Results = append(r.Results, res)
		r.Counts[res.Verdict.String()]++
	}
	return r
}

// Permitted reads the address of a target: one IP address that is loopback,
// link-local or private, and a peer ID. A name could lead anywhere, and so
// could a relay.
func Permitted(addr ma.Multiaddr) (peer.AddrInfo, error) {
	info, err := peer.AddrInfoFromP2pAddr(addr)
	if err != nil || len(info.Addrs) != 1 {
		return peer.AddrInfo{}, fmt.Errorf("%w: %v", ErrAddress, addr)
	}
	for _, c := range info.Addrs[0] {
		if c.Protocol().Code == ma.P_CIRCUIT || c.Protocol().Code == ma.P_P2P {
			return peer.AddrInfo{}, fmt.Errorf("%w: it leads through a relay", ErrPublic)
		}
	}
	ip, err := ipOf(info.Addrs[0])
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: %v", ErrAddress, addr)
	}
	if !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsPrivate() {
		return peer.AddrInfo{}, fmt.Errorf("%w: %v", ErrPublic, ip)
	}
	return *info, nil
}

func ipOf(addr ma.Multiaddr) (netip.Addr, error) {
	slice, err := manet.ToIP(addr)
	if err != nil {
		return netip.Addr{}, err
	}
	ip, ok := netip.AddrFromSlice(slice)
	if !ok {
		return netip.Addr{}, fmt.Errorf("%v is no IP address", slice)
	}
	return ip.Unmap(), nil
}

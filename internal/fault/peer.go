package fault

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// DefaultProtocol is the Kademlia of IPFS, which peers misbehave in if they
// are not told of another.
const DefaultProtocol protocol.ID = "/ipfs/kad/1.0.0"

// Options say what misbehaves. The zero value is a peer with a random key on
// TCP, behind whose fault stands a server that knows nobody.
type Options struct {
	// Rand draws the identity and every choice that the peer will make, so
	// that a seed names its behaviour. Nil draws from the machine.
	Rand *rand.Rand
	// QUIC listens on QUIC instead of TCP. Start fails for kinds that do not
	// exist there.
	QUIC bool
	// Protocol is what the peer serves; DefaultProtocol if empty.
	Protocol protocol.ID
	// Serve sets the stream handler of a healthy server on a host, whose
	// answers the fault then spoils. Nil is an Oracle that knows nobody.
	Serve func(h host.Host, proto protocol.ID)
	// Extra comes after LoopbackOptions, where there is a host.
	Extra []libp2p.Option
}

// Peer is one running peer of some kind. All it does is on loopback.
type Peer struct {
	kind  Kind
	opts  Options
	key   crypto.PrivKey
	info  peer.AddrInfo
	host  host.Host // nil for kinds below libp2p
	proxy *Proxy    // what its address leads to, for faults of the wire

	mu      sync.Mutex
	rng     *rand.Rand // for choices while it runs
	opened  []io.Closer
	closed  bool
	closing chan struct{}
	work    sync.WaitGroup
}

// Start starts a peer.
func Start(kind Kind, o Options) (*Peer, error) {
	if kind >= kinds {
		return nil, fmt.Errorf("fault: kind %d is unknown", kind)
	}
	if o.QUIC && !kind.QUIC() {
		return nil, fmt.Errorf("fault: %v does not exist over QUIC", kind)
	}
	p := newPeer(kind, o)
	if err := p.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("fault: %v: %w", kind, err), p.Close())
	}
	return p, nil
}

func newPeer(kind Kind, o Options) *Peer {
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if o.Protocol == "" {
		o.Protocol = DefaultProtocol
	}
	if o.Serve == nil {
		o.Serve = NewOracle(nil).Serve
	}
	p := &Peer{kind: kind, opts: o, key: NewKey(o.Rand), closing: make(chan struct{})}
	p.rng = rand.New(rand.NewPCG(o.Rand.Uint64(), o.Rand.Uint64()))
	p.info.ID = idOf(p.key)
	return p
}

func (p *Peer) start() error {
	switch p.kind {
	case Refused:
		return p.startRefused()
	case BlackHole:
		return p.startBlackHole()
	case WrongPeer:
		return p.startWrongPeer()
	case MuteHandshake:
		return p.startMuteHandshake()
	case MuteIdentify:
		return p.startMuteIdentify()
	case NoStream:
		return p.startNoStream()
	case NoProtocol:
		return p.startHost()
	case ZeroWindow, Silent:
		return p.startDeaf()
	case Frozen, Cut:
		return p.startBehindProxy()
	case Liar:
		return p.startLiar()
	default:
		return p.startServer()
	}
}

// Kind returns what the peer is.
func (p *Peer) Kind() Kind { return p.kind }

// AddrInfo returns how the peer is found.
func (p *Peer) AddrInfo() peer.AddrInfo {
	return peer.AddrInfo{ID: p.info.ID, Addrs: slices.Clone(p.info.Addrs)}
}

// Host returns the host behind the fault, or nil if there is none.
func (p *Peer) Host() host.Host { return p.host }

// Close ends the peer and everything that it started.
func (p *Peer) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.closing)
	opened := p.opened
	p.mu.Unlock()
	var errs []error
	for _, c := range slices.Backward(opened) {
		errs = append(errs, c.Close())
	}
	p.work.Wait()
	return errors.Join(errs...)
}

// owns has c closed with the peer, the last first.
func (p *Peer) owns(c io.Closer) { p.opened = append(p.opened, c) }

// enter counts a handler as work that Close waits for, unless it is too late.
func (p *Peer) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.work.Add(1)
	return true
}

// draw returns a number in [0, n) by the peer's own chance.
func (p *Peer) draw(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rng.IntN(n)
}

// at makes a TCP address what the peer advertises.
func (p *Peer) at(addr netip.AddrPort) { p.info.Addrs = []ma.Multiaddr{multiaddr(addr)} }

// startHost makes a real host of the peer's key and advertises it.
func (p *Peer) startHost(extra ...libp2p.Option) error {
	o := HostOptions{QUIC: p.opts.QUIC, NoTCP: p.opts.QUIC}
	opts := append(LoopbackOptions(p.key), libp2p.ListenAddrStrings(o.listens()...))
	opts = append(append(opts, extra...), p.opts.Extra...)
	h, err := libp2p.New(opts...)
	if err != nil {
		return err
	}
	p.owns(h)
	p.host = h
	p.info.Addrs = h.Addrs()
	return nil
}

func idOf(key crypto.PrivKey) peer.ID {
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		panic(err) // an Ed25519 key has one
	}
	return id
}

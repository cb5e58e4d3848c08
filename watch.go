package waymark

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// watcher tells the engine what the host tells everybody: who is connected,
// who serves the DHT, which addresses are ours. Whoever is slow to take an
// event holds up the whole host, so every event only goes into the mailbox.
type watcher struct {
	*DHT
	events event.Subscription
	ended  chan struct{}

	mu        sync.Mutex
	mode      Mode // what the owner wants
	reachable bool // what AutoNAT says
	judged    bool // its second version has tested addresses, and knows better
}

// SetMode changes the mode that Config gave. It returns once the host's
// protocols say so, which others are told by identify; ErrDeadline if the host
// has not got so far within params.HostDeadline, as one of the subscribers to its
// events does not read: the change is made as soon as it does.
func (d *DHT) SetMode(m Mode) error {
	if m < ModeAuto || m > ModeServer {
		return badConfig("%v is none of ModeAuto, ModeClient, ModeServer", m)
	}
	if !d.watch.decide(func(w *watcher) { w.mode = m }) {
		return ErrClosed
	}
	return d.server.settle()
}

// decide changes what there is to know of the mode, and what follows from it. It
// reports whether the node is still open. The caller has the server carry it out.
func (w *watcher) decide(change func(*watcher)) (open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
	return w.server.want(w.mode == ModeServer || w.mode == ModeAuto && w.reachable)
}

func newWatcher(d *DHT) (*watcher, error) {
	events, err := subscribe(d.host.EventBus())
	return &watcher{DHT: d, events: events, ended: make(chan struct{}), mode: d.cfg.Mode}, err
}

// subscribe subscribes to what the node wants to know of its host. Who emits
// waits for every subscriber and holds up who subscribes: so this is done on a
// goroutine of its own, and not waited for for ever.
func subscribe(bus event.Bus) (event.Subscription, error) {
	type outcome struct {
		events event.Subscription
		err    error
	}
	done, late := make(chan outcome), make(chan struct{})
	go func() {
		events, err := bus.Subscribe([]any{
			new(event.EvtPeerConnectednessChanged),
			new(event.EvtPeerIdentificationCompleted),
			new(event.EvtPeerProtocolsUpdated),
			new(event.EvtLocalAddressesUpdated),
			new(event.EvtLocalReachabilityChanged),
			new(event.EvtHostReachableAddrsChanged),
		}, eventbus.BufSize(params.WatchBuffer), eventbus.Name("waymark"))
		select {
		case done <- outcome{events, err}:
		case <-late:
			if err == nil {
				events.Close()
			}
		}
	}()
	timer := time.NewTimer(params.HostDeadline)
	defer timer.Stop()
	select {
	case o := <-done:
		return o.events, o.err
	case <-timer.C:
		close(late)
		return nil, errHost
	}
}

// start catches up on what happened before the subscription, and goes on.
func (w *watcher) start() {
	w.decide(func(*watcher) {})
	if err := w.server.settle(); err != nil {
		w.logs.line("the node serves later", "error", err.Error())
	}
	w.catchUp()
	go func() {
		defer close(w.ended)
		for ev := range w.events.Out() {
			w.notice(ev)
		}
	}()
}

// catchUp tells of those who are connected already, and of what the peerstore has
// of them: as far as it says so within params.HostDeadline, and what is left later.
func (w *watcher) catchUp() {
	net := w.host.Network()
	peers := net.Peers()
	for _, id := range peers {
		w.connected(id, net.Connectedness(id))
	}
	_, said := consult(context.Background(), w.workers, params.HostDeadline, func() struct{} {
		for _, id := range peers {
			w.identified(id, signedAddrs(w.host.Peerstore(), id))
			if known, err := w.host.Peerstore().SupportsProtocols(id, w.cfg.Protocol); err == nil && len(known) > 0 {
				w.met(contact.ID(id), nil)
			}
		}
		return struct{}{}
	})
	if !said {
		w.logs.line("the host's peerstore does not return; who is connected is looked at when it does")
	}
}

func (w *watcher) notice(ev any) {
	switch ev := ev.(type) {
	case event.EvtPeerConnectednessChanged:
		w.connected(ev.Peer, ev.Connectedness)
	case event.EvtPeerIdentificationCompleted:
		w.identified(ev.Peer, ev.ListenAddrs)
		if slices.Contains(ev.Protocols, w.cfg.Protocol) {
			w.met(contact.ID(ev.Peer), ev.Conn)
		}
	case event.EvtPeerProtocolsUpdated:
		if slices.Contains(ev.Removed, w.cfg.Protocol) {
			w.mail.about(contact.ID(ev.Peer), func(n *peerNews) { n.withdrawn, n.served = true, nil })
		} else if slices.Contains(ev.Added, w.cfg.Protocol) {
			w.met(contact.ID(ev.Peer), nil)
		}
	case event.EvtLocalAddressesUpdated:
		w.moved()
	case event.EvtLocalReachabilityChanged:
		w.decide(func(w *watcher) {
			if !w.judged {
				w.reachable = ev.Reachability == network.ReachabilityPublic
			}
		})
		w.server.follow()
	case event.EvtHostReachableAddrsChanged:
		w.tested(ev)
		w.server.follow()
	}
}

// tested takes the verdict of AutoNAT's second version, which tests addresses
// one by one and not the host as a whole. One that others can reach is enough;
// to have none counts once no address is left to be tested.
func (w *watcher) tested(ev event.EvtHostReachableAddrsChanged) {
	w.decide(func(w *watcher) {
		switch {
		case len(ev.Reachable) > 0:
			w.judged, w.reachable = true, true
		case len(ev.Unreachable) > 0 && len(ev.Unknown) == 0:
			w.judged, w.reachable = true, false
		}
	})
}

// connected tells that a peer can be asked without a dial, or no longer. A
// limited connection, through a relay, is none.
func (w *watcher) connected(id peer.ID, c network.Connectedness) {
	is := c == network.Connected
	if c == network.NotConnected {
		w.known.forget(contact.ID(id))
	}
	w.mail.about(contact.ID(id), func(n *peerNews) { n.connected = &is })
}

// identified keeps what a connected peer says its addresses are.
func (w *watcher) identified(id peer.ID, addrs []ma.Multiaddr) {
	w.known.learn(contact.ID(id), w.policy.addrs(packed(addrs)))
	if w.host.Network().Connectedness(id) == network.NotConnected {
		w.known.forget(contact.ID(id)) // it went meanwhile, and that was told before
	}
}

// met tells of a server, and of the connection by which it was met, if that is
// known. One that others could not dial is of no use to them.
func (w *watcher) met(id contact.ID, by network.Conn) {
	if c := w.known.with(id, w.proved(by)); c != nil && w.welcome(c) {
		called := by != nil && by.Stat().Direction == network.DirInbound
		w.mail.about(id, func(n *peerNews) { n.served, n.withdrawn, n.called = c, false, n.called || called })
	}
}

// proved returns the address that a connection proves: its other end's, if it
// was us who dialled.
func (d *DHT) proved(by network.Conn) []contact.Addr {
	if by == nil || by.Stat().Direction != network.DirOutbound {
		return nil
	}
	return d.policy.addrs(packed([]ma.Multiaddr{by.RemoteMultiaddr()}))
}

// welcome asks the owner whether a peer may enter the routing table.
func (d *DHT) welcome(c *contact.Info) bool {
	ok := d.cfg.Approve.Admit
	return ok == nil || ok(infoOf(c))
}

// moved takes note of our own addresses.
func (w *watcher) moved() {
	now := w.ourselves()
	if before := w.self.Swap(now); !slices.Equal(before.Addrs, now.Addrs) {
		w.mail.networkChanged()
	}
}

// ourselves returns the node as others may know it.
func (d *DHT) ourselves() *contact.Info {
	addrs := make([]contact.Addr, 0, params.MaxAddrs)
	for _, a := range d.host.Addrs() {
		if p := contact.Addr(a.Bytes()); d.policy.accepts(p) && len(addrs) < params.MaxAddrs {
			addrs = append(addrs, p)
		}
	}
	return contact.New(contact.ID(d.host.ID()), addrs...)
}

// stop ends the subscription, off the caller's goroutine: closing it may wait
// for somebody who is emitting.
func (w *watcher) stop() <-chan struct{} {
	go w.events.Close()
	return w.ended
}

// signedAddrs returns a connected peer's addresses: those in its signed record
// if identify brought one, else what the peerstore has: for those who were
// identified before the node began to listen.
func signedAddrs(ps peerstore.Peerstore, id peer.ID) []ma.Multiaddr {
	if book, ok := peerstore.GetCertifiedAddrBook(ps); ok {
		if env := book.GetPeerRecord(id); env != nil {
			if rec, err := env.Record(); err == nil {
				if pr, ok := rec.(*peer.PeerRecord); ok {
					return pr.Addrs
				}
			}
		}
	}
	return ps.Addrs(id)
}

// Package lan finds peers on the local network: multicast DNS as go-libp2p speaks it, for Config.LAN of package waymark.
//
// It may not know the DHT. It is the one room that sends to a multicast group,
// and only after Start.
// Start reading at [MDNS], then [Service.Start].
package lan

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/core/params"
)

// DefaultService is the name under which hosts of go-libp2p look for each other,
// whatever they are for: who is found need not serve the DHT.
const DefaultService = "_p2p._udp"

// Service announces a host on the local network and finds others. Make it with
// MDNS; it can be started once.
type Service struct {
	host host.Host
	name string
	air  air
	look func(host.Host) (place, error)

	mu      sync.Mutex
	stop    context.CancelFunc
	ended   chan struct{}
	closed  bool
	trouble error
}

// air carries announcements. The real one is multicast; tests have another, for
// nothing may leave the machine.
type air interface {
	// announce tells the network where somebody is, until withdraw takes it back.
	announce(service string, at place) (withdraw func(), err error)
	// listen asks who is there, again and again, and hands on what each says,
	// until the context ends or it cannot go on.
	listen(ctx context.Context, service string, heard func(texts []string)) error
}

// MDNS returns a search under a service name such as "_waymark._udp", which all
// who are to find each other share; "" is DefaultService. Nothing is sent before
// Start.
//
// What the host listens on at its interfaces is announced, at most
// params.MaxAddrs addresses, and neither loopback nor relays. The interfaces are
// looked at every params.LANLook: the search begins anew when they have changed,
// so it may be started on a machine that has no network yet.
func MDNS(h host.Host, service string) *Service {
	if service == "" {
		service = DefaultService
	}
	return &Service{host: h, name: service, air: multicast{}, look: lookAround}
}

// errStarted is what a second Start, or one after Close, gets.
var errStarted = errors.New("the search was started or closed before; make another one with MDNS")

// Start begins to announce the host and to look for others, and goes on until
// Close. Found is called for each that is met, at least once in params.LANAgain
// while they are there, on several goroutines; it should return at once. What
// keeps the search from working is tried again, see Trouble.
func (s *Service) Start(found func(peer.AddrInfo)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil || s.closed {
		return errStarted
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.ended = stop, make(chan struct{})
	go s.run(ctx, found)
	return nil
}

// Trouble says why nobody can be found now, or that all is well with nil.
func (s *Service) Trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// Close ends the search and withdraws the announcement. Found is not called
// after it. Later calls do nothing.
func (s *Service) Close() error {
	s.mu.Lock()
	stop, ended := s.stop, s.ended
	s.closed = true
	s.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
	return nil
}

// run begins a round whenever the interfaces have changed, the last one has
// failed, or is so old that who is there should be told again.
func (s *Service) run(ctx context.Context, found func(peer.AddrInfo)) {
	defer close(s.ended)
	tick := time.NewTicker(params.LANLook)
	defer tick.Stop()
	var r *round
	for {
		at, err := s.look(s.host)
		if !r.lasts(at) {
			r.end()
			r = nil
			if s.note(err); err == nil {
				r = s.begin(ctx, at, found)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.end()
			return
		}
	}
}

// note keeps what is wrong now.
func (s *Service) note(trouble error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = trouble
}

// round is one stretch in which the interfaces stayed as they were.
type round struct {
	at       place
	until    time.Time
	withdraw func()
	stop     context.CancelFunc
	over     chan struct{} // nobody listens any more
}

// begin starts a round. Who cannot be announced may find others all the same.
func (s *Service) begin(ctx context.Context, at place, found func(peer.AddrInfo)) *round {
	r := &round{at: at, until: time.Now().Add(params.LANAgain), over: make(chan struct{})}
	ctx, r.stop = context.WithCancel(ctx)
	var err error
	if r.withdraw, err = s.air.announce(s.name, at); err != nil {
		s.note(err)
	}
	go func() {
		defer close(r.over)
		err := s.air.listen(ctx, s.name, func(texts []string) { s.heard(texts, found) })
		if err != nil && ctx.Err() == nil {
			s.note(err)
		}
	}()
	return r
}

// lasts reports whether a round goes on: nothing has changed, it still listens,
// and it is not so old that all should be told of each other again.
func (r *round) lasts(at place) bool {
	if r == nil || r.withdraw == nil || r.at.key != at.key || !time.Now().Before(r.until) {
		return false
	}
	select {
	case <-r.over:
		return false
	default:
		return true
	}
}

// end ends a round, and waits until nothing of it is left.
func (r *round) end() {
	if r == nil {
		return
	}
	if r.withdraw != nil {
		r.withdraw()
	}
	r.stop()
	<-r.over
}

// heard hands on the peers of one announcement, except this host.
func (s *Service) heard(texts []string, found func(peer.AddrInfo)) {
	for _, p := range peersOf(texts) {
		if p.ID != s.host.ID() {
			found(p)
		}
	}
}

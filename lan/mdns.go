// Package lan finds peers on the local network: multicast DNS as go-libp2p speaks it, for Config.LAN of package waymark.
//
// It may not know the DHT. It is the one room that sends to a multicast group,
// and only after Start.
// Start reading at [MDNS].
package lan

import (
	"errors"
	"sync"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
)

// DefaultService is the name under which hosts of go-libp2p look for each other,
// whatever they are for: who is found need not serve the DHT.
const DefaultService = mdns.ServiceName

// Service announces a host on the local network and finds others. Make it with
// MDNS; it can be started once.
type Service struct {
	host host.Host
	name string
	make func(host.Host, string, mdns.Notifee) mdns.Service

	mu      sync.Mutex
	running mdns.Service
	closed  bool
}

// MDNS returns a search under a service name such as "_waymark._udp", which all
// who are to find each other share; "" is DefaultService. Nothing is sent before
// Start. The host announces all addresses that it listens on.
func MDNS(h host.Host, service string) *Service {
	if service == "" {
		service = DefaultService
	}
	return &Service{host: h, name: service, make: func(h host.Host, name string, n mdns.Notifee) mdns.Service {
		return mdns.NewMdnsService(h, name, n)
	}}
}

// errStarted is what a second Start, or one after Close, gets.
var errStarted = errors.New("the search was started or closed before; make another one with MDNS")

// Start begins to announce the host and to look for others. Found is called for
// each, again and again, until Close.
func (s *Service) Start(found func(peer.AddrInfo)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil || s.closed {
		return errStarted
	}
	running := s.make(s.host, s.name, notifee(func(p peer.AddrInfo) {
		if p.ID != s.host.ID() {
			found(p)
		}
	}))
	if err := running.Start(); err != nil {
		return errors.Join(err, running.Close())
	}
	s.running = running
	return nil
}

// Close ends the search and withdraws the announcement. Later calls do nothing.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	running := s.running
	s.running, s.closed = nil, true
	if running == nil {
		return nil
	}
	return running.Close()
}

// notifee is a function as go-libp2p wants it.
type notifee func(peer.AddrInfo)

// HandlePeerFound implements mdns.Notifee.
func (n notifee) HandlePeerFound(p peer.AddrInfo) { n(p) }

package lan

import (
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"

	"github.com/waymark-dht/waymark"
)

var _ waymark.LAN = (*Service)(nil)

// radio is a service that sends nothing: multicast must not leave the machine.
type radio struct {
	name           string
	notify         mdns.Notifee
	started, ended int
	err            error
}

func (r *radio) Start() error {
	r.started++
	return r.err
}

func (r *radio) Close() error {
	r.ended++
	return nil
}

func silentHost(t *testing.T) host.Host {
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func with(s *Service, r *radio) *Service {
	s.make = func(_ host.Host, name string, n mdns.Notifee) mdns.Service {
		r.name, r.notify = name, n
		return r
	}
	return s
}

func TestWhoIsFoundIsTold(t *testing.T) {
	h, r := silentHost(t), &radio{}
	s := with(MDNS(h, ""), r)
	if r.started != 0 {
		t.Error("something was sent before Start")
	}
	var found []peer.ID
	if err := s.Start(func(p peer.AddrInfo) { found = append(found, p.ID) }); err != nil || r.started != 1 || r.name != DefaultService {
		t.Fatalf("%v, started %d times as %q", err, r.started, r.name)
	}
	r.notify.HandlePeerFound(peer.AddrInfo{ID: "somebody"})
	r.notify.HandlePeerFound(peer.AddrInfo{ID: h.ID()}) // our own announcement comes back
	if len(found) != 1 || found[0] != "somebody" {
		t.Errorf("found %v", found)
	}
	if err := s.Start(func(peer.AddrInfo) {}); !errors.Is(err, errStarted) {
		t.Errorf("a second start: %v", err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil || r.ended != 1 {
		t.Errorf("closed %d times: %v", r.ended, err)
	}
	if err := s.Start(func(peer.AddrInfo) {}); !errors.Is(err, errStarted) {
		t.Errorf("a start after the end: %v", err)
	}
}

func TestWhatCannotStartIsCleanedUp(t *testing.T) {
	r := &radio{err: errors.New("no multicast here")}
	s := with(MDNS(silentHost(t), "_waymark._udp"), r)
	if err := s.Start(func(peer.AddrInfo) {}); !errors.Is(err, r.err) || r.ended != 1 || r.name != "_waymark._udp" {
		t.Errorf("%v, closed %d times", err, r.ended)
	}
	if err := s.Close(); err != nil || r.ended != 1 {
		t.Errorf("%v, closed %d times", err, r.ended)
	}
}

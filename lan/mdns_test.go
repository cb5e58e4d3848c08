package lan

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
)

var _ waymark.LAN = (*Service)(nil)

// radio is an air that carries nothing: multicast must not leave the machine.
type radio struct {
	mu        sync.Mutex
	announced []place
	withdrawn int
	heard     func([]string) // of who listens now
	listens   int
	mute      error // nobody can be announced
	deaf      error // nobody can be heard
	deafen    chan error
}

func (r *radio) announce(_ string, at place) (func(), error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mute != nil {
		return nil, r.mute
	}
	r.announced = append(r.announced, at)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.withdrawn++
	}, nil
}

func (r *radio) listen(ctx context.Context, _ string, heard func([]string)) error {
	r.mu.Lock()
	r.listens++
	r.heard = heard
	deaf := r.deaf
	r.mu.Unlock()
	if deaf != nil {
		return deaf
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-r.deafen:
		return err
	}
}

// says has a neighbour announce itself.
func (r *radio) says(texts ...string) {
	r.mu.Lock()
	heard := r.heard
	r.mu.Unlock()
	heard(texts)
}

func (r *radio) counts() (announced, withdrawn, listens int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.announced), r.withdrawn, r.listens
}

// home is where a host is; a test changes it.
type home struct {
	mu  sync.Mutex
	at  place
	err error
}

func (h *home) look(host.Host) (place, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at, h.err
}

func (h *home) move(key string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at, h.err = place{key: key}, err
}

func silentHost(t *testing.T) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// inTheAir runs a story about a search in virtual time.
func inTheAir(t *testing.T, story func(*testing.T, *Service, *radio, *home)) {
	h := silentHost(t)
	synctest.Test(t, func(t *testing.T) {
		r, at := &radio{deafen: make(chan error)}, &home{at: place{key: "here"}}
		s := MDNS(h, "")
		s.air, s.look = r, at.look
		story(t, s, r, at)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if announced, withdrawn, _ := r.counts(); announced != withdrawn {
			t.Errorf("%d announcements, %d withdrawn", announced, withdrawn)
		}
	})
}

// pass lets virtual time go by, and what is due in it happen.
func pass(d time.Duration) { <-time.After(d); synctest.Wait() }

const stranger = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"

func TestWhoIsFoundIsTold(t *testing.T) {
	inTheAir(t, func(t *testing.T, s *Service, r *radio, _ *home) {
		if s.name != DefaultService {
			t.Errorf("it looks for %q", s.name)
		}
		pass(time.Minute)
		if announced, _, listens := r.counts(); announced+listens > 0 {
			t.Error("something was sent before Start")
		}
		var found []peer.AddrInfo
		if err := s.Start(func(p peer.AddrInfo) { found = append(found, p) }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.says("dnsaddr=/ip4/198.18.0.1/tcp/4001/p2p/"+stranger, "dnsaddr=/ip4/198.18.0.1/udp/4001/quic-v1/p2p/"+stranger)
		r.says("dnsaddr=/ip4/198.18.0.2/tcp/4001/p2p/" + s.host.ID().String()) // our own comes back
		for _, nonsense := range []string{
			"", "dnsaddr=", "dnsaddr=/ip4/198.18.0.1/tcp/4001", "/ip4/198.18.0.1/tcp/4001/p2p/" + stranger,
			"dnsaddr=/ip4/127.0.0.1/tcp/4001/p2p/" + stranger, "dnsaddr=/dns4/host.example/tcp/4001/p2p/" + stranger,
			"dnsaddr=/ip4/198.18.0.1/tcp/4001/p2p/" + stranger + "/p2p-circuit", "dnsaddr=\xff",
		} {
			r.says(nonsense)
		}
		if len(found) != 1 || found[0].ID.String() != stranger || len(found[0].Addrs) != 2 {
			t.Errorf("found %v", found)
		}
		if err := s.Start(func(peer.AddrInfo) {}); !errors.Is(err, errStarted) {
			t.Errorf("a second start: %v", err)
		}
		if err := errors.Join(s.Trouble(), s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		if err := s.Start(func(peer.AddrInfo) {}); !errors.Is(err, errStarted) {
			t.Errorf("a start after the end: %v", err)
		}
	})
}

func TestASearchThatNeverBeganEnds(t *testing.T) {
	inTheAir(t, func(_ *testing.T, s *Service, _ *radio, _ *home) { s.Close() })
}

// TestASearchBeginsWhenThereIsANetwork, and anew with each change of it, and so
// often that all hear of each other again.
func TestASearchBeginsWhenThereIsANetwork(t *testing.T) {
	inTheAir(t, func(t *testing.T, s *Service, r *radio, at *home) {
		expect := func(when string, rounds int, trouble error) {
			t.Helper()
			announced, withdrawn, listens := r.counts()
			open := map[bool]int{true: 1, false: 0}[trouble == nil]
			if announced != rounds || listens != rounds || announced-withdrawn != open || !errors.Is(s.Trouble(), trouble) {
				t.Errorf("%s: announced %d times, withdrawn %d, listened %d, want %d; %v", when, announced, withdrawn, listens, rounds, s.Trouble())
			}
		}
		at.move("", errNowhere)
		if err := s.Start(func(peer.AddrInfo) {}); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		expect("without a network", 0, errNowhere)
		at.move("home", nil)
		pass(params.LANLook)
		expect("with one", 1, nil)
		pass(params.LANAgain - params.LANLook)
		expect("nothing new", 1, nil)
		pass(params.LANLook)
		expect("again", 2, nil)
		at.move("office", nil)
		pass(params.LANLook)
		expect("moved", 3, nil)
		at.move("", errNowhere)
		pass(params.LANLook)
		expect("gone", 3, errNowhere)
		at.move("office", nil)
		pass(params.LANLook)
		expect("back", 4, nil)
	})
}

// TestASearchThatFailsIsTriedAgain, whether nobody can be told or nobody heard.
func TestASearchThatFailsIsTriedAgain(t *testing.T) {
	inTheAir(t, func(t *testing.T, s *Service, r *radio, _ *home) {
		mute, deaf := errors.New("no multicast here"), errors.New("the socket broke")
		r.mute, r.deaf = mute, deaf
		var found []peer.AddrInfo
		if err := s.Start(func(p peer.AddrInfo) { found = append(found, p) }); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if err := s.Trouble(); !errors.Is(err, deaf) { // the last word
			t.Errorf("it says %v", err)
		}
		set := func(m, d error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.mute, r.deaf = m, d
		}
		set(mute, nil)
		pass(params.LANLook)
		r.says("dnsaddr=/ip4/198.18.0.1/tcp/4001/p2p/" + stranger) // who cannot be announced hears others
		set(nil, nil)
		pass(params.LANLook)
		if err := s.Trouble(); err != nil || len(found) != 1 {
			t.Errorf("%v, found %v", err, found)
		}
		_, _, before := r.counts()
		r.deafen <- deaf
		synctest.Wait()
		if err := s.Trouble(); !errors.Is(err, deaf) {
			t.Errorf("deaf, it says %v", err)
		}
		pass(params.LANLook)
		if _, _, listens := r.counts(); listens != before+1 || s.Trouble() != nil {
			t.Errorf("it listened %d times more; %v", listens-before, s.Trouble())
		}
	})
}

// TestOnlyWhatNeighboursCanDialIsAnnounced.
func TestOnlyWhatNeighboursCanDialIsAnnounced(t *testing.T) {
	id, err := peer.Decode(stranger)
	if err != nil {
		t.Fatal(err)
	}
	var at place
	at.take(id, []ma.Multiaddr{
		ma.StringCast("/ip4/127.0.0.1/tcp/4001"),
		ma.StringCast("/ip4/198.18.0.1/tcp/4001"),
		ma.StringCast("/ip4/198.18.0.1/tcp/4001/ws"),
		ma.StringCast("/ip4/169.254.1.1/tcp/4001"),
		ma.StringCast("/ip6/::1/tcp/4001"),
		ma.StringCast("/ip6/fe80::1/tcp/4001"),
		ma.StringCast("/ip6zone/eth0/ip6/fe80::1/tcp/4001"),
		ma.StringCast("/ip6/fd00::1/udp/4001/quic-v1"),
		ma.StringCast("/dns4/host.example/tcp/4001"),
	})
	want := []string{"/ip4/198.18.0.1/tcp/4001", "/ip4/169.254.1.1/tcp/4001", "/ip6/fd00::1/udp/4001/quic-v1"}
	for i, a := range want {
		want[i] = textPrefix + a + "/p2p/" + stranger
	}
	if !slices.Equal(at.texts, want) || !slices.Equal(at.ips, []string{"198.18.0.1", "fd00::1"}) {
		t.Errorf("%q at %q", at.texts, at.ips)
	}
	for i := range 2 * params.MaxAddrs {
		at.take(id, []ma.Multiaddr{ma.StringCast("/ip4/198.18.1." + string(rune('0'+i%10)) + "/tcp/4001")})
	}
	if len(at.texts) != params.MaxAddrs {
		t.Errorf("%d addresses are announced", len(at.texts))
	}
	if _, err := lookAround(silentHost(t)); !errors.Is(err, errNowhere) {
		t.Errorf("a host that listens nowhere: %v", err)
	}
}

package conform

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/waymark-dht/waymark/internal/fault"
)

// wireCases misbehave below the streams. Most need TCP.
var wireCases = []Case{
	{Name: "tcp-silent", Group: "wire", About: fmt.Sprintf("%d TCP connections that say nothing", rawConns), run: bareTCP(nil)},
	{Name: "tcp-garbage", Group: "wire", About: fmt.Sprintf("%d TCP connections that talk noise", rawConns), run: bareTCP(noise(512))},
	{Name: "handshake-mute", Group: "wire", About: "begins the security handshake and stops", run: bareTCP([]byte("\x13/multistream/1.0.0\n\x07/noise\n"))},
	{Name: "mute-identify", Group: "wire", About: "asks, but answers on no stream: no identify", run: muteIdentify},
	{Name: "no-stream", Group: "wire", About: "asks, but refuses every stream of the target", run: refusesStreams},
	{Name: "cut-in-frame", Group: "wire", About: "its connection is cut within a frame of yamux", run: cutInFrame},
	{Name: "frozen-wire", Group: "wire", About: "its connection falls silent for ever, without a FIN", run: frozenWire},
	{Name: "mode-flapping", Group: "wire", About: "becomes server and client 20 times, and says so", run: flapping},
	{Name: "client-not-admitted", Group: "wire", About: "a client that asks must not be named to others", run: clientNotAdmitted},
}

// bareTCP opens connections that never become more than bytes.
func bareTCP(b []byte) func(*try) {
	return func(t *try) {
		if !t.overTCP() {
			t.skip("the target is not reached over TCP and IPv4")
			return
		}
		_, at, err := manet.DialArgs(t.addr)
		if err != nil {
			t.skip("%v", err)
			return
		}
		open := 0
		for range rawConns {
			c, err := net.DialTimeout("tcp4", at, connectLimit)
			if err != nil {
				break
			}
			t.kit.owns(c)
			open++
			_, _ = c.Write(b)
			t.hold(Fail, "a TCP connection that is no more", func() string { _, _ = io.Copy(io.Discard, c); return "" })
		}
		t.saw("took %d of %d", open, rawConns)
		t.others()
	}
}

func muteIdentify(t *try) {
	h, err := t.newHost(false)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	h.Network().SetStreamHandler(func(network.Stream) {})
	t.asksAsIs(&client{try: t, host: h})
}

// asksAsIs asks as a peer that is no good host itself. It may be refused; it
// may not keep others from being answered.
func (t *try) asksAsIs(c *client) {
	began := time.Now()
	_, err := t.join(c.host)
	if err == nil {
		var s *talk
		if s, err = c.open(); err == nil {
			_, err = s.ask(findNode("as it is"), answerLimit)
		}
	}
	if err != nil {
		t.saw("does not answer it: %v", brief(err))
	} else {
		t.saw("answered it after %v", round(time.Since(began)))
	}
	t.others()
}

func refusesStreams(t *try) {
	mux := *yamux.DefaultTransport
	mux.MaxIncomingStreams = 0
	h, err := t.newHost(false, libp2p.Muxer(yamux.ID, &mux))
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	t.asksAsIs(&client{try: t, host: h})
}

// wired is a client whose wire the kit holds in its hands.
type wired struct {
	*client
	link *fault.ProxyLink
}

// wire connects a fresh peer through a proxy.
func (t *try) wire(extra ...libp2p.Option) (w wired, ok bool) {
	if !t.overTCP() {
		t.skip("the target is not reached over TCP and IPv4")
		return w, false
	}
	var mu sync.Mutex
	p, err := fault.NewProxy(func(l *fault.ProxyLink) {
		mu.Lock()
		defer mu.Unlock()
		w.link = l
	})
	if err != nil {
		t.skip("this machine: %v", err)
		return w, false
	}
	t.kit.owns(p)
	_, at, _ := manet.DialArgs(t.addr)
	p.SetTarget(netip.MustParseAddrPort(at))
	h, err := t.newHost(false, extra...)
	if err == nil {
		front, _ := manet.FromNetAddr(net.TCPAddrFromAddrPort(p.Addr()))
		h.Peerstore().AddAddr(t.target, front, peerstore.PermanentAddrTTL)
		err = h.Connect(t.ctx, peer.AddrInfo{ID: t.target, Addrs: []ma.Multiaddr{front}})
	}
	if err != nil {
		t.fail("no connection: %v", err)
		return w, false
	}
	mu.Lock()
	defer mu.Unlock()
	w.client = &client{t, h, h.Network().ConnsToPeer(t.target)[0]}
	return w, w.link != nil
}

// cutInFrame is the story with which rust-libp2p's issue 5432 begins.
func cutInFrame(t *try) {
	w, ok := t.wire()
	if !ok {
		return
	}
	s, err := w.open()
	if err == nil {
		_, err = s.ask(findNode("before the cut"), answerLimit)
	}
	if err != nil {
		t.fail("%v", brief(err))
		return
	}
	frame := findNode("a frame of yamux that is cut in the middle")
	w.link.CutAfter(fault.Up, len(frame)/2)
	_ = s.send(frame)
	t.saw("was cut off")
	t.others()
}

func frozenWire(t *try) {
	mux := *yamux.DefaultTransport
	mux.EnableKeepAlive = false // else this side would end it
	w, ok := t.wire(libp2p.Muxer(yamux.ID, &mux))
	if !ok {
		return
	}
	s, err := w.open()
	if err == nil {
		_, err = s.ask(findNode("before the frost"), answerLimit)
	}
	if err != nil {
		t.fail("%v", brief(err))
		return
	}
	_ = s.send(findNode("under the frost"))
	w.link.Swallow(fault.Up)
	w.link.Swallow(fault.Down)
	t.hold(Warn, "a connection that fell silent", func() string { t.await(w.link.HungUp()); return "" })
	t.others()
}

// await waits for something, or for the kit's end.
func (t *try) await(c <-chan struct{}) {
	select {
	case <-c:
	case <-t.closing:
	}
}

func flapping(t *try) {
	h, err := t.newHost(true)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	if _, err := t.join(h); err != nil {
		t.fail("%v", brief(err))
		return
	}
	for range 20 {
		h.SetStreamHandler(t.o.Protocol, func(s network.Stream) { _ = s.Reset() })
		pause(t.ctx, settle)
		h.RemoveStreamHandler(t.o.Protocol)
		pause(t.ctx, settle)
	}
	t.others()
}

// clientNotAdmitted asks as a client, and looks whether the target names it to
// others near its own key. Asked for exactly its ID, the target may.
func clientNotAdmitted(t *try) {
	c, s, ok := t.opened()
	if !ok {
		return
	}
	for range 3 {
		if _, err := s.ask(findNode("I ask and do not serve"), answerLimit); err != nil {
			t.fail("does not answer a client: %v", err)
			return
		}
	}
	pause(t.ctx, drivenAsk)
	named, err := t.namedNear(c.host.ID())
	switch {
	case err != nil:
		t.fail("%v", brief(err))
	case named:
		t.fail("names a client to others")
	default:
		t.saw("does not name it")
	}
}

// namedNear asks as a fresh peer who is near another, and reports whether the
// target names that one.
func (t *try) namedNear(id peer.ID) (bool, error) {
	c, err := t.dial()
	if err != nil {
		return false, err
	}
	s, err := c.open()
	if err != nil {
		return false, err
	}
	m, err := s.ask(findNode(t.near(id)), answerLimit)
	return names(m, id), err
}

package conform

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
	"github.com/waymark-dht/waymark/internal/fault"
)

// client is a peer of the kit that is connected to the target.
type client struct {
	*try
	host host.Host
	conn network.Conn
}

// talk is one stream to the target.
type talk struct {
	network.Stream
	in    *bufio.Reader
	until time.Time // the end of the case
}

func newTalk(s network.Stream) *talk { return &talk{Stream: s, in: bufio.NewReader(s)} }

// deadline is so far from now, but no later than the case ends.
func (s *talk) deadline(within time.Duration) time.Time {
	at := time.Now().Add(within)
	if !s.until.IsZero() && s.until.Before(at) {
		return s.until
	}
	return at
}

// gate lets a host of the kit dial the target and nobody else, and be dialled
// from the target's address alone, whatever it hears of others.
type gate struct{ k *kit }

func (g gate) InterceptPeerDial(p peer.ID) bool { return p == g.k.target }

func (g gate) InterceptAddrDial(p peer.ID, a ma.Multiaddr) bool {
	return p == g.k.target && (a.Equal(g.k.addr) || isLoopback(a))
}

func (g gate) InterceptAccept(a network.ConnMultiaddrs) bool {
	there, err := ipOf(a.RemoteMultiaddr())
	target, targetErr := ipOf(g.k.addr)
	return err == nil && targetErr == nil && (there == target || there.IsLoopback() && target.IsLoopback())
}

func (gate) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool { return true }

func (gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

func isLoopback(a ma.Multiaddr) bool {
	ip, err := ipOf(a)
	return err == nil && ip.IsLoopback()
}

// newHost makes a peer of the kit. One that serves listens on this machine's
// address towards the target, over the target's transport.
func (k *kit) newHost(serves bool, extra ...libp2p.Option) (host.Host, error) {
	k.mu.Lock()
	key := fault.NewKey(k.rng)
	k.mu.Unlock()
	return libp2p.New(append(k.options(key, serves), extra...)...)
}

func (k *kit) options(key crypto.PrivKey, serves bool) []libp2p.Option {
	opts := append(fault.LoopbackOptions(key), libp2p.ConnectionGater(gate{k}))
	if serves {
		return append(opts, libp2p.ListenAddrStrings(k.listenAddr()))
	}
	return append(opts, libp2p.NoListenAddrs)
}

func (k *kit) listenAddr() string {
	at := "/ip4/" + k.local.String()
	if k.local.Is6() {
		at = "/ip6/" + k.local.WithZone("").String()
	}
	if zone := k.local.Zone(); zone != "" {
		at = "/ip6zone/" + zone + at
	}
	if _, err := k.addr.ValueForProtocol(ma.P_UDP); err == nil {
		return at + "/udp/0/quic-v1"
	}
	return at + "/tcp/0"
}

// overTCP reports whether the target is reached over TCP and IPv4, as the cases
// below libp2p need it.
func (k *kit) overTCP() bool {
	ip, err := ipOf(k.addr)
	_, tcp := k.addr.ValueForProtocol(ma.P_TCP)
	return err == nil && tcp == nil && ip.Is4()
}

// newHost makes a host that ends with the case, or with the kit if the target
// holds something of it.
func (t *try) newHost(serves bool, extra ...libp2p.Option) (host.Host, error) {
	h, err := t.kit.newHost(serves, extra...)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hosts = append(t.hosts, h)
	return h, nil
}

func (t *try) closeHosts() {
	t.mu.Lock()
	hosts := t.hosts
	t.hosts = nil
	t.mu.Unlock()
	for _, h := range hosts {
		_ = h.Close()
	}
}

// dial makes a fresh peer and connects it.
func (t *try) dial(extra ...libp2p.Option) (*client, error) {
	h, err := t.newHost(false, extra...)
	if err != nil {
		return nil, err
	}
	return t.join(h)
}

// join connects a host.
func (t *try) join(h host.Host) (*client, error) {
	if err := t.connect(t.ctx, h); err != nil {
		return nil, fmt.Errorf("no connection: %w", err)
	}
	conns := h.Network().ConnsToPeer(t.target)
	if len(conns) == 0 {
		return nil, errors.New("the target closed the connection at once")
	}
	return &client{t, h, conns[0]}, nil
}

// open opens a stream of the target's protocol.
func (c *client) open() (*talk, error) {
	ctx, cancel := context.WithTimeout(c.ctx, answerLimit)
	defer cancel()
	s, err := c.host.NewStream(ctx, c.target, c.o.Protocol)
	if err != nil {
		return nil, fmt.Errorf("no stream: %w", err)
	}
	until, _ := c.ctx.Deadline()
	stop := context.AfterFunc(c.life, func() { _ = s.SetDeadline(time.Now()) })
	c.kit.mu.Lock()
	c.kit.stops = append(c.kit.stops, stop)
	c.kit.mu.Unlock()
	return &talk{s, bufio.NewReader(s), until}, nil
}

// opened is a stream of a fresh peer. If there is none the case has failed.
func (t *try) opened() (*client, *talk, bool) {
	c, err := t.dial()
	if err != nil {
		t.fail("%v", brief(err))
		return nil, nil, false
	}
	s, err := c.open()
	if err != nil {
		t.fail("%v", brief(err))
		return nil, nil, false
	}
	return c, s, true
}

// raw opens a stream on which nothing is negotiated.
func (c *client) raw() (network.Stream, error) {
	ctx, cancel := context.WithTimeout(c.ctx, answerLimit)
	defer cancel()
	return c.conn.NewStream(ctx)
}

// send writes, for no longer than an answer may take.
func (s *talk) send(b []byte) error {
	_ = s.SetWriteDeadline(s.deadline(answerLimit))
	_, err := s.Write(b)
	_ = s.SetWriteDeadline(time.Time{})
	return err
}

// read reads one answer.
func (s *talk) read(within time.Duration) (wire.Message, error) {
	_ = s.SetReadDeadline(s.deadline(within))
	defer s.SetReadDeadline(time.Time{})
	body, err := wire.ReadFrame(s.in, nil, params.MaxMessage)
	if err != nil {
		return wire.Message{}, err
	}
	return wire.Decode(body, wire.RecordLimits())
}

func (s *talk) ask(frame []byte, within time.Duration) (wire.Message, error) {
	if err := s.send(frame); err != nil {
		return wire.Message{}, err
	}
	return s.read(within)
}

// reaction is what the target does with what came over a stream.
type reaction uint8

// The reactions, which may be united.
const (
	answers reaction = 1 << iota
	closes
	resets
	waits
	garbles // an answer that is no message
)

const refuses = closes | resets

func (r reaction) String() string {
	switch r {
	case answers:
		return "answered"
	case closes:
		return "closed the stream"
	case resets:
		return "reset the stream"
	case waits:
		return "waits"
	}
	return "answered with what is no message"
}

// react waits for what the target does.
func (s *talk) react(within time.Duration) (reaction, wire.Message) {
	m, err := s.read(within)
	return reactionOf(err), m
}

func reactionOf(err error) reaction {
	switch {
	case err == nil:
		return answers
	case errors.Is(err, os.ErrDeadlineExceeded) || isTimeout(err):
		return waits
	case errors.Is(err, io.EOF):
		return closes
	case errors.Is(err, wire.ErrMalformed) || errors.Is(err, wire.ErrType) || errors.Is(err, wire.ErrPrefix) || errors.Is(err, wire.ErrTooLong):
		return garbles
	}
	return resets
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// gone waits until the target has ended a stream.
func gone(s *talk) func() string {
	return func() string {
		_ = s.SetReadDeadline(time.Time{})
		_, _ = io.Copy(io.Discard, s.in)
		return ""
	}
}

// findNode is the frame of a FIND_NODE.
func findNode(key string) []byte {
	return wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: []byte(key)})
}

// names reports whether an answer names a peer.
func names(m wire.Message, id peer.ID) bool {
	for _, p := range m.Closer {
		if string(p.Contact.ID) == string(id) {
			return true
		}
	}
	return false
}

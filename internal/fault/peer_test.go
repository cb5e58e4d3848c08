package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/multiformats/go-multistream"

	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
)

// The steps of one request, in their order.
const (
	dialling    = "dialling"
	opening     = "opening"
	negotiating = "negotiating"
	writing     = "writing"
	waiting     = "waiting"
	reading     = "reading" // an answer had begun
	decoding    = "decoding"
	done        = "done"
)

// outcome is how far a plain client came.
type outcome struct {
	step   string
	err    error
	took   time.Duration
	answer wire.Message
}

func (o outcome) String() string {
	return fmt.Sprintf("%s after %v: %v", o.step, o.took.Round(time.Millisecond), o.err)
}

// ask sends one request to a peer and says where it ended.
func ask(t *testing.T, client host.Host, to peer.AddrInfo, patience time.Duration, request []byte) (o outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begun := time.Now()
	defer func() { o.took = time.Since(begun) }()

	client.Peerstore().AddAddrs(to.ID, to.Addrs, peerstore.TempAddrTTL)
	conn, err := client.Network().DialPeer(ctx, to.ID)
	if err != nil {
		return outcome{step: dialling, err: err}
	}
	s, err := conn.NewStream(ctx)
	if err != nil {
		return outcome{step: opening, err: err}
	}
	defer s.Reset()
	_ = s.SetDeadline(begun.Add(patience))
	if err := multistream.SelectProtoOrFail(DefaultProtocol, s); err != nil {
		return outcome{step: negotiating, err: err}
	}
	if _, err := s.Write(request); err != nil {
		return outcome{step: writing, err: err}
	}
	return read(s)
}

func read(s network.Stream) outcome {
	counted := &countingReader{Reader: s}
	body, err := wire.ReadFrame(counted, nil, params.MaxAnswer)
	switch {
	case errors.Is(err, wire.ErrTooLong) || errors.Is(err, wire.ErrPrefix):
		return outcome{step: decoding, err: err}
	case err != nil && counted.n == 0:
		return outcome{step: waiting, err: err}
	case err != nil:
		return outcome{step: reading, err: err}
	}
	m, err := wire.Decode(body, wire.AnswerLimits())
	if err != nil {
		return outcome{step: decoding, err: err}
	}
	return outcome{step: done, answer: m}
}

type countingReader struct {
	io.Reader
	n int
}

func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.n += n
	return n, err
}

func findNode(target string) []byte {
	return wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: []byte(target)})
}

// brief is a patience that is meant to run out, ample one that is not.
const (
	brief = 500 * time.Millisecond
	ample = 10 * time.Second
)

// nobody are members for answers of some length; their addresses are not dialled.
func nobody(n int) (members []peer.AddrInfo) {
	rng := seeded(99)
	for range n {
		members = append(members, peer.AddrInfo{ID: idOf(NewKey(rng))})
	}
	return members
}

func start(t *testing.T, k Kind, seed uint64, quic bool) *Peer {
	t.Helper()
	p := must[*Peer](t)(Start(k, Options{Rand: seeded(seed), QUIC: quic, Serve: NewOracle(nobody(40)).Serve}))
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	onLoopback(t, p.AddrInfo())
	return p
}

// What may end a request. Each is told from a deadline.
var (
	none     = func(err error) bool { return err == nil }
	timeout  = func(err error) bool { return isTimeout(err) || errors.Is(err, context.DeadlineExceeded) }
	anyError = func(err error) bool {
		return err != nil && !isTimeout(err) && !errors.Is(err, context.DeadlineExceeded)
	}
	is = func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	as = func(target any) func(error) bool { return func(err error) bool { return errors.As(err, target) } }
)

var whereItFails = []struct {
	kind  Kind
	quic  bool
	steps []string
	err   func(error) bool
}{
	{Honest, false, []string{done}, none},
	{Honest, true, []string{done}, none},
	{Refused, false, []string{dialling}, is(syscall.ECONNREFUSED)},
	{BlackHole, false, []string{dialling}, timeout},
	{BlackHole, true, []string{dialling}, timeout},
	{WrongPeer, false, []string{dialling}, as(new(sec.ErrPeerIDMismatch))},
	{WrongPeer, true, []string{dialling}, as(new(sec.ErrPeerIDMismatch))},
	{MuteHandshake, false, []string{dialling}, timeout},
	{MuteIdentify, false, []string{negotiating}, timeout},
	{MuteIdentify, true, []string{negotiating}, timeout},
	{NoStream, false, []string{negotiating}, is(network.ErrReset)},
	{NoStream, true, []string{opening}, timeout},
	{NoProtocol, false, []string{negotiating}, as(new(multistream.ErrNotSupported[protocol.ID]))},
	{NoProtocol, true, []string{negotiating}, as(new(multistream.ErrNotSupported[protocol.ID]))},
	{ZeroWindow, false, []string{waiting}, timeout},
	{ZeroWindow, true, []string{waiting}, timeout},
	{Silent, false, []string{waiting}, timeout},
	{Silent, true, []string{waiting}, timeout},
	{Frozen, false, []string{waiting}, timeout},
	{Slow, false, []string{reading}, timeout},
	{Slow, true, []string{reading}, timeout},
	{Cut, false, []string{waiting}, is(io.ErrUnexpectedEOF)},
	{Hangup, false, []string{waiting}, anyError},
	{Hangup, true, []string{waiting}, anyError},
	{Reset, false, []string{waiting, reading}, is(network.ErrReset)},
	{Reset, true, []string{waiting, reading}, is(network.ErrReset)},
	{Garbage, false, []string{decoding}, is(wire.ErrMalformed)},
	{Garbage, true, []string{decoding}, is(wire.ErrMalformed)},
	{Oversize, false, []string{decoding}, anyError},
	{Oversize, true, []string{decoding}, anyError},
	{Liar, false, []string{done}, none},
	{Liar, true, []string{done}, none},
}

func TestEachKindFailsWhereItShould(t *testing.T) {
	seen := map[Kind]bool{}
	for _, c := range whereItFails {
		seen[c.kind] = true
		t.Run(fmt.Sprintf("%v/quic=%v", c.kind, c.quic), func(t *testing.T) {
			leakFree(t)
			client := newHost(t, HostOptions{Rand: seeded(2), Silent: true})
			p := start(t, c.kind, 1, c.quic)
			patience := ample
			if c.err(context.DeadlineExceeded) {
				patience = brief
			}
			got := ask(t, client, p.AddrInfo(), patience, findNode("target"))
			t.Log(got)
			if !isOneOf(got.step, c.steps) || !c.err(got.err) {
				t.Errorf("want it to end at %v", c.steps)
			}
		})
	}
	for k := range kinds {
		if !seen[k] {
			t.Errorf("%v is not tested", k)
		}
	}
}

func isOneOf(step string, steps []string) bool {
	for _, s := range steps {
		if s == step {
			return true
		}
	}
	return false
}

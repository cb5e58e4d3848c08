package fault

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-yamux/v5"
)

// spoiltStream is a stream on which a healthy server writes its answers and
// the peer's fault decides what becomes of them. A server writes each answer
// at once, after it has read the whole request.
type spoiltStream struct {
	network.Stream
	kind    Kind
	draw    func(int) int   // a number in [0, n), by the peer's own chance
	closing <-chan struct{} // ends what takes its time
	proxy   *Proxy          // for faults of the wire
}

// Spoil returns a stream on which whoever answers writes each answer at once,
// and a fault of the stream decides what becomes of it: Slow, Oversize,
// Garbage, Reset or Hangup. Any other kind leaves answers as they are. What
// the fault draws is drawn from rng by one goroutine at a time; it ends at the
// latest when closing does.
func Spoil(s network.Stream, kind Kind, rng *rand.Rand, closing <-chan struct{}) network.Stream {
	if kind == Cut || kind == Frozen {
		kind = Honest // these need a wire that is theirs
	}
	return &spoiltStream{Stream: s, kind: kind, draw: rng.IntN, closing: closing}
}

// errSpoilt is what the server is told when its answer came to harm.
var errSpoilt = errors.New("fault: the answer was spoilt on purpose")

// oversize is a length prefix of 2 GiB.
var oversize = binary.AppendUvarint(nil, 2<<30)

// Write is one answer.
func (s *spoiltStream) Write(b []byte) (int, error) {
	switch s.kind {
	case Slow:
		return s.trickle(b)
	case Oversize:
		if _, err := s.Stream.Write(oversize); err != nil {
			return 0, err
		}
		return s.trickle(make([]byte, len(b)))
	case Garbage:
		return s.Stream.Write(s.garbage(b))
	case Reset:
		return s.resetWithin(b)
	case Hangup:
		_ = s.Conn().Close()
		return 0, errSpoilt
	case Cut:
		return s.cutWithin(b)
	case Frozen:
		return s.freeze(b)
	default:
		return s.Stream.Write(b)
	}
}

// trickle writes one byte per 100 ms.
func (s *spoiltStream) trickle(b []byte) (int, error) {
	tick := time.NewTicker(trickleStep)
	defer tick.Stop()
	for i := range b {
		select {
		case <-tick.C:
		case <-s.closing:
			return i, errSpoilt
		}
		if _, err := s.Stream.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

// resetWithin writes part of the answer, or nothing, and resets the stream.
func (s *spoiltStream) resetWithin(b []byte) (int, error) {
	n := s.draw(len(b))
	if _, err := s.Stream.Write(b[:n]); err != nil {
		return 0, err
	}
	_ = s.Reset()
	return n, errSpoilt
}

// invalidTag is a protobuf tag of field 0 and of wire type 7: neither exists.
const invalidTag = 0x07

// garbage is as long as the answer, framed like one, and no message.
func (s *spoiltStream) garbage(b []byte) []byte {
	_, prefix := binary.Uvarint(b)
	junk := append([]byte(nil), b...)
	for i := max(prefix, 1); i < len(junk); i++ {
		junk[i] = byte(s.draw(256))
	}
	if prefix > 0 && prefix < len(junk) {
		junk[prefix] = invalidTag
	}
	return junk
}

// cutWithin lets part of the answer's frame through and cuts the connection.
// The frame is longer than the answer, by yamux's header and the encryption,
// so as many bytes as the answer has always end within it.
func (s *spoiltStream) cutWithin(b []byte) (int, error) {
	link, err := s.link()
	if err != nil {
		return 0, err
	}
	if err := s.flush(); err != nil {
		return 0, err
	}
	link.CutAfter(Down, 1+s.draw(len(b)))
	return s.Stream.Write(b)
}

// flush waits until the client has all that was sent before the answer, so
// that the cut is not spent on an older frame: it pings the client's muxer.
func (s *spoiltStream) flush() error {
	var session *yamux.Session
	if !s.Conn().As(&session) {
		return errors.New("fault: the connection is not of yamux")
	}
	_, err := session.Ping()
	return err
}

// freeze carries nothing more, either way, and tells nobody.
func (s *spoiltStream) freeze(b []byte) (int, error) {
	link, err := s.link()
	if err != nil {
		return 0, err
	}
	link.Swallow(Up)
	link.Swallow(Down)
	return s.Stream.Write(b)
}

// link finds the stream's connection in the peer's proxy.
func (s *spoiltStream) link() (*ProxyLink, error) {
	at, err := addrPort(s.Conn().RemoteMultiaddr())
	if err != nil {
		return nil, err
	}
	if l := s.proxy.From(at); l != nil {
		return l, nil
	}
	return nil, io.ErrClosedPipe
}

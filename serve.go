package waymark

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	answer "github.com/waymark-dht/waymark/core/server"
	"github.com/waymark-dht/waymark/core/wire"
)

// server answers others, each stream on its own goroutine and from a snapshot
// of the table, so that it neither waits for the engine nor keeps it waiting.
type server struct {
	*DHT
	answered, refused, resets atomic.Uint64

	rate *windowed[netip.Prefix] // requests by IP
	asks *windowed[peer.ID]      // and by peer

	mu        sync.Mutex
	wanted    bool
	on        bool          // what the host was told last, or is being told
	following chan struct{} // there while it is being told; closed when it knows
	open      map[network.Stream]struct{}
	perPeer   map[peer.ID]int
	perIP     map[netip.Prefix]int
	stopping  bool
	drained   chan struct{} // closed when stopping and the last stream is over
}

func newServer(d *DHT) *server {
	return &server{
		DHT: d, open: make(map[network.Stream]struct{}), perPeer: make(map[peer.ID]int),
		perIP: make(map[netip.Prefix]int), drained: make(chan struct{}),
		rate: newWindowed[netip.Prefix](params.RequestsPerIP, params.RequestsWindow),
		asks: newWindowed[peer.ID](params.RequestsPerPeer, params.RequestsWindow),
	}
}

// follow makes the node serve, or not, as was wanted last. The channel that it
// returns is closed when the host knows. The host tells its subscribers and waits
// for them, so that this is done on a goroutine of its own, of which there is one
// at a time.
func (s *server) follow() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.following == nil {
		s.following = make(chan struct{})
		go s.change()
	}
	return s.following
}

func (s *server) change() {
	for on, differs := s.next(); differs; on, differs = s.next() {
		if on {
			s.host.SetStreamHandler(s.cfg.Protocol, s.handle)
		} else {
			s.host.RemoveStreamHandler(s.cfg.Protocol)
			s.resetAll()
		}
	}
}

// next returns what the host is to be told now, if anything.
func (s *server) next() (on, differs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	on = s.wanted && !s.stopping
	if differs = on != s.on; !differs {
		close(s.following)
		s.following = nil
	}
	s.on = on
	return on, differs
}

// settle waits until the host knows whether the node serves, but not for ever.
func (s *server) settle() error {
	timer := time.NewTimer(params.HostDeadline)
	defer timer.Stop()
	select {
	case <-s.follow():
		return nil
	case <-timer.C:
		return errHost
	}
}

// errHost: the host waits for one of those who listen to its events.
var errHost = fmt.Errorf("%w: a subscriber of the host's event bus does not read", ErrDeadline)

// want says whether the node is to serve; follow then makes it so. It reports
// whether that is still possible.
func (s *server) want(on bool) (open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = on
	return !s.stopping
}

func (s *server) serving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on
}

func (s *server) streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

func (s *server) counters() ServerCounters {
	return ServerCounters{Answered: s.answered.Load(), Refused: s.refused.Load(), Reset: s.resets.Load()}
}

// handle serves one inbound stream until its other side is done or fails.
func (s *server) handle(st network.Stream) {
	if !s.enter(st) {
		s.refused.Add(1)
		st.ResetWithError(network.StreamResourceLimitExceeded)
		return
	}
	defer s.leave(st)
	switch err := s.answerAll(st); {
	case err == nil:
		st.Close()
	case errors.Is(err, errIdle):
		st.Reset()
	default:
		s.resets.Add(1)
		st.Reset()
	}
}

// errIdle ends a stream that nobody has used for a while. It is no fault.
var errIdle = errors.New("the stream is idle")

// errTooMany ends a stream whose peer, or IP, asks too often.
var errTooMany = errors.New("too many requests from one peer or IP")

// allows counts one more request, and reports whether it is to be answered. What
// a peer asks in vain is not counted for its IP, so that no peer takes all that
// is left for those beside it.
func (s *server) allows(from peer.ID, addr ma.Multiaddr) bool {
	at, counts := s.policy.household(addr)
	return !counts || s.asks.allow(from) && s.rate.allow(at)
}

func (s *server) enter(st network.Stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := st.Conn().RemotePeer()
	at, counts := s.policy.household(st.Conn().RemoteMultiaddr())
	if !s.on || s.stopping || len(s.open) >= params.StreamsTotal || s.perPeer[from] >= params.StreamsPerPeer ||
		counts && s.perIP[at] >= params.StreamsPerIP {
		return false
	}
	s.open[st] = struct{}{}
	s.perPeer[from]++
	if counts {
		s.perIP[at]++
	}
	return true
}

func (s *server) leave(st network.Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, st)
	less(s.perPeer, st.Conn().RemotePeer())
	if at, counts := s.policy.household(st.Conn().RemoteMultiaddr()); counts {
		less(s.perIP, at)
	}
	s.drainedLocked()
}

// less counts one less, and forgets what there is none of.
func less[K comparable](counts map[K]int, k K) {
	if counts[k]--; counts[k] == 0 {
		delete(counts, k)
	}
}

func (s *server) drainedLocked() {
	if s.stopping && len(s.open) == 0 {
		select {
		case <-s.drained:
		default:
			close(s.drained)
		}
	}
}

// answerAll answers the requests on a stream, in their order. It returns nil
// if the stream ends between two of them.
func (s *server) answerAll(st network.Stream) error {
	in := bufio.NewReaderSize(st, params.ServeBuffer)
	var frame, out []byte
	for {
		st.SetReadDeadline(time.Now().Add(params.IdleStream))
		switch _, err := in.Peek(1); {
		case err == io.EOF:
			return nil
		case err != nil && isTimeout(err):
			return errIdle
		case err != nil:
			return err
		}
		st.SetReadDeadline(time.Now().Add(params.ServeDeadline))
		body, err := wire.ReadRequest(in, frame)
		if frame = body; err != nil {
			return err
		}
		if !s.allows(st.Conn().RemotePeer(), st.Conn().RemoteMultiaddr()) {
			return errTooMany
		}
		if out, err = s.reply(out[:0], body, st.Conn().RemotePeer()); err != nil {
			return err
		}
		s.answered.Add(1)
		if len(out) == 0 {
			continue // ADD_PROVIDER has no answer
		}
		st.SetWriteDeadline(time.Now().Add(params.ServeDeadline))
		if _, err := st.Write(out); err != nil {
			return err
		}
	}
}

// reply appends the frame that answers one request.
func (s *server) reply(out, request []byte, asker peer.ID) ([]byte, error) {
	q, err := wire.Decode(request, wire.RequestLimits())
	if err != nil {
		return out, err
	}
	if ok := s.cfg.Approve.Request; ok != nil {
		if err := ok(asker, q.Type.String(), q.Key); err != nil {
			return out, err
		}
	}
	n := answer.Node{Self: s.self.Load(), View: s.snapshot.Load(), Find: s.find, Values: s.shelf, Providers: s.shelf}
	return n.Answer(out, &q, contact.ID(asker))
}

// find returns what is known of a peer at first hand: it is in the table, or
// connected and has told its addresses itself.
func (s *server) find(id contact.ID) *contact.Info {
	if c := s.snapshot.Load().Find(id); c != nil {
		return c
	}
	return s.known.with(id, nil)
}

// resetAll cuts every stream, off the caller's goroutine.
func (s *server) resetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.open {
		go st.Reset()
	}
}

// stop ends the service; the channel it returns is closed when every stream is
// over. They are cut even if the host cannot be told, as that may block.
func (s *server) stop() <-chan struct{} {
	s.mu.Lock()
	s.stopping = true
	s.drainedLocked()
	s.mu.Unlock()
	s.resetAll()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-s.follow()
		<-s.drained
	}()
	return stopped
}

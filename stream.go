package waymark

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"
	"github.com/multiformats/go-varint"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
)

// stream is one stream to a peer. It carries one request at a time: answers to
// FIND_NODE carry no key, so two of them could not be told apart.
type stream struct {
	network.Stream
	in     *bufio.Reader
	agreed bool      // the protocol has been negotiated
	since  time.Time // when it was put aside
}

// exchange asks a peer and returns the outcome. One that fails on a stream
// from an earlier exchange, before anything came back, says nothing about the
// peer, who may have put that stream away: it is made again on a fresh one.
// KAD-11.3.
func (w *workers) exchange(a *attempt) engine.Event {
	s := w.idle.take(a.peer)
	if young := newest(w.host.Network(), a.peer); s != nil && young != nil && s.Conn().ID() != young.ID() {
		s.Reset() // of an older connection
		s = nil
	}
	m, err := w.talk(a, s)
	if err != nil && s != nil && a.ctx.Err() == nil && a.at() < reading {
		s.Reset()
		s = nil
		m, err = w.talk(a, nil)
	}
	if err != nil && w.cutByChange(a, err) {
		m, err = w.talk(a, nil)
	}
	if err != nil {
		how, detail := a.verdict(err, w.cfg.DialWatch)
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.excused(a, how, detail)
	}
	from := w.verified(a)
	a.enter(checking)
	a.uses(nil, nil) // whoever is slow from here on is on our side
	return w.answered(a, m, from)
}

// cutByChange reports whether an attempt ended because its connection, which is
// from before a change, was cut under it: the request is made again on another.
// KAD-5.9.
func (w *workers) cutByChange(a *attempt, err error) bool {
	how, _ := a.verdict(err, w.cfg.DialWatch)
	return how == contact.Reset && w.doubt.of(a, how) != nil
}

// answered is the outcome of an answer: what the node's policy and the key's
// validator leave of it.
func (w *workers) answered(a *attempt, m wire.Message, from *contact.Info) engine.Event {
	ev := engine.Answered{Attempt: a.id, From: from, Closer: w.approved(w.policy.contacts(contactsIn(m.Closer)))}
	ev.Unwanted = !w.welcome(cmp.Or(ev.From, a.to))
	switch {
	case a.ask == engine.AskProviders:
		for _, p := range contactsIn(m.Providers) {
			ev.Providers = append(ev.Providers, contact.New(p.ID, w.policy.addrs(p.Addrs)...))
		}
	case a.ask == engine.AskValue && m.Record != nil:
		if !bytes.Equal(m.Record.Key, a.key) {
			ev.Refused = "a record for another key"
		} else if w.stuck() {
			ev.Refused = "earlier calls of validators do not return"
		} else if err := w.shelf.rules.check(a.key, m.Record.Value); err != nil {
			ev.Refused = oneLine(err)
		} else {
			ev.Record = m.Record
		}
	}
	return ev
}

// approved leaves out whom the owner does not want asked.
func (w *workers) approved(cs []*contact.Info) []*contact.Info {
	if ok := w.cfg.Approve.Query; ok != nil {
		cs = slices.DeleteFunc(slices.Clone(cs), func(c *contact.Info) bool { return !ok(infoOf(c)) })
	}
	return cs
}

func contactsIn(list []wire.Peer) []*contact.Info {
	infos := make([]*contact.Info, len(list))
	for i, p := range list {
		infos[i] = p.Contact
	}
	return infos
}

// talk makes one exchange on a stream, or on a fresh one if it is nil, and
// puts the stream aside for the next.
func (w *workers) talk(a *attempt, s *stream) (m wire.Message, err error) {
	if s == nil {
		if s, err = w.open(a); err != nil {
			return m, err
		}
	} else if !a.uses(s.Conn(), s.Stream) {
		s.Reset() // whoever cuts the attempt may have come before that
		return m, a.ctx.Err()
	}
	if m, err = s.ask(a, w.cfg.Protocol, w.self.Load()); err != nil {
		s.Reset()
		return m, err
	}
	w.putAside(a, s)
	return m, nil
}

// putAside keeps a stream for the peer's next request, or ends it. A second
// answer on it is nobody's. This attempt must not cut it any more, and may be
// about to.
func (w *workers) putAside(a *attempt, s *stream) {
	s.SetDeadline(time.Time{})
	if ours := a.uses(s.Conn(), nil); !ours || s.in.Buffered() > 0 || !w.idle.put(a.peer, s) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dispose([]*stream{s})
	}
}

// open connects to the attempt's peer and opens a stream. A connection that
// dies in between is no failure of a peer that has another.
func (w *workers) open(a *attempt) (*stream, error) {
	for try := 0; ; try++ {
		conn, err := w.dial(a)
		if err != nil {
			return nil, err
		}
		a.enter(opening)
		w.connected(a)
		s, err := conn.NewStream(a.ctx)
		if err == nil {
			return w.begin(a, conn, s)
		}
		if try > 0 || a.ctx.Err() != nil || errors.Is(err, network.ErrResourceLimitExceeded) {
			return nil, err
		}
	}
}

func (w *workers) begin(a *attempt, conn network.Conn, s network.Stream) (*stream, error) {
	if !a.uses(conn, s) {
		s.Reset()
		return nil, a.ctx.Err()
	}
	if err := s.SetProtocol(w.cfg.Protocol); err != nil {
		s.Reset()
		return nil, err
	}
	return &stream{Stream: s, in: bufio.NewReader(s)}, nil
}

// dial returns a connection to the attempt's peer. Not through the host, which
// waits for identify; and past libp2p's own dial back-off, which reaches
// minutes: whom to leave alone is the engine's decision, from its memory of
// failures, and it knows an outage of ours when it sees one. KAD-11.5.
func (w *workers) dial(a *attempt) (network.Conn, error) {
	a.enter(preparing)
	net := w.host.Network()
	if conn := newest(net, a.peer); conn != nil {
		a.uses(conn, nil)
		return conn, nil
	}
	if net.Connectedness(a.peer) != network.Connected {
		addrs := w.affordable(a)
		if len(addrs) == 0 && len(a.to.Addrs) > 0 {
			return nil, errBudget
		}
		net.Peerstore().AddAddrs(a.peer, addrs, peerstore.TempAddrTTL)
		if a.seed {
			w.clearTheWay(net, a.peer)
		}
	}
	a.enter(dialling)
	ctx := network.WithForceDirectDial(a.ctx, "dht")
	ctx = network.WithDialPeerTimeout(ctx, time.Until(a.until))
	conn, err := net.DialPeer(ctx, a.peer)
	if err == nil {
		a.uses(conn, nil)
	}
	return conn, err
}

// newest returns the youngest of the connections to a peer that can carry a
// request, or nil. libp2p would take one of the older: and if the peer has
// restarted, or has another address, that one is dead and nobody knows it yet.
func newest(net network.Network, id peer.ID) (youngest network.Conn) {
	for _, c := range net.ConnsToPeer(id) {
		if c.IsClosed() || c.Stat().Limited {
			continue
		}
		if youngest == nil || c.Stat().Opened.After(youngest.Stat().Opened) {
			youngest = c
		}
	}
	return youngest
}

// clearTheWay undoes what an outage has made libp2p wary of, for the host's
// other users as well: the back-off of dials to a seed, and the suspicion that
// all of UDP or IPv6 leads nowhere, which one success lifts. KAD-11.5.
func (w *workers) clearTheWay(net network.Network, to peer.ID) {
	if s, ok := net.(*swarm.Swarm); ok {
		s.Backoff().Clear(to)
	}
	for _, c := range w.cfg.BlackHoles {
		if c.State().String() == "Blocked" { // its constants are not exported
			c.RecordResult(true)
		}
	}
}

// affordable returns the addresses of a peer that the budget of dials allows;
// a seed's are the user's own choice.
func (w *workers) affordable(a *attempt) []ma.Multiaddr {
	all := unpacked(a.to.Addrs)
	if a.seed || w.policy.oneSite {
		return all
	}
	return slices.DeleteFunc(all, func(m ma.Multiaddr) bool {
		at, counts := neighbourhood(m, w.policy.loopback)
		return counts && !w.budget.allow(at)
	})
}

// verified returns who answered with what is known of it at first hand: the
// address of this connection if we dialled it, and what it told by identify.
func (w *workers) verified(a *attempt) *contact.Info {
	a.mu.Lock()
	conn := a.conn
	a.mu.Unlock()
	return w.known.with(a.to.ID, w.proved(conn))
}

// ask writes the attempt's request and reads its answer. The protocol is
// negotiated with the same bytes, which saves a round trip: who does not speak
// it says so, and never sees the request.
func (s *stream) ask(a *attempt, proto protocol.ID, self *contact.Info) (m wire.Message, err error) {
	s.SetDeadline(a.until)
	a.enter(writing)
	out := make([]byte, 0, 128)
	if !s.agreed {
		out = appendToken(out, multistream.ProtocolID)
		out = appendToken(out, string(proto))
	}
	out = a.appendRequest(out, self)
	if _, err := s.Write(out); err != nil {
		return m, err
	}
	if !s.agreed {
		a.enter(negotiating)
		if err := s.agree(proto); err != nil {
			return m, err
		}
	}
	a.enter(waiting)
	if _, err := s.in.Peek(1); err != nil {
		return m, err
	}
	a.enter(reading)
	return s.answer(a)
}

// appendRequest appends the frames of what the attempt asks. ADD_PROVIDER has
// no answer, and who refuses it resets the stream: FIND_NODE for ourselves
// after it, which everybody answers, is how we know that it was taken. KAD-13.5.
func (a *attempt) appendRequest(out []byte, self *contact.Info) []byte {
	switch a.ask {
	case engine.AskValue:
		return wire.AppendFrame(out, &wire.Message{Type: wire.GetValue, Key: a.key})
	case engine.AskProviders:
		return wire.AppendFrame(out, &wire.Message{Type: wire.GetProviders, Key: a.key})
	case engine.AskStore:
		return wire.AppendFrame(out, &wire.Message{Type: wire.PutValue, Key: a.key, Record: a.record})
	case engine.AskAnnounce:
		me := []wire.Peer{{Contact: self, Connection: wire.Connected}}
		for _, k := range append([][]byte{a.key}, a.more...) {
			out = wire.AppendFrame(out, &wire.Message{Type: wire.AddProvider, Key: k, Providers: me})
		}
		return wire.AppendFrame(out, &wire.Message{Type: wire.FindNode, Key: []byte(self.ID)})
	}
	return wire.AppendFrame(out, &wire.Message{Type: wire.FindNode, Key: a.key})
}

// answerTypes are the types of the answers to what can be asked.
var answerTypes = map[engine.Ask]wire.Type{
	engine.AskPeers: wire.FindNode, engine.AskValue: wire.GetValue, engine.AskProviders: wire.GetProviders,
	engine.AskStore: wire.PutValue, engine.AskAnnounce: wire.FindNode,
}

// appendToken appends one line of multistream-select.
func appendToken(out []byte, token string) []byte {
	out = append(out, varint.ToUvarint(uint64(len(token)+1))...)
	return append(append(out, token...), '\n')
}

// agree reads the other side of the negotiation.
func (s *stream) agree(proto protocol.ID) error {
	for _, want := range []string{multistream.ProtocolID, string(proto)} {
		got, err := multistream.ReadNextToken[string](s.in)
		switch {
		case errors.Is(err, multistream.ErrTooLarge):
			return fmt.Errorf("%w: %w", errGarbage, err)
		case err != nil:
			return err
		case got == "na":
			return errNoProtocol
		case got != want:
			return fmt.Errorf("%w: negotiated %q instead of %q", errGarbage, got, want)
		}
	}
	s.agreed = true
	return nil
}

// answer reads the answer to what was asked.
func (s *stream) answer(a *attempt) (m wire.Message, err error) {
	limits, most := wire.AnswerLimits(), params.MaxAnswer
	if answerTypes[a.ask] != wire.FindNode {
		limits, most = wire.RecordLimits(), params.MaxMessage
	}
	body, err := wire.ReadFrame(s.in, nil, most)
	if err != nil {
		return m, err
	}
	if m, err = wire.Decode(body, limits); err != nil {
		return m, err
	}
	if m.Type != answerTypes[a.ask] {
		return m, fmt.Errorf("%w: %s in answer to %s", errGarbage, m.Type, a.ask)
	}
	if a.ask == engine.AskStore && (m.Record == nil || !bytes.Equal(m.Record.Value, a.record.Value)) {
		return m, fmt.Errorf("%w: the value was not stored as it is", errGarbage)
	}
	return m, nil
}

// idleStreams keeps one stream per peer for its next request.
type idleStreams struct {
	mu     sync.Mutex
	of     map[peer.ID]*stream
	closed bool
}

func newIdleStreams() *idleStreams { return &idleStreams{of: make(map[peer.ID]*stream)} }

// take returns the stream that is kept for a peer, or nil. It is now the
// caller's alone.
func (i *idleStreams) take(id peer.ID) *stream {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.of[id]
	delete(i.of, id)
	if s == nil || s.Conn().IsClosed() {
		return nil
	}
	return s
}

// put keeps a stream, if there is none for the peer and room for it.
func (i *idleStreams) put(id peer.ID, s *stream) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed || i.of[id] != nil || len(i.of) >= params.IdleOutMax {
		return false
	}
	s.since = time.Now()
	i.of[id] = s
	return true
}

// takeOld takes the streams that are kept for too long, or whose peer is gone.
func (i *idleStreams) takeOld() []*stream {
	return i.takeIf(func(s *stream) bool {
		return s.Conn().IsClosed() || time.Since(s.since) > params.IdleOut
	})
}

func (i *idleStreams) takeAll() []*stream { return i.takeIf(func(*stream) bool { return true }) }

// close takes all streams and keeps none from now on.
func (i *idleStreams) close() []*stream {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	return i.takeAll()
}

func (i *idleStreams) takeIf(pick func(*stream) bool) (taken []*stream) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, s := range i.of {
		if pick(s) {
			delete(i.of, id)
			taken = append(taken, s)
		}
	}
	return taken
}

// lookUp resolves the name of a seed, which stands for params.MaxSeeds peers at
// most: of more, some by chance.
func (w *workers) lookUp(a *attempt) engine.Event {
	rng := rand.New(rand.NewPCG(chance(w.cfg.Seed), uint64(a.id))) // of its own: several may be looked up at a time
	infos, err := resolve(a.ctx, w.cfg.Resolver, a.name, rng)
	if err != nil && len(infos) == 0 {
		return a.failed(contact.NoAddress, err.Error())
	}
	seeds := make([]*contact.Info, 0, params.MaxSeeds)
	for _, info := range infos {
		if info.ID != w.host.ID() && len(seeds) < params.MaxSeeds {
			seeds = append(seeds, contactOf(info))
		}
	}
	return engine.Resolved{Attempt: a.id, Seeds: seeds}
}

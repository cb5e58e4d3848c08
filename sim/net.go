package sim

import (
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// condition is how a node behaves towards others.
type condition uint8

const (
	healthy   condition = iota
	refusing            // its host lives and refuses connections
	blackHole           // dials go unanswered
	mute                // it accepts connections and never answers
	sybil               // it answers, and names its accomplices only
)

func (c condition) answers() bool { return c == healthy || c == sybil }

// request is one Send under way. It has exactly one event in the queue.
type request struct {
	target      key.Key
	attempt     engine.AttemptID
	sent        mono.Time
	deadline    mono.Time
	next        mono.Time // when its event comes
	asker, peer uint32
	way         time.Duration // the way back
	failure     contact.Failure
	cold        bool // the connection was made for it
	aborted     bool
	missed      bool // its asker slept when its event came
	names       uint8
	ask         engine.Ask
	item        uint32 // of the shelves, unless it asks for peers
	closer      [params.K]contact.Handle
}

// send carries out a Send: it decides when, and whether, it arrives.
func (w *World) send(a *actor, s *engine.Send) {
	ref := w.newRequest()
	r := &w.requests[ref]
	peer := w.index(s.To)
	*r = request{
		target: s.Target, attempt: s.Attempt, sent: w.now, deadline: a.world(s.Deadline),
		asker: a.n, peer: peer, cold: !a.conns.has(peer), ask: s.Ask,
	}
	if r.target == (key.Key{}) {
		r.target = key.Of(s.Key)
	}
	if s.Ask != engine.AskPeers {
		r.item = w.shelves.item(s.Key, s.Record)
		w.shelves.load(ref, s.More)
	}
	a.requests, a.moved = append(a.requests, ref), true
	w.tally.requests++
	if w.sent != nil {
		w.sent(a.n)
	}
	w.travel(ref)
}

// travel puts the request's next event into the queue: its arrival, or the
// failure that its asker will see.
func (w *World) travel(ref uint32) {
	r := &w.requests[ref]
	p := &w.nodes[r.peer]
	trip := jittered(w.rnd.latency, rtt(w.nodes[r.asker].place, p.place))
	r.way = trip / 2
	there := trip / 2
	if r.cold {
		there += time.Duration(w.opt.Transport.handshake() * float64(trip))
	}
	switch {
	case p.state == blackHole || p.side != w.nodes[r.asker].side:
		w.outcome(ref, contact.BlackHole, mono.Never)
	case p.state == refusing:
		w.outcome(ref, contact.Refused, w.now.Add(trip))
	case w.now.Add(there) >= r.deadline:
		w.outcome(ref, contact.Slow, mono.Never)
	default:
		w.plan(ref, arrive, w.now.Add(there))
	}
}

// outcome plans the delivery of a failure, at the latest by the deadline.
func (w *World) outcome(ref uint32, how contact.Failure, at mono.Time) {
	r := &w.requests[ref]
	if at > r.deadline {
		at = r.deadline
	}
	r.failure = how
	w.plan(ref, deliver, at)
}

// plan puts the one event of a request into the queue.
func (w *World) plan(ref uint32, k kind, at mono.Time) {
	w.requests[ref].next = at
	w.queue.push(at, k, ref)
}

// arrived lets the peer answer, if it does.
func (w *World) arrived(ref uint32) {
	r := &w.requests[ref]
	if r.aborted {
		w.release(ref)
		return
	}
	if w.nodes[r.asker].act.asleep {
		r.missed = true
		return
	}
	p := &w.nodes[r.peer]
	w.record(uint64(r.asker)<<32|uint64(r.peer), uint64(r.attempt))
	if !p.state.answers() {
		w.outcome(ref, contact.Silent, mono.Never)
		return
	}
	w.connect(r.asker, r.peer)
	r = &w.requests[ref]
	if r.ask != engine.AskPeers {
		w.shelves.serve(ref, r)
	}
	at := w.now.Add(thinking(w.rnd.latency, p.slow) + r.way)
	if at >= r.deadline {
		w.outcome(ref, contact.Slow, mono.Never)
		return
	}
	w.answer(r)
	w.plan(ref, deliver, at)
}

// answer writes what the peer names: the k nearest of its table, without the
// one who asks.
func (w *World) answer(r *request) {
	var near [params.K + 1]contact.Handle
	list := near[:0]
	if w.nodes[r.peer].state == sybil {
		list = w.accomplices(list, r.target)
	} else {
		list = w.nodes[r.peer].tab.Nearest(list, r.target, params.K+1)
	}
	for _, h := range list {
		if h != handle(r.asker) && r.names < params.K {
			r.closer[r.names] = h
			r.names++
		}
	}
}

// delivered tells the asker's engine the outcome, exactly once.
func (w *World) delivered(ref uint32) {
	r := &w.requests[ref]
	a := w.nodes[r.asker].act
	if !r.aborted && a.asleep {
		r.missed = true
		return
	}
	defer w.release(ref) // at the end: the engines may send meanwhile
	if r.aborted {
		return
	}
	i := slices.Index(a.requests, ref)
	a.requests = slices.Delete(a.requests, i, i+1)
	if r.failure != contact.None {
		w.told.failed = engine.Failed{Attempt: r.attempt, Failure: r.failure}
		w.step(a, &w.told.failed)
		return
	}
	if r.cold && a.conns.has(r.peer) {
		w.linked(a, r.peer)
	}
	w.closer = w.closer[:0]
	for _, h := range r.closer[:r.names] {
		w.closer = append(w.closer, w.book.Info(h))
	}
	w.told.answered = engine.Answered{Attempt: r.attempt, Closer: w.closer}
	if r.ask != engine.AskPeers {
		w.shelves.tell(ref, r, &w.told.answered)
	}
	w.step(a, &w.told.answered)
}

// linked tells an engine of a connection.
func (w *World) linked(a *actor, peer uint32) {
	w.told.connected = engine.Connected{Peer: w.info(peer).ID, Known: handle(peer)}
	w.step(a, &w.told.connected)
}

// abort withdraws a request; its event will find it so.
func (w *World) abort(a *actor, id engine.AttemptID) {
	for i, ref := range a.requests {
		if w.requests[ref].attempt == id {
			w.requests[ref].aborted = true
			if w.requests[ref].missed {
				w.release(ref)
			}
			a.requests = slices.Delete(a.requests, i, i+1)
			return
		}
	}
	w.fail(a, "an Abort names attempt %d, which is not under way", id)
}

// hasten moves the deadline of a request forward. If its event would come too
// late now, the request goes on under another reference, to fail by then: an
// event cannot be taken out of the queue.
func (w *World) hasten(a *actor, h engine.Hasten) {
	for i, ref := range a.requests {
		r := &w.requests[ref]
		deadline := a.world(h.Deadline)
		if r.attempt != h.Attempt || deadline >= r.deadline {
			continue
		}
		r.deadline = max(deadline, w.now)
		if r.next > r.deadline {
			r.aborted = true
			again := *r
			again.aborted = false
			if again.failure == contact.None {
				again.failure = contact.Slow
			}
			a.requests[i] = w.newRequest()
			w.requests[a.requests[i]] = again
			w.plan(a.requests[i], deliver, again.deadline)
		}
		return
	}
}

// connect opens a connection in both directions. The asker's engine hears of
// it with the answer; that of the peer, if it acts, at once, and it learns
// that the asker serves too.
func (w *World) connect(asker, peer uint32) {
	a, p := w.nodes[asker].act, w.nodes[peer].act
	if a.conns.has(peer) {
		return
	}
	w.keep(a, peer)
	if p != nil && !p.conns.has(asker) {
		w.keep(p, asker)
		w.linked(p, asker)
		if !w.nodes[asker].client {
			w.told.met.Peer = w.info(asker)
			w.step(p, &w.told.met)
		}
	}
}

// keep adds a connection, closing the oldest one if there are too many.
func (w *World) keep(a *actor, to uint32) {
	if a.conns.len() >= maxConns {
		w.disconnect(a.n, a.conns.oldest())
	}
	a.conns.add(to)
}

// disconnect closes a connection at both ends.
func (w *World) disconnect(x, y uint32) {
	for _, end := range [2][2]uint32{{x, y}, {y, x}} {
		if a := w.nodes[end[0]].act; a != nil && a.conns.drop(end[1]) && !a.asleep {
			w.told.disconnected = engine.Disconnected{Peer: w.info(end[1]).ID, Known: handle(end[1])}
			w.step(a, &w.told.disconnected)
		}
	}
}

func (w *World) newRequest() uint32 {
	if n := len(w.free); n > 0 {
		ref := w.free[n-1]
		w.free = w.free[:n-1]
		return ref
	}
	w.requests = append(w.requests, request{})
	return uint32(len(w.requests) - 1)
}

func (w *World) release(ref uint32) { w.free = append(w.free, ref) }

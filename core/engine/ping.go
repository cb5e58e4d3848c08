package engine

import (
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// startPing opens an operation that asks one peer once. It takes one place,
// and waits for it as others do: who pings a thousand peers must not take the
// requests of lookups from them.
func (e *Engine) startPing(ev StartPing) {
	if ev.Peer.ID == e.self.ID {
		e.facts = append(e.facts, Refused{At: e.now.Mono, Op: ev.Op, Reason: "a node cannot ask itself"})
		return
	}
	h, _ := e.book.Intern(ev.Peer)
	o := &op{
		id: ev.Op, kind: KindPing, target: ev.Peer.Key, ping: &ev, ask: ev.Ask,
		bound: e.until(ev.Deadline, e.pingTime(h, ev.Apart)),
	}
	if e.enqueue(o) {
		e.keep(o, h)
	}
}

// pingTime is how long one peer is given for one answer.
func (e *Engine) pingTime(h contact.Handle, apart bool) time.Duration {
	_, hard := (*env)(e).Patience(h)
	if apart { // nobody waits for it, and a crawl makes the machine busy
		hard = max(hard, params.HardMax)
	}
	return hard
}

// sendPing asks the peer, within what is left of the operation's time.
func (e *Engine) sendPing(o *op) {
	h, apart := o.kept[0], o.ping.Apart
	ends := e.now.Mono.Add(e.pingTime(h, apart))
	cut := o.bound.Before(ends)
	o.wake = mono.Earlier(o.bound, ends)
	o.stats.Requests = 1
	id := e.dispatch(attempt{op: o, peer: h, cut: cutAt(o.bound, cut), apart: apart})
	info, preimage := e.book.Info(h), o.ping.Key
	if preimage == nil {
		preimage = []byte(e.self.ID)
	}
	e.send(Send{
		Attempt: id, To: info, Ask: o.ask, Key: preimage, Deadline: e.lead(o.wake), Seed: !apart,
	})
	e.facts = append(e.facts, RequestSent{
		At: e.now.Mono, Op: o.id, Attempt: id, Ask: o.ask, Peer: info, Depth: 1, Deadline: o.wake,
	})
}

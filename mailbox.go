package waymark

import (
	"sync"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
)

// letter is one thing for the engine's goroutine: an event, or a question
// about the engine that only its owner may ask it.
type letter struct {
	event engine.Event
	ask   func(*engine.Engine)
}

// mailbox is the way to the engine's goroutine. Writing never blocks, so that
// no callback of libp2p, no worker and no caller can wait for the engine; yet
// it is bounded, because each kind of writer is: outcomes by the attempts
// under way, orders by the operations admitted, news by params.MaxPeerNews.
type mailbox struct {
	wake chan struct{} // has room for one: something is here

	mu       sync.Mutex
	outcomes []letter
	orders   []letter
	changed  bool // the network changed
	news     map[contact.ID]*peerNews
	told     []contact.ID // the order of news
	lost     uint64       // news that found no room
	closed   bool
}

// peerNews is what happened to one peer since the engine last looked; a
// connection that came and went twice is told once.
type peerNews struct {
	connected *bool
	served    *contact.Info // it serves the DHT, …
	called    bool          // … and has dialled us
	withdrawn bool          // … or no longer does
}

func newMailbox() *mailbox {
	return &mailbox{wake: make(chan struct{}, 1), news: make(map[contact.ID]*peerNews)}
}

// outcome delivers what became of an attempt. It always finds room: there is
// one for each attempt.
func (m *mailbox) outcome(ev engine.Event) {
	m.put(func() { m.outcomes = append(m.outcomes, letter{event: ev}) })
}

// send delivers an event of a caller, if there is room.
func (m *mailbox) send(ev engine.Event) error { return m.order(letter{event: ev}) }

// ask has f run by the engine's goroutine between two steps.
func (m *mailbox) ask(f func(*engine.Engine)) error { return m.order(letter{ask: f}) }

func (m *mailbox) order(l letter) (err error) {
	open := m.put(func() {
		if len(m.orders) >= params.MaxOrders {
			err = ErrOverloaded
			return
		}
		m.orders = append(m.orders, l)
	})
	if !open {
		return ErrClosed
	}
	return err
}

// insist delivers a Cancel, Shutdown or Supervise, for which there is always
// room: no operation and no node has more than one.
func (m *mailbox) insist(ev engine.Event) error {
	if !m.put(func() { m.orders = append(m.orders, letter{event: ev}) }) {
		return ErrClosed
	}
	return nil
}

// networkChanged is told once, however often it happened.
func (m *mailbox) networkChanged() {
	m.put(func() { m.changed = true })
}

// nudge wakes the engine's goroutine, to look at its timer.
func (m *mailbox) nudge() { m.put(func() {}) }

// about changes what is to be told of a peer.
func (m *mailbox) about(id contact.ID, change func(*peerNews)) {
	m.put(func() {
		n := m.news[id]
		if n == nil {
			if len(m.told) >= params.MaxPeerNews {
				m.lost++ // the engine learns when it next asks the peer
				return
			}
			n = new(peerNews)
			m.news[id] = n
			m.told = append(m.told, id)
		}
		change(n)
	})
}

func (m *mailbox) put(write func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	write()
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return true
}

// take empties the mailbox: first how the world is, then what became of
// attempts, then what people want.
func (m *mailbox) take() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.takeLocked()
}

func (m *mailbox) takeLocked() []letter {
	var all []letter
	if m.changed {
		all = append(all, letter{event: engine.NetworkChanged{}})
	}
	for _, id := range m.told {
		all = m.news[id].tell(all, id)
	}
	all = append(append(all, m.outcomes...), m.orders...)
	m.changed, m.told, m.outcomes, m.orders = false, m.told[:0], nil, nil
	clear(m.news)
	return all
}

// close refuses letters from now on and returns those that came too late.
func (m *mailbox) close() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return m.takeLocked()
}

func (n *peerNews) tell(all []letter, id contact.ID) []letter {
	if n.connected != nil {
		var ev engine.Event = engine.Disconnected{Peer: id}
		if *n.connected {
			ev = engine.Connected{Peer: id}
		}
		all = append(all, letter{event: ev})
	}
	if n.withdrawn {
		all = append(all, letter{event: engine.Withdrawn{Peer: id}})
	}
	if n.served != nil {
		all = append(all, letter{event: engine.Met{Peer: n.served, Called: n.called}})
	}
	return all
}

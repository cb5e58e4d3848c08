package engine

import "github.com/waymark-dht/waymark/core/contact"

// warmth is who is connected: contacts of the book by their handles, which it
// holds, and by their IDs those that the book did not know when they came.
type warmth struct {
	known     contact.Set
	strangers map[contact.ID]bool
}

// none reports whether nobody is connected.
func (w *warmth) none() bool { return w.known.Len() == 0 && len(w.strangers) == 0 }

// warm reports whether a contact is connected.
func (e *Engine) warm(h contact.Handle) bool {
	return e.linked.known.Has(h) || len(e.linked.strangers) > 0 && e.linked.strangers[e.book.Info(h).ID]
}

// connected hears of a connection.
func (e *Engine) connected(ev *Connected) {
	e.joined = true
	switch h := e.named(ev.Peer, ev.Known); {
	case h == 0:
		if e.linked.strangers == nil {
			e.linked.strangers = make(map[contact.ID]bool)
		}
		e.linked.strangers[ev.Peer] = true
	case e.linked.known.Add(h):
		e.book.Hold(h)
	}
}

// disconnected hears of the end of the last one to a peer.
func (e *Engine) disconnected(ev *Disconnected) {
	delete(e.linked.strangers, ev.Peer)
	if h := e.named(ev.Peer, ev.Known); e.linked.known.Remove(h) {
		e.book.Drop(h)
	}
	e.lonely()
}

// named returns the handle of a peer: the one that it was told with, else the
// book's, else zero.
func (e *Engine) named(id contact.ID, known contact.Handle) contact.Handle {
	if known != 0 {
		return known
	}
	return e.book.Find(id)
}

// chill forgets every connection.
func (e *Engine) chill() {
	e.linked.known.Clear(e.book.Drop)
	e.linked.strangers = nil
}

func (w *warmth) clone() warmth {
	return warmth{known: w.known.Clone(), strangers: cloneMap(w.strangers)}
}

// Package server is the answer to one inbound message: pure functions over an immutable view of the table.
//
// It may not know streams, the engine or who else asks at the same time; any
// number of goroutines may call it at once. Start reading at [Answer].
package server

import (
	"errors"
	"fmt"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
)

// View is what the server sees of the routing table. It never changes.
type View interface {
	// Nearest appends to dst the n contacts nearest to target, or all if
	// there are fewer, nearest first.
	Nearest(dst []*contact.Info, target key.Key, n int) []*contact.Info
}

// ErrNoKey says that a request names no key. The protocol has no error
// message: whoever gets an error from Answer resets the stream.
var ErrNoKey = errors.New("server: request without a key")

// UnsupportedError says that this node does not serve a type of message.
type UnsupportedError struct{ Type wire.Type }

func (e UnsupportedError) Error() string {
	return fmt.Sprintf("server: %s is not served", e.Type)
}

// Answer appends the whole frame that answers q, or nothing if that is an
// error. KAD-10.
//
// The asker is who sent q; self is this node with its current addresses. find
// returns what is known of any peer, in the table or not, or nil.
func Answer(dst []byte, q *wire.Message, asker contact.ID, self *contact.Info,
	view View, find func(contact.ID) *contact.Info,
) ([]byte, error) {
	switch q.Type {
	case wire.FindNode:
		return findNode(dst, q.Key, asker, self, view, find)
	case wire.Ping:
		return ping(dst, q), nil
	}
	return dst, UnsupportedError{q.Type}
}

// ping answers with the question, without any peers. KAD-10.5.
func ping(dst []byte, q *wire.Message) []byte {
	return wire.AppendFrame(dst, &wire.Message{Type: wire.Ping, Key: q.Key, Record: q.Record})
}

// nearby is how many contacts the view is asked for: k, and as many as may
// have to be left out (ourselves and the asker).
const nearby = params.K + 2

// findNode answers with the peers nearest to a key, which need not be a peer
// ID. The key is not repeated. KAD-10.1 to KAD-10.4.
func findNode(dst, preimage []byte, asker contact.ID, self *contact.Info,
	view View, find func(contact.ID) *contact.Info,
) ([]byte, error) {
	if len(preimage) == 0 {
		return dst, ErrNoKey
	}
	near := view.Nearest(make([]*contact.Info, 0, nearby), key.Of(preimage), nearby)
	var room [params.K + 1]wire.Peer
	closer := room[:0]
	if t := target(preimage, self, near, find); dialable(t) {
		closer = append(closer, wire.Peer{Contact: t})
	}
	closer = appendNear(closer, near, preimage, asker, self.ID)
	return wire.AppendFrame(dst, &wire.Message{Type: wire.FindNode, Closer: closer}), nil
}

// target returns the peer whose ID the request names, or nil. Others check a
// server before they admit it by asking it for itself, so that this node is a
// valid target, and so is the asker. KAD-10.3.
func target(id []byte, self *contact.Info, near []*contact.Info,
	find func(contact.ID) *contact.Info,
) *contact.Info {
	if string(id) == string(self.ID) {
		return self
	}
	if len(near) > 0 && string(near[0].ID) == string(id) && dialable(near[0]) {
		return near[0] // nothing is nearer to a key than what has that key
	}
	return find(contact.ID(id))
}

// appendNear appends up to k of the contacts nearest to the target. The target
// itself counts as one of them but was appended before.
func appendNear(closer []wire.Peer, near []*contact.Info, target []byte, asker, self contact.ID) []wire.Peer {
	left := params.K
	for _, c := range near {
		if left == 0 {
			break
		}
		if c.ID == self || c.ID == asker || !dialable(c) {
			continue
		}
		left--
		if string(c.ID) != string(target) {
			closer = append(closer, wire.Peer{Contact: c})
		}
	}
	return closer
}

// dialable reports whether c is a contact that somebody could use.
func dialable(c *contact.Info) bool { return c != nil && len(c.Addrs) > 0 }

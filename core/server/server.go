// Package server is the answer to one inbound message: a function of the message, an immutable view of the table and what is stored.
//
// It may not know streams, the engine or who else asks at the same time; any
// number of goroutines may call it at once. Start reading at [Node.Answer].
package server

import (
	"errors"
	"fmt"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/wire"
)

// View is what the server sees of the routing table. It never changes.
type View interface {
	// Nearest appends to dst the n contacts nearest to target, or all if
	// there are fewer, nearest first.
	Nearest(dst []*contact.Info, target key.Key, n int) []*contact.Info
}

// Values is what a server needs of the values that it stores.
type Values interface {
	// Value returns what is stored under a key and may still be served, or nil.
	Value(key []byte) (*record.Record, error)
	// PutValue stores a record that a peer sent, if it is valid and no worse
	// than what is there.
	PutValue(r *record.Record, from contact.ID) error
}

// Providers is what a server needs of the provider records that it stores.
type Providers interface {
	// Providers returns who provides a key, with addresses that may be served.
	Providers(key []byte) ([]*contact.Info, error)
	// AddProvider stores that a peer provides a key.
	AddProvider(key []byte, provider *contact.Info) error
}

// Node is one server as a request meets it. Without Values or Providers it
// does not serve the messages that need them.
type Node struct {
	Self      *contact.Info // with its current addresses
	View      View
	Find      func(contact.ID) *contact.Info // what is known of any peer, in the table or not, or nil
	Values    Values
	Providers Providers
}

// What is wrong with a request. The protocol has no error message: whoever
// gets an error from Answer resets the stream.
var (
	// ErrNoKey says that a request names no key, or too long a one.
	ErrNoKey = errors.New("server: request without a key that can be served")
	// ErrNoRecord says that PUT_VALUE carries no record, or one for another key.
	ErrNoRecord = errors.New("server: request without a record for its key")
	// ErrNotProvider says that ADD_PROVIDER names nobody but others.
	ErrNotProvider = errors.New("server: nobody can be announced as a provider but by themselves")
)

// UnsupportedError says that this node does not serve a type of message.
type UnsupportedError struct{ Type wire.Type }

func (e UnsupportedError) Error() string {
	return fmt.Sprintf("server: %s is not served", e.Type)
}

// Answer appends the whole frame that answers q, which asker sent. It appends
// nothing if that is an error, and for ADD_PROVIDER, which has no answer. KAD-10.
func (n *Node) Answer(dst []byte, q *wire.Message, asker contact.ID) ([]byte, error) {
	switch {
	case q.Type == wire.FindNode:
		return n.findNode(dst, q.Key, asker)
	case q.Type == wire.Ping:
		return ping(dst, q), nil
	case q.Type == wire.GetValue && n.Values != nil:
		return n.getValue(dst, q, asker)
	case q.Type == wire.PutValue && n.Values != nil:
		return n.putValue(dst, q, asker)
	case q.Type == wire.GetProviders && n.Providers != nil:
		return n.getProviders(dst, q, asker)
	case q.Type == wire.AddProvider && n.Providers != nil:
		return dst, n.addProvider(q, asker)
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
func (n *Node) findNode(dst, preimage []byte, asker contact.ID) ([]byte, error) {
	if len(preimage) == 0 {
		return dst, ErrNoKey
	}
	near := n.View.Nearest(make([]*contact.Info, 0, nearby), key.Of(preimage), nearby)
	var room [params.K + 1]wire.Peer
	closer := room[:0]
	if t := n.target(preimage, near); dialable(t) {
		closer = append(closer, wire.Peer{Contact: t})
	}
	closer = appendNear(closer, near, preimage, asker, n.Self.ID)
	return wire.AppendFrame(dst, &wire.Message{Type: wire.FindNode, Closer: closer}), nil
}

// target returns the peer whose ID the request names, or nil. Others check a
// server before they admit it by asking it for itself, so that this node is a
// valid target, and so is the asker. KAD-10.3.
func (n *Node) target(id []byte, near []*contact.Info) *contact.Info {
	if string(id) == string(n.Self.ID) {
		return n.Self
	}
	if len(near) > 0 && string(near[0].ID) == string(id) && dialable(near[0]) {
		return near[0] // nothing is nearer to a key than what has that key
	}
	return n.Find(contact.ID(id))
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

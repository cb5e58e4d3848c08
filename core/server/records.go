package server

import (
	"bytes"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
)

// near returns the contacts nearest to a key as the entries of an answer,
// without the node and the asker.
func (n *Node) near(preimage []byte, asker contact.ID) []wire.Peer {
	near := n.View.Nearest(make([]*contact.Info, 0, nearby), key.Of(preimage), nearby)
	return appendNear(nil, near, nil, asker, n.Self.ID)
}

// getValue answers with what is stored, if anything, and the nearest peers.
// KAD-10.7.
func (n *Node) getValue(dst []byte, q *wire.Message, asker contact.ID) ([]byte, error) {
	if len(q.Key) == 0 {
		return dst, ErrNoKey
	}
	r, err := n.Values.Value(q.Key)
	if err != nil {
		return dst, err
	}
	return wire.AppendFrame(dst, &wire.Message{
		Type: wire.GetValue, Key: q.Key, Record: r, Closer: n.near(q.Key, asker),
	}), nil
}

// putValue stores a record and repeats the request, by which the asker knows
// that it was taken. KAD-10.8.
func (n *Node) putValue(dst []byte, q *wire.Message, asker contact.ID) ([]byte, error) {
	switch {
	case len(q.Key) == 0:
		return dst, ErrNoKey
	case q.Record == nil || !bytes.Equal(q.Record.Key, q.Key):
		return dst, ErrNoRecord
	}
	if err := n.Values.PutValue(q.Record, asker); err != nil {
		return dst, err
	}
	return wire.AppendFrame(dst, &wire.Message{Type: wire.PutValue, Key: q.Key, Record: q.Record}), nil
}

// getProviders answers with who provides the key, as many as fit, and the
// nearest peers. KAD-10.9.
func (n *Node) getProviders(dst []byte, q *wire.Message, asker contact.ID) ([]byte, error) {
	if !validProviderKey(q.Key) {
		return dst, ErrNoKey
	}
	providers, err := n.Providers.Providers(q.Key)
	if err != nil {
		return dst, err
	}
	m := wire.Message{Type: wire.GetProviders, Key: q.Key, Closer: n.near(q.Key, asker)}
	room := params.MaxAnswer - wire.Size(&m)
	for _, p := range providers {
		entry := wire.Peer{Contact: p}
		if room -= wire.SizeListed(entry); room < 0 {
			break
		}
		m.Providers = append(m.Providers, entry)
	}
	return wire.AppendFrame(dst, &m), nil
}

// addProvider stores the asker as a provider. Whoever else is named is passed
// over. rust-libp2p names no address while it knows of no external one: then
// those count that are known of the asker. KAD-10.10.
func (n *Node) addProvider(q *wire.Message, asker contact.ID) error {
	if !validProviderKey(q.Key) {
		return ErrNoKey
	}
	for _, p := range q.Providers {
		if p.Contact.ID != asker {
			continue
		}
		if !dialable(p.Contact) {
			p.Contact = n.Find(asker)
		}
		if dialable(p.Contact) {
			return n.Providers.AddProvider(q.Key, p.Contact)
		}
	}
	return ErrNotProvider
}

func validProviderKey(k []byte) bool { return len(k) > 0 && len(k) <= params.MaxProviderKey }

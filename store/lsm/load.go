package lsm

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
)

// loader reads the tree into the index, once.
type loader struct {
	*Store
	peers map[contact.ID]*loadedPeer
	some  []record.Provider // that expire together, not yet in the index
	until mono.Wall
}

type loadedPeer struct {
	info *contact.Info
	used bool
}

// atOnce is how many records are handed to the index at a time.
const atOnce = 1 << 10

func (s *Store) load() (err error) {
	rows, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	l := &loader{Store: s, peers: map[contact.ID]*loadedPeer{}}
	for ok := rows.First(); ok; ok = rows.Next() {
		v, err := rows.ValueAndErr()
		if err != nil {
			return err
		}
		if err := l.row(rows.Key(), v); err != nil {
			return err
		}
	}
	if err := errors.Join(rows.Error(), l.flush()); err != nil {
		return err
	}
	for id, p := range l.peers { // the order of deletions makes no difference
		if !p.used {
			s.drop(peerRow(id))
		}
	}
	s.index.Settle()
	return nil
}

func (l *loader) row(k, v []byte) error {
	if len(k) == 0 {
		return corrupt("a row without a key", k)
	}
	switch k[0] {
	case isBlob:
		if string(k[1:]) == ownBlob {
			if err := l.index.Own(context.Background(), contact.ID(v)); err != nil {
				return err
			}
		}
		return l.index.PutBlob(context.Background(), string(k[1:]), v)
	case isPeer:
		return l.peer(k, v)
	case isProvider:
		return l.provider(k, v)
	case isValue:
		r, expires, ok := decodeValue(k[1:], v)
		if !ok {
			return corrupt("a value", k)
		}
		return l.index.PutValue(context.Background(), r, expires)
	}
	return corrupt("a row of a kind unknown", k)
}

func (l *loader) peer(k, v []byte) error {
	addrs, ok := decodeAddrs(v)
	if !ok {
		return corrupt("the addresses of a peer", k)
	}
	id := contact.ID(k[1:])
	l.peers[id] = &loadedPeer{info: contact.New(id, addrs...)}
	return nil
}

func (l *loader) provider(k, v []byte) error {
	key, id, err := splitProvider(k)
	if err != nil {
		return err
	}
	received, expires, ok := decodeProvider(v)
	peer := l.peers[contact.ID(id)]
	if !ok || peer == nil {
		return corrupt("a provider record", k)
	}
	if len(l.some) == atOnce || l.until != expires {
		if err := l.flush(); err != nil {
			return err
		}
	}
	peer.used, l.until = true, expires
	l.some = append(l.some, record.Provider{Key: append([]byte(nil), key...), Peer: peer.info, Received: received})
	return nil
}

func (l *loader) flush() error {
	err := l.index.AddProviders(context.Background(), l.some, l.until)
	l.some = l.some[:0]
	return err
}

// drop notes that the disk has a row too many.
func (s *Store) drop(r row) { s.dropped = append(s.dropped, r) }

// deleteDropped deletes what the index no longer has, unless it has it again: what
// was stored after it had been evicted, but went to the disk together with what
// evicted it, would be lost.
func (s *Store) deleteDropped(b *pebble.Batch) error {
	for _, r := range s.dropped {
		if s.has(r) {
			continue
		}
		if err := b.Delete(r.key, nil); err != nil {
			return err
		}
	}
	s.dropped = s.dropped[:0]
	return nil
}

// has reports whether the index has what a row is of.
func (s *Store) has(r row) bool {
	switch r.key[0] {
	case isPeer:
		return s.index.Peer(r.peer) != nil
	case isValue:
		_, err := s.index.Value(context.Background(), r.key[1:])
		return err == nil
	case isProvider:
		key, peer, err := splitProvider(r.key)
		return err == nil && s.index.Provides(key, contact.ID(peer))
	}
	return false
}

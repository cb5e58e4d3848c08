package datastore

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/wire"
	"github.com/waymark-dht/waymark/store"
)

// The layout, as go-libp2p-kad-dht has it:
//
//	/providers/<base32 of the multihash>/<base32 of the peer ID> → when, a signed varint of Unix nanoseconds
//	<Config.Values>/<namespace>/<base32 of the whole key>        → record.pb.Record
//
// and our own blobs, of which it knows nothing, below /waymark/blobs.
const (
	providersAt = "/providers"
	blobsAt     = "/waymark/blobs"
)

// base32raw has capitals and no padding.
var base32raw = base32.StdEncoding.WithPadding(base32.NoPadding)

func providerKey(key []byte, peer contact.ID) ds.Key {
	return ds.RawKey(providersAt + "/" + base32raw.EncodeToString(key) + "/" + base32raw.EncodeToString([]byte(peer)))
}

func (s *Store) valueKey(key []byte) ds.Key {
	space, _, _ := strings.Cut(strings.TrimPrefix(string(key), "/"), "/")
	return ds.NewKey(s.cfg.Values + "/" + space + "/" + base32raw.EncodeToString(key))
}

func blobKey(name string) ds.Key {
	return ds.RawKey(blobsAt + "/" + base32raw.EncodeToString([]byte(name)))
}

func encodeDate(w mono.Wall) []byte { return binary.AppendVarint(nil, int64(w)) }

func encodeValue(r record.Record) []byte { return wire.AppendRecord(nil, &r) }

func (s *Store) load(ctx context.Context) error {
	own, err := s.Blob(ctx, ownBlob)
	if err == nil {
		err = s.index.Own(ctx, contact.ID(own))
	} else if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	err = errors.Join(err, s.each(ctx, providersAt, s.loadProvider))
	for _, space := range s.cfg.Namespaces {
		err = errors.Join(err, s.each(ctx, s.cfg.Values+"/"+space, s.loadValue))
	}
	s.index.Settle()
	return errors.Join(err, ctx.Err())
}

// each hands every entry below a key to load, and drops those that it does not know.
func (s *Store) each(ctx context.Context, below string, load func(ctx context.Context, key string, data []byte) bool) error {
	found, err := s.ds.Query(ctx, query.Query{Prefix: below})
	if err != nil {
		return err
	}
	for {
		entry, more := found.NextSync()
		if !more {
			return found.Close()
		}
		if entry.Error != nil {
			return errors.Join(entry.Error, found.Close())
		}
		if !load(ctx, entry.Key, entry.Value) {
			s.drop(ds.RawKey(entry.Key), func() bool { return false })
		}
	}
}

func (s *Store) loadProvider(ctx context.Context, key string, data []byte) bool {
	first, second, ok := strings.Cut(strings.TrimPrefix(key, providersAt+"/"), "/")
	provided, err := base32raw.DecodeString(first)
	id, err2 := base32raw.DecodeString(second)
	when, n := binary.Varint(data)
	if !ok || err != nil || err2 != nil || n <= 0 {
		return false
	}
	info := s.index.Peer(contact.ID(id))
	if info == nil {
		var addrs []contact.Addr
		if s.cfg.Addrs != nil {
			addrs = s.cfg.Addrs(contact.ID(id))
		}
		info = contact.New(contact.ID(id), addrs...)
	}
	p := record.Provider{Key: provided, Peer: info, Received: mono.Wall(when)}
	return s.index.AddProvider(ctx, p, p.Received+mono.Wall(params.ProviderAge)) == nil
}

func (s *Store) loadValue(ctx context.Context, key string, data []byte) bool {
	r, err := wire.DecodeRecord(bytes.Clone(data))
	if err != nil || len(r.Key) == 0 || s.valueKey(r.Key).String() != key {
		return false
	}
	when, err := time.Parse(time.RFC3339Nano, r.TimeReceived)
	if err != nil {
		return false
	}
	return s.index.PutValue(ctx, r, mono.WallOf(when)+mono.Wall(params.ValueAge)) == nil
}

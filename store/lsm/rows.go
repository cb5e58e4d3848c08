package lsm

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
)

// What a row is, by the first byte of its key, in the order of the tree: peers
// come before their records.
const (
	isBlob     = 'b' // name → data
	isPeer     = 'c' // peer → its addresses
	isProvider = 'p' // length of the key, key, peer → when it said so, when it expires
	isValue    = 'v' // key → when it expires, and the record
)

// row is the key of one row, and whose it is if it is a peer's.
type row struct {
	key  []byte
	peer contact.ID
}

func blobRow(name string) row   { return row{key: append([]byte{isBlob}, name...)} }
func valueRow(key []byte) row   { return row{key: append([]byte{isValue}, key...)} }
func peerRow(id contact.ID) row { return row{key: append([]byte{isPeer}, id...), peer: id} }

func providerRow(key []byte, peer contact.ID) row {
	k := make([]byte, 0, 2+len(key)+len(peer))
	k = append(k, isProvider, byte(len(key)))
	return row{key: append(append(k, key...), peer...)}
}

// splitProvider reads the key of a provider's row.
func splitProvider(k []byte) (key, peer []byte, err error) {
	if len(k) < 2 || len(k) <= 2+int(k[1]) {
		return nil, nil, corrupt("the key of a provider record", k)
	}
	return k[2 : 2+k[1]], k[2+k[1]:], nil
}

func corrupt(what string, k []byte) error {
	return fmt.Errorf("%w: %s: %x", store.ErrCorrupt, what, k)
}

func encodeProvider(received, expires mono.Wall) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(received)), uint64(expires))
}

func decodeProvider(v []byte) (received, expires mono.Wall, ok bool) {
	if len(v) != 16 {
		return 0, 0, false
	}
	return mono.Wall(binary.BigEndian.Uint64(v)), mono.Wall(binary.BigEndian.Uint64(v[8:])), true
}

func sameAddrs(a, b []contact.Addr) bool { return slices.Equal(a, b) }

func encodeAddrs(addrs []contact.Addr) []byte {
	b := []byte{}
	for _, a := range addrs {
		b = appendField(b, string(a))
	}
	return b
}

func decodeAddrs(v []byte) (addrs []contact.Addr, ok bool) {
	r := fields{rest: v, ok: true}
	for len(r.rest) > 0 && r.ok {
		addrs = append(addrs, contact.Addr(r.next()))
	}
	return addrs, r.ok
}

func encodeValue(r record.Record, expires mono.Wall) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 64+len(r.Value)), uint64(expires))
	b = binary.BigEndian.AppendUint32(b, r.TTL)
	b = appendField(b, r.TimeReceived)
	b = appendField(b, string(r.Publisher))
	b = appendField(b, string(r.From))
	return append(b, r.Value...)
}

func decodeValue(key, v []byte) (r record.Record, expires mono.Wall, ok bool) {
	const head = 8 + 4
	if len(v) < head {
		return r, 0, false
	}
	f := fields{rest: v[head:], ok: true}
	r = record.Record{
		Key: slices.Clone(key), TTL: binary.BigEndian.Uint32(v[8:]), TimeReceived: string(f.next()),
		Publisher: contact.ID(f.next()), From: contact.ID(f.next()),
	}
	r.Value = slices.Clone(f.rest)
	return r, mono.Wall(binary.BigEndian.Uint64(v)), f.ok
}

func appendField(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// fields reads what appendField has written.
type fields struct {
	rest []byte
	ok   bool
}

func (f *fields) next() []byte {
	n, size := binary.Uvarint(f.rest)
	if size <= 0 || n > uint64(len(f.rest)-size) {
		f.ok, f.rest = false, nil
		return nil
	}
	text := f.rest[size : size+int(n)]
	f.rest = f.rest[size+int(n):]
	return text
}

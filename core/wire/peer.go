package wire

import (
	"bytes"
	"crypto/sha256"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// decodePeer appends the peer that b encodes, unless the list is full or the
// peer's ID cannot be one. Entries beyond the limit are not even looked at.
func decodePeer(list []Peer, b []byte, limit int) ([]Peer, error) {
	if len(list) >= limit {
		return list, nil
	}
	id, connection, err := decodePeerHead(b)
	if err != nil || !validID(id) {
		return list, err
	}
	if list == nil {
		list = make([]Peer, 0, min(limit, params.K+1)) // what an honest answer holds
	}
	addrs, n := peerAddrs(b, id)
	return append(list, Peer{Contact: newContact(id, addrs[:n]), Connection: connection}), nil
}

// decodePeerHead reads what may come once in a peer, and checks that all of b
// is well formed. An unknown kind of connection is none.
func decodePeerHead(b []byte) (id []byte, c Connection, err error) {
	for len(b) > 0 {
		f, n, err := next(b)
		if err != nil {
			return nil, 0, err
		}
		switch f.tag {
		case tagPeerID:
			id = f.bytes
		case tagConnection:
			c = NotConnected
			if v := int32(f.varint); v >= 0 && v < int32(connections) {
				c = Connection(v)
			}
		}
		b = b[n:]
	}
	return id, c, nil
}

// peerAddrs finds the first addresses that are worth keeping in b, which is
// well formed. It takes no memory: what is found is still part of b.
func peerAddrs(b, id []byte) (found [params.MaxAddrs][]byte, n int) {
	read := 0
	for len(b) > 0 && n < len(found) {
		f, size, _ := next(b)
		b = b[size:]
		if f.tag != tagPeerAddr {
			continue
		}
		if read += len(f.bytes); read > params.MaxPeerAddrs {
			break
		}
		if a := cleanAddr(f.bytes, id); len(a) > 0 && !holds(found[:n], a) {
			found[n] = a
			n++
		}
	}
	return found, n
}

func holds(addrs [][]byte, a []byte) bool {
	for _, known := range addrs {
		if bytes.Equal(known, a) {
			return true
		}
	}
	return false
}

// newContact copies a peer out of its message, all of its bytes in one piece.
func newContact(id []byte, addrs [][]byte) *contact.Info {
	size := len(id)
	for _, a := range addrs {
		size += len(a)
	}
	var text strings.Builder
	text.Grow(size)
	text.Write(id)
	for _, a := range addrs {
		text.Write(a)
	}
	all := text.String()
	cut := func(n int) (piece string) {
		piece, all = all[:n], all[n:]
		return piece
	}
	peer, kept := contact.ID(cut(len(id))), make([]contact.Addr, len(addrs))
	for i, a := range addrs {
		kept[i] = contact.Addr(cut(len(a)))
	}
	return contact.New(peer, kept...)
}

// Multicodec codes (multiformats table).
const (
	codeIdentity = 0x00
	codeSHA256   = 0x12
)

// codeP2P is the code 421 of a multiaddr's part /p2p, as the varint it is written as.
var codeP2P = []byte{0xa5, 0x03}

// validID reports whether id has the form of a peer ID: a multihash of the
// length that its hash function gives. KAD-9.4.
func validID(id []byte) bool {
	if len(id) > params.MaxID {
		return false
	}
	code, rest, ok := minimalVarint(id)
	if !ok {
		return false
	}
	size, digest, ok := minimalVarint(rest)
	if !ok || len(digest) == 0 || size != uint64(len(digest)) {
		return false
	}
	switch code {
	case codeIdentity:
		return len(digest) <= params.MaxInlineKey
	case codeSHA256:
		return len(digest) == sha256.Size
	}
	return true
}

// cleanAddr returns a multiaddr as contacts keep it: without a final /p2p part
// that names the peer itself. It returns nothing if the address is too long,
// does not begin like a multiaddr, or ends by naming another peer. KAD-9.5.
func cleanAddr(a, id []byte) []byte {
	if len(a) > params.MaxAddrLen {
		return nil
	}
	if code, _, ok := minimalVarint(a); !ok || code == 0 {
		return nil
	}
	for {
		at, named := finalID(a)
		if at == len(a) {
			return a
		}
		if !bytes.Equal(named, id) {
			return nil
		}
		a = a[:at] // and once more, so that what we send is what we would keep
	}
}

// finalID finds the final /p2p part of a multiaddr by its form, from the code
// to a peer ID that ends where the address ends: without a table of all parts
// and their lengths, and mistaken only if 40 bits or more agree by chance.
func finalID(a []byte) (at int, id []byte) {
	for at = 0; at < len(a); at++ {
		rest, ok := bytes.CutPrefix(a[at:], codeP2P)
		if !ok {
			continue
		}
		size, id, ok := minimalVarint(rest)
		if ok && size == uint64(len(id)) && validID(id) {
			return at, id
		}
	}
	return len(a), nil
}

// minimalVarint reads the varint at the front of b in the one form that
// multiformats allow, the shortest.
func minimalVarint(b []byte) (v uint64, rest []byte, ok bool) {
	v, n := protowire.ConsumeVarint(b)
	if n < 0 || n != protowire.SizeVarint(v) {
		return 0, nil, false
	}
	return v, b[n:], true
}

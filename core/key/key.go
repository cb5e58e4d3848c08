// Package key is the XOR key space of Kademlia: points, distances, prefixes, order.
//
// It may not know what a key stands for: peers, values and content all become
// the SHA-256 of some bytes before they come here. Start reading at [Key].
package key

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// Bits is the length of a key.
const Bits = 256

// Key is a point of the key space: 256 bits as four words, the most
// significant first, because four words compare faster than 32 bytes.
type Key [4]uint64

// Of returns the key of a preimage: its SHA-256 (specification, "Kademlia
// keyspace"). Peers are hashed by their ID's bytes, content by its multihash,
// values by their record key. KAD-1.1.
func Of(preimage []byte) Key {
	return FromBytes(sha256.Sum256(preimage))
}

// OfString is Of for a preimage held as a string; it does not allocate.
func OfString(preimage string) Key {
	var small [64]byte
	return Of(append(small[:0], preimage...))
}

// FromBytes reads a key from its 32 bytes, most significant first.
func FromBytes(b [32]byte) Key {
	return Key{
		binary.BigEndian.Uint64(b[0:]), binary.BigEndian.Uint64(b[8:]),
		binary.BigEndian.Uint64(b[16:]), binary.BigEndian.Uint64(b[24:]),
	}
}

// Bytes returns the 32 bytes of k, most significant first.
func (k Key) Bytes() (b [32]byte) {
	for i, w := range k {
		binary.BigEndian.PutUint64(b[8*i:], w)
	}
	return b
}

// String returns k in hexadecimal, 64 digits.
func (k Key) String() string {
	b := k.Bytes()
	return hex.EncodeToString(b[:])
}

// Short returns the first eight hexadecimal digits, for people.
func (k Key) Short() string { return k.String()[:8] }

// Xor returns the distance between two keys, itself a 256-bit number.
func (k Key) Xor(other Key) Key {
	return Key{k[0] ^ other[0], k[1] ^ other[1], k[2] ^ other[2], k[3] ^ other[3]}
}

// Compare orders keys as numbers: -1, 0 or +1.
func (k Key) Compare(other Key) int {
	for i, w := range k {
		if w != other[i] {
			if w < other[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// Closer compares the distances of a and b to k: -1 if a is nearer, +1 if b is.
func (k Key) Closer(a, b Key) int {
	for i, w := range k {
		da, db := w^a[i], w^b[i]
		if da != db {
			if da < db {
				return -1
			}
			return 1
		}
	}
	return 0
}

// CommonPrefix returns how many leading bits the two keys share, 0 to 256.
func (k Key) CommonPrefix(other Key) int {
	for i, w := range k {
		if x := w ^ other[i]; x != 0 {
			return 64*i + bits.LeadingZeros64(x)
		}
	}
	return Bits
}

// FlipBit returns k with bit i inverted; bit 0 is the most significant.
// It returns k itself when i is out of range.
func (k Key) FlipBit(i int) Key {
	if i < 0 || i >= Bits {
		return k
	}
	k[i/64] ^= 1 << (63 - i%64)
	return k
}

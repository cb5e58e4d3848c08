package key

import (
	"encoding/binary"
	"sync"
)

// PreimageLen is the length of what Preimage returns: a sha2-256 multihash,
// the one form that every deployed server accepts as the key of FIND_NODE
// (js-libp2p parses it as a peer ID).
const PreimageLen = 34

// MaxPreimageBits is the longest prefix that Preimage will match. SHA-256 has
// no shortcut, so one preimage for each prefix is found once and kept: 16 bits
// cost 256 KiB and some 50 ms at first use, each further bit twice that. A
// table of 20-peer buckets is 16 deep at about a million peers, where a prefix
// cut at 16 bits still names a region of a dozen of them.
//
// fewBits are all that a network of some ten thousand peers asks for. They have a
// table of their own, with four bits to spare for salt, that costs 3 ms: on a
// node's first refresh, 50 ms are longer than a soft timer.
const (
	MaxPreimageBits = 16
	fewBits         = 8
	fewTableBits    = 12
)

// Preimage returns bytes whose key shares the first n bits of want. A refresh
// or a region probe asks for a region of the key space, but FIND_NODE carries
// a preimage, so one must be known. n is clamped to 0…MaxPreimageBits; salt
// fills the prefix bits that n leaves free.
func Preimage(want Key, n int, salt uint32) (p [PreimageLen]byte) {
	n = max(0, min(n, MaxPreimageBits))
	bits, table := MaxPreimageBits, preimages
	if n <= fewBits {
		bits, table = fewTableBits, fewPreimages
	}
	free := bits - n
	head := uint32(want[0] >> (64 - bits))
	head = head>>free<<free | salt&(1<<free-1)
	return counted(table()[head])
}

// counted is the preimage with number c.
func counted(c uint32) (p [PreimageLen]byte) {
	p[0], p[1] = 0x12, 0x20
	binary.BigEndian.PutUint32(p[PreimageLen-4:], c)
	return p
}

// The tables hold, for each prefix, the least number whose preimage has it: the
// value of a pure function, kept because it is dear.
var (
	preimages    = sync.OnceValue(func() []uint32 { return search(MaxPreimageBits) })
	fewPreimages = sync.OnceValue(func() []uint32 { return search(fewTableBits) })
)

func search(bits int) []uint32 {
	found := make([]uint32, 1<<bits)
	for left, c := len(found), uint32(1); left > 0; c++ {
		p := counted(c)
		if head := Of(p[:])[0] >> (64 - bits); found[head] == 0 {
			found[head], left = c, left-1
		}
	}
	return found
}

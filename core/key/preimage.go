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
const MaxPreimageBits = 16

// Preimage returns bytes whose key shares the first n bits of want. A refresh
// or a region probe asks for a region of the key space, but FIND_NODE carries
// a preimage, so one must be known. n is clamped to 0…MaxPreimageBits; salt
// fills the prefix bits that n leaves free.
func Preimage(want Key, n int, salt uint32) (p [PreimageLen]byte) {
	n = max(0, min(n, MaxPreimageBits))
	free := MaxPreimageBits - n
	head := uint32(want[0] >> (64 - MaxPreimageBits))
	head = head>>free<<free | salt&(1<<free-1)
	return counted(preimages()[head])
}

// counted is the preimage with number c.
func counted(c uint32) (p [PreimageLen]byte) {
	p[0], p[1] = 0x12, 0x20
	binary.BigEndian.PutUint32(p[PreimageLen-4:], c)
	return p
}

// preimages holds, for each prefix of MaxPreimageBits, the least number whose
// preimage has it: the value of a pure function, kept because it is dear.
var preimages = sync.OnceValue(func() *[1 << MaxPreimageBits]uint32 {
	var found [1 << MaxPreimageBits]uint32
	for left, c := len(found), uint32(1); left > 0; c++ {
		p := counted(c)
		if head := Of(p[:])[0] >> (64 - MaxPreimageBits); found[head] == 0 {
			found[head], left = c, left-1
		}
	}
	return &found
})

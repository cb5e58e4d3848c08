package memory

import (
	"hash/maphash"
	"slices"
)

// keys knows the keys that have providers: each once, without a pointer.
type keys struct {
	slots slab[keySlot]
	index index
	long  map[uint32][]byte // those that do not fit their slot
	seed  maphash.Seed
}

// keySlot is one key and its list.
type keySlot struct {
	inline [inlineKey]byte
	size   uint8
	hash   uint32
	list   refs // its entries, oldest first
}

// inlineKey is the length up to which a key is kept in its slot: the multihash
// of a 256-bit digest has 34 bytes, with the longest function codes up to 40.
const inlineKey = 40

func newKeys() keys { return keys{long: map[uint32][]byte{}, seed: maphash.MakeSeed()} }

// find returns the reference of a key, or zero.
func (s *keys) find(key []byte) uint32 { return s.lookup(s.hash(key), key) }

// hash is salted: keys are chosen by strangers.
func (s *keys) hash(key []byte) uint32 { return uint32(maphash.Bytes(s.seed, key)) }

func (s *keys) lookup(hash uint32, key []byte) uint32 {
	return s.index.find(hash, func(ref uint32) bool { return string(s.bytes(ref)) == string(key) })
}

// intern returns the reference of a key, which is new if there was none.
func (s *keys) intern(key []byte) uint32 {
	hash := s.hash(key)
	if ref := s.lookup(hash, key); ref != 0 {
		return ref
	}
	ref := s.slots.take()
	k := s.slots.at(ref)
	k.size, k.hash = uint8(len(key)), hash
	if copy(k.inline[:], key) < len(key) {
		s.long[ref] = slices.Clone(key)
	}
	s.index.insert(hash, ref)
	return ref
}

// forget drops a key that has no provider any more.
func (s *keys) forget(ref uint32) {
	k := s.slots.at(ref)
	s.index.remove(k.hash, ref)
	delete(s.long, ref)
	s.slots.give(ref)
}

// bytes returns a key where it lies.
func (s *keys) bytes(ref uint32) []byte {
	k := s.slots.at(ref)
	if k.size > inlineKey {
		return s.long[ref]
	}
	return k.inline[:k.size]
}

// text returns a copy of a key.
func (s *keys) text(ref uint32) []byte { return slices.Clone(s.bytes(ref)) }

package memory

import (
	"hash/maphash"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
)

// providers are the provider records. Each is an entry of 40 bytes without a
// pointer, in two lists: of its key, newest first, and of its peer, oldest
// first. To find one by key and peer takes a hash, whatever the key's list is
// long. Not safe for concurrent use.
type providers struct {
	limits  store.Limits
	dropped func(key []byte, peer contact.ID)
	entries slab[entry]
	pairs   index // entries by key and peer
	keys    keys
	peers   owners
	salt    uint64
}

// entry is one provider record.
type entry struct {
	received, expires mono.Wall
	key, peer         uint32
	newer, older      uint32 // in the list of its key
	byPeer            link
}

func newProviders(limits store.Limits, dropped func([]byte, contact.ID)) *providers {
	x := &providers{limits: limits, dropped: dropped, keys: newKeys(), salt: maphash.Bytes(maphash.MakeSeed(), nil)}
	x.peers = newOwners(func(e uint32) *link { return &x.entries.at(e).byPeer })
	return x
}

// pair hashes a key and a peer, of which only the references count.
func (x *providers) pair(key, peer uint32) uint32 {
	const golden = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio spreads neighbours far apart
	h := (uint64(key)<<32 | uint64(peer)) ^ x.salt
	h = (h ^ h>>29) * golden
	return uint32(h >> 32)
}

// find returns the entry of a key and a peer, or zero.
func (x *providers) find(key, peer uint32) uint32 {
	return x.pairs.find(x.pair(key, peer), func(e uint32) bool {
		known := x.entries.at(e)
		return known.key == key && known.peer == peer
	})
}

// add stores a record, or renews it, and then evicts what is over a limit.
func (x *providers) add(p record.Provider, expires mono.Wall) {
	key, peer := x.keys.intern(p.Key), x.peers.intern(clip(p.Peer))
	ref := x.find(key, peer)
	if ref != 0 {
		x.unlink(ref)
		x.peers.renew(peer, ref)
	} else {
		ref = x.entries.take()
		x.pairs.insert(x.pair(key, peer), ref)
		x.entries.at(ref).key, x.entries.at(ref).peer = key, peer
		x.peers.push(peer, ref)
		x.keys.slots.at(key).count++
	}
	e := x.entries.at(ref)
	e.received, e.expires = p.Received, expires
	x.link(ref)
	x.trim(key, peer)
}

// clip returns a contact with no more addresses than are served.
func clip(info *contact.Info) *contact.Info {
	if len(info.Addrs) <= params.MaxAddrs {
		return info
	}
	return &contact.Info{ID: info.ID, Key: info.Key, Addrs: info.Addrs[:params.MaxAddrs:params.MaxAddrs]}
}

// trim evicts what one added record has put over a limit.
func (x *providers) trim(key, peer uint32) {
	if k := x.keys.slots.at(key); int(k.count) > x.limits.ProvidersPerKey {
		x.evict(k.oldest)
	}
	if w := x.peers.slots.at(peer); int(w.count) > x.limits.ProvidersPerPeer {
		x.evict(w.oldest)
	}
	if x.entries.len() > x.limits.Providers {
		x.evict(x.peers.slots.at(x.peers.greediest()).oldest)
	}
	if len(x.peers.byID) > x.limits.ProviderPeers {
		silent := x.peers.silent()
		for n := x.peers.slots.at(silent).count; n > 0; n-- {
			x.evict(x.peers.slots.at(silent).oldest)
		}
	}
}

// link puts an entry into the list of its key. Records mostly come in the order
// of their dates, so the search for its place mostly ends where it begins.
func (x *providers) link(ref uint32) {
	e := x.entries.at(ref)
	k := x.keys.slots.at(e.key)
	newer, older := uint32(0), k.newest
	for older != 0 && x.entries.at(older).received > e.received {
		newer, older = older, x.entries.at(older).older
	}
	e.newer, e.older = newer, older
	if newer != 0 {
		x.entries.at(newer).older = ref
	} else {
		k.newest = ref
	}
	if older != 0 {
		x.entries.at(older).newer = ref
	} else {
		k.oldest = ref
	}
}

func (x *providers) unlink(ref uint32) {
	e := x.entries.at(ref)
	k := x.keys.slots.at(e.key)
	if e.newer != 0 {
		x.entries.at(e.newer).older = e.older
	} else {
		k.newest = e.older
	}
	if e.older != 0 {
		x.entries.at(e.older).newer = e.newer
	} else {
		k.oldest = e.newer
	}
}

// of returns up to max providers of a key that have not expired, newest first.
func (x *providers) of(key []byte, now mono.Wall, max int) []record.Provider {
	ref := x.keys.find(key)
	if ref == 0 || max <= 0 {
		return nil
	}
	k := x.keys.slots.at(ref)
	found := make([]record.Provider, 0, min(max, int(k.count)))
	for at := k.newest; at != 0 && len(found) < max; {
		e := x.entries.at(at)
		if e.expires > now {
			found = append(found, record.Provider{Key: key, Peer: x.peers.slots.at(e.peer).info, Received: e.received})
		}
		at = e.older
	}
	return found
}

// remove forgets a record, if there is one.
func (x *providers) remove(key []byte, peer contact.ID) {
	k, p := x.keys.find(key), x.peers.byID[peer]
	if k == 0 || p == 0 {
		return
	}
	if ref := x.find(k, p); ref != 0 {
		x.forget(ref)
	}
}

// evict forgets a record and says so.
func (x *providers) evict(ref uint32) {
	if x.dropped != nil {
		e := x.entries.at(ref)
		x.dropped(x.keys.text(e.key), x.peers.slots.at(e.peer).info.ID)
	}
	x.forget(ref)
}

func (x *providers) forget(ref uint32) {
	e := *x.entries.at(ref)
	x.unlink(ref)
	x.pairs.remove(x.pair(e.key, e.peer), ref)
	x.peers.pull(e.peer, ref)
	x.keys.release(e.key)
	x.entries.give(ref)
}

// expire forgets what has expired among some records from one on, and returns
// how many that were and where to go on: zero at the end.
func (x *providers) expire(from uint32, now mono.Wall) (gone int, next uint32) {
	end, next := x.entries.span(from)
	for ref := from; ref < end; ref++ {
		if e := x.entries.at(ref); e.key != 0 && e.expires <= now {
			x.evict(ref)
			gone++
		}
	}
	return gone, next
}

// list returns some records from one on, and where to go on.
func (x *providers) list(from uint32) (some []record.Provider, next uint32) {
	end, next := x.entries.span(from)
	for ref := from; ref < end; ref++ {
		if e := x.entries.at(ref); e.key != 0 {
			some = append(some, record.Provider{
				Key: x.keys.text(e.key), Peer: x.peers.slots.at(e.peer).info, Received: e.received,
			})
		}
	}
	return some, next
}

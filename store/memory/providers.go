package memory

import (
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
)

// providers are the provider records. Each is an entry of 40 bytes without a
// pointer, in two lists: of its key and of its peer, both oldest first. To find
// one by key and peer takes a hash, however long the key's list is. Not safe for
// concurrent use.
type providers struct {
	limits  store.Limits
	told    Config // who hears of what is dropped
	entries slab[entry]
	pairs   index // entries by key and peer
	keys    keys
	lists   blocks // the entries of each key
	peers   owners
	salt    uint64
}

// entry is one provider record.
type entry struct {
	received, expires mono.Wall
	key, peer         uint32
	byPeer            link
	renewed           bool // since it became the newest of its peer
}

func newProviders(limits store.Limits, told Config) *providers {
	limits.ProvidersPerKey = min(limits.ProvidersPerKey, longest-1)
	x := &providers{limits: limits, told: told, keys: newKeys(), salt: maphash.Bytes(maphash.MakeSeed(), nil)}
	x.peers = newOwners(nobody, func(e uint32) *link { return &x.entries.at(e).byPeer })
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
		x.entries.at(ref).renewed = true
	} else {
		ref = x.entries.take()
		x.pairs.insert(x.pair(key, peer), ref)
		x.entries.at(ref).key, x.entries.at(ref).peer = key, peer
		x.peers.push(peer, ref)
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
	if k := x.keys.slots.at(key); int(k.list.count) > x.limits.ProvidersPerKey {
		x.evict(x.oldest(k.list))
	}
	if w := x.peers.slots.at(peer); int(w.count) > x.most(peer) {
		x.evict(x.stale(peer))
	}
	if x.entries.len()-x.peers.ours() > x.limits.Providers {
		x.evict(x.stale(x.peers.greediest()))
	}
	if x.peers.strangers() > x.limits.ProviderPeers {
		silent := x.peers.silent()
		for n := x.peers.slots.at(silent).count; n > 0; n-- {
			x.evict(x.peers.slots.at(silent).oldest)
		}
	}
}

// oldest returns the oldest record of a key, but for the node's own: a crowd of
// strangers must not make it forget what it provides.
func (x *providers) oldest(l refs) uint32 {
	list := x.lists.of(l)
	if len(list) > 1 && x.entries.at(list[0]).peer == x.peers.apart {
		return list[1]
	}
	return list[0]
}

// most is how many records a peer may have.
func (x *providers) most(peer uint32) int {
	if peer == x.peers.apart {
		return x.limits.Own
	}
	return x.limits.ProvidersPerPeer
}

// stale returns the oldest record of a peer. One that was renewed is moved to
// the end when it is met here, not when it is renewed, which is far more often.
func (x *providers) stale(peer uint32) uint32 {
	for {
		ref := x.peers.slots.at(peer).oldest
		e := x.entries.at(ref)
		if !e.renewed {
			return ref
		}
		e.renewed = false
		x.peers.renew(peer, ref)
	}
}

// link puts an entry into the list of its key. Records mostly come in the order
// of their dates, so the search for its place mostly ends where it begins.
func (x *providers) link(ref uint32) {
	e := x.entries.at(ref)
	k := x.keys.slots.at(e.key)
	list := x.lists.of(k.list)
	at := len(list)
	for at > 0 && x.entries.at(list[at-1]).received > e.received {
		at--
	}
	x.lists.insert(&k.list, at, ref)
}

func (x *providers) unlink(ref uint32) {
	k := x.keys.slots.at(x.entries.at(ref).key)
	x.lists.remove(&k.list, slices.Index(x.lists.of(k.list), ref))
}

// of returns up to max providers of a key that have not expired, newest first.
func (x *providers) of(key []byte, now mono.Wall, max int) []record.Provider {
	ref := x.keys.find(key)
	if ref == 0 || max <= 0 {
		return nil
	}
	list := x.lists.of(x.keys.slots.at(ref).list)
	found := make([]record.Provider, 0, min(max, len(list)))
	for i := len(list) - 1; i >= 0 && len(found) < max; i-- {
		if e := x.entries.at(list[i]); e.expires > now {
			found = append(found, record.Provider{Key: key, Peer: x.peers.slots.at(e.peer).info, Received: e.received})
		}
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
	if x.told.Dropped != nil {
		e := x.entries.at(ref)
		x.told.Dropped(x.keys.text(e.key), x.peers.slots.at(e.peer).info.ID)
	}
	x.forget(ref)
}

func (x *providers) forget(ref uint32) {
	e := *x.entries.at(ref)
	x.unlink(ref)
	x.pairs.remove(x.pair(e.key, e.peer), ref)
	if id, last := x.peers.pull(e.peer, ref); last && x.told.DroppedPeer != nil {
		x.told.DroppedPeer(id)
	}
	if x.keys.slots.at(e.key).list.count == 0 {
		x.keys.forget(e.key)
	}
	x.entries.give(ref)
}

// settle makes the newest record of every peer the one of the latest date.
func (x *providers) settle() {
	all := make([]uint32, 0, x.entries.len())
	for ref := uint32(1); ref < x.entries.used; ref++ {
		if x.entries.at(ref).key != 0 {
			all = append(all, ref)
		}
	}
	slices.SortFunc(all, func(a, b uint32) int {
		return cmp.Compare(x.entries.at(a).received, x.entries.at(b).received)
	})
	for _, ref := range all {
		x.peers.renew(x.entries.at(ref).peer, ref)
	}
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

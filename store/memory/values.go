package memory

import (
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
)

// values are the values. There are fewer of them than provider records and each
// is larger, so a map of Go is small beside them. Not safe for concurrent use.
type values struct {
	limits  store.Limits
	dropped func(key []byte)
	entries slab[value]
	byKey   map[string]uint32
	peers   owners // those that brought them; nobody has brought the node's own
	own     int    // bytes of those
	bytes   int    // and of those of strangers
	weights weights
}

type value struct {
	record  record.Record
	expires mono.Wall
	peer    uint32
	byPeer  link
}

func (v *value) bytes() int { return len(v.record.Key) + len(v.record.Value) }

func newValues(limits store.Limits, dropped func([]byte)) *values {
	x := &values{limits: limits, dropped: dropped, byKey: map[string]uint32{}, weights: newWeights()}
	x.peers = newOwners("", func(e uint32) *link { return &x.entries.at(e).byPeer })
	return x
}

func (x *values) get(key []byte) (record.Record, bool) {
	ref, ok := x.byKey[string(key)]
	if !ok {
		return record.Record{}, false
	}
	return x.entries.at(ref).record, true
}

// put stores a value and then evicts what is over a limit.
func (x *values) put(r record.Record, expires mono.Wall) error {
	if len(r.Key)+len(r.Value) > x.limits.ValueBytes {
		return store.ErrFull
	}
	x.remove(r.Key)
	r.Key, r.Value = slices.Clone(r.Key), slices.Clone(r.Value)
	ref, peer := x.entries.take(), x.peers.intern(&contact.Info{ID: r.From})
	v := x.entries.at(ref)
	v.record, v.expires, v.peer = r, expires, peer
	x.byKey[string(r.Key)] = ref
	x.weigh(peer, v.bytes())
	x.peers.push(peer, ref)
	x.trim(peer)
	return nil
}

// weigh counts so many bytes more of a peer.
func (x *values) weigh(peer uint32, bytes int) {
	if peer == x.peers.apart {
		x.own += bytes
		return
	}
	x.bytes += bytes
	x.weights.add(peer, bytes)
}

// trim evicts what a value of a peer that was just put has put over a limit; but
// never that value, which is said to be stored.
func (x *values) trim(peer uint32) {
	w := x.peers.slots.at(peer)
	if peer == x.peers.apart {
		for w.count > 1 && (int(w.count) > x.limits.Values || x.own > x.limits.ValueBytes) {
			x.evict(w.oldest)
		}
		return
	}
	if int(w.count) > x.limits.ValuesPerPeer {
		x.evict(w.oldest)
	}
	for x.entries.len()-x.peers.ours() > x.limits.Values {
		x.evict(x.peers.slots.at(x.peers.greediest()).oldest)
	}
	for x.bytes > x.limits.ValueBytes {
		most := x.weights.heaviest()
		if most == peer && w.count == 1 {
			most = x.weights.second()
		}
		x.evict(x.peers.slots.at(most).oldest)
	}
}

func (x *values) remove(key []byte) {
	if ref, ok := x.byKey[string(key)]; ok {
		x.forget(ref)
	}
}

func (x *values) evict(ref uint32) {
	if x.dropped != nil {
		x.dropped(x.entries.at(ref).record.Key)
	}
	x.forget(ref)
}

func (x *values) forget(ref uint32) {
	v := x.entries.at(ref)
	x.weigh(v.peer, -v.bytes())
	delete(x.byKey, string(v.record.Key))
	x.peers.pull(v.peer, ref)
	x.entries.give(ref)
}

func (x *values) expire(from uint32, now mono.Wall) (gone int, next uint32) {
	end, next := x.entries.span(from)
	for ref := from; ref < end; ref++ {
		if v := x.entries.at(ref); v.peer != 0 && v.expires <= now {
			x.evict(ref)
			gone++
		}
	}
	return gone, next
}

func (x *values) list(from uint32) (some []record.Record, next uint32) {
	end, next := x.entries.span(from)
	for ref := from; ref < end; ref++ {
		if v := x.entries.at(ref); v.peer != 0 {
			some = append(some, v.record)
		}
	}
	return some, next
}

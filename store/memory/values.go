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
	peers   owners // those that brought them
	bytes   int
}

type value struct {
	record  record.Record
	expires mono.Wall
	peer    uint32
	byPeer  link
}

func (v *value) bytes() int { return len(v.record.Key) + len(v.record.Value) }

func newValues(limits store.Limits, dropped func([]byte)) *values {
	x := &values{limits: limits, dropped: dropped, byKey: map[string]uint32{}}
	x.peers = newOwners(func(e uint32) *link { return &x.entries.at(e).byPeer })
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
	x.bytes += v.bytes()
	x.peers.push(peer, ref)
	x.trim(peer)
	return nil
}

func (x *values) trim(peer uint32) {
	if w := x.peers.slots.at(peer); int(w.count) > x.limits.ValuesPerPeer {
		x.evict(w.oldest)
	}
	for x.entries.len() > x.limits.Values || x.bytes > x.limits.ValueBytes {
		x.evict(x.peers.slots.at(x.peers.greediest()).oldest)
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
	x.bytes -= v.bytes()
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

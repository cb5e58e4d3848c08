package fulltable

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/siege"
)

// table is everybody who is known to serve, without a pointer: a row of sixteen
// bytes for each, in the order of their keys, and their IDs and addresses in
// one stretch of memory. Safe for concurrent use.
type table struct {
	mu     sync.RWMutex
	rows   []row
	text   []byte // the records that rows name
	waste  int    // bytes of it that no row names
	bad    int    // rows that have failed
	streak []contact.ID
}

// row is one peer.
type row struct {
	head uint64 // of its key
	at   uint32 // of its record in text
	rtt  uint16 // in params.RTTUnit; 0 is unknown
	bad  bool   // it has failed since it last answered
}

// found is one peer as it goes into a table.
type found struct {
	info *contact.Info
	rtt  time.Duration
}

// newTable returns a table of these peers.
func newTable(all []found) *table {
	t := &table{rows: make([]row, 0, len(all))}
	for _, f := range all {
		t.rows = append(t.rows, row{head: f.info.Key[0], at: t.write(f.info), rtt: grain(f.rtt)})
	}
	slices.SortFunc(t.rows, func(a, b row) int { return compare(a.head, b.head) })
	t.text = slices.Clip(t.text)
	return t
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func grain(rtt time.Duration) uint16 { return uint16(min(rtt/params.RTTUnit, 1<<16-1)) }

// write appends the record of a peer: its ID, and its first addresses.
func (t *table) write(info *contact.Info) (at uint32) {
	at = uint32(len(t.text))
	t.text = binary.AppendUvarint(t.text, uint64(len(info.ID)))
	t.text = append(t.text, info.ID...)
	addrs := info.Addrs[:min(len(info.Addrs), params.FullAddrs)]
	t.text = append(t.text, byte(len(addrs)))
	for _, a := range addrs {
		t.text = binary.AppendUvarint(t.text, uint64(len(a)))
		t.text = append(t.text, a...)
	}
	return at
}

// read returns the peer of a record, and how long that is.
func (t *table) read(at uint32) (info *contact.Info, size int) {
	id, rest := cut(t.text[at:])
	addrs := make([]contact.Addr, rest[0])
	rest = rest[1:]
	for i := range addrs {
		var a []byte
		a, rest = cut(rest)
		addrs[i] = contact.Addr(a)
	}
	return contact.New(contact.ID(id), addrs...), len(t.text) - int(at) - len(rest)
}

// cut takes one text with its length before it.
func cut(b []byte) (text, rest []byte) {
	n, used := binary.Uvarint(b)
	return b[used : used+int(n)], b[used+int(n):]
}

// len returns how many peers there are, and how many of them have not failed.
func (t *table) len() (all, good int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.rows), len(t.rows) - t.bad
}

// bytes is the memory that the table takes.
func (t *table) bytes() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return 16*cap(t.rows) + cap(t.text)
}

// nearest returns the n peers nearest to a target, nearest first. Those that
// have failed are passed over as long as there are others.
func (t *table) nearest(target key.Key, n int) []*contact.Info {
	t.mu.RLock()
	defer t.mu.RUnlock()
	near := make([]*contact.Info, 0, n)
	for _, r := range t.pick(target, n) {
		info, _ := t.read(r.at)
		near = append(near, info)
	}
	return near
}

// region returns the peers around a besieged key: the nearest of those that have
// not failed, within the distance in which a record goes to all of them; nobody
// if chance explains how near those are who are nearest. KAD-13.7.
func (t *table) region(target key.Key) []*contact.Info {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var near []*contact.Info
	for _, r := range t.besieged(target) {
		info, _ := t.read(r.at)
		near = append(near, info)
	}
	return near
}

// besieged is region, as rows. How many peers there are the table knows.
func (t *table) besieged(target key.Key) []row {
	network := siege.Network{Peers: float64(len(t.rows) - t.bad)}
	distances := func(rows []row) []siege.Distance {
		far := make([]siege.Distance, len(rows))
		for i, r := range rows {
			far[i] = r.head ^ target[0]
		}
		return far
	}
	if !network.Crowded(distances(t.closest(target, params.K, false))) {
		return nil
	}
	wide := t.closest(target, params.MaxWanted, false)
	return wide[:network.Region(distances(wide))]
}

// share tells for each of many keys, by number, which peers its record goes to:
// the nearest, or the region around it; a peer is read once. It returns how many
// peers each key has, and how many keys are besieged.
func (t *table) share(keys []key.Key, give func(number int, to uint32), read func(to uint32, info *contact.Info)) (each []int, besieged int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	seen := make(map[uint32]bool)
	each = make([]int, len(keys))
	for number, k := range keys {
		near := t.besieged(k)
		if near != nil {
			besieged++
		} else {
			near = t.pick(k, params.K)
		}
		each[number] = len(near)
		for _, r := range near {
			if !seen[r.at] {
				seen[r.at] = true
				info, _ := t.read(r.at)
				read(r.at, info)
			}
			give(number, r.at)
		}
	}
	return each, besieged
}

// pick is nearest, as rows.
func (t *table) pick(target key.Key, n int) []row {
	near := t.closest(target, n, false)
	if len(near) < n && t.bad > 0 {
		near = append(near, t.closest(target, n-len(near), true)...)
	}
	return near
}

// closest returns the n rows nearest to a target, of those that have failed or
// of those that have not. All that share a prefix with the target are one
// stretch of rows: the shortest stretch that has n of them has the nearest n.
func (t *table) closest(target key.Key, n int, bad bool) []row {
	var stretches [65][2]int
	lo, hi, depth := 0, len(t.rows), 0
	stretches[0] = [2]int{lo, hi}
	for depth < 64 && hi-lo > n {
		lo, hi = t.narrow(lo, hi, target[0], depth)
		depth++
		stretches[depth] = [2]int{lo, hi}
	}
	picked := make([]row, 0, 4*n)
	for ; depth >= 0; depth-- {
		picked = picked[:0]
		for _, r := range t.rows[stretches[depth][0]:stretches[depth][1]] {
			if r.bad == bad {
				picked = append(picked, r)
			}
		}
		if len(picked) >= n {
			break
		}
	}
	slices.SortFunc(picked, func(a, b row) int { return compare(a.head^target[0], b.head^target[0]) })
	return picked[:min(n, len(picked))]
}

// narrow returns the rows of a stretch that share one more bit with the target.
func (t *table) narrow(lo, hi int, head uint64, bit int) (int, int) {
	mask := ^uint64(0) << (63 - bit)
	from := t.search(lo, hi, head&mask)
	to := hi
	if last := head | ^mask; last != ^uint64(0) {
		to = t.search(from, hi, last+1)
	}
	return from, to
}

// search returns the first row of a stretch whose head is not below a number.
func (t *table) search(lo, hi int, head uint64) int {
	at, _ := slices.BinarySearchFunc(t.rows[lo:hi], head, func(r row, head uint64) int { return compare(r.head, head) })
	return lo + at
}

// find returns where a peer's row is, or would be.
func (t *table) find(id contact.ID, k key.Key) (at int, ok bool) {
	for at = t.search(0, len(t.rows), k[0]); at < len(t.rows) && t.rows[at].head == k[0]; at++ {
		if known, _ := cut(t.text[t.rows[at].at:]); string(known) == string(id) {
			return at, true
		}
	}
	return at, false
}

// lookUp returns what is known of one peer, or nil.
func (t *table) lookUp(id contact.ID) *contact.Info {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if at, ok := t.find(id, key.OfString(string(id))); ok {
		info, _ := t.read(t.rows[at].at)
		return info
	}
	return nil
}

// failing reports whether a peer has failed since it last answered.
func (t *table) failing(id contact.ID) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	at, ok := t.find(id, key.OfString(string(id)))
	return ok && t.rows[at].bad
}

// answered notes that a peer answered: it is in the table, if there is room.
func (t *table) answered(info *contact.Info, rtt time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
	at, known := t.find(info.ID, info.Key)
	if !known {
		if len(t.rows) < params.CrawlPeers && len(info.Addrs) > 0 {
			t.rows = slices.Insert(t.rows, at, row{head: info.Key[0], at: t.write(info), rtt: grain(rtt)})
		}
		return
	}
	t.mark(at, false)
	r := &t.rows[at]
	if rtt > 0 {
		r.rtt = grain(rtt)
	}
	had, size := t.read(r.at)
	if len(info.Addrs) > 0 && !slices.Equal(had.Addrs, info.Addrs[:min(len(info.Addrs), params.FullAddrs)]) {
		r.at = t.write(info)
		t.waste += size
		t.compact()
	}
}

// failed notes that a peer failed. It counts from the next answer of anybody
// on: many failures in a row are an outage of our own, and nobody's fault.
func (t *table) failed(id contact.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.streak) <= params.OutageFailures {
		t.streak = append(t.streak, id)
	}
}

// settle holds the failures since the last answer against the peers, unless
// they were too many in a row.
func (t *table) settle() {
	if len(t.streak) < params.OutageFailures {
		for _, id := range t.streak {
			if at, ok := t.find(id, key.OfString(string(id))); ok {
				t.mark(at, true)
			}
		}
	}
	t.streak = t.streak[:0]
}

// mark notes whether a row has failed.
func (t *table) mark(at int, bad bool) {
	switch r := &t.rows[at]; {
	case r.bad == bad:
	case bad:
		r.bad = true
		t.bad++
	default:
		r.bad = false
		t.bad--
	}
}

// compact writes the records anew when half of them are nobody's.
func (t *table) compact() {
	if t.waste <= len(t.text)/2 {
		return
	}
	kept := make([]byte, 0, len(t.text)-t.waste)
	for i, r := range t.rows {
		_, size := t.read(r.at)
		t.rows[i].at = uint32(len(kept))
		kept = append(kept, t.text[r.at:int(r.at)+size]...)
	}
	t.text, t.waste = kept, 0
}

// all returns everybody.
func (t *table) all() []found {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]found, 0, len(t.rows))
	for _, r := range t.rows {
		info, _ := t.read(r.at)
		list = append(list, found{info, time.Duration(r.rtt) * params.RTTUnit})
	}
	return list
}

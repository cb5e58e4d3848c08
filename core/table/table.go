// Package table is the routing table: buckets of live contacts, their replacements, and limits that keep it diverse.
//
// It may not know the wire, lookups, timers or why a contact was asked; it is
// told who answered and who did not. It holds no pointers to contacts, only
// handles into a contact.Book, so that a million tables fit in memory.
// Start reading at [Table.Offer], then [Table.Fail].
package table

import (
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// last is the index of the last bucket, which is not split: it takes every
// contact that shares at least so many bits with self. A forger who computes
// identifiers ever closer to a node gets no more than its places.
const last = params.Buckets - 1

// Config is what a table may be told. The zero value works.
type Config struct {
	// Sizes are the capacities of the first buckets; default
	// params.TopBuckets, limit params.MaxBucket. What is not more than zero, and
	// every bucket beyond, means params.K. The table keeps the slice.
	Sizes []int
	// NoDiversity lifts the limits per IP group: for simulations, and for
	// networks that live in a single subnet.
	NoDiversity bool
	// ExemptLoopback lifts them for 127.0.0.0/8 and ::1 only.
	ExemptLoopback bool
	// MaxPerGroup caps the contacts of one IP group in the buckets larger than
	// params.K together, and again in the others together; default
	// params.MaxPerGroup.
	MaxPerGroup int
	// MaxPerGroupBucket caps them in one bucket, and among its replacements;
	// default params.MaxPerGroupBucket.
	MaxPerGroupBucket int
}

// Table is the routing table of one node. Not safe for concurrent use; other
// goroutines read a [Snapshot]. Whoever is in the table or waits as a
// replacement is held in the book exactly once. KAD-8.9.
type Table struct {
	self       key.Key
	book       *contact.Book
	cfg        Config
	members    list // by distance to self, so every bucket is one stretch
	spares     list // by bucket; in a bucket the verified, latest first, then the failed
	population int  // of the network, as far as somebody knows; 0 if not
	latest     mono.Time
}

// New returns an empty table for the node with the given key.
func New(self key.Key, book *contact.Book, cfg Config) *Table {
	if cfg.MaxPerGroup <= 0 {
		cfg.MaxPerGroup = params.MaxPerGroup
	}
	if cfg.MaxPerGroupBucket <= 0 {
		cfg.MaxPerGroupBucket = params.MaxPerGroupBucket
	}
	tagged := !cfg.NoDiversity
	return &Table{self: self, book: book, cfg: cfg, members: list{tagged: tagged}, spares: list{tagged: tagged}}
}

// Kind says what became of an offered contact.
type Kind uint8

// What may become of an offered contact.
const (
	Refused   Kind = iota // it is the node itself, or nobody
	Added                 // it is in the table now
	Refreshed             // it was there already
	Kept                  // its bucket is full; it waits as a replacement
	Crowded               // its IP group has all the places that it may have
)

var kindWords = [...]string{"refused", "added", "refreshed", "kept", "crowded"}

// String returns the kind's word.
func (k Kind) String() string { return kindWords[k] }

// Verdict is the answer to an offer.
type Verdict struct {
	Kind Kind
	// Left is who left the table by it, or zero: the slower contact whose
	// place the offered one took, or the offered one itself if it has moved
	// into a crowded IP group.
	Left contact.Handle
}

// Offer tells the table that a contact has answered just now. Nobody gets in
// otherwise: hearsay is free, an answer is not. KAD-8.3. The round-trip time
// is zero if it is not known.
func (t *Table) Offer(h contact.Handle, now mono.Time, rtt time.Duration) Verdict {
	t.latest = max(t.latest, now)
	if h == 0 {
		return Verdict{Kind: Refused}
	}
	info := t.book.Info(h)
	if info.Key == t.self {
		return Verdict{Kind: Refused}
	}
	r := row{word: info.Key[0], group: t.group(info), cell: cell{handle: h, rtt: packRTT(rtt), mark: markAt(now)}}
	if i := t.member(h); i >= 0 {
		return t.refresh(i, r)
	}
	t.book.Hold(h)
	if i := t.spare(h); i >= 0 {
		r.keepRTT(t.spares.remove(t.bucket(r.word), i).rtt)
		t.book.Drop(h)
	}
	return t.admit(r)
}

// refresh notes that the i-th member answered. If it has moved into an IP
// group that has all its places, it leaves: the limit would mean nothing if
// one could enter from anywhere and then gather in one place. KAD-8.5.
func (t *Table) refresh(i int, r row) Verdict {
	r.keepRTT(t.members.cells[i].rtt)
	t.members.cells[i] = r.cell
	if !t.members.tagged || t.members.groups[i] == r.group {
		return Verdict{Kind: Refreshed}
	}
	t.members.groups[i] = unlimited // it does not count against itself
	if b := t.bucket(r.word); t.crowded(b, r.group) {
		t.members.remove(last-b, i)
		t.book.Drop(r.handle)
		return Verdict{Kind: Crowded, Left: r.handle}
	}
	t.members.groups[i] = r.group
	return Verdict{Kind: Refreshed}
}

// admit finds a place for a held newcomer, or drops it. KAD-8.3.
func (t *Table) admit(r row) Verdict {
	b := t.bucket(r.word)
	if t.crowded(b, r.group) {
		t.book.Drop(r.handle)
		return Verdict{Kind: Crowded}
	}
	if t.room(b) > 0 {
		t.members.insert(last-b, t.seek(b, r.word), r)
		return Verdict{Kind: Added}
	}
	if i := t.slowest(b); i >= 0 && outruns(r.rtt, t.members.cells[i].rtt) {
		slow := t.members.remove(last-b, i)
		t.members.insert(last-b, t.seek(b, r.word), r)
		t.keep(b, slow)
		return Verdict{Kind: Added, Left: slow.handle}
	}
	if !t.keep(b, r) {
		return Verdict{Kind: Crowded}
	}
	return Verdict{Kind: Kept}
}

// keep puts a held contact among the replacements of bucket b: a verified one
// first, a failed one behind all that are not. The last one that is too many
// is dropped, which may be the contact itself. It reports false if the
// contact's group has its share of the replacements already.
func (t *Table) keep(b int, r row) bool {
	lo, hi := t.waiting(b)
	if t.sparesCrowded(lo, hi, r.group) {
		t.book.Drop(r.handle)
		return false
	}
	at := lo
	for r.mark.failed() && at < hi && !t.spares.cells[at].mark.failed() {
		at++
	}
	t.spares.insert(b, at, r)
	if hi-lo == params.Replacements {
		t.book.Drop(t.spares.remove(b, hi).handle)
	}
	return true
}

// Fail tells the table that a contact did not answer by its hard deadline,
// once, and that this is not our own outage. A member leaves its place and
// waits behind the replacements, to come back when it answers; a replacement
// falls back behind the others, and is forgotten at its second failure.
//
// left says that a member left. probe is whom to ask next for a free place of
// the bucket, zero if nobody: a replacement counts only when it has answered
// again and was offered. While earlier probes are under way each call names
// another one; [Table.Probes] names them all. KAD-8.4.
func (t *Table) Fail(h contact.Handle, now mono.Time) (left bool, probe contact.Handle) {
	t.latest = max(t.latest, now)
	if h == 0 {
		return false, 0
	}
	b := t.BucketOf(h)
	if i := t.member(h); i >= 0 {
		t.fallBack(b, t.members.remove(last-b, i))
		return true, t.nextProbe(b)
	}
	if i := t.spare(h); i >= 0 {
		t.fallBack(b, t.spares.remove(b, i))
		return false, t.nextProbe(b)
	}
	return false, 0
}

// fallBack puts a contact that has failed behind the replacements, once.
func (t *Table) fallBack(b int, r row) {
	if r.mark.failed() {
		t.book.Drop(r.handle)
		return
	}
	r.mark |= failedBit
	t.keep(b, r)
}

// Restore takes the failure of a member back that was no fault of its own, but
// an outage of ours; was is its entry of before. It has its place again if that
// is free. It has not answered, but nobody has who could have its place. KAD-8.4.
func (t *Table) Restore(h contact.Handle, was Entry) (back bool) {
	if h == 0 || t.member(h) >= 0 {
		return false
	}
	b, info := t.BucketOf(h), t.book.Info(h)
	t.book.Hold(h)
	if i := t.spare(h); i >= 0 {
		t.spares.remove(b, i)
		t.book.Drop(h)
	}
	r := row{word: info.Key[0], group: t.group(info), cell: cell{handle: h, rtt: packRTT(was.RTT), mark: markAt(was.Useful)}}
	if t.room(b) == 0 || t.crowded(b, r.group) {
		t.keep(b, r)
		return false
	}
	t.members.insert(last-b, t.seek(b, r.word), r)
	return true
}

// nextProbe returns the replacement for the newest free place of a bucket. The
// older free places have theirs, the replacements before it: as many probes as
// there are places, and no list of who is being probed, which an outage could
// leave out of date.
func (t *Table) nextProbe(b int) contact.Handle {
	room, found := t.room(b), contact.Handle(0)
	t.candidates(b, func(h contact.Handle) bool {
		if room--; room == 0 {
			found = h
		}
		return room > 0
	})
	return found
}

// Probes appends, for every free place, the replacement that should be asked
// whether it is alive. The answer depends on the table alone, so whoever lost
// track of earlier probes (an outage, a removal) may ask again.
func (t *Table) Probes(dst []contact.Handle) []contact.Handle {
	for b := range params.Buckets {
		if room := t.room(b); room > 0 {
			t.candidates(b, func(h contact.Handle) bool {
				dst = append(dst, h)
				room--
				return room > 0
			})
		}
	}
	return dst
}

// candidates calls use for the replacements of a bucket that did not fail and
// whose group has a place, best first, until it returns false.
func (t *Table) candidates(b int, use func(contact.Handle) bool) {
	for i, hi := t.waiting(b); i < hi && !t.spares.cells[i].mark.failed(); i++ {
		if t.spares.tagged && t.crowded(b, t.spares.groups[i]) {
			continue
		}
		if !use(t.spares.cells[i].handle) {
			return
		}
	}
}

// Remove forgets a contact, member or replacement: it serves this DHT no
// longer. It reports whether a member left; ask [Table.Probes] for its place.
func (t *Table) Remove(h contact.Handle) bool {
	if h == 0 {
		return false
	}
	b := t.BucketOf(h)
	if i := t.spare(h); i >= 0 {
		t.spares.remove(b, i)
		t.book.Drop(h)
	}
	i := t.member(h)
	if i < 0 {
		return false
	}
	t.members.remove(last-b, i)
	t.book.Drop(h)
	return true
}

// Clone returns an independent copy over book, which must be a clone of the
// table's own: its holders are counted already.
func (t *Table) Clone(book *contact.Book) *Table {
	c := *t
	c.book, c.members, c.spares = book, t.members.clone(), t.spares.clone()
	return &c
}

package contact

import "github.com/waymark-dht/waymark/core/params"

// Handle names a contact of one Book in 32 bits, so that tables and lookups
// hold no pointers. The zero Handle names nobody.
type Handle uint32

// Book interns contacts: each peer is kept once, under one Handle.
//
// Who keeps a Handle beyond the current step holds it (Hold, Drop); Sweep
// forgets the contacts that nobody holds. Not safe for concurrent use, but an
// *Info that was read from it may be used anywhere, for ever.
type Book struct {
	slots  []slot
	byID   map[ID]Handle
	free   []Handle
	idle   int // contacts that nobody holds
	pinned bool
}

type slot struct {
	info  *Info
	holds uint32
}

// NewBook returns an empty book.
func NewBook() *Book {
	return &Book{slots: make([]slot, 1), byID: make(map[ID]Handle)}
}

// Pin makes the book keep every contact for ever and count no holders: for a
// simulator, where a million nodes share one book. It writes its handle into
// each Info that it takes, so that it need not look for that one again; those
// can be in no other book.
func (b *Book) Pin() { b.pinned = true }

// Len returns the number of contacts in the book.
func (b *Book) Len() int { return len(b.byID) }

// Intern returns the handle of a peer and how many of the given addresses were
// new. A contact that is already known keeps its addresses and gains the new
// ones, at most params.MaxAddrs in all.
func (b *Book) Intern(info *Info) (h Handle, fresh int) {
	if h := b.named(info); h != 0 {
		return h, 0
	}
	if h, ok := b.byID[info.ID]; ok {
		if known := b.slots[h].info; known != info {
			b.slots[h].info, fresh = known.with(info.Addrs, params.MaxAddrs)
		}
		return h, fresh
	}
	if len(info.Addrs) > params.MaxAddrs {
		info = &Info{ID: info.ID, Key: info.Key, Addrs: info.Addrs[:params.MaxAddrs:params.MaxAddrs]}
	}
	h = b.take()
	if b.pinned {
		info.in = h
	}
	b.slots[h] = slot{info: info}
	b.byID[info.ID] = h
	b.idle++
	return h, len(info.Addrs)
}

// named returns the handle of a contact that is, as this very Info, in a pinned
// book, which nobody else shares; zero if the book has to look for it.
func (b *Book) named(info *Info) Handle {
	if h := info.in; int(h) < len(b.slots) && b.slots[h].info == info {
		return h
	}
	return 0
}

func (b *Book) take() Handle {
	if n := len(b.free); n > 0 {
		h := b.free[n-1]
		b.free = b.free[:n-1]
		return h
	}
	b.slots = append(b.slots, slot{})
	return Handle(len(b.slots) - 1)
}

// Find returns the handle of a peer, or zero if the book does not know it.
func (b *Book) Find(id ID) Handle { return b.byID[id] }

// Info returns the contact that h names. It panics if h names nobody: a
// handle that outlived its contact is a broken invariant.
func (b *Book) Info(h Handle) *Info {
	info := b.slots[h].info
	if info == nil {
		panic("contact: handle names nobody")
	}
	return info
}

// Verify takes the addresses of info, at most params.MaxAddrs, as known at first
// hand, in place of all that was known. It must have the same ID.
func (b *Book) Verify(h Handle, info *Info) {
	n := min(len(info.Addrs), params.MaxAddrs)
	b.Replace(h, &Info{ID: info.ID, Key: info.Key, Addrs: info.Addrs[:n:n], sure: uint8(n), in: b.Info(h).in})
}

// Doubt has nothing of what is known of a peer count as known at first hand any
// longer: it has failed there, and may be where others say.
func (b *Book) Doubt(h Handle) {
	if info := *b.Info(h); info.sure > 0 {
		info.sure = 0
		b.Replace(h, &info)
	}
}

// Replace swaps what is known of a peer for info, which must have the same ID:
// for its encoded form.
func (b *Book) Replace(h Handle, info *Info) {
	if b.Info(h).ID != info.ID {
		panic("contact: replaced by another peer")
	}
	b.slots[h].info = info
}

// Hold keeps h from being forgotten until as many Drops.
func (b *Book) Hold(h Handle) {
	if b.pinned {
		return
	}
	if b.slots[h].holds == 0 {
		b.idle--
	}
	b.slots[h].holds++
}

// Drop undoes one Hold.
func (b *Book) Drop(h Handle) {
	if b.pinned {
		return
	}
	if b.slots[h].holds == 0 {
		panic("contact: dropped more often than held")
	}
	if b.slots[h].holds--; b.slots[h].holds == 0 {
		b.idle++
	}
}

// Sweep forgets every contact that nobody holds, once they are more than
// slack. Only its owner may call it, between steps, when no unheld handle is
// in anybody's hands.
func (b *Book) Sweep(slack int) {
	if b.pinned || b.idle <= slack {
		return
	}
	for h := range b.slots {
		if s := &b.slots[h]; s.info != nil && s.holds == 0 {
			delete(b.byID, s.info.ID)
			*s = slot{}
			b.free = append(b.free, Handle(h))
		}
	}
	b.idle = 0
}

// Clone returns an independent copy that shares the immutable Infos.
func (b *Book) Clone() *Book {
	c := &Book{
		slots: append([]slot(nil), b.slots...), free: append([]Handle(nil), b.free...),
		byID: make(map[ID]Handle, len(b.byID)), idle: b.idle, pinned: b.pinned,
	}
	for id, h := range b.byID {
		c.byID[id] = h
	}
	return c
}

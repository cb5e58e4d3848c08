package memory

import "github.com/waymark-dht/waymark/core/contact"

// owners knows the peers whose records are kept: each once, with its records
// in the order in which they came, and who has most. All of it takes constant time.
type owners struct {
	slots slab[owner]
	byID  map[contact.ID]uint32
	links func(entry uint32) *link // where an entry keeps its place in its owner's list
	ranks []uint32                 // by number of entries: the first of the owners that have so many
	hand  uint32                   // where the search for one that was not heard of goes on
	own   contact.ID               // who is not ranked, and never silent: the node itself
	apart uint32                   // its reference; zero while it has no entry
}

// owner is one peer.
type owner struct {
	info           *contact.Info
	count          uint32
	oldest, newest uint32 // its entries
	before, after  uint32 // owners of the same rank; before is circular
	heard          bool   // since the hand passed
}

// link is the place of an entry in its owner's list.
type link struct{ before, after uint32 }

func newOwners(own contact.ID, links func(uint32) *link) owners {
	return owners{byID: map[contact.ID]uint32{}, links: links, own: own}
}

// nobody is the ID of no peer: while it is the own one nobody is apart.
const nobody contact.ID = "nobody"

// setOwn makes another peer the one that is apart.
func (o *owners) setOwn(id contact.ID) {
	if o.apart != 0 {
		o.enter(o.apart)
	}
	o.own, o.apart = id, o.byID[id]
	if o.apart != 0 {
		o.leave(o.apart)
		o.trimRanks()
	}
}

// ours is how many entries the one that is apart has.
func (o *owners) ours() int {
	if o.apart == 0 {
		return 0
	}
	return int(o.slots.at(o.apart).count)
}

// strangers is how many others there are.
func (o *owners) strangers() int {
	if o.apart == 0 {
		return len(o.byID)
	}
	return len(o.byID) - 1
}

// intern returns the reference of a peer; what it says of itself now replaces
// what it said before, unless it says nothing.
func (o *owners) intern(info *contact.Info) uint32 {
	ref, ok := o.byID[info.ID]
	if !ok {
		ref = o.slots.take()
		o.byID[info.ID] = ref
		o.slots.at(ref).info = info
		if info.ID == o.own {
			o.apart = ref
		}
	}
	w := o.slots.at(ref)
	w.heard = ok // a second time at least: who comes once is soon forgotten
	if w.info != info && len(info.Addrs) > 0 {
		w.info = info
	}
	return ref
}

// push appends an entry to an owner's list.
func (o *owners) push(ref, entry uint32) {
	o.enlist(ref, entry)
	o.rerank(ref, +1)
}

// pull takes an entry out of an owner's list, forgets an owner that has no
// other, and says so.
func (o *owners) pull(ref, entry uint32) (id contact.ID, last bool) {
	o.delist(ref, entry)
	o.rerank(ref, -1)
	w := o.slots.at(ref)
	if id = w.info.ID; w.count > 0 {
		return id, false
	}
	delete(o.byID, id)
	o.slots.give(ref)
	if ref == o.apart {
		o.apart = 0
	}
	return id, true
}

// renew makes an entry the newest of its owner.
func (o *owners) renew(ref, entry uint32) {
	if o.slots.at(ref).newest != entry {
		o.delist(ref, entry)
		o.enlist(ref, entry)
	}
}

func (o *owners) enlist(ref, entry uint32) {
	w := o.slots.at(ref)
	*o.links(entry) = link{before: w.newest}
	if w.newest != 0 {
		o.links(w.newest).after = entry
	} else {
		w.oldest = entry
	}
	w.newest = entry
}

func (o *owners) delist(ref, entry uint32) {
	w, l := o.slots.at(ref), *o.links(entry)
	if l.before != 0 {
		o.links(l.before).after = l.after
	} else {
		w.oldest = l.after
	}
	if l.after != 0 {
		o.links(l.after).before = l.before
	} else {
		w.newest = l.before
	}
}

// rerank moves an owner to the rank above or below, behind those that are there.
func (o *owners) rerank(ref uint32, by int) {
	w := o.slots.at(ref)
	if ref == o.apart {
		w.count = uint32(int(w.count) + by)
		return
	}
	if w.count > 0 {
		o.leave(ref)
	}
	if w.count = uint32(int(w.count) + by); w.count > 0 {
		o.enter(ref)
	}
	o.trimRanks()
}

// trimRanks forgets the ranks above the highest that somebody has.
func (o *owners) trimRanks() {
	for n := len(o.ranks); n > 0 && o.ranks[n-1] == 0; n-- {
		o.ranks = o.ranks[:n-1]
	}
}

func (o *owners) enter(ref uint32) {
	w := o.slots.at(ref)
	for int(w.count) >= len(o.ranks) {
		o.ranks = append(o.ranks, 0)
	}
	first := o.ranks[w.count]
	if first == 0 {
		o.ranks[w.count], w.before, w.after = ref, ref, 0
		return
	}
	f := o.slots.at(first)
	w.before, w.after = f.before, 0
	o.slots.at(f.before).after = ref
	f.before = ref
}

func (o *owners) leave(ref uint32) {
	w := o.slots.at(ref)
	first := o.ranks[w.count]
	if w.after != 0 {
		o.slots.at(w.after).before = w.before
	} else if first != ref {
		o.slots.at(first).before = w.before
	}
	if first == ref {
		o.ranks[w.count] = w.after
	} else {
		o.slots.at(w.before).after = w.after
	}
}

// greediest returns the owner that has most entries; of several the one that
// has had so many for longest. Zero if there is none.
func (o *owners) greediest() uint32 {
	if len(o.ranks) == 0 {
		return 0
	}
	return o.ranks[len(o.ranks)-1]
}

// silent returns a stranger that was not heard of while the hand went around
// once. There must be a stranger.
func (o *owners) silent() uint32 {
	for {
		if o.hand++; o.hand >= o.slots.used {
			o.hand = 1
		}
		w := o.slots.at(o.hand)
		if w.info != nil && !w.heard && o.hand != o.apart {
			return o.hand
		}
		w.heard = false
	}
}

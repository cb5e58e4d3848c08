package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/replicate"
)

// shelves are what the members store, in little room: an item is kept once,
// and each member has a list of the items that it holds.
type shelves struct {
	w     *World
	every time.Duration // how often values are stored again; 0 is never
	items []record.Record
	byKey map[string]uint32
	of    map[uint32]*shelf
	named map[uint32][]copied // by request: the providers in its answer
	more  map[uint32][]uint32 // by request: the further items that it announces
}

// shelf is what one member stores.
type shelf struct {
	held  []copied
	again *replicate.Schedule
	armed mono.Wall // when it is looked at next; zero is never
}

// copied is one record: of an item and, if that is content, of a provider.
type copied struct {
	item     uint32
	provider contact.Handle // zero if it is a value
}

// shelve gives the members shelves. Values are stored again every so often.
func (w *World) shelve(every time.Duration) *shelves {
	w.shelves = &shelves{
		w: w, every: every, byKey: make(map[string]uint32), of: make(map[uint32]*shelf), named: make(map[uint32][]copied),
		more: make(map[uint32][]uint32),
	}
	return w.shelves
}

// item returns the number of what is under a key, giving it one if it has none.
func (s *shelves) item(key []byte, r *record.Record) uint32 {
	n, known := s.byKey[string(key)]
	if !known {
		n = uint32(len(s.items))
		s.byKey[string(key)] = n
		s.items = append(s.items, record.Record{Key: key})
	}
	if r != nil {
		s.items[n] = *r
	}
	return n
}

// load notes what else a request announces.
func (s *shelves) load(ref uint32, more [][]byte) {
	delete(s.more, ref) // of an earlier request, which never arrived
	for _, k := range more {
		s.more[ref] = append(s.more[ref], s.item(k, nil))
	}
}

// serve lets a member do what a request asks of its shelf, as it arrives.
func (s *shelves) serve(ref uint32, r *request) {
	delete(s.named, ref) // of an earlier request, which nobody waited for in the end
	if s.w.nodes[r.peer].state == sybil {
		return // it acknowledges, and has nothing
	}
	switch r.ask {
	case engine.AskStore:
		s.store(r.peer, copied{item: r.item})
	case engine.AskAnnounce:
		s.store(r.peer, copied{r.item, handle(r.asker)})
		for _, item := range s.more[ref] {
			s.store(r.peer, copied{item, handle(r.asker)})
		}
		delete(s.more, ref)
	case engine.AskValue, engine.AskProviders:
		s.named[ref] = s.find(r.peer, r.item)
	}
}

// holds reports whether a member has a record of an item.
func (s *shelves) holds(n, item uint32) bool {
	h := s.of[n]
	return h != nil && slices.ContainsFunc(h.held, func(c copied) bool { return c.item == item })
}

// find returns what a member has of an item.
func (s *shelves) find(n, item uint32) (found []copied) {
	if h := s.of[n]; h != nil {
		for _, c := range h.held {
			if c.item == item {
				found = append(found, c)
			}
		}
	}
	return found
}

// tell completes the answer to a request.
func (s *shelves) tell(ref uint32, r *request, ev *engine.Answered) {
	found := s.named[ref]
	delete(s.named, ref)
	for _, c := range found {
		if r.ask == engine.AskValue {
			ev.Record = &s.items[c.item]
		} else {
			ev.Providers = append(ev.Providers, s.w.book.Info(c.provider))
		}
	}
}

// store puts a record on a member's shelf.
func (s *shelves) store(n uint32, c copied) {
	h := s.of[n]
	if h == nil {
		h = &shelf{again: s.schedule(n)}
		s.of[n] = h
	}
	if !slices.Contains(h.held, c) {
		h.held = append(h.held, c)
	}
	if s.every > 0 && c.provider == 0 {
		h.again.Stored(string(s.items[c.item].Key), s.w.clock().Wall)
		s.arm(n, h)
	}
}

// clear takes away what a member stores, for it has left.
func (s *shelves) clear(n uint32) { delete(s.of, n) }

// restarted has a member that kept its shelf while it was down find its values.
func (s *shelves) restarted(n uint32) {
	h := s.of[n]
	if h == nil || s.every == 0 {
		return
	}
	h.again, h.armed = s.schedule(n), 0
	for _, c := range h.held {
		if c.provider == 0 {
			h.again.Found(string(s.items[c.item].Key), 0, s.w.clock().Wall)
		}
	}
	s.arm(n, h)
}

func (s *shelves) schedule(n uint32) *replicate.Schedule {
	seed := mix(s.w.opt.Seed ^ mix(uint64(n)+1<<40))
	return replicate.New(max(1, s.every), rand.New(rand.NewPCG(seed, 0)))
}

// arm has a member look at its schedule when the next value is due.
func (s *shelves) arm(n uint32, h *shelf) {
	next, ok := h.again.Next()
	if !ok || h.armed != 0 && h.armed <= next {
		return
	}
	h.armed = next
	s.w.After(time.Duration(next-s.w.clock().Wall), func() { s.due(n, h, next) })
}

// due has a member store again what is due.
func (s *shelves) due(n uint32, h *shelf, armed mono.Wall) {
	a := s.w.nodes[n].act
	if s.of[n] != h || h.armed != armed || a == nil {
		return
	}
	h.armed = 0
	for {
		key, ok := h.again.Take(s.w.clock().Wall)
		if !ok {
			break
		}
		s.w.step(a, engine.StartReplicate{Record: s.items[s.byKey[key]]})
	}
	s.arm(n, h)
}

// counts returns how many members that answer hold each item.
func (s *shelves) counts() []int {
	counts := make([]int, len(s.items))
	for _, n := range s.w.answering().nodes {
		if h := s.of[n]; h != nil {
			for _, c := range h.held {
				counts[c.item]++
			}
		}
	}
	return counts
}

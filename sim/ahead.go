package sim

// ahead has the processor fetch what the next events will read.
//
// In a large network nothing of a peer is in the cache when a request reaches
// it, and what is done then reads some tens of places one after the other, each
// of which takes as long as hundreds of instructions. Here the places are read
// for several events at once, so that the waits overlap. It changes nothing: a
// run is the same without it, which a test holds.
type ahead struct {
	off    bool // for tests and measurements
	coming [aheadOf]coming
	sum    uint64 // of what was read, or the compiler would leave the reads out
}

const (
	aheadOf    = 5 // the first event and its four children in the heap
	aheadEvery = 4 // events between two looks
)

// coming is an event that is near, and who will be told of it.
type coming struct {
	r        *request
	arrives  bool   // at its peer; else its outcome comes back
	to, from uint32 // who is told, and of whom
	act      *actor // of to
}

// look reads in stages: each stage needs what the one before has fetched, and
// within a stage no read waits for another.
func (a *ahead) look(w *World) {
	all := a.near(w)
	a.who(w, all)
	a.actors(w, all)
	a.engines(w, all)
	a.partings(w, all)
}

// near returns the events at the top of the heap that were not looked at yet.
// Mostly they are the next ones.
func (a *ahead) near(w *World) []coming {
	n, heap := 0, w.queue.heap
	for i := range heap[:min(aheadOf, len(heap))] {
		e := &heap[i]
		if !e.seen && (e.kind == arrive || e.kind == deliver) {
			e.seen = true
			a.coming[n] = coming{r: &w.requests[e.ref], arrives: e.kind == arrive}
			n++
		}
	}
	return a.coming[:n]
}

// who reads the requests: who will be told.
func (a *ahead) who(w *World, all []coming) {
	for i := range all {
		c := &all[i]
		c.to, c.from = c.r.asker, c.r.peer
		if c.arrives {
			c.to, c.from = c.from, c.to
		}
		a.sum += uint64(c.r.names)
	}
}

// actors reads the nodes, and the contacts that an answer names.
func (a *ahead) actors(w *World, all []coming) {
	for i := range all {
		c := &all[i]
		c.act = w.nodes[c.to].act
		for _, h := range c.r.closer[:c.r.names] {
			a.sum += w.book.Info(h).Key[0]
		}
	}
	for i := range all {
		if c := &all[i]; c.act != nil {
			a.sum += uint64(len(c.act.requests)) + uint64(len(c.act.conns.slots))
		}
	}
}

// engines reads what a step will, and the table that is asked.
func (a *ahead) engines(w *World, all []coming) {
	for i := range all {
		c := &all[i]
		if c.act != nil {
			a.sum += c.act.touch(c.from)
		}
		if c.arrives {
			a.sum += w.nodes[c.to].tab.Touch(c.r.target)
		}
	}
}

// partings reads the other ends of the connections that will have to give way
// at both ends of a new one.
func (a *ahead) partings(w *World, all []coming) {
	for i := range all {
		c := &all[i]
		if !c.arrives {
			continue
		}
		for _, n := range [2]uint32{c.to, c.from} {
			end := w.nodes[n].act
			if end == nil || end.conns.len() < maxConns {
				continue
			}
			if p := w.nodes[end.conns.oldest()].act; p != nil {
				a.sum += p.touch(n)
			}
		}
	}
}

// touch reads what an event that concerns a peer will.
func (a *actor) touch(peer uint32) (sum uint64) {
	if a.conns.len() > 0 {
		sum += uint64(a.conns.slots[a.conns.home(peer)].serial) + uint64(a.conns.order[0])
	}
	if len(a.requests) > 0 {
		sum += uint64(a.requests[0])
	}
	return sum + a.engine.Touch(handle(peer))
}

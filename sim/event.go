package sim

import "github.com/waymark-dht/waymark/core/mono"

// kind says what an event is and what its ref means.
type kind uint8

const (
	tick    kind = iota // an engine wanted to be woken: ref is its node
	arrive              // a request reaches the peer: ref is the request
	deliver             // its outcome reaches the asker: ref is the request
	scene               // a scenario's own doing: ref is its place in World.plans
)

// event is 24 bytes without a pointer, so that the collector never looks at
// the millions of them.
type event struct {
	at   mono.Time
	seq  uint64 // events of one moment happen in the order in which they were made
	ref  uint32
	kind kind
	seen bool // by ahead
}

func (e event) before(o event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// queue is a heap of events with four children to a parent: half as deep as
// one with two, and four events share two cache lines.
type queue struct {
	heap []event
	seq  uint64
}

func (q *queue) push(at mono.Time, k kind, ref uint32) {
	q.seq++
	e := event{at: at, seq: q.seq, ref: ref, kind: k}
	q.heap = append(q.heap, e)
	i := len(q.heap) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(q.heap[up]) {
			break
		}
		q.heap[i] = q.heap[up]
		i = up
	}
	q.heap[i] = e
}

// pop takes the first event out; the queue must not be empty.
func (q *queue) pop() event {
	first, last := q.heap[0], q.heap[len(q.heap)-1]
	q.heap = q.heap[:len(q.heap)-1]
	if len(q.heap) > 0 {
		q.heap[q.sink(last)] = last
	}
	return first
}

// sink moves the hole at the top down to where e belongs.
func (q *queue) sink(e event) int {
	i, n := 0, len(q.heap)
	for {
		child := 4*i + 1
		if child >= n {
			return i
		}
		least := child
		for c := child + 1; c < min(child+4, n); c++ {
			if q.heap[c].before(q.heap[least]) {
				least = c
			}
		}
		if !q.heap[least].before(e) {
			return i
		}
		q.heap[i] = q.heap[least]
		i = least
	}
}

// plans are what scenarios mean to do. The place of one that is done is given
// to another: a soak of a week makes millions of them.
type plans struct {
	all  []plan
	free []uint32 // places that nobody uses
	made uint32
}

// plan is one of them. Its serial, and not its place, is what the trace tells
// of: it does not depend on how long others wait.
type plan struct {
	do     func()
	serial uint32
}

// add files a plan and returns its place.
func (p *plans) add(do func()) uint32 {
	made := plan{do, p.made}
	p.made++
	if n := len(p.free); n > 0 {
		at := p.free[n-1]
		p.free, p.all[at] = p.free[:n-1], made
		return at
	}
	p.all = append(p.all, made)
	return uint32(len(p.all) - 1)
}

// take takes a plan out, which is done now. What it holds may be a node that
// has left.
func (p *plans) take(at uint32) (do func(), serial uint32) {
	was := p.all[at]
	p.all[at] = plan{}
	p.free = append(p.free, at)
	return was.do, was.serial
}

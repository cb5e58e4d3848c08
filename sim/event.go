package sim

import "github.com/waymark-dht/waymark/core/mono"

// kind says what an event is and what its ref means.
type kind uint8

const (
	tick    kind = iota // an engine wanted to be woken: ref is its node
	arrive              // a request reaches the peer: ref is the request
	deliver             // its outcome reaches the asker: ref is the request
	scene               // a scenario's own doing: ref is its index in World.plans
)

// event is 24 bytes without a pointer, so that the collector never looks at
// the millions of them.
type event struct {
	at   mono.Time
	seq  uint64 // events of one moment happen in the order in which they were made
	ref  uint32
	kind kind
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

// Package replicate is when a node that stores a value for others stores it again with them.
//
// It may not know what is under a key, who else stores it or how anything is sent.
// Start reading at [Schedule.Stored].
package replicate

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Schedule knows of each value when it is to be stored again. Not safe for
// concurrent use.
//
// All who store a value have it from the same moment. Each waits for a period
// and a random part of another; whoever is first stores it with the others, and
// they, having a new copy, begin to wait anew: so one of them acts for all.
// KAD-15.1.
type Schedule struct {
	every time.Duration
	rng   *rand.Rand
	at    map[string]*entry
	queue queue
}

type entry struct {
	key   string
	due   mono.Wall
	place int // in the queue
}

// New returns a schedule with nothing in it, of a period.
func New(every time.Duration, rng *rand.Rand) *Schedule {
	return &Schedule{every: every, rng: rng, at: make(map[string]*entry)}
}

// Stored hears that a copy of a value was stored here at now. Beyond
// params.StoreValues keys it takes no more.
func (s *Schedule) Stored(key string, now mono.Wall) {
	s.put(key, now+mono.Wall(s.every)+mono.Wall(s.rng.Int64N(int64(s.spread()))))
}

// Found hears of a value that an earlier life of the node has stored at some
// date. What is overdue is spread over a period, for the others have gone on.
func (s *Schedule) Found(key string, stored, now mono.Wall) {
	if due := stored + mono.Wall(s.every); due > now && stored <= now {
		s.put(key, due+mono.Wall(s.rng.Int64N(int64(s.spread()))))
		return
	}
	s.put(key, now+mono.Wall(s.rng.Int64N(int64(s.every))))
}

func (s *Schedule) put(key string, due mono.Wall) {
	if e := s.at[key]; e != nil {
		e.due = due
		heap.Fix(&s.queue, e.place)
		return
	}
	if len(s.at) < params.StoreValues {
		e := &entry{key: key, due: due}
		s.at[key] = e
		heap.Push(&s.queue, e)
	}
}

// Forget hears that a value is not stored here any more.
func (s *Schedule) Forget(key string) {
	if e := s.at[key]; e != nil {
		heap.Remove(&s.queue, e.place)
		delete(s.at, key)
	}
}

// Take returns a key that is due at now, and lets it wait anew; false if there
// is none.
func (s *Schedule) Take(now mono.Wall) (key string, due bool) {
	if len(s.queue) == 0 {
		return "", false
	}
	first := s.queue[0]
	if first.due > now+mono.Wall(s.every+s.spread()) {
		s.restart(now) // the clock was set back
		return "", false
	}
	if first.due > now {
		return "", false
	}
	s.Stored(first.key, now)
	return first.key, true
}

// restart lets everything wait anew.
func (s *Schedule) restart(now mono.Wall) {
	for _, e := range s.queue {
		e.due = now + mono.Wall(s.rng.Int64N(int64(s.every)))
	}
	heap.Init(&s.queue)
}

// Next returns when the first key is due, and false if there is none.
func (s *Schedule) Next() (mono.Wall, bool) {
	if len(s.queue) == 0 {
		return 0, false
	}
	return s.queue[0].due, true
}

// Len returns how many keys there are.
func (s *Schedule) Len() int { return len(s.at) }

// spread is over how much time those who store a value are drawn apart.
func (s *Schedule) spread() time.Duration {
	return max(1, s.every*params.ReplicateSpreadPercent/100)
}

// queue is a heap of entries by their time.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due < q[j].due }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.place = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	e := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return e
}

package crawl

import (
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// Why says why a crawl ended.
type Why uint8

// The reasons. Only Complete says that nobody is left.
const (
	Complete  Why = iota + 1 // everybody who was named has been visited
	Limit                    // Config.Peers visits were made
	Deadline                 // Config.Time, or that of the context, is over
	Cancelled                // the context was cancelled
	Stuck                    // too many calls of the Asker do not return
)

var whyWords = [...]string{"", "complete", "limit", "partial-deadline", "cancelled", "stuck"}

// String returns the reason's word.
func (w Why) String() string { return whyWords[w] }

// Progress is how far a crawl is.
type Progress struct {
	Found    int // peers that were named
	Answered int
	Failed   int
	Left     int // named, and not visited to the end
	Dropped  int // names that found no room: see params.CrawlNames, CrawlNamed
}

// Peer is somebody who was visited, and how that went.
type Peer struct {
	Info     *contact.Info // with the addresses that it was reached by, first
	Answered bool          // at least one request
	Failure  contact.Failure
	Detail   string        // one line of evidence for Failure
	RTT      time.Duration // of its fastest answer
	Asks     int           // requests of its last visit
	Tries    int           // visits
	Named    int           // peers in its answers
	Whole    bool          // its whole table was learnt
	Edges    []contact.ID  // whom it named, if Config.Edges
}

// Result is what a crawl found.
type Result struct {
	Why      Why
	Progress Progress
	Peers    []Peer           // whose visits have ended, in the order of their keys
	Left     []*contact.Info  // who is still to be visited, in the order of their keys
	Failures contact.Failures // of those that did not answer
	Liars    int              // peers whose names stayed mostly unanswered
	Stuck    int              // calls of the Asker that were left behind
	Elapsed  time.Duration
	Bound    time.Duration // what Elapsed could have been at most
}

// Answered returns the peers that answered.
func (r Result) Answered() []Peer {
	return slices.DeleteFunc(slices.Clone(r.Peers), func(p Peer) bool { return !p.Answered })
}

func (c *Crawl) result(why Why, elapsed time.Duration) Result {
	r := Result{
		Why: why, Progress: c.front.progress(), Stuck: c.stuck,
		Elapsed: elapsed, Bound: c.cfg.Time + params.Epsilon,
	}
	for i := range c.front.entries {
		e := &c.front.entries[i]
		if e.liar() {
			r.Liars++
		}
		if e.state != ended {
			r.Left = append(r.Left, e.info)
			continue
		}
		r.Peers = append(r.Peers, e.peer)
		if !e.peer.Answered {
			r.Failures[e.peer.Failure]++
		}
	}
	slices.SortFunc(r.Peers, func(a, b Peer) int { return a.Info.Key.Compare(b.Info.Key) })
	slices.SortFunc(r.Left, func(a, b *contact.Info) int { return a.Key.Compare(b.Key) })
	return r
}

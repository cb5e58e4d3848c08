// Package crawl walks a whole network and says who is in it: whoever anybody names is asked for its whole table.
//
// It may not know how a peer is asked, which is the business of an [Asker]:
// over libp2p, or in a test over nothing. It decides nothing about a node and
// keeps nothing running after its end.
// Start reading at [Crawl.Run], then explore.go.
package crawl

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// Asker asks peers. Its methods are called by several goroutines at a time, for
// one peer by one.
type Asker interface {
	// Ask asks a peer FIND_NODE for the key of a preimage. It should return by
	// the end of ctx; one that does not is left behind and counted.
	Ask(ctx context.Context, to *contact.Info, preimage []byte) Answer
	// Leave says that the peer is not asked again for now: its connection may go.
	Leave(of *contact.Info)
}

// Answer is what a peer said, or why it said nothing.
type Answer struct {
	Closer  []*contact.Info
	From    *contact.Info   // who answered, with verified addresses; nil if nothing new is known
	Failure contact.Failure // None if it answered
	Detail  string          // one line of evidence for a failure
}

// Config says how far a crawl goes. The zero value works.
type Config struct {
	Self contact.ID // is never visited
	// Peers is how many visits are made at most, second ones included. Default:
	// params.CrawlPeers.
	Peers int
	// Width is how many peers are visited at a time. Default: params.CrawlWidth.
	Width int
	// Asks is how many requests one visit makes. Default: params.CrawlAsks.
	Asks int
	// PeerTime is what one visit may take. Default: params.CrawlPeerTime.
	PeerTime time.Duration
	// Time is what Run may take. Default: params.CrawlTime.
	Time time.Duration
	// Edges keeps whom each peer has named. Default: only how many.
	Edges bool
	// Heard is told of each peer whose last visit has ended, and how far the
	// crawl is. It runs on the goroutine of Run and must return at once.
	Heard func(Peer, Progress)
}

func (c Config) withDefaults() Config {
	c.Peers = cmp.Or(c.Peers, params.CrawlPeers)
	c.Width = cmp.Or(c.Width, params.CrawlWidth)
	c.Asks = cmp.Or(c.Asks, params.CrawlAsks)
	c.PeerTime = cmp.Or(c.PeerTime, params.CrawlPeerTime)
	c.Time = cmp.Or(c.Time, params.CrawlTime)
	if c.Heard == nil {
		c.Heard = func(Peer, Progress) {}
	}
	return c
}

// Bound is the time within which Run returns, whatever the Asker and the peers
// do; its context can only shorten it.
func (c Config) Bound() time.Duration { return c.withDefaults().Time + params.Epsilon }

// Crawl is one walk through a network, which can be stopped and gone on with.
// Not safe for concurrent use.
type Crawl struct {
	cfg     Config
	front   *frontier
	reports chan report
	running map[int]visit // by the number of the visit
	visits  int
	stuck   int // visits that were left behind
}

// visit is one under way.
type visit struct {
	at    int       // in the frontier
	until time.Time // when it is left behind
}

// report is what became of a visit.
type report struct {
	visit int
	Peer
	named []*contact.Info
	stuck bool // the call goes on: nothing more is asked of this peer
	first bool // it has only begun to answer: the visit goes on
}

// New returns a crawl that begins with the given peers.
func New(cfg Config, seeds []*contact.Info) *Crawl {
	cfg = cfg.withDefaults()
	c := &Crawl{cfg: cfg, front: newFrontier(cfg)}
	for _, s := range seeds {
		c.front.name(s, none)
	}
	return c
}

// Done enters a peer whose visit has ended in an earlier crawl: it is not visited
// again. Call it before Run.
func (c *Crawl) Done(p Peer) { c.front.done(p) }

// Run visits whoever is to be visited, until nobody is left, a limit is reached
// or ctx ends. Another Run goes on where this one ended.
func (c *Crawl) Run(ctx context.Context, a Asker) Result {
	began := time.Now()
	ctx, cancel := context.WithDeadline(ctx, began.Add(c.cfg.Time))
	defer cancel()
	// Each visit finds room for its two reports, those included that are left
	// behind.
	c.reports = make(chan report, 4*c.cfg.Width)
	c.running, c.stuck = make(map[int]visit), 0
	why := c.loop(ctx, a)
	cancel()
	c.settle()
	return c.result(why, time.Since(began))
}

func (c *Crawl) loop(ctx context.Context, a Asker) Why {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if c.stuck >= c.cfg.Width && c.front.left() > 0 { // before more are sent after them
			return Stuck
		}
		c.front.wake(time.Now())
		for len(c.running) < c.cfg.Width && c.visits < c.cfg.Peers {
			at, ok := c.front.next()
			if !ok {
				break
			}
			c.start(ctx, a, at)
		}
		switch due, waits := c.front.soonest(); {
		case len(c.running) == 0 && c.visits >= c.cfg.Peers && c.front.left() > 0:
			return Limit
		case len(c.running) == 0 && !waits:
			return Complete
		default:
			timer.Reset(time.Until(c.soonest(due, waits)))
		}
		select {
		case r := <-c.reports:
			c.hear(r)
		case <-timer.C:
			c.leaveBehind(time.Now())
		case <-ctx.Done():
			if context.Cause(ctx) == context.DeadlineExceeded {
				return Deadline
			}
			return Cancelled
		}
	}
}

// start visits a peer on a goroutine of its own.
func (c *Crawl) start(ctx context.Context, a Asker, at int) {
	c.visits++
	id, to, out := c.visits, c.front.entries[at].info, c.reports
	c.running[id] = visit{at, time.Now().Add(c.cfg.PeerTime + params.ZombieGrace)}
	go func() {
		visit, cancel := context.WithTimeout(ctx, c.cfg.PeerTime)
		defer cancel()
		r := call(visit, a, to, c.cfg, func() { out <- report{visit: id, first: true} })
		r.visit = id
		switch {
		case r.Failure == contact.None:
		case ctx.Err() != nil:
			r.Failure = contact.Cancelled
		case r.Failure == contact.Cancelled || visit.Err() != nil && !r.Failure.Blames():
			r.Failure, r.Detail = contact.Slow, "the visit took too long" // nobody else could have cancelled it
		}
		out <- r
	}()
}

// soonest is when anything is due: a visit that is to be left behind, or one
// that may be made again.
func (c *Crawl) soonest(due time.Time, waits bool) time.Time {
	soonest := time.Now().Add(c.cfg.Time)
	if waits {
		soonest = due
	}
	for _, v := range c.running {
		if v.until.Before(soonest) {
			soonest = v.until
		}
	}
	return soonest
}

// hear takes the report of a visit, unless it was left behind.
func (c *Crawl) hear(r report) {
	v, waiting := c.running[r.visit]
	if r.first {
		if waiting {
			c.front.lives(v.at)
		}
		return
	}
	if !waiting {
		c.stuck = max(0, c.stuck-1) // it came back after all
		return
	}
	delete(c.running, r.visit)
	if r.Failure == contact.Cancelled {
		c.visits--
		c.front.again(v.at)
		return
	}
	if c.front.ended(v.at, r, time.Now()) {
		c.cfg.Heard(c.front.entries[v.at].peer, c.front.progress())
	}
}

// leaveBehind ends the visits whose Asker ignores their deadline.
func (c *Crawl) leaveBehind(now time.Time) {
	ids := make([]int, 0, len(c.running))
	for id, v := range c.running {
		if !v.until.After(now) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		at := c.running[id].at
		c.hear(report{visit: id, stuck: true, Peer: Peer{
			Info: c.front.entries[at].info, Failure: contact.Silent, Detail: "the call did not return in time",
		}})
		c.stuck++
	}
}

// settle waits a moment for the visits that were cut short, and puts those
// back that say nothing.
func (c *Crawl) settle() {
	timer := time.NewTimer(params.CancelGrace)
	defer timer.Stop()
	for len(c.running) > 0 {
		select {
		case r := <-c.reports:
			c.hear(r)
		case <-timer.C:
			ids := make([]int, 0, len(c.running))
			for id := range c.running {
				ids = append(ids, id)
			}
			slices.Sort(ids)
			for _, id := range ids {
				c.hear(report{visit: id, Peer: Peer{Failure: contact.Cancelled}})
				c.stuck++
			}
		}
	}
}

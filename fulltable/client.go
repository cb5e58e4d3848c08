// Package fulltable is a client that knows everybody: it crawls the whole network once in a while, so that what others search for in several hops it does in one.
//
// It may not decide anything about Kademlia, and knows the node that it works
// with by the front door alone. While its table is not ready, or when one hop
// yields too little, the node's ordinary lookups do the work.
// Start reading at [Client], then verbs.go.
package fulltable

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/crawl"
)

// Config is what a client may be told. The zero value works.
type Config struct {
	// Every is how often the network is crawled. Default: params.FullEvery.
	Every time.Duration
	// Crawl says how far a crawl goes. Default: that of package crawl. Self is
	// the node's, and Edges are not kept.
	Crawl crawl.Config
	// Notice is told how the client is whenever that changes: for each peer of
	// a crawl, and at its beginning and end. It must return at once.
	Notice func(Status)
}

// Status is how a client is.
type Status struct {
	Ready    bool
	Reason   string // why it is not ready
	Peers    int    // in the table
	Failed   int    // of them: who has failed since it last answered
	Bytes    int    // that the table takes
	Crawls   int    // that have ended
	Crawling bool
	Progress crawl.Progress // of the crawl under way, or of the last one
	Last     crawl.Why      // how the last one ended; zero if none has
	Ended    time.Time      // when it did
	Next     time.Time      // when the next begins; zero while one is under way

	OneHop   uint64 // operations that the table has served
	FellBack uint64 // operations that were left to ordinary lookups
}

// Client is a node with a table of everybody. It is safe for concurrent use,
// and starts to crawl as soon as it is made.
type Client struct {
	dht  *waymark.DHT
	cfg  Config
	stop context.CancelFunc
	now  chan struct{} // has room for one: crawl now
	done sync.WaitGroup

	spread func([]peer.AddrInfo) bool // DHT.Spread, but for tests

	ended <-chan struct{} // closed when the client is
	table atomic.Pointer[table]

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the status changes
	status  Status
	fresh   map[contact.ID]found // who answered while a crawl was under way

	oneHop, fellBack atomic.Uint64
}

// New makes a client of a node, which stays the caller's: close the client
// first. If the node has no table yet the client makes it bootstrap.
func New(d *waymark.DHT, cfg Config) *Client {
	cfg.Every = cmp.Or(cfg.Every, params.FullEvery)
	if cfg.Notice == nil {
		cfg.Notice = func(Status) {}
	}
	c := &Client{dht: d, cfg: cfg, spread: d.Spread, now: make(chan struct{}, 1), changed: make(chan struct{})}
	c.table.Store(newTable(nil))
	ctx, stop := context.WithCancel(context.Background())
	c.stop, c.ended = stop, ctx.Done()
	facts := d.Facts(ctx)
	c.done.Go(func() { c.listen(ctx, facts) })
	c.done.Go(func() { c.loop(ctx) })
	return c
}

// Close ends the crawl that may be under way, within params.CloseDeadline.
func (c *Client) Close() error {
	c.stop()
	over := make(chan struct{})
	go func() { defer close(over); c.done.Wait() }()
	timer := time.NewTimer(params.CloseDeadline)
	defer timer.Stop()
	select {
	case <-over:
		return nil
	case <-timer.C:
		return fmt.Errorf("%w: the crawl", waymark.ErrLeftover)
	}
}

// Refresh makes the client crawl now, unless it does.
func (c *Client) Refresh() {
	select {
	case c.now <- struct{}{}:
	default:
	}
}

// Ready reports whether there is a table of the whole network that is not too
// old. While there is none, ordinary lookups do the work.
func (c *Client) Ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why() == ""
}

// WaitReady returns nil once the client is ready. It waits until ctx ends, and
// if that is endless as long as a bootstrap and a crawl may take; the error is
// then waymark.ErrNotReady with the reason.
func (c *Client) WaitReady(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.dht.Bound(waymark.OpBootstrap)+c.cfg.Crawl.Bound())
		defer cancel()
	}
	for {
		c.mu.Lock()
		why, changed := c.why(), c.changed
		c.mu.Unlock()
		if why == "" {
			return nil
		}
		select {
		case <-changed:
		case <-c.ended:
			return waymark.ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("%w (%s): %w", waymark.ErrNotReady, why, ctx.Err())
		}
	}
}

// why says why the client is not ready; the caller holds the lock.
func (c *Client) why() string {
	switch {
	case c.status.Crawls == 0:
		return "no crawl has ended yet"
	case c.status.Peers == 0:
		return "the last crawl found nobody"
	case time.Since(c.status.Ended) > params.FullStale*c.cfg.Every:
		return "the last crawl is too long ago"
	case c.worn():
		return "more than half of the table has failed"
	}
	return ""
}

// worn reports whether more than half of the table has failed.
func (c *Client) worn() bool {
	peers, good := c.table.Load().len()
	return 2*good < peers
}

// Status returns how the client is.
func (c *Client) Status() Status {
	peers, good := c.table.Load().len()
	bytes := c.table.Load().bytes()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.status
	s.Reason = c.why()
	s.Ready, s.Failed, s.Bytes = s.Reason == "", peers-good, bytes
	s.OneHop, s.FellBack = c.oneHop.Load(), c.fellBack.Load()
	return s
}

// loop crawls again and again.
func (c *Client) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-c.now:
		case <-ctx.Done():
			return
		}
		pause := c.cfg.Every
		if !c.crawl(ctx) {
			pause = min(params.FullRetry, c.cfg.Every)
		}
		c.alter(func(s *Status) { s.Next = time.Now().Add(pause) })
		timer.Reset(pause)
	}
}

// crawl crawls once and reports whether that made a table.
func (c *Client) crawl(ctx context.Context) bool {
	if err := c.dht.WaitReady(ctx); err != nil {
		return false
	}
	c.alter(func(s *Status) { s.Crawling, s.Next, s.Progress = true, time.Time{}, crawl.Progress{} })
	c.mu.Lock()
	c.fresh = make(map[contact.ID]found)
	c.mu.Unlock()
	cfg := c.cfg.Crawl
	cfg.Edges = false
	heard := cfg.Heard
	cfg.Heard = func(p crawl.Peer, at crawl.Progress) {
		if heard != nil {
			heard(p, at)
		}
		c.alter(func(s *Status) { s.Progress = at })
	}
	var known []*contact.Info
	for _, f := range c.table.Load().all() {
		known = append(known, f.info)
	}
	var r crawl.Result
	walk, err := Begin(c.dht, cfg, known)
	if err == nil {
		r = Run(ctx, c.dht, walk)
	}
	ok := err == nil && c.adopt(r)
	peers, _ := c.table.Load().len()
	c.alter(func(s *Status) {
		s.Crawling, s.Progress, s.Last, s.Peers = false, r.Progress, r.Why, peers
		if ok {
			s.Crawls++
			s.Ended = time.Now()
		}
	})
	return ok
}

// alter changes the status and tells of it.
func (c *Client) alter(change func(*Status)) {
	c.mu.Lock()
	change(&c.status)
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	c.cfg.Notice(c.Status())
}

// adopt makes a table of what a crawl found, if that is not much less than what
// was known: then it was our own outage, or somebody's attack, and what answered
// is added to what there is.
func (c *Client) adopt(r crawl.Result) bool {
	old := c.table.Load()
	answered := make(map[contact.ID]bool)
	var now []found
	add := func(f found) {
		if !answered[f.info.ID] && len(f.info.Addrs) > 0 {
			answered[f.info.ID] = true
			now = append(now, f)
		}
	}
	for _, p := range r.Answered() {
		add(found{p.Info, p.RTT})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.fresh {
		add(f)
	}
	c.fresh = nil
	whole := r.Why == crawl.Complete || r.Why == crawl.Limit || r.Why == crawl.Deadline
	_, good := old.len()
	ok := whole && len(now) > 0 && len(now) >= good/2
	if !ok {
		for _, f := range now {
			old.answered(f.info, f.rtt)
		}
		return false
	}
	if r.Why != crawl.Complete { // who was not visited is not gone
		for _, f := range old.all() {
			add(f)
		}
	}
	c.table.Store(newTable(now))
	return true
}

// listen learns from the node's operations until the client or the node is
// closed. Who falls too far behind has its stream closed, and asks for another:
// what was missed, the next crawl finds.
func (c *Client) listen(ctx context.Context, facts <-chan waymark.Fact) {
	for c.learn(facts) > 0 && ctx.Err() == nil {
		facts = c.dht.Facts(ctx)
	}
}

// learn keeps the table up to date with what the node's operations meet, and
// returns how many facts it was told. A closed node tells none.
func (c *Client) learn(facts <-chan waymark.Fact) (told int) {
	for f := range facts {
		told++
		if over, is := f.(engine.OpEnded); is && over.Result.FellBack {
			c.fellBack.Add(1)
		}
		end, is := f.(engine.RequestEnded)
		if !is {
			continue
		}
		t := c.table.Load()
		switch {
		case end.Failure == contact.None:
			t.answered(end.Peer, 0)
			c.remember(end.Peer)
		case end.Failure.Blames() && !end.Failure.Refuses():
			t.failed(end.Peer.ID)
		}
		c.mend()
	}
	return told
}

// mend crawls at once if the table is worn out, and not for the first time in a
// while.
func (c *Client) mend() {
	if !c.worn() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status.Crawls > 0 && !c.status.Crawling && time.Since(c.status.Ended) > params.FullRetry {
		c.Refresh()
	}
}

// remember notes who answered while a crawl is under way, for the next table.
func (c *Client) remember(info *contact.Info) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh != nil && len(c.fresh) < params.CrawlPeers {
		c.fresh[info.ID] = found{info: info}
	}
}

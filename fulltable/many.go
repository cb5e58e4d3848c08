package fulltable

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// Announced is what announcing many keys has come to.
type Announced struct {
	Keys     int // that were to be announced, each counted once
	Stored   int // of them: that somebody took
	Copies   int // records that were taken, in all
	Requests int // exchanges with peers; one carries many keys
	FellBack int // keys that were announced one by one, as too few had taken them, or of too few IP groups
	Besieged int // keys whose closest are nearer than chance explains: their whole region was told
	Elapsed  time.Duration
	Bound    time.Duration // what Elapsed could have been at most
}

// ProvideMany announces many keys, as [Client.AnnounceMany] does. The error says
// how many nobody took, or is the caller's.
func (c *Client) ProvideMany(ctx context.Context, keys []multihash.Multihash) error {
	if !c.Ready() {
		c.fellBack.Add(1)
		return c.dht.ProvideMany(ctx, keys)
	}
	_, err := c.AnnounceMany(ctx, keys)
	return err
}

// BoundMany is the time within which AnnounceMany ends for so many keys: of its
// batches, of which no more are only partly full than there are peers, and of
// every key once more by itself.
func (c *Client) BoundMany(keys int) time.Duration {
	peers, _ := c.table.Load().len()
	batches := min(keys*params.K, keys*params.K/params.FullBatch+peers)
	return times(batches, params.FullWidth, params.FullHop+params.Epsilon) +
		times(keys, params.ProvideWidth, c.Bound(waymark.OpProvide)) + params.Epsilon
}

// times is how long n things take of which width go on at a time.
func times(n, width int, each time.Duration) time.Duration {
	return time.Duration((n+width-1)/width) * each
}

// AnnounceMany tells the peers closest to each of many keys that this node
// provides it. Each peer is told of all keys that it is close to over one stream,
// so the cost grows with peers more than with keys. Keys that fewer than half of
// their closest took are announced again one by one.
func (c *Client) AnnounceMany(ctx context.Context, keys []multihash.Multihash) (a Announced, err error) {
	began := time.Now()
	keys = distinct(keys)
	a.Keys, a.Bound = len(keys), c.BoundMany(len(keys))
	for chunk := range slices.Chunk(keys, params.FullChunk) {
		if err = c.announceChunk(ctx, chunk, &a); err != nil {
			break
		}
	}
	a.Elapsed = time.Since(began)
	if err == nil && a.Stored < a.Keys {
		err = fmt.Errorf("%d of %d keys were not announced: %w", a.Keys-a.Stored, a.Keys, waymark.ErrNotStored)
	}
	return a, err
}

// distinct returns keys in their order, each once.
func distinct(keys []multihash.Multihash) []multihash.Multihash {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b multihash.Multihash) int { return strings.Compare(string(a), string(b)) })
	return slices.CompactFunc(keys, func(a, b multihash.Multihash) bool { return string(a) == string(b) })
}

// announceChunk announces as many keys as are sorted by peer at a time.
func (c *Client) announceChunk(ctx context.Context, keys []multihash.Multihash, a *Announced) error {
	if err := c.dht.ProvideLocal(ctx, keys); err != nil { // ours first
		return err
	}
	took, wanted := make([]taken, len(keys)), make([]int, len(keys))
	if c.Ready() {
		batches, each, besieged := c.batches(keys)
		wanted = each
		a.Besieged += besieged
		c.oneHop.Add(uint64(len(keys)))
		c.deliver(ctx, keys, batches, took, a)
	}
	c.top(ctx, keys, took, wanted, a)
	for _, t := range took {
		a.Copies += t.n
		if t.n > 0 {
			a.Stored++
		}
	}
	return ctx.Err()
}

// taken is by how many peers a key was taken, and who they are until they live in
// so many IP groups that they are not one.
type taken struct {
	n      int
	first  []peer.AddrInfo
	spread bool
}

func (t *taken) add(p peer.AddrInfo, spread func([]peer.AddrInfo) bool) {
	if t.n++; !t.spread {
		t.first = append(t.first, p)
		t.spread = spread(t.first)
	}
}

// batch is the keys that one peer is told of at once, by number.
type batch struct {
	to   peer.AddrInfo
	keys []int
}

// batches turns keys with their closest peers into peers with their keys, and
// says how many peers each key has.
func (c *Client) batches(keys []multihash.Multihash) (all []batch, each []int, besieged int) {
	open := make(map[uint32]int) // the last batch of each peer
	infos := make(map[uint32]peer.AddrInfo)
	points := make([]key.Key, len(keys))
	for i, k := range keys {
		points[i] = key.Of(k)
	}
	each, besieged = c.table.Load().share(points, func(number int, to uint32) {
		i, is := open[to]
		if !is || len(all[i].keys) >= params.FullBatch {
			i = len(all)
			open[to] = i
			all = append(all, batch{to: infos[to]})
		}
		all[i].keys = append(all[i].keys, number)
	}, func(to uint32, info *contact.Info) { infos[to] = waymark.InfoOf(info) })
	return all, each, besieged
}

// deliver tells every peer of its keys, so many peers at a time, and counts who
// took what.
func (c *Client) deliver(ctx context.Context, keys []multihash.Multihash, batches []batch, took []taken, a *Announced) {
	var mu sync.Mutex
	atOnce(ctx, params.FullWidth, len(batches), func(i int) {
		b := batches[i]
		theirs := make([]multihash.Multihash, len(b.keys))
		for n, k := range b.keys {
			theirs[n] = keys[k]
		}
		hop, cancel := context.WithTimeout(ctx, params.FullHop)
		defer cancel()
		s, _ := c.dht.AnnounceTo(hop, theirs, []peer.AddrInfo{b.to}) // whoever did not take them is counted by the keys
		mu.Lock()
		defer mu.Unlock()
		a.Requests += s.Stats.Requests
		for _, k := range b.keys {
			for _, p := range s.Peers {
				took[k].add(p, c.spread)
			}
		}
	})
}

// top announces one by one the keys that no more than half of their peers have
// taken, or peers of too few IP groups.
func (c *Client) top(ctx context.Context, keys []multihash.Multihash, took []taken, wanted []int, a *Announced) {
	var few []int
	for k, t := range took {
		if t.n <= wanted[k]/2 || !t.spread {
			few = append(few, k)
		}
	}
	a.FellBack += len(few)
	var mu sync.Mutex
	atOnce(ctx, params.ProvideWidth, len(few), func(i int) {
		s, _ := c.announce(ctx, keys[few[i]])
		mu.Lock()
		defer mu.Unlock()
		a.Requests += s.Stats.Requests
		took[few[i]].n = max(took[few[i]].n, len(s.Peers))
	})
}

// atOnce calls f for the first n numbers, width of them at a time, until ctx
// ends. Each call ends by itself.
func atOnce(ctx context.Context, width, n int, f func(int)) {
	var wg sync.WaitGroup
	places := make(chan struct{}, width)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			f(i)
		})
	}
	wg.Wait()
}

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	libp2ppeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/devnet"
	"github.com/waymark-dht/waymark/internal/drive"
	"github.com/waymark-dht/waymark/validate/unsigned"
)

// sequences is the namespace of the peers' language.
var sequences = map[string]waymark.Validator{"v": unsigned.Validator{}}

// How a fresh node is watched.
const (
	lookEvery    = 20 * time.Millisecond  // at its table, while it joins
	refreshAgain = 250 * time.Millisecond // where a refresh returned and the table is of no use yet
	quietFor     = time.Second            // no more is asked of the members: what a refresh began is over
	quietLimit   = 30 * time.Second       // and where it never is, so be it
)

// stage is one network, on which one kind of peer is tried.
type stage struct {
	plan *besidePlan
	kind kind
	net  *devnet.Network
}

// play has a fresh node join and look up, and a second one find what it stored.
func (s *stage) play(ctx context.Context, r *besideRow) error {
	p, err := s.fresh(ctx)
	if err != nil {
		return err
	}
	defer p.stop()
	atStart := s.spent(p)
	s.join(ctx, p, &r.besideJoin)
	joined := s.spent(p)
	r.JoinCPU = devnet.Millis(joined.cpu - atStart.cpu)
	s.settle(ctx)
	settled := s.spent(p)
	if err := s.lookups(ctx, p, &r.besideWalks); err != nil {
		return err
	}
	walked := s.spent(p)
	r.CPU, r.Peak = devnet.Millis(walked.cpu-settled.cpu)/float64(max(s.plan.lookups, 1)), walked.peak
	if s.plan.records == 0 {
		return nil
	}
	other, err := s.fresh(ctx)
	if err != nil {
		return err
	}
	defer other.stop()
	s.join(ctx, other, new(besideJoin))
	s.settle(ctx)
	r.Verbs, err = s.records(ctx, p, other)
	return err
}

// fresh starts a client that knows nothing but its seeds.
func (s *stage) fresh(ctx context.Context) (*proc, error) {
	seeds, err := s.net.HonestSeeds(besideSeeds)
	if err != nil {
		return nil, err
	}
	return spawn(ctx, s.kind, append([]string{"--client"}, onTCP(seeds)...)...)
}

// onTCP are the addresses that every kind of peer can dial.
func onTCP(addrs []ma.Multiaddr) (texts []string) {
	for _, a := range addrs {
		if _, err := a.ValueForProtocol(ma.P_TCP); err == nil {
			texts = append(texts, a.String())
		}
	}
	return texts
}

// useful is the size of a table that is of use: k, or half of a network that
// has so few.
func (s *stage) useful() int {
	answer := 0
	for _, m := range s.net.Members {
		if m.Answers {
			answer++
		}
	}
	return min(params.K, answer/2)
}

// join has a fresh node refresh its table. It is over when a refresh has
// returned without an error and the table is of use: some return at once, or
// find nobody yet, and are asked again.
func (s *stage) join(ctx context.Context, p *proc, j *besideJoin) {
	before, began := s.net.Answered(), time.Now()
	defer func() { j.Table, j.Served = tableOf(p), s.net.Answered()-before }()
	limit := time.NewTimer(s.plan.never)
	defer limit.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	returned := make(chan error, 1)
	refresh := func() {
		j.Refreshes++
		go func() { returned <- p.doWithin("refresh", nil, nil, s.plan.never) }()
	}
	refresh()
	again, done := (<-chan time.Time)(nil), false
	for j.Useful == 0 || !done {
		select {
		case err := <-returned:
			if done, j.Trouble = err == nil, orNothing(err); errors.Is(err, drive.ErrEnded) {
				return
			}
			again = time.After(refreshAgain)
		case <-again:
			again = nil
			refresh()
		case <-look.C:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
		if j.Useful == 0 && tableOf(p) >= s.useful() {
			j.Useful = devnet.Millis(time.Since(began))
		}
	}
	j.Joined = devnet.Millis(time.Since(began))
}

// tableOf is how many peers a node has in its table; none if it does not say.
func tableOf(p *proc) int {
	var t struct{ Size int }
	_ = p.do("routingTableSize", nil, &t)
	return t.Size
}

// settle waits until nobody asks the members anything any more.
func (s *stage) settle(ctx context.Context) {
	limit := time.Now().Add(quietLimit)
	for last, since := s.net.Answered(), time.Now(); time.Since(since) < quietFor && time.Now().Before(limit); {
		if now := s.net.Answered(); now != last {
			last, since = now, time.Now()
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return
		}
	}
}

// lookups has a node look up the plan's keys, one after the other.
func (s *stage) lookups(ctx context.Context, p *proc, w *besideWalks) error {
	before := s.net.Answered()
	answering := s.answering()
	var verb tally
	for _, preimage := range s.net.Keys(s.plan.lookups) {
		var found struct{ Peers []string }
		ask := args{"keyB64": base64.StdEncoding.EncodeToString(preimage)}
		err := verb.try(ctx, s.plan.never, func(limit time.Duration) error { return p.doWithin("getClosestPeers", ask, &found, limit) })
		if errors.Is(err, drive.ErrEnded) || ctx.Err() != nil {
			return err
		}
		nearest := nearestOf(found.Peers, string(preimage))
		w.Recall += s.net.Recall(string(preimage), nearest)
		for _, id := range nearest {
			if !answering[id] {
				w.Dead++
			}
		}
	}
	n := float64(max(len(verb.took), 1))
	w.Recall, w.Dead = w.Recall/n, w.Dead/n
	w.Answers = float64(s.net.Answered()-before) / n
	w.besideVerb = verb.figures("lookup")
	return nil
}

// answering are the members that answer.
func (s *stage) answering() map[string]bool {
	all := map[string]bool{}
	for _, m := range s.net.Members {
		all[m.Info.ID.String()] = m.Answers
	}
	return all
}

// nearestOf are the k of some peers that are nearest to the key of a preimage:
// who returns more than was asked for gains nothing.
func nearestOf(found []string, preimage string) (nearest []string) {
	target := key.OfString(preimage)
	var ids []libp2ppeer.ID
	for _, text := range found {
		if id, err := libp2ppeer.Decode(text); err == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b libp2ppeer.ID) int {
		return target.Closer(key.OfString(string(a)), key.OfString(string(b)))
	})
	ids = slices.Compact(ids)
	for _, id := range ids[:min(params.K, len(ids))] {
		nearest = append(nearest, id.String())
	}
	return nearest
}

// records has one node store values and announce itself, and another of its
// kind find both.
func (s *stage) records(ctx context.Context, from, other *proc) ([]besideVerb, error) {
	var put, get, provide, find tally
	for i := range s.plan.records {
		name := args{"key": fmt.Sprintf("/v/beside-%d", i)}
		value := fmt.Sprintf("1:%d", i)
		store := args{"key": name["key"], "value": value}
		limited := func(p *proc, op string, a args, result any) func(time.Duration) error {
			return func(limit time.Duration) error { return p.doWithin(op, a, result, limit) }
		}
		var got struct{ Value string }
		var found struct{ Providers []struct{ ID string } }
		_ = put.try(ctx, s.plan.never, limited(from, "put", store, nil))
		_ = provide.try(ctx, s.plan.never, limited(from, "provide", name, nil))
		_ = get.try(ctx, s.plan.never, limited(other, "get", name, &got))
		err := find.try(ctx, s.plan.never, limited(other, "findProviders", name, &found))
		if errors.Is(err, drive.ErrEnded) || ctx.Err() != nil {
			return nil, err
		}
		put.had += len(s.net.Holds(ctx, name["key"].(string)))
		if got.Value == value {
			get.had++
		}
		for _, one := range found.Providers {
			if one.ID == from.ID {
				find.had++
				break
			}
		}
	}
	return []besideVerb{put.figures("put"), provide.figures("provide"), get.figures("get"), find.figures("find")}, nil
}

// spent asks the machine what a peer's process has used.
func (s *stage) spent(p *proc) spent { return spentBy(p.run.PID()) }

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/waymark-dht/waymark/internal/devnet"
	"github.com/waymark-dht/waymark/internal/fault"
)

// reportPlan repeats the report of rust-libp2p#5432: a node bootstraps with
// disjoint query paths in a network of which a third is dead or silent, or has
// its connection cut in the middle of a yamux frame. Each kind of peer does so
// in a network of its own that the seed decides.
type reportPlan struct {
	seeds, width int
	limit        time.Duration
}

// reportNodes and reportFaulty are the network, as the demonstration has it.
const (
	reportNodes  = 40
	reportFaulty = 33
)

var reportKinds = []fault.Kind{fault.Refused, fault.BlackHole, fault.Silent, fault.Cut}

// attempt is one bootstrap of one peer.
type attempt struct {
	kind  int
	ended bool
	err   error
	took  time.Duration
}

func (r reportPlan) run(ctx context.Context, kinds []kind) int {
	var subjects []kind
	for i, k := range kinds {
		switch {
		case i == 0:
			subjects = append(subjects, kind{k.Name, append(slices.Clone(k.Argv), "-paths", "3")})
		case len(k.Name) > 4 && k.Name[:4] == "rust":
			subjects = append(subjects, kind{k.Name, append(slices.Clone(k.Argv), "--report")})
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var all []attempt
	places := make(chan struct{}, r.width)
	for seed := range r.seeds {
		for i, k := range subjects {
			places <- struct{}{}
			wg.Go(func() {
				defer func() { <-places }()
				a := r.once(ctx, k, uint64(seed+1))
				a.kind = i
				mu.Lock()
				defer mu.Unlock()
				all = append(all, a)
				fmt.Printf("%s seed %d: ended %v after %v %v\n", k.Name, seed+1, a.ended, a.took.Round(time.Millisecond), orNothing(a.err))
			})
		}
	}
	wg.Wait()
	r.table(subjects, all)
	return 0
}

func orNothing(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// once has one peer bootstrap, and watches it.
func (r reportPlan) once(ctx context.Context, k kind, seed uint64) (a attempt) {
	net, err := devnet.Start(ctx, devnet.Config{Nodes: reportNodes, Faulty: reportFaulty, Seed: seed, Kinds: reportKinds}, func(int) {})
	if err != nil {
		return attempt{err: err}
	}
	defer net.Close()
	seeds, err := net.Seeds(6) // of which some are faulty, as in the report
	if err != nil {
		return attempt{err: err}
	}
	p, err := spawn(ctx, k, onTCP(seeds)...)
	if err != nil {
		return attempt{err: err}
	}
	defer p.stop()
	began := time.Now()
	err = p.doWithin("refresh", nil, nil, r.limit)
	a = attempt{err: err, took: time.Since(began), ended: true}
	a.ended = a.took < r.limit
	if errors.Is(ctx.Err(), context.Canceled) {
		a.ended = false
	}
	return a
}

// table says of each kind how many ended, and when.
func (r reportPlan) table(kinds []kind, all []attempt) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\npeer\ttries\tended\twithout error\tnever within %v\tp50\tp95\tslowest that ended\n", r.limit)
	for i, k := range kinds {
		var took []time.Duration
		tries, good := 0, 0
		for _, a := range all {
			if a.kind != i {
				continue
			}
			tries++
			if a.ended {
				took = append(took, a.took)
			}
			if a.ended && a.err == nil {
				good++
			}
		}
		if len(took) == 0 {
			took = []time.Duration{0}
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%v\t%v\t%v\n", k.Name, tries, len(took), good, tries-len(took),
			devnet.Quantile(took, 50).Round(time.Millisecond), devnet.Quantile(took, 95).Round(time.Millisecond),
			slices.Max(took).Round(time.Millisecond))
	}
	_ = w.Flush()
}

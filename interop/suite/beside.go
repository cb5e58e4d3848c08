package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/waymark-dht/waymark/internal/devnet"
	"github.com/waymark-dht/waymark/internal/fault"
)

// besidePlan measures a fresh node of each kind in the same network: that of
// the benchmark, a share of whose members is faulty. Each gets one of its own,
// made from the same seed, so that none finds what another left behind.
type besidePlan struct {
	on      bool
	nodes   int
	shares  []int // of a hundred members, faulty
	mixes   []string
	lookups int
	records int
	seed    uint64
	width   int
	never   time.Duration
	json    string
}

// besideSeeds is how many healthy members a fresh node is introduced to, as in
// the benchmark.
const besideSeeds = 3

// flags names what can be chosen.
func (p *besidePlan) flags(flag *flag.FlagSet) {
	p.shares, p.mixes = []int{0, 10, 30, 50}, []string{"issue"}
	flag.BoolVar(&p.on, "beside", false, "instead: measure a fresh node of each kind in the same network")
	flag.IntVar(&p.nodes, "nodes", 200, "with -beside: members of the network")
	flag.Func("faulty", "with -beside: how many of a hundred members misbehave, by commas (0,10,30,50)", p.setShares)
	flag.Func("fault", "with -beside: kinds of fault that occur together, by commas; again for another network (issue)", p.addMix())
	flag.IntVar(&p.lookups, "lookups", 50, "with -beside: lookups of random keys, one after the other")
	flag.IntVar(&p.records, "records", 0, "with -beside: values and providers that are stored, and fetched by a second node")
	flag.Uint64Var(&p.seed, "seed", 1, "with -beside: the same seed makes the same network and the same keys")
	flag.DurationVar(&p.never, "never", 2*time.Minute, "with -beside: what has not ended by then never does")
	flag.StringVar(&p.json, "json", "", "with -beside: write a line of JSON for each row to this file")
}

func (p *besidePlan) setShares(list string) error {
	p.shares = nil
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 || n > 95 {
			return fmt.Errorf("%q is no number from 0 to 95", word)
		}
		p.shares = append(p.shares, n)
	}
	return nil
}

// addMix takes one mix of faults; the first replaces the default.
func (p *besidePlan) addMix() func(string) error {
	set := false
	return func(list string) error {
		if !set {
			p.mixes, set = nil, true
		}
		p.mixes = append(p.mixes, list)
		_, err := fault.ParseKinds(list)
		return err
	}
}

// besideCell is one row to be measured.
type besideCell struct {
	kind   kind
	mix    string
	faulty int
}

// cells are all rows, those of one network together. Where nobody is faulty it
// is no matter how.
func (p *besidePlan) cells(kinds []kind) (cells []besideCell) {
	for _, share := range p.shares {
		mixes := p.mixes
		if share == 0 {
			mixes = []string{fault.Honest.String()}
		}
		for _, mix := range mixes {
			for _, k := range kinds {
				cells = append(cells, besideCell{k, mix, share})
			}
		}
	}
	return cells
}

// run measures every cell, prints the tables and fails if Waymark, the first
// kind, did.
func (p *besidePlan) run(ctx context.Context, kinds []kind) int {
	rows := p.rows(ctx, kinds)
	compare(rows)
	besideTables(os.Stdout, rows)
	if err := p.write(rows); err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		return 1
	}
	if slices.ContainsFunc(rows, func(r besideRow) bool { return r.Peer == kinds[0].Name && !r.good() }) {
		return 1
	}
	return 0
}

// rows measures every cell. Where much is computed and little waited for, with
// nobody faulty and with Waymark itself, nothing else runs; beside faulty peers
// the others wait for most of the time, and so many as the plan says do at once.
func (p *besidePlan) rows(ctx context.Context, kinds []kind) []besideRow {
	cells := p.cells(kinds)
	rows := make([]besideRow, len(cells))
	measure := func(i int) {
		rows[i] = p.measure(ctx, cells[i])
		fmt.Println(rows[i].line())
	}
	var waiting []int
	for i, c := range cells {
		if c.faulty > 0 && c.kind.Name != kinds[0].Name {
			waiting = append(waiting, i)
			continue
		}
		measure(i)
	}
	places := make(chan struct{}, max(p.width, 1))
	var all sync.WaitGroup
	for _, i := range slices.Backward(waiting) { // the most faulty, which last longest, first
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			measure(i)
		})
	}
	all.Wait()
	return rows
}

// write writes the rows as lines of JSON, if that is wanted.
func (p *besidePlan) write(rows []besideRow) error {
	if p.json == "" {
		return nil
	}
	file, err := os.Create(p.json)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(file)
	for _, r := range rows {
		err = errors.Join(err, lines.Encode(r))
	}
	return errors.Join(err, file.Close())
}

// measure makes the network and has one fresh node live in it.
func (p *besidePlan) measure(ctx context.Context, c besideCell) besideRow {
	r := besideRow{Peer: c.kind.Name, Faults: c.mix, Faulty: c.faulty, Nodes: p.nodes, Seed: p.seed}
	mix, err := fault.ParseKinds(c.mix)
	if err != nil {
		return r.troubled(err)
	}
	cfg := devnet.Config{Nodes: p.nodes, Faulty: c.faulty, Seed: p.seed, Kinds: mix, Validators: sequences, TCP: true}
	net, err := devnet.Start(ctx, cfg, func(int) {})
	if err != nil {
		return r.troubled(err)
	}
	s := stage{plan: p, kind: c.kind, net: net}
	err = s.play(ctx, &r)
	return r.troubled(errors.Join(err, net.Close()))
}

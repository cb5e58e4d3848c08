package sim

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// Kept is how much of what was stored is there after some hours.
type Kept struct {
	Hours   float64 `json:"hours"`
	Items   int     `json:"items"`   // that nobody had asked for until then
	There   float64 `json:"there"`   // of them, those that any member still stores
	Holders float64 `json:"holders"` // members that store one, on average
	Tries   int     `json:"tries"`
	Found   int     `json:"found"`
}

// keptAt is when it is looked, in hours.
var keptAt = [...]int{1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24}

const (
	wantKept   = .999            // of what was stored, found by whoever asks
	keptAlone  = 10              // for so many hours nobody needs to store it again
	keptAskers = 2               // who ask for each item at the same moment
	keptSince  = time.Hour       // the turnover goes on for before anything is stored
	keptWithin = time.Minute     // over how much time things happen that happen at an hour
	perClient  = 10              // members for each client that provides
	restarts   = 20              // of a hundred members that restart while things are stored
	restarting = 5 * time.Second // how long that takes
)

// Values lets members of a town whose members come and go store values, and
// asks for them hours later. Each value is asked for at one hour only, for to
// ask is to repair.
func Values(opt Options) (Result, error) { return keep("values", opt, false) }

// Providers is the same of provider records. The providers are clients that
// stay; what is theirs is stored with members that come and go.
func Providers(opt Options) (Result, error) { return keep("providers", opt, true) }

// keeping is a run of either.
type keeping struct {
	*turnover
	w       *World
	content bool
	again   time.Duration // the period of storing again; 0 is never
	by      []uint32      // who provides which item
	fresh   []bool        // items that were acknowledged to who stored them, and that nobody has asked for
	acked   map[engine.OpID]uint32
	asked   map[engine.OpID]int // the row that a get belongs to
	rows    []Kept
	filled  bool // everything that is to be stored was
	lost    int  // acknowledgements of members that do not have it
}

func keep(scenario string, opt Options, content bool) (Result, error) {
	if opt.Lookups == 0 {
		opt.Lookups = 1000
	}
	if opt.Nodes == 0 {
		opt.Nodes = 400
	}
	t := newTown(scenario, opt)
	k := &keeping{
		turnover: &turnover{t: t, sessions: t.w.opt.sessions()}, w: t.w, content: content, again: t.w.opt.again(content),
		acked: make(map[engine.OpID]uint32), asked: make(map[engine.OpID]int),
	}
	k.w.ended = k.ended
	every := k.again
	if content {
		every = 0 // only the provider itself can announce its record
	}
	k.w.shelve(every)
	err := k.run()
	r, err := t.w.finish(err)
	r.Kept = k.rows
	return r, k.verdict(err)
}

// again is how often things are stored again: what was set, or the default.
func (o *Options) again(content bool) time.Duration {
	switch {
	case o.Again < 0:
		return 0
	case o.Again > 0:
		return o.Again
	case content:
		return params.ProvideEvery
	}
	return params.ReplicateEvery
}

func (k *keeping) run() error {
	if err := k.t.inhabit(); err != nil {
		return err
	}
	k.begin()
	if k.content {
		for range 1 + k.w.opt.Nodes/perClient {
			k.client()
		}
	}
	if err := k.w.Run(k.w.now.Add(keptSince)); err != nil {
		return err
	}
	end := k.w.opt.lasts(24 * time.Hour)
	var hours []int
	for _, h := range keptAt {
		if time.Duration(h)*time.Hour <= end {
			hours = append(hours, h)
		}
	}
	began := k.w.now
	if err := k.fill(len(hours) * k.w.opt.Lookups); err != nil {
		return err
	}
	for i, h := range hours {
		if err := k.w.Run(began.Add(time.Duration(h) * time.Hour)); err != nil {
			return err
		}
		if err := k.look(i, h); err != nil {
			return err
		}
	}
	return nil
}

// client adds a member that asks and does not serve.
func (k *keeping) client() {
	n := k.w.settle()
	k.t.ready, k.t.since = append(k.t.ready, 0), append(k.t.since, k.w.now)
	k.w.nodes[n].client = true
	k.start(n)
}

// fill stores items within a minute, amid which a share of the members restart.
func (k *keeping) fill(items int) error {
	k.t.mark("stored")
	for i := range items {
		k.within(func() { k.put(uint32(i)) })
	}
	for _, n := range k.t.some(restarts) {
		k.within(func() {
			if k.w.nodes[n].state == healthy && !k.w.nodes[n].client {
				k.restart(n, restarting)
			}
		})
	}
	k.by, k.fresh = make([]uint32, items), make([]bool, items)
	for i := range items {
		k.w.shelves.item(k.key(uint32(i)), nil)
	}
	err := k.w.Run(k.w.now.Add(keptWithin + 2*params.OpDeadline))
	k.filled = true
	return err
}

// within has something happen in the next minute.
func (k *keeping) within(do func()) {
	k.w.After(time.Duration(k.w.rnd.targets.Int64N(int64(keptWithin))), do)
}

func (k *keeping) key(i uint32) []byte {
	return binary.BigEndian.AppendUint32(fmt.Appendf(nil, "/v/%d/", k.w.opt.Seed), i)
}

// put stores one item, from a member or from the client that provides it.
func (k *keeping) put(i uint32) {
	if k.content {
		k.by[i] = k.provider(i)
		k.provide(i)
		return
	}
	n := k.settled()
	r := record.Record{Key: k.key(i), Value: k.key(i)}
	k.w.shelves.item(r.Key, &r)
	k.w.shelves.store(n, copied{item: i})
	op := k.w.newOp()
	k.acked[op] = i
	k.w.step(k.w.actor(n), engine.StartPut{Op: op, Record: r})
}

// provider is the client that provides an item.
func (k *keeping) provider(i uint32) uint32 {
	var all []uint32
	for n := range uint32(len(k.w.nodes)) {
		if k.w.nodes[n].client {
			all = append(all, n)
		}
	}
	return all[int(i)%len(all)]
}

// provide announces an item now, and again whenever its time has come.
func (k *keeping) provide(i uint32) {
	op := k.w.newOp()
	k.acked[op] = i
	k.w.step(k.w.actor(k.by[i]), engine.StartProvide{Op: op, Key: k.key(i)})
	if k.again > 0 {
		k.w.After(k.again, func() { k.provide(i) })
	}
}

// look counts what is there after some hours, and asks for a part of it.
func (k *keeping) look(row, hours int) error {
	counts := k.w.shelves.counts()
	r := Kept{Hours: float64(hours)}
	for i, fresh := range k.fresh {
		if fresh {
			r.Items++
			r.Holders += float64(counts[i])
			r.There += float64(min(counts[i], 1))
		}
	}
	r.Holders, r.There = r.Holders/float64(max(1, r.Items)), r.There/float64(max(1, r.Items))
	k.rows = append(k.rows, r)
	for i := row * k.w.opt.Lookups; i < (row+1)*k.w.opt.Lookups; i++ {
		k.within(func() {
			for range keptAskers {
				k.ask(row, uint32(i))
			}
			k.fresh[i] = false
		})
	}
	return k.w.Run(k.w.now.Add(keptWithin + params.OpDeadline + params.Epsilon))
}

func (k *keeping) ask(row int, i uint32) {
	if !k.fresh[i] {
		return // who stored it restarted amid that, and was told nothing
	}
	n, op := k.settled(), k.w.newOp()
	k.rows[row].Tries++
	k.asked[op] = row
	if k.content {
		k.w.step(k.w.actor(n), engine.StartFindProviders{Op: op, Key: k.key(i)})
		return
	}
	get := engine.StartGet{Op: op, Key: k.key(i), Quorum: params.Agreement}
	if len(k.w.shelves.find(n, i)) > 0 {
		get.Local = &k.w.shelves.items[i]
	}
	k.w.step(k.w.actor(n), get)
}

func (k *keeping) ended(_ uint32, f engine.OpEnded) {
	if row, is := k.asked[f.Op]; is {
		delete(k.asked, f.Op)
		if f.Result.Value != nil || f.Result.Providers > 0 {
			k.rows[row].Found++
		}
	}
	if i, is := k.acked[f.Op]; is {
		delete(k.acked, f.Op)
		k.fresh[i] = k.fresh[i] || !k.filled && f.Result.Outcome == engine.Stored
		for _, c := range f.Result.Stored {
			if n := k.w.index(c); k.w.nodes[n].state == healthy && len(k.w.shelves.find(n, i)) == 0 {
				k.lost++
			}
		}
	}
}

// verdict says which promise broke. Two misses may be chance.
func (k *keeping) verdict(err error) error {
	if err == nil && k.lost > 0 {
		return k.w.broken("%d acknowledgements of members that do not have the record", k.lost)
	}
	for _, r := range k.rows {
		missed := float64(r.Tries - r.Found)
		if err == nil && (r.Hours <= keptAlone || k.again > 0) && missed > 2+float64(r.Tries)*(1-wantKept) {
			return k.w.broken("after %.0f hours %d of %d were found, less than %.3f", r.Hours, r.Found, r.Tries, wantKept)
		}
	}
	return err
}

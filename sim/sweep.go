package sim

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/republish"
)

// Swept is what it took to provide all keys once.
type Swept struct {
	Keys     int     `json:"keys"`
	Lookups  int     `json:"lookups"`
	Regions  int     `json:"regions"` // sweeps of them
	Batches  int     `json:"batches"` // each tells one peer
	Requests int     `json:"requests"`
	Least    int     `json:"least"` // of a key's k closest that answer, how many have it
	Mean     float64 `json:"mean"`
	Below    int     `json:"below"`           // keys that fewer have than should
	Certain  int     `json:"certain"`         // keys of which the closest were known for certain, each time
	Took     float64 `json:"took_s,omitzero"` // until the queue was empty
}

// What a sweep is held to.
const (
	sweepNodes  = 10_000
	sweepKeys   = 100_000
	wantLookups = 3500         // for so many keys among so many nodes
	leastWanted = 2 * params.K // in small networks
	wantHolders = params.K - 2 // of each key's k closest
	sweepAtOnce = 2 * time.Hour
)

// Sweep has one member keep keys provided by the schedule that ships: first all
// of them at once, then over a whole cycle. In a network of which a share is
// dead each key must end on its closest peers, at the price of few lookups.
func Sweep(opt Options) (Result, error) {
	opt = opt.defaults("sweep", sweepNodes, 1)
	if opt.Keys == 0 {
		opt.Keys = sweepKeys * opt.Nodes / sweepNodes
	}
	w := NewWorld(opt)
	if err := w.Fill(); err != nil {
		return w.finish(err)
	}
	w.Kill(opt.Dead)
	s := newSweeping(w)
	err := s.run()
	r, err := w.finish(err)
	r.Swept = s.rows
	return r, s.verdict(err)
}

// sweeping is a run: the member that provides, and its schedule.
type sweeping struct {
	w       *World
	n       uint32
	machine *republish.Machine
	keys    [][]byte
	actions map[engine.OpID]republish.Action
	armed   mono.Time
	row     Swept // of what is going on
	sent    uint64
	queued  bool // all was queued, and is not provided yet
	rows    [2]Swept
}

func newSweeping(w *World) *sweeping {
	s := &sweeping{
		w: w, n: w.survivor(), machine: republish.New(w.clock(), params.SweepWidth),
		actions: make(map[engine.OpID]republish.Action), armed: mono.Never,
	}
	w.shelve(0)
	w.ended = s.ended
	for range w.opt.Keys {
		text := append(make([]byte, 0, key.PreimageLen), 0x12, 0x20)
		for range 4 {
			text = binary.BigEndian.AppendUint64(text, w.rnd.targets.Uint64())
		}
		s.keys = append(s.keys, text)
	}
	return s
}

// run provides all keys at once, forgets that, and lets a cycle pass.
func (s *sweeping) run() error {
	s.queued = true
	s.step(republish.Start{Keys: s.keys})
	if err := s.pass(0, sweepAtOnce); err != nil {
		return err
	}
	for n := range uint32(len(s.w.nodes)) {
		s.w.shelves.clear(n)
	}
	return s.pass(1, params.ProvideEvery)
}

// pass lets time go by and notes what happened in it.
func (s *sweeping) pass(row int, d time.Duration) error {
	began := s.w.now
	s.row, s.sent = Swept{Keys: len(s.keys)}, s.w.tally.requests
	s.w.After(d, func() {}) // the network is still when there is nothing to do
	if err := s.w.Run(began.Add(d)); err != nil {
		return err
	}
	s.row.Requests = int(s.w.tally.requests - s.sent)
	s.count()
	s.rows[row] = s.row
	return nil
}

// step tells the schedule something and carries out what follows.
func (s *sweeping) step(ev republish.Event) {
	s.machine.Step(s.w.clock(), ev)
	for a, ok := s.machine.Next(); ok; a, ok = s.machine.Next() {
		op := s.w.newOp()
		s.actions[op] = a
		switch a := a.(type) {
		case republish.Lookup:
			s.row.Lookups++
			what := engine.StartLookup{Op: op, Kind: engine.KindLookup, Preimage: a.Preimage}
			if a.Wide {
				what.Want = params.MaxWanted
			}
			s.w.step(s.w.actor(s.n), what)
		case republish.Announce:
			s.w.step(s.w.actor(s.n), announce(op, a, s.w.now.Add(params.SweepDeadline)))
		}
	}
	for _, f := range s.machine.Facts() {
		s.row.Regions++
		s.row.Batches += f.Told
		s.row.Certain += f.Certain
	}
	if s.row.Took == 0 && s.queued && s.machine.Status().Queued == 0 {
		s.row.Took, s.queued = s.w.now.Sub(0).Seconds(), false
	}
	s.arm()
}

func announce(op engine.OpID, a republish.Announce, deadline mono.Time) engine.StartProvide {
	ev := engine.StartProvide{Op: op, Key: a.Batches[0].Keys[0], Deadline: deadline}
	for _, b := range a.Batches {
		ev.To, ev.Each = append(ev.To, b.Peer), append(ev.Each, b.Keys)
	}
	return ev
}

// arm has the schedule told the time when it wants to be.
func (s *sweeping) arm() {
	wake, ok := s.machine.Wake()
	if !ok || s.armed <= wake && s.armed > s.w.now {
		return
	}
	s.armed = wake
	s.w.At(wake, func() {
		if s.armed == wake {
			s.armed = mono.Never
			s.step(republish.Tick{})
		}
	})
}

// ended takes the outcome of what the schedule wanted. It is told a moment
// later, as the engine is amid a step.
func (s *sweeping) ended(_ uint32, f engine.OpEnded) {
	a, ours := s.actions[f.Op]
	if !ours {
		return
	}
	delete(s.actions, f.Op)
	s.w.After(0, func() {
		switch a := a.(type) {
		case republish.Lookup:
			r := f.Result
			s.step(republish.LookedUp{ID: a.ID, Peers: r.Closest, Converged: r.Outcome == engine.Converged, Network: r.Network})
		case republish.Announce:
			out := republish.Announced{ID: a.ID, Spared: f.Result.Spared()}
			for _, p := range f.Result.Stored {
				out.Took = append(out.Took, p.Key)
			}
			s.step(out)
		}
	})
}

// count looks for each key with the closest of those that answer.
func (s *sweeping) count() {
	s.row.Least = params.K
	all := 0
	for _, k := range s.keys {
		near, have := s.w.answering().nearest(key.Of(k), params.K, s.n), 0
		item := s.w.shelves.item(k, nil)
		for _, n := range near {
			if s.w.shelves.holds(n, item) {
				have++
			}
		}
		all += have
		s.row.Least = min(s.row.Least, have)
		if have < wanted(len(near)) {
			s.row.Below++
		}
	}
	s.row.Mean = ratio(all, len(s.keys))
}

// wanted is how many of a key's closest have to have it: of a few, in a small
// network, as many may lack it as of k.
func wanted(closest int) int {
	return min(closest, max(1, closest-(params.K-wantHolders)))
}

// verdict is whether the promises held.
func (s *sweeping) verdict(err error) error {
	if err != nil {
		return err
	}
	most := max(wantLookups*len(s.w.nodes)/sweepNodes, leastWanted)
	for _, r := range s.rows {
		switch {
		case r.Lookups > most:
			return s.w.broken("%d lookups for %d keys, more than %d", r.Lookups, r.Keys, most)
		case r.Below > 0:
			return s.w.broken("%d of %d keys are on too few of their closest, the least on %d", r.Below, r.Keys, r.Least)
		}
	}
	alone := len(s.w.answering().nodes) < 2 // then what is to be provided has to wait
	if st := s.machine.Status(); st.Queued > 0 && !alone || st.Keys != len(s.keys) {
		return fmt.Errorf("sim: the schedule ends as %+v", st)
	}
	return nil
}

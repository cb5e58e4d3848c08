package engine

import (
	"bytes"
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// getting is what a get has heard: the distinct values, who gave each, and
// which is the best so far. Which of two valid values is better only their
// validator can say, and that is not ours to run: the engine asks for it
// (Choose) and goes on meanwhile.
type getting struct {
	quorum   int
	values   []candidate
	best     int // index in values; -1 is none
	choosing AttemptID
	due      mono.Time // when the answer to it is given up
	asked    []int     // the values that it compares, the best so far first
	met      bool      // the quorum is reached
	ended    Outcome   // the walk's, once it is over
	closest  []contact.Handle
}

// candidate is one distinct value.
type candidate struct {
	record *record.Record
	from   []contact.Handle // who gave it; zero is this node
	judged bool             // it has been compared with the best, or is being
}

func (g *getting) clone() *getting {
	c := *g
	c.values = slices.Clone(g.values)
	for i := range c.values {
		c.values[i].from = slices.Clone(c.values[i].from)
	}
	c.asked, c.closest = slices.Clone(g.asked), slices.Clone(g.closest)
	return &c
}

// startGet opens a get.
func (e *Engine) startGet(ev StartGet) {
	o := e.newOp(ev.Op, KindGet, ev.Key, ev.Deadline, ev.Paths)
	o.ask, o.near, o.get = AskValue, ev.Near, &getting{quorum: ev.Quorum, best: -1, due: mono.Never}
	if e.enqueue(o) && ev.Local != nil {
		e.heardValue(o, 0, ev.Local)
	}
}

// newOp is an operation on a key that is not open yet.
func (e *Engine) newOp(id OpID, kind Kind, preimage []byte, deadline mono.Time, paths int) *op {
	return &op{
		id: id, kind: kind, preimage: preimage, target: key.Of(preimage),
		bound: e.until(deadline, e.cfg.Deadline), paths: paths,
	}
}

// heardValue counts a valid value, from a peer or (zero) from this node.
func (e *Engine) heardValue(o *op, from contact.Handle, r *record.Record) {
	g := o.get
	i := slices.IndexFunc(g.values, func(c candidate) bool { return bytes.Equal(c.record.Value, r.Value) })
	if i < 0 && len(g.values) >= params.MaxCandidates {
		return
	}
	if i < 0 {
		i = len(g.values)
		g.values = append(g.values, candidate{record: r})
	}
	if slices.Contains(g.values[i].from, from) {
		return // it was asked a second time, for the whole region
	}
	e.keep(o, from)
	g.values[i].from = append(g.values[i].from, from)
	if r.TTL > g.values[i].record.TTL { // of those who say for how long they keep it, the one who keeps it longest
		g.values[i].record = r
	}
	if g.best < 0 {
		g.values[i].judged = true
		e.better(o, i)
	}
	e.choose(o)
}

// better makes a value the best so far, and tells of it.
func (e *Engine) better(o *op, i int) {
	g := o.get
	g.best = i
	fact := ValueFound{At: e.now.Mono, Op: o.id, Record: g.values[i].record}
	if from := g.values[i].from[0]; from != 0 {
		fact.Peer = e.book.Info(from)
	}
	e.facts = append(e.facts, fact)
}

// choose has the values that were not compared yet compared with the best,
// unless a comparison is under way, and sees whether there is a quorum.
func (e *Engine) choose(o *op) {
	g := o.get
	if g.choosing != 0 {
		return
	}
	asked := []int{g.best}
	for i := range g.values {
		if !g.values[i].judged {
			g.values[i].judged = true
			asked = append(asked, i)
		}
	}
	if len(asked) == 1 {
		g.met = g.met || g.quorum > 0 && len(g.values[g.best].from) >= g.quorum
		return
	}
	if o.bound.Due(e.now.Mono) {
		return // this step is its last: there is no time to compare
	}
	g.asked = asked
	g.choosing = e.dispatch(attempt{op: o, sort: choice})
	g.due = mono.Earlier(e.now.Mono.Add(params.ChooseDeadline), o.bound)
	o.wake = mono.Earlier(o.wake, g.due)
	values := make([][]byte, len(asked))
	for n, i := range asked {
		values[n] = g.values[i].record.Value
	}
	e.effects = append(e.effects, Choose{Attempt: g.choosing, Key: o.preimage, Values: values, Deadline: e.lead(g.due)})
}

// chosen takes the outcome of a comparison.
func (e *Engine) chosen(ev Chosen) {
	if e.awaits(ev.Attempt, choice) {
		a, _ := e.settle(ev.Attempt)
		e.compared(a.op, ev.Best)
	}
}

// compared ends a comparison; what is no index means that the best stays.
func (e *Engine) compared(o *op, best int) {
	g := o.get
	g.choosing, g.due = 0, mono.Never
	if best > 0 && best < len(g.asked) {
		e.better(o, g.asked[best])
	}
	e.choose(o)
	e.settleGet(o)
}

// expireChoice gives up a comparison whose deadline has come. The value that
// was the best stays it.
func (e *Engine) expireChoice(o *op) {
	if g := o.get; g != nil && g.choosing != 0 && g.due.Due(e.now.Mono) {
		e.withdraw(g.choosing, contact.Cancelled)
		e.compared(o, -1)
	}
}

// settleGet ends a get that has what it wants: a quorum, or a walk that is
// over and nothing left to compare.
func (e *Engine) settleGet(o *op) {
	switch g := o.get; {
	case o.closed || g.choosing != 0:
	case g.met && o.walk != nil:
		e.driveWalk(o, lookup.Cancel)
	case g.met:
		e.getEnded(o, Found)
	case g.ended != 0:
		e.getEnded(o, g.ended)
	}
}

// getWalked takes the end of a get's walk.
func (e *Engine) getWalked(o *op, r Result, closest []contact.Handle) {
	g := o.get
	if o.eclipse {
		closest = e.region(o.target, closest)
	}
	e.keep(o, closest...)
	g.closest, g.ended, o.closest, o.wake = closest, r.Outcome, r.Closest, mono.Earlier(g.due, o.bound)
	if g.met {
		g.ended = Found
	}
	if r.Outcome == Stopped && !g.met {
		e.getEnded(o, Stopped)
		return
	}
	if e.settleGet(o); !o.closed {
		e.uncommit(o) // it waits for its validator, and sends nothing
	}
}

// getEnded closes a get, and sends the best value to those of the closest that
// gave another or none. KAD-14.4.
func (e *Engine) getEnded(o *op, why Outcome) {
	g := o.get
	r := Result{Outcome: why, Closest: o.closest, Stats: o.stats, Eclipse: o.eclipse, FellBack: o.fellBack}
	if why == Converged {
		r.Outcome = NotFound
	}
	if g.best >= 0 {
		r.Value, r.Agree = g.values[g.best].record, len(g.values[g.best].from)
		if why == Converged || why == NoPeers {
			r.Outcome = Found
		}
	}
	e.dropAttempts(o)
	e.close(o, r)
	if r.Outcome == Found {
		e.correct(o)
	}
}

// correct sends the best value to those of the closest who lack it. Nobody
// waits for it, so that it is left out if too many operations wait.
func (e *Engine) correct(o *op) {
	best := o.get.values[o.get.best]
	var lack []contact.Handle
	for _, h := range e.sure(o, best.from) {
		if !slices.Contains(best.from, h) {
			lack = append(lack, h)
		}
	}
	if len(lack) == 0 {
		return
	}
	c := &op{id: e.child(), parent: o.id, kind: KindStore, preimage: o.preimage, target: o.target}
	c.bound = e.now.Mono.Add(e.cfg.Deadline)
	if e.enqueue(c) {
		e.load(c, &storing{ask: AskStore, key: o.preimage, record: best.record, todo: lack})
	}
}

// sure returns those of whom a get has found that belong to the k closest. If
// its walk has not converged, it is sure only of those who are nearer to the key
// than the middle one of those who gave the value, and so were of the k closest
// when that was stored: the others are on the way there.
func (e *Engine) sure(o *op, givers []contact.Handle) []contact.Handle {
	if o.get.ended == Converged {
		return o.get.closest
	}
	given := make([]key.Key, 0, len(givers))
	for _, h := range givers {
		if h != 0 { // we are not where we would look
			given = append(given, e.book.Info(h).Key)
		}
	}
	slices.SortFunc(given, o.target.Closer)
	n := slices.IndexFunc(o.get.closest, func(h contact.Handle) bool {
		return len(given) == 0 || o.target.Closer(e.book.Info(h).Key, given[len(given)/2]) > 0
	})
	if n < 0 {
		return o.get.closest
	}
	return o.get.closest[:n]
}

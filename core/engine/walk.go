package engine

import (
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// env is the engine as a lookup and a planner may see it.
type env Engine

// Patience implements lookup.Env and boot.Env.
func (v *env) Patience(h contact.Handle) (soft, hard time.Duration) {
	rtt, _ := v.tab.RTT(h)
	warm := (*Engine)(v).warm(h)
	if v.Doubtful(h) {
		return v.patience.Doubtful(warm, rtt)
	}
	return v.patience.Timers(warm, rtt)
}

// Doubtful implements lookup.Env.
func (v *env) Doubtful(h contact.Handle) bool {
	return v.memory.Doubtful(v.book.Info(h), v.now.Mono)
}

// startLookup opens a lookup that a caller asked for.
func (e *Engine) startLookup(ev StartLookup) {
	o := &op{
		id: ev.Op, kind: ev.Kind, preimage: ev.Preimage, target: key.Of(ev.Preimage),
		bound: e.until(ev.Deadline, e.cfg.Deadline), paths: ev.Paths, want: ev.Want, near: ev.Near,
	}
	e.enqueue(o)
}

// enqueue opens an operation that needs a place; it begins as soon as there is
// one. It reports false if the operation was refused.
func (e *Engine) enqueue(o *op) bool {
	if !e.open(o) {
		return false
	}
	o.queued = true
	e.queued = append(e.queued, o)
	return true
}

// child names an operation that no caller has started.
func (e *Engine) child() OpID {
	e.children++
	return 1<<63 | e.children
}

// begin starts an operation that has been given a place.
func (e *Engine) begin(o *op) {
	switch {
	case o.ping != nil:
		e.sendPing(o)
	case o.store != nil:
		e.driveStore(o)
	case o.get != nil && o.get.met: // our own value is all that is wanted
		e.getEnded(o, Found)
	default:
		e.beginWalk(o)
	}
}

// beginWalk starts an operation's lookup from the nearest contacts of the
// table; the next nearest are its reserve.
func (e *Engine) beginWalk(o *op) {
	cfg := e.cfg.Lookup
	if o.paths > 0 {
		cfg.Paths = min(o.paths, params.MaxPaths)
	}
	if o.kind == KindRefresh && o.target != e.self.Key {
		cfg = gentle(cfg)
	}
	if o.want > 0 {
		cfg.K = min(o.want, params.MaxWanted)
	}
	var room [3 * params.K]contact.Handle // enough unless more than k are wanted
	seeds, near := cfg.K, e.tab.Nearest(room[:0], o.target, 3*cfg.K)
	if o.kind == KindRefresh && o.target != e.self.Key && e.memory.Ours() {
		near = nil // the walk to ourselves has asked whom we know: in our outage, once a try is enough. KAD-5.7
	}
	if len(o.near) > 0 {
		cfg, near = oneHop(cfg, o.kind), e.handles(o.near[:min(len(o.near), params.MaxNear)])
		seeds = len(near)
	}
	cfg.Paths = max(1, min(cfg.Paths, len(near))) // a path without a seed would only waste its share of P
	o.walk = lookup.New(cfg, o.target, e.self.Key, e.walkBound(o))
	reserve := make([]lookup.Named, 0, 2*cfg.K)
	for i, h := range near {
		n := lookup.Named{Handle: h, Key: e.book.Info(h).Key}
		if i < seeds {
			o.walk.Seed(n)
		} else {
			e.keep(o, h)
			reserve = append(reserve, n)
		}
	}
	if cfg.Paths == 1 { // several begin from several seeds, and share no information
		for _, h := range o.told {
			o.walk.Seed(lookup.Named{Handle: h, Key: e.book.Info(h).Key})
		}
	}
	o.walk.Reserve(reserve)
	e.holdNew(o, 0)
	e.driveWalk(o, lookup.Tick)
}

// oneHop is the configuration of a walk that asks who it was told to begin with,
// and nobody whom they name; but whom it looks for it has to ask, if they name
// that, for it is found when it answers. KAD-16.8.
func oneHop(cfg lookup.Config, kind Kind) lookup.Config {
	cfg.Paths, cfg.MaxDepth, cfg.ProbeRounds = 1, 1, 0
	if kind == KindFindPeer {
		cfg.MaxDepth = 2
	}
	return cfg
}

// again begins an operation's lookup from the table, if it was to be one hop and
// too few have answered. It reports whether it did.
func (e *Engine) again(o *op, closest int) bool {
	end := o.walk.End()
	if len(o.near) == 0 || o.satisfied() || closest > min(params.K, len(o.near))/2 || end != lookup.Converged && end != lookup.Nobody {
		return false
	}
	s := o.walk.Stats()
	o.stats.add(Stats{Requests: s.Requests, Successes: s.Successes, Failures: s.Failures, Depth: s.Depth})
	w := o.walk
	o.walk, o.near, o.fellBack = nil, nil, true
	e.beginWalk(o)
	w.Heard(0, e.book.Drop)
	return true
}

// gentle is the configuration of a walk that only fills the table: no hurry in
// the last round, and no region probe, as no result has to be complete. KAD-5.6.
func gentle(cfg lookup.Config) lookup.Config {
	cfg.Alpha, cfg.Spare = min(cfg.Alpha, params.RefreshAlpha), max(cfg.Spare, params.RefreshSpare)
	cfg.AlphaLast, cfg.SpareLast = cfg.Alpha, cfg.Spare
	cfg.Paths, cfg.ProbeRounds = 1, 0
	return cfg
}

// driveWalk tells a lookup of the time, or to end, and carries out what it wants.
func (e *Engine) driveWalk(o *op, what lookup.What) {
	heard := o.walk.Known()
	o.granted = e.grant(o, e.share())
	o.walk.Grant(o.granted)
	o.walk.Step(e.now.Mono, lookup.Event{What: what}, (*env)(e))
	e.holdNew(o, heard)
	for a, ok := o.walk.Next(); ok; a, ok = o.walk.Next() {
		if a.Kind == lookup.Ask {
			e.ask(o, a)
		} else if id, ok := e.find(o, uint32(a.Attempt)); ok {
			e.dropped(id, a.Expired)
		}
	}
	if o.walk.End() != lookup.Running {
		e.walkEnded(o)
		return
	}
	e.commit(o, o.walk.InFlight())
	o.wake, _ = o.walk.Wake()
	if o.get != nil {
		o.wake = mono.Earlier(o.wake, o.get.due)
	}
	if o.up != nil && !o.lingers && o.walk.Lingers() {
		o.lingers = true
		e.drivePlan(o.up, boot.Event{What: boot.Lingers, Attempt: o.step})
	}
}

// holdNew keeps the contacts that a lookup has come to know since it knew n.
func (e *Engine) holdNew(o *op, n int) {
	o.walk.Heard(n, e.book.Hold)
}

// ask sends one request of a lookup. The driver is given a little less time
// than the lookup, so that its outcome, which says more, comes first.
func (e *Engine) ask(o *op, a lookup.Action) {
	id := e.dispatch(attempt{op: o, local: uint32(a.Attempt), peer: a.Peer, cut: cutAt(a.Deadline, a.Cut)})
	info := e.book.Info(a.Peer)
	preimage, target, what := o.preimage, o.target, o.ask
	if a.Bits != key.Bits { // a region probe: the key is one of no value, drawn to lie there
		p := key.Preimage(a.Target, a.Bits, e.rng.Uint32())
		preimage, target, what = p[:], key.Key{}, AskPeers
	}
	e.send(Send{Attempt: id, To: info, Ask: what, Key: preimage, Target: target, Deadline: e.lead(a.Deadline), Rest: e.rest(a.Peer)})
	if e.cfg.Terse {
		return
	}
	fact := RequestSent{
		At: e.now.Mono, Op: o.id, Attempt: id, Path: a.Path, Ask: what, Peer: info, Depth: a.Depth, Deadline: a.Deadline,
	}
	if a.Cause != 0 {
		fact.Cause = e.book.Info(a.Cause)
	}
	e.facts = append(e.facts, fact)
}

// rest is what a request to a peer without a connection is given once it has one:
// a peer that accepts connections and says nothing is given up as one that was
// connected before, and not as one that has to be dialled. On a link that dials
// have shown to be slow it keeps all of its time: of requests over connections not
// enough may have been measured to show it. KAD-3.6.
func (e *Engine) rest(h contact.Handle) time.Duration {
	if e.warm(h) {
		return 0
	}
	rtt, _ := e.tab.RTT(h)
	if _, dial := e.patience.Timers(false, rtt); dial > params.HardMax {
		return 0
	}
	_, hard := e.patience.Timers(true, rtt)
	return hard
}

// lead moves a deadline forward for the driver: by DriverLead, but by no more
// than half of the time that is left.
func (e *Engine) lead(deadline mono.Time) mono.Time {
	left := max(0, deadline.Sub(e.now.Mono))
	return deadline.Add(-min(params.DriverLead, left/2))
}

// dropped ends an attempt that its lookup or planner no longer waits for. If
// that is because its deadline came, the peer has failed: the driver was late.
func (e *Engine) dropped(id AttemptID, expired bool) {
	if !expired {
		e.withdraw(id, contact.Cancelled)
		return
	}
	if a, ok := e.attempts.find(id); ok && a.peer != 0 {
		e.blame(a)
	}
	e.withdraw(id, contact.Silent)
}

// walkEnded closes a lookup and, if it was a step of a bootstrap, says so to
// the plan.
func (e *Engine) walkEnded(o *op) {
	closest := o.walk.Closest(nil)
	if e.again(o, len(closest)) {
		return
	}
	s := o.walk.Stats()
	r := Result{
		Outcome: outcomeOf(o.walk.End()), Found: o.found, FellBack: o.fellBack,
		Stats: Stats{Requests: s.Requests, Successes: s.Successes, Failures: s.Failures, Depth: s.Depth},
	}
	if o.kind == KindFindPeer {
		r.Outcome = foundOutcome(o, r.Outcome)
	}
	for _, h := range closest {
		r.Closest = append(r.Closest, e.book.Info(h))
	}
	r.AnsweredAt = o.walk.AnsweredAt(nil)
	r.FirstAnswer, _ = o.walk.FirstAnswer()
	w := o.walk
	o.walk = nil
	o.stats.add(r.Stats) // a walk to the whole region is the second
	r.Stats = o.stats
	defer w.Heard(0, e.book.Drop)
	if e.suspect(o, closest, w.End()) {
		e.askRegion(o)
		return
	}
	r.Eclipse = o.eclipse
	if o.kind == KindLookup {
		r.Network = e.network()
	}
	switch {
	case o.get != nil:
		e.getWalked(o, r, closest)
		return
	case o.put != nil && r.Outcome != Stopped && len(closest) > 0:
		e.putWalked(o, r, closest)
		return
	case o.find != nil:
		r.Providers, r.Outcome = len(o.find.seen), findOutcome(o.find, r.Outcome)
	}
	e.close(o, r)
	if o.up != nil {
		// P is spent, and k answered. Who invents peers near a node could else
		// keep it from ever being ready: there is always another to be asked.
		enough := w.End() == lookup.Capped && len(r.Closest) == params.K
		e.stepEnded(o.up, o, r, enough)
	}
}

// outcomeOf translates the end of a lookup.
func outcomeOf(end lookup.End) Outcome {
	switch end {
	case lookup.Converged:
		return Converged
	case lookup.Nobody:
		return NoPeers
	case lookup.Cancelled:
		return Stopped
	default: // Deadline and Capped: a limit came before convergence
		return PartialDeadline
	}
}

// foundOutcome is the outcome of looking for one peer.
func foundOutcome(o *op, walk Outcome) Outcome {
	switch {
	case o.found != nil:
		return Found
	case walk == Converged:
		return NotFound
	default:
		return walk
	}
}

// stepEnded tells a plan that one of its walks has ended, and whether with
// enough although it did not converge.
func (e *Engine) stepEnded(parent, child *op, r Result, enough bool) {
	parent.stats.add(r.Stats)
	end := boot.Done
	switch r.Outcome {
	case NoPeers:
		end = boot.Nobody
	case PartialDeadline:
		end = boot.Late
	case Stopped:
		end = boot.Cut
	}
	e.drivePlan(parent, boot.Event{What: boot.Walked, Attempt: child.step, Enough: enough, Step: boot.Step{
		End: end, Asked: r.Stats.Requests, Answered: r.Stats.Successes,
		Failures: r.Stats.Failures, Reason: child.reason,
	}})
}

// add sums the statistics of a step into those of the whole.
func (s *Stats) add(o Stats) {
	s.Requests += o.Requests
	s.Successes += o.Successes
	s.Depth = max(s.Depth, o.Depth)
	for i, n := range o.Failures {
		s.Failures[i] += n
	}
}

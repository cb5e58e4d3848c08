package engine

import (
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Deepest implements boot.Env: the bucket of the k-th nearest contact. Whoever
// is in a deeper one is among the k nearest peers, which the walk for the node
// itself has just found. With fewer than k contacts it has not found them yet,
// and the deepest bucket is that of the nearest.
func (v *env) Deepest() int {
	near := v.tab.Nearest(nil, v.self.Key, params.K)
	switch len(near) {
	case 0:
		return -1
	case params.K:
		return v.tab.BucketOf(near[params.K-1])
	}
	return v.tab.BucketOf(near[0])
}

// Full implements boot.Env. Whoever answers is offered to the table at once,
// so the table holds all who could be in it as soon as it holds anybody.
func (v *env) Full() bool { return v.tab.Len() > 0 }

// startBootstrap opens a bootstrap, or joins the one that runs.
func (e *Engine) startBootstrap(ev StartBootstrap) {
	for _, o := range e.ops {
		if o.kind == KindBootstrap {
			e.join(o, ev)
			return
		}
	}
	o := &op{id: ev.Op, kind: KindBootstrap, target: e.self.Key, bound: e.until(ev.Deadline, params.BootDeadline)}
	if !e.open(o) {
		return
	}
	e.super.Began(e.now.Mono)
	plan := e.planFor(o, !ev.refresh)
	e.keep(o, plan.Seeds...)
	e.keep(o, plan.Remembered...)
	o.plan = boot.New(plan)
	e.drivePlan(o, boot.Event{What: boot.Tick})
}

// planFor returns what a bootstrap begins with. One that only refreshes begins
// with the table as it is, and mostly troubles no seed.
func (e *Engine) planFor(o *op, full bool) boot.Plan {
	plan := boot.Plan{Deadline: o.bound}
	if !full && e.tab.Len() > 0 {
		plan.Seeds = e.reunion()
		return plan
	}
	plan.Names = e.names()
	plan.Seeds, plan.Remembered = e.seeds.toAsk(plan.Names), slices.Concat(e.nearby.handles, e.remembered.handles)
	return plan
}

// reunion returns the seed that every so many refreshes ask: after a split of
// the network that outlived all contacts across it, seeds are what both halves
// still have in common.
func (e *Engine) reunion() []contact.Handle {
	e.refreshes++
	if e.refreshes%params.ReunionEvery != 0 || len(e.seeds.list) == 0 {
		return nil
	}
	return []contact.Handle{e.seeds.list[e.rng.IntN(len(e.seeds.list))]}
}

// drivePlan tells a plan what happened and carries out what it wants.
func (e *Engine) drivePlan(o *op, ev boot.Event) {
	o.plan.Step(e.now.Mono, ev, (*env)(e))
	for a, ok := o.plan.Next(); ok; a, ok = o.plan.Next() {
		switch a.Kind {
		case boot.Probe:
			e.probeSeed(o, a)
		case boot.Resolve:
			id := e.dispatch(attempt{op: o, sort: naming, local: uint32(a.Attempt)})
			e.effects = append(e.effects, Resolve{Attempt: id, Name: a.Name, Deadline: e.lead(a.Deadline)})
		case boot.Walk:
			e.startRefresh(o, a)
		case boot.Drop:
			e.dropStep(o, a)
		}
	}
	if o.closed {
		return // a step that ended in Next's actions has ended the whole
	}
	e.tellSteps(o)
	if o.plan.End() != boot.Running {
		e.planEnded(o)
		return
	}
	o.wake, _ = o.plan.Wake()
	for _, j := range o.joined {
		o.wake = mono.Earlier(o.wake, j.bound)
	}
}

// probeSeed asks one seed or remembered contact, past any dial back-off.
func (e *Engine) probeSeed(o *op, a boot.Action) {
	id := e.dispatch(attempt{op: o, local: uint32(a.Attempt), peer: a.Peer, cut: cutAt(a.Deadline, a.Cut)})
	info := e.book.Info(a.Peer)
	e.send(Send{
		Attempt: id, To: info, Key: []byte(e.self.ID), Target: e.self.Key, Deadline: e.lead(a.Deadline), Seed: true,
	})
	if !e.cfg.Terse {
		e.facts = append(e.facts, RequestSent{
			At: e.now.Mono, Op: o.id, Attempt: id, Peer: info, Depth: 1, Deadline: a.Deadline,
		})
	}
}

// startRefresh opens the walk for the node itself or into one bucket.
func (e *Engine) startRefresh(o *op, a boot.Action) {
	child := &op{
		id: e.child(), parent: o.id, up: o, step: a.Attempt, kind: KindRefresh,
		preimage: []byte(e.self.ID), target: e.self.Key,
		bound: mono.Earlier(e.now.Mono.Add(e.cfg.Deadline), a.Deadline),
	}
	switch a.Bucket {
	case boot.Self:
		child.told = o.told
	case boot.Verify:
		child.aim(key.Preimage(e.self.Key, 0, e.rng.Uint32()))
	default:
		child.aim(key.Preimage(e.self.Key.FlipBit(a.Bucket), a.Bucket+1, e.rng.Uint32()))
	}
	if e.enqueue(child) {
		e.keep(child, child.told...)
	}
}

// seedTold keeps whom the first seed named: it was asked for the node itself, so
// that is where the walk there can begin. The walk asks the seed again all the same;
// but if it depended on that, a single slow answer would keep everybody waiting.
func (e *Engine) seedTold(o *op, named []lookup.Named) {
	if len(o.told) > 0 {
		return
	}
	for _, n := range named {
		o.told = append(o.told, n.Handle)
	}
	e.keep(o, o.told...)
}

// aim points a walk at the key of a preimage.
func (o *op) aim(p [key.PreimageLen]byte) { o.preimage, o.target = p[:], key.Of(p[:]) }

// dropStep withdraws what a plan no longer waits for.
func (e *Engine) dropStep(o *op, a boot.Action) {
	if id, ok := e.find(o, uint32(a.Attempt)); ok {
		e.dropped(id, a.Expired)
		return
	}
	for _, child := range e.ops {
		if child.parent == o.id && child.step == a.Attempt {
			child.parent, child.up = 0, nil // the plan has filed the step already
			e.stop(child, Stopped)
			return
		}
	}
}

// tellSteps states the steps that have ended since the last time.
func (e *Engine) tellSteps(o *op) {
	done, remaining := o.plan.Steps()
	for o.steps < len(done) {
		s := done[o.steps]
		o.steps++
		if e.cfg.Terse {
			continue
		}
		last := o.plan.End() != boot.Running && o.steps == len(done)
		e.facts = append(e.facts, Progressed{
			At: e.now.Mono, Op: o.id, Kind: KindBootstrap, Step: reportStep(s),
			Count: o.steps, Last: last, Remaining: remaining + len(done) - o.steps, Stats: o.stats,
		})
	}
	if o.plan.Ready() && !o.readied {
		o.readied = true
		e.facts = append(e.facts, BecameReady{At: e.now.Mono, Op: o.id, Table: e.tab.Len()})
	}
}

// planEnded closes a bootstrap with its report.
func (e *Engine) planEnded(o *op) {
	r := e.planResult(o)
	e.close(o, r)
	e.super.Ended(e.now.Mono, boot.Outcome{
		Ready: r.Outcome == Ready, Reached: r.Stats.Successes > 0, Reason: reasonOf(r),
	}, e.view(e.rng.Uint32()))
	e.lonely()
}

// planResult is what a bootstrap has come to.
func (e *Engine) planResult(o *op) Result {
	done, _ := o.plan.Steps()
	r := Result{Stats: o.stats, Outcome: Degraded, Report: &Report{Table: e.tab.Len()}}
	for _, s := range done {
		r.Report.Steps = append(r.Report.Steps, reportStep(s))
	}
	switch end := o.plan.End(); {
	case end == boot.Cut:
		r.Outcome = Stopped
	case e.tab.Len() == 0:
		r.Outcome = NoPeers
	case o.plan.Ready():
		r.Outcome = Ready
	case end == boot.Late || end == boot.Running:
		r.Outcome = PartialDeadline
	}
	for _, h := range e.tab.Nearest(nil, e.self.Key, params.K) {
		r.Closest = append(r.Closest, e.book.Info(h))
	}
	return r
}

// reasonOf says in one line why a bootstrap did not end ready.
func reasonOf(r Result) string {
	for _, s := range r.Report.Steps {
		if s.Reason != "" && s.Outcome != Converged {
			return s.Name + ": " + s.Reason
		}
	}
	return "bootstrap: " + r.Outcome.String()
}

// reportStep translates a step of the plan.
func reportStep(s boot.Step) StepReport {
	outcome := [...]Outcome{boot.Done: Converged, boot.Nobody: NoPeers, boot.Late: PartialDeadline, boot.Cut: Stopped}
	return StepReport{
		Name: s.Name, Outcome: outcome[s.End], Asked: s.Asked, Answered: s.Answered,
		Failures: s.Failures, Reason: s.Reason, Elapsed: time.Duration(s.Ended - s.Began),
	}
}

package waymark

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// driver is the one goroutine that owns the engine, and its one timer. It
// tells the engine what happened and hands out what the engine wants done; it
// never blocks on anything but its mailbox and that timer.
type driver struct {
	*DHT
	engine  *engine.Engine
	timer   *time.Timer
	now     mono.Now                  // when this turn began
	armed   mono.Time                 // when the timer is to fire
	checked mono.Now                  // the clocks when last compared
	running map[engine.OpID]mono.Time // when each operation has to be over
	late    map[engine.OpID]struct{}  // those that were not, already counted
	looked  mono.Time                 // when running was last looked through
}

func newDriver(d *DHT, cfg engine.Config) *driver {
	dr := &driver{
		DHT: d, timer: time.NewTimer(0), running: make(map[engine.OpID]mono.Time),
		late:   make(map[engine.OpID]struct{}),
		engine: engine.New(cfg, d.self.Load(), contact.NewBook(), chance(d.cfg.Seed)),
	}
	dr.checked = d.time.now()
	d.snapshot.Store(dr.engine.Snapshot())
	return dr
}

// chance returns what to seed the engine's randomness with.
func chance(seed uint64) uint64 {
	for seed == 0 {
		seed = rand.Uint64()
	}
	return seed
}

// loop runs until a Shutdown was stepped. KAD-11.1.
func (d *driver) loop() {
	defer close(d.stopped)
	for !d.turn() {
		d.arm()
		select {
		case <-d.mail.wake:
		case <-d.timer.C:
		}
	}
	d.timer.Stop()
	d.finish()
}

// turn is one step of the engine: with everything that is there to be told, in
// the order of rule 6, the world, outcomes, what people want; then the time. All
// of it happens at the moment when the turn began: if the process is stopped amid
// a turn, the next one finds that time has passed, and nobody was blamed for it;
// and if it was stopped before, what came in meanwhile counts, for nothing expires
// before all of it is applied. Questions about the engine are answered after it.
// It reports whether the node is to stop.
func (d *driver) turn() (stop bool) {
	events := append(d.checkClocks(), d.workers.expired(d.now.Mono)...)
	letters := d.mail.take() // after it: what was not late has put its outcome there
	for _, l := range letters {
		if l.ask == nil {
			events = append(events, l.event)
		}
		_, shutdown := l.event.(engine.Shutdown)
		stop = stop || shutdown
	}
	d.step(events)
	for _, l := range letters {
		if l.ask != nil {
			l.ask(d.engine)
		}
	}
	d.ready.update(d.engine.Health())
	d.checkBounds()
	return stop
}

// step is one step of the engine, with all that follows from it.
func (d *driver) step(events []engine.Event) {
	if slices.Contains(events, engine.Event(engine.NetworkChanged{})) {
		d.workers.doubt.raise()
	}
	d.engine.Step(d.now, events...)
	for {
		eff, ok := d.engine.Next()
		if !ok {
			break
		}
		d.perform(eff)
	}
	for f := range d.engine.Facts() {
		d.notice(f)
	}
}

// perform hands an effect to whoever carries it out. None of this blocks.
func (d *driver) perform(eff engine.Effect) {
	switch e := eff.(type) {
	case engine.Send:
		d.workers.send(e)
	case engine.Resolve:
		d.workers.resolve(e)
	case engine.Choose:
		d.workers.choose(e)
	case engine.Hasten:
		d.workers.hasten(e)
	case engine.Abort:
		d.workers.abort(e.Attempt)
	case engine.Publish:
		d.snapshot.Store(d.engine.Snapshot())
		d.tags.changed()
	}
}

// notice delivers a fact: to the caller whose operation ended, to the state
// that Health shows, and to whoever watches.
func (d *driver) notice(f engine.Fact) {
	switch f := f.(type) {
	case engine.OpStarted:
		d.running[f.Op] = f.Bound.Add(params.Epsilon)
	case engine.OpEnded:
		delete(d.running, f.Op)
		delete(d.late, f.Op)
		d.waiters.end(f.Op, f.Result)
	case engine.ValueFound:
		d.waiters.tell(f.Op, f)
	case engine.ProviderFound:
		d.waiters.tell(f.Op, f)
	case engine.RequestSent:
		d.waiters.tell(f.Op, f)
	case engine.RequestEnded:
		d.waiters.tell(f.Op, f)
	case engine.Refused:
		now := d.now.Mono
		d.waiters.end(f.Op, engine.Result{Outcome: engine.Rejected, Started: now, Ended: now, Bound: now})
	case engine.Eclipsed:
		d.logs.line("peers crowd around a key: somebody may hide what is under it", "key", f.Target.Short(), "peers", len(f.Closest))
	case engine.BecameReady:
		d.schedule.stir()
	case engine.HealthChanged:
		if f.State == boot.Offline {
			d.workers.doubt.raise()
		}
		d.logs.line("the node is "+f.State.String(), "reason", f.Reason)
	}
	d.refreshed.notice(f, d.self.Load().Key)
	d.ready.notice(f)
	d.facts.publish(d.now.Mono, f)
}

// arm sets the timer to the next moment at which anything is due. An engine
// that wants to be woken for what its last Tick should have done has a defect;
// a short pause keeps that from becoming a busy loop.
func (d *driver) arm() {
	now := d.now.Mono
	d.armed = d.checked.Mono.Add(params.ClockCheck)
	if wake, ok := d.engine.Wake(); ok {
		if wake.Due(now) {
			wake = now.Add(params.WakePause)
		}
		d.armed = mono.Earlier(d.armed, wake)
	}
	d.armed = max(mono.Earlier(d.armed, d.workers.soonest()), now)
	d.timer.Reset(max(0, d.time.until(d.armed)))
}

// checkBounds counts the operations that should be over and are not.
func (d *driver) checkBounds() {
	now := d.now.Mono
	if now.Sub(d.looked) < params.Epsilon {
		return
	}
	d.looked = now
	for op, bound := range d.running {
		if _, known := d.late[op]; !known && bound.Before(now) {
			d.late[op] = struct{}{}
			d.overdue.Add(1)
			d.logs.line("operation is overdue: this is a defect", "op", uint64(op))
		}
	}
}

// finish leaves nothing behind that waits for the engine.
func (d *driver) finish() {
	for _, l := range d.mail.close() {
		if l.ask != nil {
			l.ask(d.engine)
		}
	}
	d.waiters.close(d.now.Mono)
	d.ready.close()
	d.facts.close()
	d.logs.close()
}

// checkClocks tells the engine if the machine slept, the clock was set or the
// process was stopped. Go's monotonic clock stands still while Linux sleeps,
// so the wall clock gets ahead of it; it does not while the process is
// stopped, but then the timer comes late. What it returns comes before all else
// that the engine is told. KAD-7.2.
func (d *driver) checkClocks() (jump []engine.Event) {
	d.now = d.time.now()
	now := d.now
	passed := now.Mono.Sub(d.checked.Mono)
	ahead := time.Duration(now.Wall-d.checked.Wall) - passed
	late := now.Mono.Sub(d.armed)
	if d.armed == 0 {
		late = 0 // the first turn: no timer was armed
	}
	gap := max(ahead.Abs(), late)
	if gap <= params.ClockGap {
		if passed >= params.ClockCheck {
			d.checked = now
			d.workers.sweep()
		}
		return nil
	}
	d.checked = now
	d.logs.line("the clocks jumped: what was under way is asked again", "gap", gap.String())
	d.time.jumped(now)
	return append([]engine.Event{engine.ClockJumped{Gap: int64(gap)}}, d.workers.suspended()...)
}

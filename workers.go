package waymark

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// workers carry out the engine's requests, each on a goroutine of its own.
//
// A call into libp2p may ignore its context. So the outcome of an attempt does
// not wait for the call: at the deadline the driver says how far it got, and
// the call is cut. One that goes on after that is a zombie, kept in a ledger.
// While the ledger is full, nothing new is sent; so goroutines are bounded.
type workers struct {
	*DHT
	base    context.Context
	cancel  context.CancelFunc
	idle    *idleStreams
	budget  *windowed[netip.Prefix] // of dials to hearsay addresses
	doubt   doubt                   // of connections from before a change
	drained chan struct{}           // closed when stopping and the last call is over

	consults chan struct{} // one for each call into the host that a caller waits for

	mu       sync.Mutex
	due      map[engine.AttemptID]*attempt // those that the engine waits for
	next     mono.Time                     // not later than the first deadline in due
	live     int                           // calls that are not over
	zombies  map[string]int                // the ledger, by whom they wait for
	buried   int                           // the ledger's size
	peak     int
	stopping bool
}

// attempt is one effect under way.
type attempt struct {
	id       engine.AttemptID
	peer     peer.ID // empty for a name
	to       *contact.Info
	ask      engine.Ask
	key      []byte
	record   *record.Record
	more     [][]byte
	seed     bool
	rest     time.Duration // of the time, at most, once there is a connection; 0: all
	name     string
	values   [][]byte // what a validator is to compare; nil for everything else
	deadline mono.Time
	began    time.Time
	until    time.Time // the deadline for package net
	ctx      context.Context
	cancel   context.CancelFunc
	over     chan struct{} // closed when the call has returned

	phase atomic.Int32

	mu     sync.Mutex
	stream network.Stream // what to cut
	conn   network.Conn
}

func newWorkers(d *DHT) *workers {
	w := &workers{
		DHT: d, idle: newIdleStreams(), budget: newWindowed[netip.Prefix](params.DialsPerNet, params.DialsWindow), drained: make(chan struct{}),
		due: make(map[engine.AttemptID]*attempt), next: mono.Never, zombies: make(map[string]int),
		consults: make(chan struct{}, params.HostCalls),
	}
	w.base, w.cancel = context.WithCancel(context.Background())
	return w
}

// send asks a peer.
func (w *workers) send(e engine.Send) {
	w.start(&attempt{
		id: e.Attempt, peer: peer.ID(e.To.ID), to: e.To, ask: e.Ask, key: e.Key, record: e.Record, more: e.More,
		seed: e.Seed, rest: e.Rest, deadline: e.Deadline,
	}, w.exchange)
}

// choose has a validator compare values.
func (w *workers) choose(e engine.Choose) {
	w.start(&attempt{id: e.Attempt, key: e.Key, values: e.Values, deadline: e.Deadline}, w.compare)
}

func (w *workers) compare(a *attempt) engine.Event {
	best, err := w.shelf.rules.best(a.key, a.values)
	if err != nil {
		best = -1
	}
	return engine.Chosen{Attempt: a.id, Best: best}
}

// resolve looks a name up.
func (w *workers) resolve(e engine.Resolve) {
	w.start(&attempt{id: e.Attempt, name: e.Name, deadline: e.Deadline}, w.lookUp)
}

// start runs a call, or says at once why not.
func (w *workers) start(a *attempt, call func(*attempt) engine.Event) {
	if why := w.admit(a); why != "" {
		w.mail.outcome(a.failed(contact.NotSent, why))
		return
	}
	go w.run(a, call)
}

// admit takes an attempt in if there is room for its goroutines. KAD-6.2.
func (w *workers) admit(a *attempt) (refusal string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopping:
		return "the node is closing"
	case w.buried >= params.MaxZombies || w.live >= params.MaxCalls:
		return "too many earlier calls ignore their deadline"
	case w.zombies[a.whom()] >= params.MaxZombiesPerPeer:
		return "earlier calls to this one ignore their deadline"
	}
	left := max(0, w.time.until(a.deadline))
	a.began = time.Now()
	a.until = a.began.Add(left)
	a.ctx, a.cancel = context.WithTimeout(w.base, left)
	a.over = make(chan struct{})
	w.due[a.id] = a
	w.next = mono.Earlier(w.next, a.deadline)
	w.live++
	return ""
}

// run makes the call and delivers its outcome, unless that was done already.
func (w *workers) run(a *attempt, call func(*attempt) engine.Event) {
	release := context.AfterFunc(a.ctx, func() { w.cut(a) })
	w.deliver(a.id, call(a))
	close(a.over)
	if release() { // else cut is running, and has the last word
		a.cancel()
		w.leave()
	}
}

// deliver puts the outcome of an attempt into the mailbox, unless another was
// delivered already. It does so under the lock: whatever is not due any more when
// the driver looks for what has expired, it finds there.
func (w *workers) deliver(id engine.AttemptID, ev engine.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, waiting := w.due[id]; waiting {
		delete(w.due, id)
		w.mail.outcome(ev)
	}
}

// expired takes the attempts whose deadline has come, with how far each got.
// KAD-11.2.
func (w *workers) expired(now mono.Time) (events []engine.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.next.Due(now) {
		return nil
	}
	w.next = mono.Never
	for _, a := range w.inOrder() {
		if !a.deadline.Due(now) {
			w.next = mono.Earlier(w.next, a.deadline)
			continue
		}
		delete(w.due, a.id)
		a.cancel()
		events = append(events, w.late(a))
	}
	return events
}

// inOrder returns the attempts that the engine waits for, in the order in which
// it made them. The caller holds the lock.
func (w *workers) inOrder() []*attempt {
	return slices.SortedFunc(maps.Values(w.due), func(a, b *attempt) int { return cmp.Compare(a.id, b.id) })
}

// late is the outcome of an attempt whose deadline has come. The caller holds
// the lock.
func (w *workers) late(a *attempt) engine.Event {
	if a.to == nil {
		return a.failed(contact.Silent, "no answer in time")
	}
	how, detail := a.timedOut(w.cfg.DialWatch)
	return w.excused(a, how, detail)
}

// excused is the outcome of an attempt that failed, unless the connection is to
// blame, which is then ended: the next attempt is to dial. The caller holds the
// lock.
func (w *workers) excused(a *attempt, f contact.Failure, detail string) engine.Event {
	dead := w.doubt.of(a, f)
	if dead == nil {
		return a.failed(f, detail)
	}
	w.aside(func() { dead.Close() })
	return a.failed(contact.Suspended, "the connection did not survive a change: "+detail)
}

// hasten moves the deadline of an attempt forward.
func (w *workers) hasten(e engine.Hasten) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.due[e.Attempt]; a != nil {
		w.forward(a, e.Deadline)
	}
}

// connected moves the deadline of an attempt forward that need not dial any more.
// Who took long to connect has as long again, for that is a measure of the link:
// a dial is three round trips or so, where a request is one or two.
// It has no other goroutine's time to lose: the driver is woken to set its timer.
func (w *workers) connected(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.rest == 0 || w.due[a.id] != a {
		return
	}
	if w.forward(a, w.time.mono().Add(max(a.rest, time.Since(a.began)))) {
		w.mail.nudge()
	}
}

// forward moves a deadline to a moment if that is before it, and reports whether
// the driver's timer is too late for it. The caller holds the lock.
func (w *workers) forward(a *attempt, to mono.Time) (first bool) {
	if !to.Before(a.deadline) {
		return false
	}
	a.deadline = to
	first = to.Before(w.next)
	w.next = mono.Earlier(w.next, to)
	return first
}

// soonest returns a moment not later than the first deadline.
func (w *workers) soonest() mono.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// abort withdraws an attempt: its outcome is not delivered.
func (w *workers) abort(id engine.AttemptID) {
	w.mu.Lock()
	a := w.due[id]
	delete(w.due, id)
	w.mu.Unlock()
	if a != nil {
		a.cancel()
	}
}

// suspended ends all that was under way when the machine slept: the other side
// has long forgotten it. Streams that were kept are no better.
func (w *workers) suspended() (events []engine.Event) {
	w.doubt.raise()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.inOrder() {
		delete(w.due, a.id)
		a.cancel()
		events = append(events, a.failed(contact.Suspended, "the machine slept or its clock was set"))
	}
	w.next = mono.Never
	w.dispose(w.idle.takeAll())
	return events
}

// cut ends a call whose deadline has come or that nobody waits for: gently at
// first, and by closing the connection when that did not help. Each of the three
// may block, and the call is a zombie until none does. KAD-11.4.
func (w *workers) cut(a *attempt) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.reset()
		<-a.over
	}()
	timer := time.NewTimer(params.ZombieGrace)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		unbury := w.bury(a)
		a.hangUp()
		<-ended
		unbury()
	}
	a.cancel()
	w.leave()
}

// bury enters a zombie into the ledger and returns what takes it out again. If
// that is full, the call goes on to count as one of those under way, of which
// there are also only so many.
func (w *workers) bury(a *attempt) (unbury func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buried >= params.MaxZombies {
		return func() {}
	}
	whom := a.whom()
	w.zombies[whom]++
	w.buried++
	w.peak = max(w.peak, w.buried)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.buried--
		less(w.zombies, whom)
	}
}

func (w *workers) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live--
	w.drainedLocked()
}

func (w *workers) drainedLocked() {
	if !w.stopping || w.live > 0 {
		return
	}
	select {
	case <-w.drained:
	default:
		close(w.drained)
	}
}

// counts returns how many calls are under way, how many of them are zombies,
// and the most zombies that there were.
func (w *workers) counts() (live, zombies, peak int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.live, w.buried, w.peak
}

// stop cancels every call; the channel it returns is closed when all are over.
func (w *workers) stop() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopping {
		w.dispose(w.idle.close())
		w.stopping = true
		w.cancel()
		w.drainedLocked()
	}
	return w.drained
}

// dispose ends streams that are no longer wanted. The caller holds the lock.
func (w *workers) dispose(streams []*stream) {
	if len(streams) == 0 {
		return
	}
	w.aside(func() {
		for _, s := range streams {
			s.Close()
		}
	})
}

// aside makes a call into libp2p that nobody waits for, off the caller's
// goroutine: it may block, and counts as one under way. The caller holds the
// lock.
func (w *workers) aside(call func()) {
	w.live++
	go func() {
		defer w.leave()
		call()
	}()
}

// besides is aside for a caller that does not hold the lock. It reports false once
// the node is closing: then no call is made.
func (w *workers) besides(call func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopping {
		return false
	}
	w.aside(call)
	return true
}

// sweep ends the streams that were kept for too long.
func (w *workers) sweep() {
	old := w.idle.takeOld()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dispose(old)
}

// whom returns the peer or the name that the attempt waits for; it is empty for
// a validator.
func (a *attempt) whom() string {
	if a.at() == checking {
		return ""
	}
	return string(a.peer) + a.name
}

// stuck reports whether validators have to be left alone, as they do not return.
func (w *workers) stuck() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.zombies[""] >= params.MaxZombiesPerPeer
}

// failed is the outcome of an attempt that got nowhere.
func (a *attempt) failed(f contact.Failure, detail string) engine.Event {
	if a.values != nil {
		return engine.Chosen{Attempt: a.id, Best: -1}
	}
	if a.name != "" {
		return engine.Resolved{Attempt: a.id, Err: detail}
	}
	return engine.Failed{Attempt: a.id, Failure: f, Detail: detail}
}

// uses remembers what has to be cut, and reports false if it has to be at once.
func (a *attempt) uses(c network.Conn, s network.Stream) bool {
	a.mu.Lock()
	a.conn, a.stream = c, s
	a.mu.Unlock()
	return a.ctx.Err() == nil
}

// reset cuts the attempt's stream.
func (a *attempt) reset() {
	a.mu.Lock()
	s := a.stream
	a.mu.Unlock()
	if s != nil {
		s.SetDeadline(time.Unix(1, 0))
		s.Reset()
	}
}

// hangUp closes the attempt's connection.
func (a *attempt) hangUp() {
	a.mu.Lock()
	c := a.conn
	a.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

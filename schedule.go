package waymark

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/republish"
	"github.com/waymark-dht/waymark/store"
)

// Schedule is where the schedule of what this node provides stands.
type Schedule struct {
	Keys    int           // that are provided again and again
	Queued  int           // that are to be provided at once
	Regions int           // parts of the key space that have keys
	Due     int           // of them, those whose time has come and that wait for their turn
	Running int           // and those that are being provided for
	Lag     time.Duration // how long the one that is most overdue has waited
	Next    time.Time     // when the next one's time comes, or came; zero if none waits
	Prefix  string        // the first bits of that one's keys, as zeros and ones
	Bits    int           // how many bits the prefix of each region has

	Every time.Duration // the cycle in which each key is announced once
	Began time.Time     // when the one that goes on began
	Cycle Sweeps        // what was done in the last Every, to a tenth of it

	Records   int   // that peers have taken since the node began, of keys that enough of them took
	Announced int   // keys that were announced to enough peers since the node began; each time counts
	Failed    int   // and those that were not; they are tried again
	Last      error // why the last thing that failed did; nil if nothing has
}

// StartProviding announces keys (multihashes of 1 to params.MaxProviderKey
// bytes) to the peers closest to them, and again every params.ProvideEvery
// from then on, until StopProviding. Keys that are provided already are
// announced at once only if force is set. It returns when the keys are in the
// schedule, which a Config.Store keeps over a restart; announcing goes on in
// the background, region by region (see [DHT.Schedule] and the Fact
// engine.Swept). At most params.ScheduleKeys are possible; beyond them it is
// ErrOverloaded, and none of the keys is taken. Any other error is the store's:
// keys before those that it failed for are scheduled, and may be given again.
func (d *DHT) StartProviding(force bool, keys ...multihash.Multihash) error {
	return d.schedule.add(keys, func(part [][]byte) republish.Event { return republish.Start{Keys: part, Force: force} })
}

// ProvideOnce announces keys as StartProviding does, once. What could not be
// announced is tried again until it is, or until Clear.
func (d *DHT) ProvideOnce(keys ...multihash.Multihash) error {
	return d.schedule.add(keys, func(part [][]byte) republish.Event { return republish.Once{Keys: part} })
}

// StopProviding announces keys no more, and has this node no longer say that it
// provides them: it forgets its own provider records of them, also of keys that
// were provided by other calls. Peers that have stored this node as a provider
// forget it when its record expires, after params.ProviderAge; what they have
// nobody can take back. After an error of the store the keys are announced no
// more by this node, but a later one on the same store may announce them, and
// either may say that it provides them until its own record expires.
func (d *DHT) StopProviding(keys ...multihash.Multihash) error {
	unread := d.schedule.read()
	var kept error
	for part := range slices.Chunk(keys, params.ScheduleChunk) {
		if err := d.schedule.drop(bytesOf(part)); errors.Is(err, ErrClosed) {
			return err
		} else if err != nil {
			kept = err
		}
	}
	if unread != nil {
		return unread
	}
	return errors.Join(kept, d.schedule.save(d.schedule.ctx, params.ScheduleDeadline))
}

// Clear empties the queue of what is to be announced at once, that which an
// earlier node has kept as well, and returns how many keys were in it. Those that were started are announced when the time of
// their region comes.
func (d *DHT) Clear() int {
	_ = d.schedule.read() // what cannot be read now is announced once it can
	queued := d.Schedule().Queued
	d.schedule.step(republish.Clear{})
	return queued
}

// RefreshSchedule tries again now whatever failed or is overdue, without
// waiting for its time.
func (d *DHT) RefreshSchedule() error {
	if !d.schedule.step(republish.Refresh{}) {
		return ErrClosed
	}
	return nil
}

// Schedule returns where the schedule of what this node provides stands.
func (d *DHT) Schedule() Schedule {
	d.schedule.mu.Lock()
	defer d.schedule.mu.Unlock()
	s := d.schedule.machine.Status()
	out := Schedule{
		Keys: s.Keys, Queued: s.Queued, Regions: s.Regions, Due: s.Due, Running: s.Running, Lag: s.Lag,
		Bits: s.Bits, Every: s.Every, Began: s.Began.Time(), Cycle: d.schedule.sums.cycle(d.time.mono(), s.Every),
		Records: d.schedule.sums.all.Records, Announced: d.schedule.sums.all.Stored, Failed: d.schedule.failed, Last: d.schedule.last,
	}
	if s.Next > 0 {
		out.Next, out.Prefix = s.Next.Time(), fmt.Sprintf("%064b", s.Prefix)[:s.Bits]
	}
	return out
}

// SetProvideEvery has each key that is provided announced once in such a cycle
// from now on, from params.ProvideLeast to params.ProvideMost, until the node
// closes. Default: params.ProvideEvery, which says what a longer one costs. Whole
// seconds count.
func (d *DHT) SetProvideEvery(cycle time.Duration) error {
	if cycle < params.ProvideLeast || cycle > params.ProvideMost {
		return badConfig("a cycle of %v; from %v to %v are possible", cycle, params.ProvideLeast, params.ProvideMost)
	}
	if !d.schedule.step(republish.Every{Cycle: cycle}) {
		return ErrClosed
	}
	return nil
}

// Scheduled lists the keys that are provided again and again, those of an
// earlier node on the same store as well, in the order of the key space. What is
// started or stopped meanwhile may be in it or not. It ends at the first error,
// the store's, which comes with no key.
func (d *DHT) Scheduled() iter.Seq2[multihash.Multihash, error] {
	return func(yield func(multihash.Multihash, error) bool) {
		if err := d.schedule.read(); err != nil {
			yield(nil, err)
			return
		}
		for n := range republish.Shards {
			d.schedule.mu.Lock()
			part := d.schedule.machine.Kept(n)
			d.schedule.mu.Unlock()
			for _, k := range part {
				if !yield(multihash.Multihash(k), nil) {
					return
				}
			}
		}
	}
}

func bytesOf(keys []multihash.Multihash) [][]byte {
	all := make([][]byte, len(keys))
	for i, k := range keys {
		all[i] = k
	}
	return all
}

// schedule is the sweeper of what this node provides again and again, and what
// keeps it over a restart. KAD-17.
type schedule struct {
	*sweeper
	lasting bool            // the store outlives the node
	saving  chan struct{}   // holds one: who reads or writes what is kept
	owning  chan struct{}   // holds one: who changes what this node says that it provides
	unread  []int           // shards that are not read yet; whoever is saving may touch it
	whole   atomic.Bool     // all are
	quit    chan struct{}   // closed by stop
	over    <-chan struct{} // closed when nothing is under way any more
	ended   chan struct{}
	stirred chan struct{} // has room for one: the node is ready again
}

func newSchedule(d *DHT, lasting bool) *schedule {
	s := &schedule{
		sweeper: newSweeper(context.Background(), d, republish.New(d.time.now(), params.SweepWidth)), lasting: lasting,
		saving: make(chan struct{}, 1), owning: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}), stirred: make(chan struct{}, 1),
	}
	s.whole.Store(!lasting)
	s.hold = s.renew
	for n := 0; lasting && n < republish.Shards; n++ {
		s.unread = append(s.unread, n)
	}
	return s
}

// add puts keys into the schedule: what this node provides it stores itself,
// and the schedule is kept before the caller is told that all is well.
func (s *schedule) add(keys []multihash.Multihash, event func([][]byte) republish.Event) error {
	if err := checkKeys(keys); err != nil {
		return err
	}
	unread := s.read()
	if fresh, room := s.fresh(keys); fresh > room {
		return fmt.Errorf("%w: of %d new keys there is room for %d in the schedule, which has at most %d",
			ErrOverloaded, fresh, room, params.ScheduleKeys)
	}
	for part := range slices.Chunk(keys, params.ScheduleChunk) {
		if err := s.take(bytesOf(part), event); err != nil {
			return err
		}
	}
	if unread != nil {
		return unread
	}
	return s.save(s.ctx, params.ScheduleDeadline)
}

// take stores that this node provides some keys, and schedules them.
func (s *schedule) take(keys [][]byte, event func([][]byte) republish.Event) error {
	done, err := s.own(params.ScheduleDeadline)
	if err != nil {
		return err
	}
	defer done()
	if err := s.shelf.addAll(s.ctx, keys, s.self.Load()); err != nil && s.ctx.Err() == nil {
		return err
	}
	if !s.step(event(keys)) {
		return ErrClosed
	}
	return nil
}

// drop takes some keys out of the schedule, and what this node says of them out
// of its store.
func (s *schedule) drop(keys [][]byte) error {
	done, err := s.own(params.ScheduleDeadline)
	if err != nil {
		return err
	}
	defer done()
	if !s.step(republish.Stop{Keys: keys}) {
		return ErrClosed
	}
	return s.shelf.disown(s.ctx, keys)
}

// renew stores again that this node provides some keys, which it is about to
// announce; but none that has been stopped since.
func (s *schedule) renew(keys [][]byte) error {
	done, err := s.own(params.StoreDeadline)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	keys = slices.DeleteFunc(keys, func(k []byte) bool { return !s.machine.Has(k) })
	s.mu.Unlock()
	return s.shelf.addAll(s.ctx, keys, s.self.Load())
}

// own has one at a time change what this node says that it provides, as the
// schedule and the store have to agree on it: what is stopped amid an
// announcement would else be stored again by it. Done lets the next one do so.
func (s *schedule) own(limit time.Duration) (done func(), err error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case s.owning <- struct{}{}:
		return func() { <-s.owning }, nil
	case <-s.ctx.Done():
		return nil, ErrClosed
	case <-timer.C:
		return nil, fmt.Errorf("what this node provides is being changed by others: %w", errBusy)
	}
}

// fresh returns how many of some keys are not in the schedule, where that may
// matter, and for how many there is room.
func (s *schedule) fresh(keys []multihash.Multihash) (fresh, room int) {
	s.mu.Lock()
	room = s.machine.Room()
	s.mu.Unlock()
	if len(keys) <= room {
		return len(keys), room
	}
	for part := range slices.Chunk(keys, params.ScheduleChunk) {
		list := bytesOf(part)
		s.mu.Lock()
		fresh += s.machine.Fresh(list)
		s.mu.Unlock()
	}
	return fresh, room
}

// loop runs until stop.
func (s *schedule) loop() {
	defer close(s.ended)
	s.complain("the schedule that was kept could not be read; it is tried again", s.save(s.ctx, params.ScheduleDeadline))
	timer, save := time.NewTimer(s.pause()), time.NewTicker(params.SaveEvery)
	defer timer.Stop()
	defer save.Stop()
	for {
		select {
		case <-s.news:
		case <-timer.C:
			s.step(republish.Tick{})
		case <-s.stirred:
			s.step(republish.Refresh{})
		case <-save.C:
			s.complain("the schedule could not be kept", s.save(s.ctx, params.ScheduleDeadline))
		case <-s.quit:
			<-s.over
			s.complain("the schedule could not be kept", s.save(context.Background(), params.CloseDeadline/4))
			return
		}
		timer.Reset(s.pause())
	}
}

// stir has the schedule try again at once. It never blocks.
func (s *schedule) stir() {
	select {
	case s.stirred <- struct{}{}:
	default:
	}
}

// stop withdraws what is under way, and has the loop save once more and end.
func (s *schedule) stop() <-chan struct{} {
	s.over = s.halt()
	close(s.quit)
	return s.ended
}

func (s *schedule) complain(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		s.logs.line(what, "error", err.Error())
	}
}

// read reads what an earlier node has kept, if that was not possible yet: what
// is changed before that is known would be changed back.
func (s *schedule) read() error {
	if s.whole.Load() {
		return nil
	}
	return s.exclusive(s.ctx, params.ScheduleDeadline, s.recall)
}

// save keeps what has changed, and before that reads what an earlier node has
// kept, if that was not possible yet: what was not read is not written over.
func (s *schedule) save(ctx context.Context, limit time.Duration) error {
	return s.exclusive(ctx, limit, s.keepAll)
}

// exclusive has one at a time read or write what is kept, within a limit.
func (s *schedule) exclusive(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	if !s.lasting {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case s.saving <- struct{}{}:
		defer func() { <-s.saving }()
	case <-ctx.Done():
		return fmt.Errorf("the schedule is not kept: %w", ctx.Err())
	}
	return do(ctx)
}

func (s *schedule) keepAll(ctx context.Context) error {
	if err := s.recall(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	dirty := s.machine.Dirty()
	s.mu.Unlock()
	for _, n := range dirty {
		if err := s.keep(ctx, n); err != nil {
			return fmt.Errorf("the schedule is not kept: %w", err)
		}
	}
	return nil
}

// shardBlob is the name under which a shard is kept.
func shardBlob(n int) string { return fmt.Sprintf("provide-schedule-%02x", n) }

// keep writes one shard.
func (s *schedule) keep(ctx context.Context, n int) error {
	s.mu.Lock()
	data := s.machine.Encode(n)
	s.mu.Unlock()
	err := s.shelf.keepBlob(ctx, shardBlob(n), data)
	if err != nil {
		s.mu.Lock()
		s.machine.Touch(n)
		s.mu.Unlock()
	}
	return err
}

// recall reads the shards that were not read yet. One that is there and makes
// no sense is as good as none, and is said.
func (s *schedule) recall(ctx context.Context) error {
	if len(s.unread) == 0 {
		return nil
	}
	for len(s.unread) > 0 {
		n := s.unread[0]
		data, err := guard(s.shelf, ctx, func(ctx context.Context) ([]byte, error) { return s.shelf.store.Blob(ctx, shardBlob(n)) })
		if err == nil {
			s.mu.Lock()
			err = s.machine.Restore(data)
			s.mu.Unlock()
		}
		switch {
		case errors.Is(err, republish.ErrKept), errors.Is(err, store.ErrCorrupt):
			s.logs.line("a part of the schedule cannot be read; its keys have to be started again", "part", n, "error", err.Error())
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("the schedule cannot be read: %w", err)
		}
		s.unread = s.unread[1:]
	}
	s.whole.Store(true)
	s.step(republish.Tick{})
	return nil
}

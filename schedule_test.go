package waymark_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
	"github.com/waymark-dht/waymark/store"
	"github.com/waymark-dht/waymark/store/memory"
)

// What Kubo asks of whoever provides for it.
var _ interface {
	StartProviding(force bool, keys ...multihash.Multihash) error
	ProvideOnce(keys ...multihash.Multihash) error
	Clear() int
	RefreshSchedule() error
	Close() error
} = (*waymark.DHT)(nil)

// contents are some multihashes.
func contents(from, to int) (keys []multihash.Multihash) {
	for i := from; i < to; i++ {
		keys = append(keys, contentID(fmt.Sprint("content ", i)).Hash())
	}
	return keys
}

// shelves is servers each on a store that the test can look into.
type shelves struct {
	servers []*waymark.DHT
	stores  []store.Store
}

func newShelves(w *testkit.World, n int) *shelves {
	s := &shelves{}
	for range n {
		kept := memory.New(memory.Config{})
		s.stores = append(s.stores, kept)
		s.servers = append(s.servers, w.Node(waymark.Config{Mode: waymark.ModeServer, Store: kept}))
	}
	introduce(w.T, s.servers)
	return s
}

// holding counts the servers that have a record of a provider, which came
// after a date.
func (s *shelves) holding(t *testing.T, key multihash.Multihash, who peer.ID, since time.Time) (n int) {
	t.Helper()
	for _, st := range s.stores {
		list, err := st.ProvidersOf(t.Context(), key, mono.WallOf(time.Now()), 10)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(list, func(p record.Provider) bool {
			return p.Peer.ID == contact.ID(who) && !p.Received.Time().Before(since)
		}) {
			n++
		}
	}
	return n
}

func TestWhatIsStartedIsAnnouncedAtOnceAndInEachCycle(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s := newShelves(w, 5)
		d := w.Node(waymark.Config{Seeds: seedsAt(t, s.servers[0])})
		w.Check(d.WaitReady(t.Context()))
		facts := d.Facts(t.Context())
		keys, began := contents(0, 30), time.Now()
		w.Check(d.StartProviding(false, keys...))
		testkit.Pass(time.Minute)
		s.all(t, d, keys, began)
		if n, batches := swept(facts); n != len(keys) || batches != 5 {
			t.Errorf("%d keys were swept, in %d batches", n, batches)
		}
		if got := d.Schedule(); got.Keys != len(keys) || got.Queued != 0 || got.Next.Before(time.Now()) || got.Announced != len(keys) || got.Failed != 0 {
			t.Errorf("%+v", got)
		}
		again := time.Now()
		testkit.Pass(params.ProvideEvery + time.Minute)
		s.all(t, d, keys, again)
		w.Check(d.StopProviding(keys...))
		late := time.Now()
		testkit.Pass(params.ProvideEvery + time.Minute)
		if n := s.holding(t, keys[0], d.PeerID(), late); n != 0 {
			t.Errorf("what was stopped was announced to %d", n)
		}
		if got := d.Schedule(); got.Keys+got.Queued+got.Regions+got.Due+got.Running != 0 || got.Announced != 2*len(keys) || got.Last != nil {
			t.Errorf("%+v", got)
		}
		if d.Overdue() != 0 {
			t.Errorf("%d overdue", d.Overdue())
		}
	})
}

// all holds each key to being on every server, of which there are few.
func (s *shelves) all(t *testing.T, d *waymark.DHT, keys []multihash.Multihash, since time.Time) {
	t.Helper()
	for _, k := range keys {
		if n := s.holding(t, k, d.PeerID(), since); n != len(s.servers) {
			t.Errorf("%s is on %d servers", k, n)
		}
	}
}

// swept sums up the facts about regions that there are.
func swept(facts <-chan waymark.Fact) (stored, batches int) {
	for {
		select {
		case f := <-facts:
			if s, is := f.(engine.Swept); is {
				stored, batches = stored+s.Stored, batches+s.Told
			}
		default:
			return stored, batches
		}
	}
}

// A node that was off for days has its schedule, and provides what is overdue
// once it is back among others.
func TestTheScheduleSurvivesARestart(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s := newShelves(w, 4)
		kept, h := memory.New(memory.Config{}), w.Host()
		first := w.NodeOn(h, waymark.Config{Mode: waymark.ModeClient, Store: kept, Seeds: seedsAt(t, s.servers[0])})
		w.Check(first.WaitReady(t.Context()))
		keys := contents(0, 40)
		w.Check(first.StartProviding(false, keys[:20]...))
		testkit.Pass(time.Minute)
		for _, l := range w.Wire.Links() {
			l.Stall(fault.Up) // nothing is announced any more, however fast it goes
		}
		w.Check(first.StartProviding(false, keys[20:]...)) // and closes amid that
		w.Check(first.ProvideOnce(contents(50, 60)...))
		w.Check(first.Close())
		w.Wire.CutAll()
		if err := first.StartProviding(false, keys...); !errors.Is(err, waymark.ErrClosed) {
			t.Errorf("a closed node: %v", err)
		}
		testkit.Pass(3 * 24 * time.Hour)
		began := time.Now()
		second := w.NodeOn(h, waymark.Config{Mode: waymark.ModeClient, Store: kept, Seeds: seedsAt(t, s.servers[0])})
		testkit.Pass(time.Second)
		if got := second.Schedule(); got.Keys != 40 {
			t.Errorf("%+v", got)
		}
		w.Check(second.WaitReady(t.Context()))
		testkit.Pass(time.Minute)
		s.all(t, second, append(keys, contents(50, 60)...), began)
	})
}

// slowly is a store whose blobs take a moment to be read.
type slowly struct{ store.Store }

func (s slowly) Blob(ctx context.Context, name string) ([]byte, error) {
	testkit.Pass(time.Millisecond)
	return s.Store.Blob(ctx, name)
}

// Programs that start a node tell it at once what to provide, and what not any
// more. What the node before it has kept is read by then, or it would come back.
func TestWhatIsSaidRightAfterARestartHolds(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		kept := slowly{memory.New(memory.Config{})}
		s := newShelves(w, 4)
		first := w.Node(waymark.Config{Mode: waymark.ModeClient, Store: kept, Seeds: seedsAt(t, s.servers[0])})
		w.Check(first.WaitReady(t.Context()))
		w.Check(first.StartProviding(false, contents(0, 30)...))
		testkit.Pass(time.Minute)
		w.Check(first.Close())
		second := w.Node(waymark.Config{Mode: waymark.ModeClient, Store: kept})
		w.Check(second.StartProviding(false, contents(0, 30)...))
		if got := second.Schedule(); got.Keys != 30 || got.Queued != 0 {
			t.Errorf("what is provided already is announced again: %+v", got)
		}
		w.Check(second.ProvideOnce(contents(30, 40)...))
		w.Check(second.Close())
		third := w.Node(waymark.Config{Mode: waymark.ModeClient, Store: kept})
		w.Check(third.StopProviding(contents(0, 25)...))
		testkit.Pass(time.Minute)
		if got := third.Schedule(); got.Keys != 5 || got.Queued != 10 {
			t.Errorf("%+v", got)
		}
		w.Check(third.Close())
		fourth := w.Node(waymark.Config{Mode: waymark.ModeClient, Store: kept})
		if n := fourth.Clear(); n != 10 {
			t.Errorf("%d keys were in the queue", n)
		}
		testkit.Pass(time.Minute)
		if got := fourth.Schedule(); got.Keys != 5 || got.Queued != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// A node that knows nobody keeps what it is to provide, finds it itself, and
// announces it when it has peers.
func TestWhoIsAloneProvidesWhenThereIsSomebody(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s := newShelves(w, 5)
		d := w.Node(waymark.Config{Mode: waymark.ModeClient})
		keys := contents(0, 5)
		w.Check(d.StartProviding(false, keys...))
		testkit.Pass(2 * time.Hour)
		if got := d.Schedule(); got.Queued != 5 || got.Running != 0 || got.Announced != 0 || !errors.Is(got.Last, waymark.ErrNoPeers) {
			t.Errorf("%+v", got)
		}
		found, err := d.FindProviders(t.Context(), contentID("content 0"))
		if len(found) != 1 || found[0].ID != d.PeerID() {
			t.Errorf("%v, %v", found, err)
		}
		w.Check(d.Admit(addrOf(s.servers[0].Host())))
		_, err = d.RunBootstrap(t.Context())
		w.Check(err)
		began := time.Now()
		testkit.Pass(time.Minute)
		if n := s.holding(t, keys[0], d.PeerID(), time.Time{}); n != 5 {
			t.Errorf("on %d servers %v after there are some", n, time.Since(began))
		}
	})
}

func TestClearEmptiesTheQueue(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{})
		w.Check(d.StartProviding(false, contents(0, 3)...))
		w.Check(d.ProvideOnce(contents(2, 9)...))
		if n := d.Clear(); n != 9 {
			t.Errorf("%d keys", n)
		}
		if got := d.Schedule(); got.Keys != 3 || got.Queued != 0 {
			t.Errorf("%+v", got)
		}
		if err := d.StartProviding(false, nil); !errors.Is(err, waymark.ErrBadConfig) {
			t.Errorf("an empty key: %v", err)
		}
		if err := d.StartProviding(false, bytes.Repeat([]byte{1}, params.MaxProviderKey+1)); !errors.Is(err, waymark.ErrBadConfig) {
			t.Errorf("a long key: %v", err)
		}
		w.Check(d.Close())
		if err := d.RefreshSchedule(); !errors.Is(err, waymark.ErrClosed) {
			t.Errorf("a closed node: %v", err)
		}
	})
}

// fickle is a store whose blobs can be made to fail or to block.
type fickle struct {
	store.Store
	broken, stuck atomic.Bool
}

func (f *fickle) Blob(ctx context.Context, name string) ([]byte, error) {
	if err := f.moody(); err != nil {
		return nil, err
	}
	return f.Store.Blob(ctx, name)
}

func (f *fickle) PutBlob(ctx context.Context, name string, data []byte) error {
	if err := f.moody(); err != nil {
		return err
	}
	return f.Store.PutBlob(context.WithoutCancel(ctx), name, data) // which a disk does not look at any more
}

func (f *fickle) moody() error {
	if f.stuck.Load() {
		testkit.Pass(time.Hour)
	}
	if f.broken.Load() {
		return errors.New("the disk is on fire")
	}
	return nil
}

// sluggish is a store on a disk that takes its time for each write, and is well.
type sluggish struct{ store.Store }

func (s sluggish) PutBlob(ctx context.Context, name string, data []byte) error {
	testkit.Pass(40 * time.Millisecond)
	return s.Store.PutBlob(ctx, name, data)
}

// A call with many keys writes every part of the schedule, which is many writes:
// a slow disk is no reason to say that they are not kept.
func TestASlowDiskKeepsManyKeysAllTheSame(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{Store: sluggish{memory.New(memory.Config{})}})
		testkit.Pass(time.Second)
		began := time.Now()
		w.Check(d.StartProviding(false, contents(0, 4000)...))
		if took := time.Since(began); took < 2*params.StoreDeadline || took > params.ScheduleDeadline {
			t.Errorf("it took %v, so that this test shows nothing", took)
		}
	})
}

// What a node provides is announced in the cycle that its owner wants.
func TestTheCycleMayBeSet(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s := newShelves(w, 5)
		d := w.Node(waymark.Config{Seeds: seedsAt(t, s.servers[0])})
		w.Check(d.WaitReady(t.Context()))
		keys := contents(0, 10)
		w.Check(d.StartProviding(false, keys...))
		testkit.Pass(time.Minute)
		w.Check(d.SetProvideEvery(2 * time.Hour))
		for range 3 {
			from := time.Now()
			testkit.Pass(2*time.Hour + time.Minute)
			s.all(t, d, keys, from)
		}
		got := d.Schedule()
		if got.Every != 2*time.Hour || time.Since(got.Began) > got.Every || got.Next.After(time.Now().Add(got.Every)) {
			t.Errorf("%+v", got)
		}
		if c := got.Cycle; c.Keys < len(keys) || c.Keys > 2*len(keys) || c.Stored != c.Keys || c.Records != 5*c.Stored || c.Peers != 5*c.Regions || c.Reached != c.Peers {
			t.Errorf("in the last cycle: %+v", c)
		}
		if n := got.Announced; n < 3*len(keys) || n > 5*len(keys) || got.Records != 5*n {
			t.Errorf("%d of %d keys announced in all, %d records", n, len(keys), got.Records)
		}
		for _, cycle := range []time.Duration{0, -1, params.ProvideLeast - 1, params.ProvideMost + 1} {
			if err := d.SetProvideEvery(cycle); !errors.Is(err, waymark.ErrBadConfig) {
				t.Errorf("a cycle of %v: %v", cycle, err)
			}
		}
		w.Check(d.SetProvideEvery(params.ProvideMost))
		w.Check(d.Close())
		if err := d.SetProvideEvery(params.ProvideMost); !errors.Is(err, waymark.ErrClosed) {
			t.Errorf("a closed node: %v", err)
		}
	})
}

// says reports whether a store has it that a peer provides a key.
func says(t *testing.T, kept store.Store, key multihash.Multihash, who peer.ID) bool {
	t.Helper()
	list, err := kept.ProvidersOf(t.Context(), key, mono.WallOf(time.Now()), 10)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(list, func(p record.Provider) bool { return p.Peer.ID == contact.ID(who) })
}

// Who stops providing says so itself from then on. What it knows of others who
// provide the same stays, and so does what others have been told.
func TestWhatIsStoppedThisNodeNoLongerSaysThatItProvides(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s := newShelves(w, 3)
		kept := memory.New(memory.Config{})
		d := w.Node(waymark.Config{Mode: waymark.ModeServer, Store: kept, Seeds: seedsAt(t, s.servers[0])})
		w.Check(d.WaitReady(t.Context()))
		keys := contents(0, 4)
		other := s.servers[1]
		for _, k := range keys {
			p := record.Provider{Key: k, Peer: contact.New(contact.ID(other.PeerID())), Received: mono.WallOf(time.Now())}
			w.Check(kept.AddProvider(t.Context(), p, p.Received+mono.Wall(params.ProviderAge)))
		}
		w.Check(d.StartProviding(false, keys[:3]...))
		_, err := d.Announce(t.Context(), keys[3])
		w.Check(err)
		testkit.Pass(time.Minute)
		w.Check(d.StopProviding(keys[1:]...))
		for i, k := range keys {
			if mine := says(t, kept, k, d.PeerID()); mine != (i == 0) {
				t.Errorf("key %d, which was stopped (%v): that it is provided is still said here: %v", i, i > 0, mine)
			}
			if !says(t, kept, k, other.PeerID()) {
				t.Errorf("key %d: that another provides it is forgotten", i)
			}
			if !says(t, s.stores[2], k, d.PeerID()) {
				t.Errorf("key %d: what another was told is gone", i)
			}
		}
	})
}

// late is a store that once takes a second to store provider records, and tells
// when it begins to; it may be unable to forget any.
type late struct {
	store.Store
	slow  atomic.Int32 // how many times are quick before it
	again chan struct{}
	stuck atomic.Bool
}

func newLate(quick int32) *late {
	l := &late{Store: memory.New(memory.Config{}), again: make(chan struct{})}
	l.slow.Store(quick)
	return l
}

func (l *late) AddProviders(ctx context.Context, ps []record.Provider, expires mono.Wall) error {
	if l.slow.Add(-1) == -1 {
		close(l.again)
		testkit.Pass(time.Second)
	}
	return l.Store.AddProviders(ctx, ps, expires)
}

func (l *late) RemoveProviders(ctx context.Context, keys [][]byte, id contact.ID) error {
	if l.stuck.Load() {
		return errors.New("the disk is on fire")
	}
	return l.Store.RemoveProviders(ctx, keys, id)
}

// An announcement that is under way stores again what it announces; but not what
// was stopped meanwhile.
func TestAnAnnouncementStoresNothingThatWasStopped(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s := newShelves(w, 3)
		disk := newLate(1)
		d := w.Node(waymark.Config{Store: disk, Seeds: seedsAt(t, s.servers[0])})
		w.Check(d.WaitReady(t.Context()))
		keys := contents(0, 2)
		w.Check(d.StartProviding(false, keys...))
		<-disk.again
		w.Check(d.StopProviding(keys[0]))
		testkit.Pass(time.Minute)
		if says(t, disk.Store, keys[0], d.PeerID()) || !says(t, disk.Store, keys[1], d.PeerID()) {
			t.Error("what was stopped was stored again by the announcement that was under way, or nothing was")
		}
		w.Check(d.StartProviding(true, keys[1]))
		w.Check(d.StopProviding(keys[1])) // before it is announced
		testkit.Pass(time.Minute)
		if says(t, disk.Store, keys[1], d.PeerID()) {
			t.Error("what was stopped was stored again by the announcement after it")
		}
	})
}

// Nor does one that begins while somebody waits to stop its key.
func TestAnAnnouncementThatWaitsBehindAStopStoresNothing(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s := newShelves(w, 3)
		disk := newLate(1000)
		d := w.Node(waymark.Config{Store: disk, Seeds: seedsAt(t, s.servers[0])})
		w.Check(d.WaitReady(t.Context()))
		keys := contents(0, 2)
		w.Check(d.StartProviding(false, keys[0]))
		testkit.Pass(time.Minute)
		again := d.Schedule().Next
		testkit.Pass(time.Until(again) - time.Second/2)
		disk.slow.Store(0)
		ended := make(chan error, 2)
		go func() { ended <- d.ProvideOnce(keys[1]) }() // has its turn until half a second after
		<-disk.again
		go func() { ended <- d.StopProviding(keys[0]) }() // and waits for it
		testkit.Pass(time.Minute)
		w.Check(errors.Join(<-ended, <-ended))
		if s.holding(t, keys[0], d.PeerID(), again) == 0 {
			t.Error("it was not announced meanwhile, so that this test shows nothing")
		}
		if says(t, disk.Store, keys[0], d.PeerID()) {
			t.Error("what was stopped was stored again by an announcement that had waited behind it")
		}
	})
}

func TestAStoreThatCannotForgetIsToldOf(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		disk := newLate(1000)
		d := w.Node(waymark.Config{Store: disk})
		testkit.Pass(time.Second)
		w.Check(d.StartProviding(false, contents(0, 2)...))
		disk.stuck.Store(true)
		if err := d.StopProviding(contents(0, 2)...); err == nil || d.Schedule().Keys != 0 {
			t.Errorf("%v, %+v", err, d.Schedule())
		}
		disk.stuck.Store(false)
		w.Check(d.StopProviding(contents(0, 2)...))
		if says(t, disk.Store, contents(0, 1)[0], d.PeerID()) {
			t.Error("what was stopped a second time is still there")
		}
		w.Check(d.Close())
		if err := d.StopProviding(contents(0, 2)...); !errors.Is(err, waymark.ErrClosed) {
			t.Errorf("a closed node: %v", err)
		}
	})
}

func TestScheduledListsWhatIsProvidedAgain(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		kept := memory.New(memory.Config{})
		first := w.Node(waymark.Config{Store: kept})
		w.Check(first.StartProviding(false, contents(0, 300)...))
		w.Check(first.ProvideOnce(contents(300, 310)...))
		w.Check(first.StopProviding(contents(0, 10)...))
		w.Check(first.Close())
		second := w.Node(waymark.Config{Store: kept})
		seen := make(map[string]bool)
		for k, err := range second.Scheduled() {
			w.Check(err)
			seen[string(k)] = true
		}
		for i, k := range contents(0, 310) {
			if want := i >= 10 && i < 300; seen[string(k)] != want {
				t.Errorf("key %d is listed: %v", i, !want)
			}
		}
		for range second.Scheduled() {
			break // who has seen enough leaves
		}
		broken := &fickle{Store: memory.New(memory.Config{})}
		broken.broken.Store(true)
		none := 0
		for k, err := range w.Node(waymark.Config{Store: broken}).Scheduled() {
			none++
			if k != nil || err == nil {
				t.Errorf("of a store that fails: %v, %v", k, err)
			}
		}
		if none != 1 {
			t.Errorf("a store that fails was told of %d times", none)
		}
	})
}

// A store that cannot be read at first loses nothing: what was not read is not
// written over, and who is told that all is well can rely on it.
func TestAStoreThatFailsLosesNothingOfTheSchedule(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		disk := &fickle{Store: memory.New(memory.Config{})}
		first := w.Node(waymark.Config{Store: disk})
		w.Check(first.StartProviding(false, contents(0, 100)...))
		disk.broken.Store(true)
		if err := first.StartProviding(false, contents(100, 110)...); err == nil {
			t.Error("a schedule that could not be kept is said to be")
		}
		w.Check(first.Close())
		second := w.Node(waymark.Config{Store: disk})
		if err := second.StartProviding(false, contents(200, 300)...); err == nil {
			t.Error("a schedule that could not be read is said to be kept")
		}
		disk.broken.Store(false)
		w.Check(second.StartProviding(false, contents(300, 310)...))
		if got := second.Schedule(); got.Keys != 210 {
			t.Errorf("%+v", got)
		}
		w.Check(second.Close())
		third := w.Node(waymark.Config{Store: disk})
		testkit.Pass(time.Second)
		if got := third.Schedule(); got.Keys != 210 {
			t.Errorf("%+v", got)
		}
	})
}

// A write that was given up may be carried out later, and must not undo one that
// came after it.
func TestAWriteThatComesLateLosesNoKey(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		disk := &fickle{Store: memory.New(memory.Config{})}
		first := w.Node(waymark.Config{Store: disk})
		testkit.Pass(time.Second)
		disk.stuck.Store(true)
		if first.StartProviding(false, contents(0, 600)...) == nil {
			t.Error("a schedule that could not be kept is said to be")
		}
		disk.stuck.Store(false)
		if first.StartProviding(false, contents(600, 2000)...) == nil {
			t.Error("a part that is still being written is said to be kept")
		}
		testkit.Pass(2 * time.Hour) // the disk wakes up
		w.Check(first.Close())
		second := w.Node(waymark.Config{Store: disk})
		testkit.Pass(time.Second)
		if got := second.Schedule(); got.Keys != 2000 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAStoreThatBlocksHoldsUpNoScheduleForLong(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		disk := &fickle{Store: memory.New(memory.Config{})}
		disk.stuck.Store(true)
		d := w.Node(waymark.Config{Store: disk})
		began := time.Now()
		err := d.StartProviding(false, contents(0, 10)...)
		if took := time.Since(began); err == nil || took > 2*params.StoreDeadline {
			t.Errorf("%v after %v", err, took)
		}
		began = time.Now()
		if err := d.Close(); err != nil || time.Since(began) > d.Bound(waymark.OpClose) {
			t.Errorf("the end: %v after %v", err, time.Since(began))
		}
		testkit.Pass(2 * time.Hour)
	})
}

func TestAPartOfTheScheduleThatMakesNoSenseIsNone(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		kept := memory.New(memory.Config{})
		first := w.Node(waymark.Config{Store: kept})
		w.Check(first.StartProviding(false, contents(0, 500)...))
		w.Check(first.Close())
		w.Check(kept.PutBlob(t.Context(), "provide-schedule-00", []byte("nonsense")))
		second := w.Node(waymark.Config{Store: kept})
		testkit.Pass(time.Second)
		if got := second.Schedule(); got.Keys < 480 || got.Keys == 500 {
			t.Errorf("%+v", got)
		}
	})
}

// Many keys are announced with less lookups than there are keys, and the result
// is honest.
func TestManyKeysAreProvidedByRegions(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s := newShelves(w, 40)
		d := w.Node(waymark.Config{Mode: waymark.ModeClient, Seeds: seedsAt(t, s.servers[0])})
		_, err := d.RunBootstrap(t.Context()) // to its end: a node that is only ready may know too few to go by regions
		w.Check(err)
		facts := d.Facts(t.Context())
		keys, began := contents(0, 300), time.Now()
		w.Check(d.ProvideMany(t.Context(), append(keys, keys[0])))
		took, lookups := time.Since(began), 0
		for len(facts) > 0 {
			if f, is := (<-facts).(engine.OpStarted); is && f.Kind == engine.KindLookup {
				lookups++
			}
		}
		if lookups == 0 || lookups > 12 {
			t.Errorf("%d lookups", lookups)
		}
		t.Logf("%d lookups, %v", lookups, took)
		for _, k := range keys {
			if n := s.holding(t, k, d.PeerID(), time.Time{}); n != params.K {
				t.Errorf("%s is on %d servers", k, n)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.ProvideMany(ctx, keys); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		for _, server := range s.servers {
			w.Check(w.Wire.BlackHole(server.Host().Addrs()[0]))
			for _, c := range server.Host().Network().Conns() {
				c.Close()
			}
		}
		if err := d.ProvideMany(t.Context(), keys); err == nil {
			t.Error("nobody is there, and all is well")
		}
		w.Check(d.Close())
		if err := d.ProvideMany(t.Context(), keys); !errors.Is(err, waymark.ErrClosed) {
			t.Errorf("a closed node: %v", err)
		}
	})
}

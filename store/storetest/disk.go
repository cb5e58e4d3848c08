package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
)

func runDisk(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Disk)
	}{
		{"Reopened", testReopened},
		{"ReopenedItHasAllOfTheNodesOwn", testOwnReopened},
		{"ReopenedItHasWhatWasEvictedAndStoredAgain", testEvictedAndStoredAgain},
		{"Crashed", testCrashed},
		{"FullDisk", testFullDisk},
		{"SlowDisk", testSlowDisk},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, e.NewDisk(t)) })
	}
	t.Run("CorruptFile", func(t *testing.T) {
		for seed := range uint64(corruptions) {
			testCorrupt(t, e.NewDisk(t), seed)
		}
	})
}

// How often the suite cuts the power, and changes bytes.
const (
	crashes     = 12
	corruptions = 24
)

func open(t testing.TB, d Disk) store.Store {
	t.Helper()
	s, err := d.Open(store.Limits{})
	must(t, err)
	return s
}

// testOwnReopened: a start knows whose the node's own records are before it is
// told, and evicts none of them.
func testOwnReopened(t *testing.T, d Disk) {
	limits := store.Limits{Providers: 6, ProvidersPerPeer: 3}
	s, err := d.Open(limits)
	must(t, err)
	must(t, s.Own(deadline(t), peer(1).ID))
	for i := range 10 {
		add(t, s, fmt.Sprint(i), 1, start+tick(i))
	}
	must(t, s.Close())
	s, err = d.Open(limits)
	must(t, err)
	counts(t, s, 0, 10)
	must(t, s.Own(deadline(t), peer(1).ID))
	counts(t, s, 0, 10)
	must(t, s.Close())
}

// testEvictedAndStoredAgain: what one write evicts may be stored again by the same
// write, and then is not to be deleted with the next.
func testEvictedAndStoredAgain(t *testing.T, d Disk) {
	limits := store.Limits{ProvidersPerPeer: 2}
	s, err := d.Open(limits)
	must(t, err)
	EvictAndStoreAgain(t, s)
	must(t, s.Close())
	s, err = d.Open(limits)
	must(t, err)
	same(t, "of a", provides(t, s, "a", start, 9), []int{1})
	same(t, "of b", provides(t, s, "b", start, 9), []int{1})
	counts(t, s, 0, 2)
	must(t, s.Close())
}

// EvictAndStoreAgain has a store in which a peer may have two records evict one
// and store it again in one write; a and b are what is there then.
func EvictAndStoreAgain(t testing.TB, s store.Store) {
	t.Helper()
	add(t, s, "b", 1, start)
	add(t, s, "c", 1, start+1)
	must(t, s.AddProviders(deadline(t), []record.Provider{provider("a", 1, start+2), provider("b", 1, start+3)}, late))
	must(t, s.PutBlob(deadline(t), "any", []byte("other write")))
}

func testReopened(t *testing.T, d Disk) {
	ctx, s := deadline(t), open(t, d)
	for i := range 30 {
		add(t, s, "k", i, start+tick(i))
		add(t, s, fmt.Sprint("own ", i), i, start)
		must(t, s.PutValue(ctx, value(fmt.Sprint("/v/", i), fmt.Sprint(i)), late))
	}
	must(t, s.RemoveProviders(ctx, [][]byte{[]byte("k")}, peer(3).ID))
	must(t, s.RemoveValue(ctx, []byte("/v/3")))
	add(t, s, "k", 0, start+100)
	must(t, s.AddProvider(ctx, record.Provider{Key: []byte("own 5"), Peer: peerAt(5, 77), Received: start}, start+hour))
	full := value("/v/full", "of everything")
	full.Publisher, full.TTL = "publisher", 77
	must(t, s.PutValue(ctx, full, late))
	must(t, s.PutBlob(ctx, "table", []byte("contacts")))
	must(t, s.Close())

	s = open(t, d)
	counts(t, s, 30, 59)
	same(t, "of k", provides(t, s, "k", start, 4), []int{0, 29, 28, 27})
	found, err := s.ProvidersOf(ctx, []byte("own 5"), start, 1)
	must(t, err)
	if len(found) != 1 || !slices.Equal(found[0].Peer.Addrs, peerAt(5, 77).Addrs) || found[0].Received != start {
		t.Fatalf("got %+v, want the address given last and the date", found)
	}
	same(t, "that expires early", provides(t, s, "own 5", start+hour, 20), []int{})
	got, err := s.Value(ctx, full.Key)
	must(t, err)
	if string(got.Value) != string(full.Value) || got.TimeReceived != full.TimeReceived ||
		got.Publisher != full.Publisher || got.TTL != full.TTL {
		t.Fatalf("got %+v, want %+v", got, full)
	}
	blob, err := s.Blob(ctx, "table")
	must(t, err)
	if string(blob) != "contacts" {
		t.Fatalf("got blob %q", blob)
	}
	if n, err := s.Expire(ctx, start+hour); n != 1 || err != nil {
		t.Fatalf("%d expired (%v), not one", n, err)
	}
	must(t, s.Close())
	s = open(t, d)
	counts(t, s, 30, 58)
	must(t, s.Close())
}

// Load is callers that write, each again and again under a key of its own, and
// what was acknowledged to them. Tests that kill a process use it too.
type Load struct {
	mu    sync.Mutex
	acked []int // by caller: the last round that was acknowledged
	acks  chan struct{}
}

// NewLoad returns a load of so many callers.
func NewLoad(callers int) *Load {
	return &Load{acked: slices.Repeat([]int{-1}, callers), acks: make(chan struct{}, 1<<16)}
}

// Write is one caller. It ends with the first error.
func (l *Load) Write(ctx context.Context, s store.Store, caller, from int) error {
	for round := from; ; round++ {
		err := Write(ctx, s, caller, round)
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.acked[caller] = round
		l.mu.Unlock()
		select {
		case l.acks <- struct{}{}:
		default:
		}
	}
}

// Acked returns what was acknowledged until now, by caller.
func (l *Load) Acked() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acked)
}

// Write is one round of a caller: a provider record that stays, and a value
// that takes the place of the last round's.
func Write(ctx context.Context, s store.Store, caller, round int) error {
	return errors.Join(
		s.AddProvider(ctx, provider(fmt.Sprint(caller, " ", round), caller, start+tick(round)), late),
		s.PutValue(ctx, value(fmt.Sprint("/v/", caller), fmt.Sprint(round)), late),
	)
}

// Holds returns an error unless all that a caller's rounds wrote, up to the
// last that was acknowledged, is in a store. One round more may be there.
func Holds(ctx context.Context, s store.Store, caller, acked int) error {
	for round := range acked + 1 {
		found, err := s.ProvidersOf(ctx, []byte(fmt.Sprint(caller, " ", round)), start, 20)
		if err != nil || len(found) != 1 || found[0].Peer.ID != peer(caller).ID || found[0].Received != start+tick(round) {
			return fmt.Errorf("caller %d, round %d: acknowledged, and now found %v (%w)", caller, round, found, err)
		}
	}
	got, err := s.Value(ctx, []byte(fmt.Sprint("/v/", caller)))
	if acked < 0 && errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if last, err := strconv.Atoi(string(got.Value)); err != nil || last < acked || last > acked+1 {
		return fmt.Errorf("caller %d: round %d was acknowledged, and the value is of round %q", caller, acked, got.Value)
	}
	return nil
}

// testCrashed cuts the power in the middle of writes, again and again.
func testCrashed(t *testing.T, d Disk) {
	const callers = 8
	r := rand.New(rand.NewPCG(7, 7))
	l := NewLoad(callers)
	for crash := range uint64(crashes) {
		s := open(t, d)
		for c, acked := range l.Acked() {
			if err := Holds(deadline(t), s, c, acked); err != nil {
				t.Fatalf("crash %d: %v", crash, err)
			}
		}
		ctx, stop := context.WithCancel(context.Background())
		var writers sync.WaitGroup
		for c, acked := range l.Acked() {
			writers.Go(func() { _ = l.Write(ctx, s, c, acked+1) }) // it ends with the crash
		}
		for range r.IntN(60) {
			select {
			case <-l.acks:
			case <-deadline(t).Done():
				t.Fatal("nothing is acknowledged any more")
			}
		}
		acked := l.Acked()
		d.Crash(crash)
		stop()
		writers.Wait()
		l.acked = acked // what came after the cut was lost with the power
	}
}

func testFullDisk(t *testing.T, d Disk) {
	ctx, s := deadline(t), open(t, d)
	must(t, s.PutValue(ctx, value("/v/a", "before"), late))
	add(t, s, "k", 1, start)
	d.Fill(true)
	for range 3 {
		wants(t, s.PutValue(ctx, value("/v/a", "while full"), late), store.ErrFull)
		wants(t, s.AddProvider(ctx, provider("k", 2, start), late), store.ErrFull)
		wants(t, s.PutBlob(ctx, "n", []byte("while full")), store.ErrFull)
	}
	got, err := s.Value(ctx, []byte("/v/a"))
	must(t, err)
	if string(got.Value) != "before" {
		t.Fatalf("a full disk serves %q", got.Value)
	}
	same(t, "of k", provides(t, s, "k", start, 20), []int{1})
	d.Fill(false)
	must(t, s.PutValue(ctx, value("/v/a", "after"), late))
	add(t, s, "k", 3, start+1)
	must(t, s.Close())
	s = open(t, d)
	same(t, "of k, reopened", provides(t, s, "k", start, 20), []int{3, 1})
	must(t, s.Close())
}

// testSlowDisk has writes wait, and sees that nothing else does and that who
// waits can leave.
func testSlowDisk(t *testing.T, d Disk) {
	s := open(t, d)
	add(t, s, "k", 1, start)
	must(t, s.PutValue(deadline(t), value("/v/a", "before"), late))
	release := d.Block()
	ctx, leave := context.WithCancel(context.Background())
	waiting := make(chan error, 16)
	for i := range cap(waiting) {
		go func() { waiting <- s.AddProvider(ctx, provider("k", 10+i, start), late) }()
	}
	same(t, "of k, as long as the disk blocks", provides(t, s, "k", start, 20), []int{1})
	_, err := s.Value(deadline(t), []byte("/v/a"))
	must(t, err)
	counts(t, s, 1, 1)
	leave()
	for range cap(waiting) {
		select {
		case err := <-waiting:
			wants(t, err, context.Canceled)
		case <-deadline(t).Done():
			t.Fatal("a caller that left still waits for the disk")
		}
	}
	release()
	add(t, s, "k", 2, start+1)
	if got := provides(t, s, "k", start, 20); got[0] != 2 {
		t.Fatalf("after the block: %v", got)
	}
	must(t, s.Close())
}

// testCorrupt changes bytes and wants an error or the truth.
func testCorrupt(t *testing.T, d Disk, seed uint64) {
	ctx, s := deadline(t), open(t, d)
	for round := range 40 {
		for caller := range 4 {
			must(t, Write(ctx, s, caller, round))
		}
	}
	must(t, s.Close())
	d.Corrupt(seed)
	s, err := d.Open(store.Limits{})
	if err != nil {
		wants(t, err, store.ErrCorrupt)
		return
	}
	for p, err := range s.AllProviders(ctx) {
		var caller, round int
		if err != nil {
			break
		}
		if _, err := fmt.Sscan(string(p.Key), &caller, &round); err != nil || caller > 3 || round > 39 ||
			p.Peer.ID != peer(caller).ID || !slices.Equal(p.Peer.Addrs, peer(caller).Addrs) || p.Received != start+tick(round) {
			t.Fatalf("seed %d: serves %+v of %+v, which nobody stored", seed, p, p.Peer)
		}
	}
	for v, err := range s.AllValues(ctx) {
		if err != nil {
			break
		}
		if n, err := strconv.Atoi(string(v.Value)); err != nil || n > 39 {
			t.Fatalf("seed %d: serves %+v, which nobody stored", seed, v)
		}
	}
	must(t, s.Close())
}

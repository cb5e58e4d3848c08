package crawl

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// land is a network that exists in memory: its peers have tables of buckets,
// answer as servers do, and some are dead or lie.
type land struct {
	peers  []*contact.Info
	at     map[contact.ID]int
	tables [][]*contact.Info
	dead   map[contact.ID]contact.Failure
	liars  map[contact.ID]bool
	stuck  map[contact.ID]chan struct{}
	rtt    time.Duration

	mu    sync.Mutex
	asked map[contact.ID]int
	left  map[contact.ID]int
	order []contact.ID
	busy  map[contact.ID]bool
}

func newLand(seed uint64, n int) *land {
	rng := rand.New(rand.NewPCG(seed, 0))
	l := &land{
		at: map[contact.ID]int{}, dead: map[contact.ID]contact.Failure{}, liars: map[contact.ID]bool{},
		stuck: map[contact.ID]chan struct{}{}, rtt: 100 * time.Millisecond,
		asked: map[contact.ID]int{}, left: map[contact.ID]int{}, busy: map[contact.ID]bool{},
	}
	for i := range n {
		p := peerNumber(rng.Uint64(), byte(i))
		l.at[p.ID] = i
		l.peers = append(l.peers, p)
	}
	for i := range n {
		l.tables = append(l.tables, l.table(i, rng))
	}
	return l
}

func peerNumber(n uint64, at byte) *contact.Info {
	id := binary.BigEndian.AppendUint64([]byte{0x00, 0x08}, n)
	return contact.New(contact.ID(id), contact.Addr("/"+string(at)))
}

// table fills the buckets of one peer, each with as many as it holds.
func (l *land) table(of int, rng *rand.Rand) (table []*contact.Info) {
	var sizes [key.Bits + 1]int
	for _, i := range rng.Perm(len(l.peers)) {
		b := l.peers[of].Key.CommonPrefix(l.peers[i].Key)
		size := params.K
		if b < len(params.TopBuckets) {
			size = params.TopBuckets[b]
		}
		if i != of && sizes[b] < size {
			sizes[b]++
			table = append(table, l.peers[i])
		}
	}
	return table
}

func (l *land) Ask(ctx context.Context, to *contact.Info, preimage []byte) Answer {
	l.mu.Lock()
	if l.busy[to.ID] {
		l.mu.Unlock()
		panic("two requests to one peer at a time")
	}
	l.busy[to.ID] = true
	if l.asked[to.ID]++; l.asked[to.ID] == 1 {
		l.order = append(l.order, to.ID)
	}
	wait := l.stuck[to.ID]
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.busy, to.ID)
	}()
	if wait != nil {
		<-wait
	}
	select {
	case <-time.After(l.rtt):
	case <-ctx.Done():
		return Answer{Failure: contact.Cancelled}
	}
	at, here := l.at[to.ID]
	switch how := l.dead[to.ID]; {
	case how != contact.None:
		return Answer{Failure: how, Detail: "so it was planned"}
	case l.liars[to.ID]:
		return Answer{Closer: forged(to, preimage)}
	case !here:
		return Answer{Failure: contact.Refused}
	}
	near, target := slices.Clone(l.tables[at]), key.Of(preimage)
	slices.SortFunc(near, func(a, b *contact.Info) int { return target.Closer(a.Key, b.Key) })
	return Answer{Closer: near[:min(params.K, len(near))]}
}

// forged are twenty new names for whatever is asked, so near to it that there
// is always more to ask for.
func forged(by *contact.Info, preimage []byte) (names []*contact.Info) {
	target := key.Of(preimage)
	rng := rand.New(rand.NewPCG(by.Key[0], target[0]))
	for range params.K {
		p := peerNumber(rng.Uint64(), 0)
		p.Key = target
		p.Key[0] ^= rng.Uint64() >> 12
		names = append(names, p)
	}
	return names
}

func (l *land) Leave(of *contact.Info) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left[of.ID]++
}

// alive returns the peers that answer truly.
func (l *land) alive() (ids []contact.ID) {
	for _, p := range l.peers {
		if l.dead[p.ID] == contact.None && !l.liars[p.ID] {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

func found(r Result) map[contact.ID]Peer {
	all := make(map[contact.ID]Peer)
	for _, p := range r.Answered() {
		all[p.Info.ID] = p
	}
	return all
}

// wantAll sees that everybody who is alive was found.
func wantAll(t *testing.T, l *land, r Result) {
	t.Helper()
	got, missing := found(r), 0
	for _, id := range l.alive() {
		if _, ok := got[id]; !ok {
			missing++
		}
	}
	if missing > 0 || r.Elapsed > r.Bound {
		t.Errorf("%d of %d were not found; %v in %v of %v, %+v", missing, len(l.alive()), r.Why, r.Elapsed, r.Bound, r.Progress)
	}
}

func TestEverybodyIsFoundAndEveryTableLearntWhole(t *testing.T) {
	for _, n := range []int{1, 2, 19, 30, 400, 1000} {
		testkit.Bubble(t, func(t *testing.T) {
			l := newLand(uint64(n), n)
			r := New(Config{Edges: true}, l.peers[:1]).Run(t.Context(), l)
			wantAll(t, l, r)
			if r.Why != Complete || r.Progress.Left != 0 || r.Progress.Answered != n || r.Liars != 0 {
				t.Errorf("%d peers: %v, %+v, %d liars", n, r.Why, r.Progress, r.Liars)
			}
			most := 0
			for _, p := range r.Peers {
				if most = max(most, p.Asks); !p.Whole || p.Named != len(l.tables[l.at[p.Info.ID]]) || len(p.Edges) != p.Named {
					t.Errorf("%d peers: %d of %d contacts were learnt by %d requests", n, p.Named, len(l.tables[l.at[p.Info.ID]]), p.Asks)
				}
			}
			t.Logf("%d peers: at most %d requests to one", n, most)
			if !slices.IsSortedFunc(r.Peers, func(a, b Peer) int { return a.Info.Key.Compare(b.Info.Key) }) {
				t.Error("they are not in the order of their keys")
			}
		})
	}
}

func TestTheDeadAreReportedWithTheReasonAndTheLivingAllFound(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		l := newLand(7, 1000)
		for i := range 300 {
			l.dead[l.peers[1+i].ID] = []contact.Failure{contact.Refused, contact.BlackHole, contact.Silent}[i%3]
		}
		r := New(Config{}, l.peers[:3]).Run(t.Context(), l)
		wantAll(t, l, r)
		for _, how := range []contact.Failure{contact.Refused, contact.BlackHole, contact.Silent} {
			if r.Failures[how] != 100 {
				t.Errorf("%d %v, want 100", r.Failures[how], how)
			}
		}
		for _, p := range r.Peers { // who is late once may only be busy
			if want := map[bool]int{true: params.CrawlSilent, false: 1}[p.Failure.RanOut()]; p.Tries != want {
				t.Errorf("%v was visited %d times, want %d", p.Failure, p.Tries, want)
			}
		}
	})
}

func TestWhoeverInventsPeersWithoutEndIsFoundOutAndCostsNoHonestOne(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		l := newLand(8, 500)
		for i := range 50 {
			l.liars[l.peers[3*i+2].ID] = true
		}
		cfg := Config{Peers: 800}
		r := New(cfg, l.peers[:3]).Run(t.Context(), l)
		wantAll(t, l, r)
		t.Logf("%+v, %d liars", r.Progress, r.Liars)
		if r.Why != Limit || r.Progress.Dropped == 0 {
			t.Errorf("%v, %+v", r.Why, r.Progress)
		}
		if total := len(r.Peers); total > cfg.Peers {
			t.Errorf("%d visits, at most %d were allowed", total, cfg.Peers)
		}
		if r.Liars < 10 || r.Liars > 50 {
			t.Errorf("%d liars were found out", r.Liars)
		}
	})
}

func TestALimitHoldsToTheVisit(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		l := newLand(9, 400)
		r := New(Config{Peers: 50}, l.peers[:1]).Run(t.Context(), l)
		if r.Why != Limit || len(r.Peers) != 50 || len(l.order) != 50 || r.Progress.Left == 0 {
			t.Errorf("%v, %d peers, %d were asked, %+v", r.Why, len(r.Peers), len(l.order), r.Progress)
		}
	})
}

func TestACrawlThatWasStoppedGoesOnWhereItWas(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		l := newLand(10, 400)
		c := New(Config{}, l.peers[:1])
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		began := time.Now()
		r := c.Run(ctx, l)
		if took := time.Since(began); r.Why != Deadline || took > 7*time.Second+params.Epsilon || len(r.Peers) == 0 || r.Progress.Left == 0 {
			t.Fatalf("the first half: %v in %v, %+v", r.Why, took, r.Progress)
		}
		done := make(map[contact.ID]int)
		for _, p := range r.Peers {
			done[p.Info.ID] = l.asked[p.Info.ID]
		}
		r = c.Run(t.Context(), l)
		wantAll(t, l, r)
		if r.Why != Complete {
			t.Errorf("the second half: %v", r.Why)
		}
		for id, asks := range done {
			if l.asked[id] != asks {
				t.Errorf("one that was done was asked again: %d and %d times", asks, l.asked[id])
			}
		}
	})
}

func TestAnotherCrawlGoesOnWithWhatWasWrittenDown(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		l := newLand(15, 300)
		l.dead[l.peers[4].ID] = contact.Refused
		half := New(Config{Peers: 150}, l.peers[:1]).Run(t.Context(), l)
		c := New(Config{}, append(half.Left, l.peers[0], l.peers[7]))
		for _, p := range half.Peers {
			c.Done(p)
		}
		r := c.Run(t.Context(), l)
		wantAll(t, l, r)
		if r.Why != Complete || r.Progress.Found != 300 || r.Progress.Failed != 1 || len(l.order) != 300 || len(half.Left) != half.Progress.Left {
			t.Errorf("%v, %+v, %d were asked", r.Why, r.Progress, len(l.order))
		}
		for _, p := range r.Peers {
			if n := l.asked[p.Info.ID]; n != p.Asks {
				t.Errorf("%x was asked %d times, and %d are reported", p.Info.ID, n, p.Asks)
			}
		}
	})
}

func TestAnAskerThatNeverReturnsHoldsNothingUp(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		l := newLand(11, 300)
		wall := make(chan struct{})
		for i := range 20 {
			l.stuck[l.peers[10+i].ID] = wall
			l.dead[l.peers[10+i].ID] = contact.Silent
		}
		r := New(Config{Width: 32}, l.peers[:2]).Run(t.Context(), l)
		wantAll(t, l, r)
		if r.Why != Complete || r.Stuck != 20 || r.Failures[contact.Silent] != 20 {
			t.Errorf("%v, %d stuck, %d silent", r.Why, r.Stuck, r.Failures[contact.Silent])
		}
		close(wall)
	})
	testkit.Bubble(t, func(t *testing.T) {
		l := newLand(11, 300)
		wall := make(chan struct{})
		for _, p := range l.peers[2:] {
			l.stuck[p.ID] = wall
		}
		r := New(Config{Width: 16}, l.peers[:2]).Run(t.Context(), l)
		if r.Why != Stuck || r.Stuck != 16 || r.Elapsed > r.Bound {
			t.Errorf("where all are: %v, %d stuck, after %v of %v", r.Why, r.Stuck, r.Elapsed, r.Bound)
		}
		close(wall)
	})
}

func TestWhoeverOurSideCouldNotAskIsAskedAgainLater(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		l := newLand(12, 100)
		l.dead[l.peers[5].ID] = contact.NotSent
		r := New(Config{}, l.peers[:1]).Run(t.Context(), l)
		wantAll(t, l, r)
		if n := l.asked[l.peers[5].ID]; n != params.CrawlTries || r.Failures[contact.NotSent] != 1 || r.Elapsed < (params.CrawlTries-1)*params.CrawlPause {
			t.Errorf("it was asked %d times, in %v; %+v", n, r.Elapsed, r.Progress)
		}
	})
}

func TestNewAddressesAreTriedWhereOthersFailed(t *testing.T) {
	f := newFrontier(Config{}.withDefaults())
	f.name(contact.New("a", "/1"), none)
	at, _ := f.next()
	if f.ended(at, report{Peer: Peer{Info: f.entries[at].info, Failure: contact.Refused}}, time.Time{}); f.left() != 0 {
		t.Fatal("a failure leaves it to be visited")
	}
	f.name(contact.New("a", "/1"), none)
	if _, ok := f.next(); ok {
		t.Error("the same address was tried again")
	}
	f.name(contact.New("a", "/2"), none)
	if at, ok := f.next(); !ok || len(f.entries[at].info.Addrs) != 2 {
		t.Error("the new address is not tried")
	}
}

func TestOneAtATimeTheOrderIsThatOfTheNames(t *testing.T) {
	var first []contact.ID
	for range 2 {
		testkit.Bubble(t, func(t *testing.T) {
			l := newLand(13, 120)
			New(Config{Width: 1, Time: time.Hour}, l.peers[:1]).Run(t.Context(), l)
			if first != nil && !slices.Equal(first, l.order) {
				t.Error("two runs visited in different orders")
			}
			first = l.order
			for id, n := range l.left {
				if n != 1 {
					t.Errorf("%x was left %d times", id, n)
				}
			}
		})
	}
}

func TestProgressIsToldOnceForEachPeer(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		l := newLand(14, 200)
		told, last := map[contact.ID]int{}, Progress{}
		cfg := Config{Self: l.peers[3].ID, Heard: func(p Peer, at Progress) {
			told[p.Info.ID]++
			if at.Answered+at.Failed != len(told) || at.Found != at.Answered+at.Failed+at.Left || at.Found < last.Found {
				t.Errorf("after %d: %+v", len(told), at)
			}
			last = at
		}}
		New(cfg, l.peers[:1]).Run(t.Context(), l)
		if len(told) != 199 || told[l.peers[3].ID] != 0 || last.Left != 0 {
			t.Errorf("%d were told of, of 199 others; %+v", len(told), last)
		}
		for id, n := range told {
			if n != 1 {
				t.Errorf("%x was told of %d times", id, n)
			}
		}
	})
}

func ExampleConfig_Bound() {
	fmt.Println(Config{Time: time.Minute}.Bound())
	// Output: 1m0.25s
}

// late answers for those in quick after a moment, and for the others when the
// wall falls, whatever has become of their time.
type late struct {
	quick map[contact.ID]bool
	wall  chan struct{}
}

func (l late) Ask(_ context.Context, to *contact.Info, _ []byte) Answer {
	if !l.quick[to.ID] {
		<-l.wall
		return Answer{}
	}
	<-time.After(time.Second / 4)
	return Answer{}
}

func (late) Leave(*contact.Info) {}

// TestWhoeverIsLeftBehindFindsRoomForItsReport: two visits are left behind in the
// same instant after one before, and all answer when nobody listens any more.
func TestWhoeverIsLeftBehindFindsRoomForItsReport(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		peers := newLand(11, 12).peers
		l := late{quick: make(map[contact.ID]bool), wall: make(chan struct{})}
		for _, p := range peers[1:5] {
			l.quick[p.ID] = true
		}
		r := New(Config{Width: 2, PeerTime: time.Second - params.ZombieGrace}, peers).Run(t.Context(), l)
		if r.Why != Stuck || r.Stuck != 3 || r.Progress.Answered != 4 {
			t.Errorf("%v, %d stuck, %d answered", r.Why, r.Stuck, r.Progress.Answered)
		}
		close(l.wall)
	})
}

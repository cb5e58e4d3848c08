package table

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

func TestTheZeroConfigHasTheSizesOfParams(t *testing.T) {
	table := New(key.Key{}, contact.NewBook(), Config{})
	for b := range params.Buckets {
		want := params.K
		if b < len(params.TopBuckets) {
			want = params.TopBuckets[b]
		}
		if got := table.capacity(b); got != want {
			t.Errorf("bucket %d holds %d, want %d", b, got, want)
		}
	}
	if got := New(key.Key{}, nil, Config{Sizes: []int{7, 0}}); got.capacity(0) != 7 || got.capacity(1) != params.K {
		t.Errorf("sizes 7, 0: %d, %d", got.capacity(0), got.capacity(1))
	}
}

func TestNobodyAndSelfAreRefused(t *testing.T) {
	book := contact.NewBook()
	self := contact.New("self")
	h, _ := book.Intern(self)
	table := New(self.Key, book, Config{})
	for _, who := range []contact.Handle{0, h} {
		if v := table.Offer(who, 0, 0); v != (Verdict{Kind: Refused}) || v.Kind.String() != "refused" {
			t.Errorf("handle %d: %v", who, v)
		}
	}
	_, known := table.RTT(0)
	left, probe := table.Fail(0, 0)
	if table.Has(0) || table.Remove(0) || known || left || probe != 0 {
		t.Error("nobody was found")
	}
}

func TestNearestAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	table, _ := filled(t, r, 10_000, 200)
	s, target := table.Snapshot(), randomKey(r)
	handles, infos := make([]contact.Handle, 0, 21), make([]*contact.Info, 0, 21)
	if n := testing.AllocsPerRun(100, func() { table.Nearest(handles[:0], target, 21) }); n != 0 {
		t.Errorf("table: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { s.Nearest(infos[:0], target, 21) }); n != 0 {
		t.Errorf("snapshot: %v allocations", n)
	}
}

func TestNearestOfARandomTableIsTheSortedTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	table, _ := filled(t, r, 10_000, 0)
	var all []contact.Handle
	for h := range table.All {
		all = append(all, h)
	}
	for _, target := range append(randomKeys(r, 300), table.self) {
		slices.SortFunc(all, func(a, b contact.Handle) int {
			return target.Closer(table.book.Info(a).Key, table.book.Info(b).Key)
		})
		n := r.IntN(len(all) + 10)
		prefix := []contact.Handle{77}
		if got := table.Nearest(prefix, target, n); !slices.Equal(got[1:], all[:min(n, len(all))]) || got[0] != 77 {
			t.Fatalf("nearest %d to %s: %v", n, target, got)
		}
	}
}

func TestASnapshotDoesNotSeeLaterChanges(t *testing.T) {
	book := contact.NewBook()
	table := New(key.Of(nil), book, Config{})
	a, _ := book.Intern(contact.New("a", address(9, 1, 1, 1)))
	table.Offer(a, 0, 0)
	s, before := table.Snapshot(), book.Info(a)
	b, _ := book.Intern(contact.New("b", address(9, 2, 1, 1)))
	table.Offer(b, 0, 0)
	table.Remove(a)
	book.Replace(a, contact.New("a", address(9, 3, 1, 1)))
	if s.Len() != 1 || s.Find("a") != before || s.Find("b") != nil || s.Nearest(nil, key.Key{}, 5)[0] != before {
		t.Fatal("the snapshot changed")
	}
	if empty := New(key.Key{}, book, Config{}).Snapshot(); empty.Len() != 0 || empty.Find("a") != nil {
		t.Fatal("an empty snapshot is not empty")
	}
}

func TestCloneIsIndependent(t *testing.T) {
	table, all := filled(t, rand.New(rand.NewPCG(1, 3)), 2_000, 0)
	book := table.book.Clone()
	clone := table.Clone(book)
	size, probes := clone.Len(), clone.Probes(nil)
	for _, h := range all {
		table.Remove(h)
	}
	if clone.Len() != size || !slices.Equal(clone.Probes(nil), probes) || table.Len() != 0 {
		t.Fatalf("clone %d members (had %d), original %d", clone.Len(), size, table.Len())
	}
	for _, h := range all {
		clone.Remove(h)
	}
	if book.Sweep(0); book.Len() != 0 {
		t.Fatalf("the clone's book still holds %d", book.Len())
	}
}

func TestRoundTripTimesKeepTheirGrain(t *testing.T) {
	for _, c := range []struct{ in, out time.Duration }{
		{0, 0},
		{-1, 0},
		{1, params.RTTUnit},
		{params.RTTUnit, params.RTTUnit},
		{params.RTTUnit + 1, 2 * params.RTTUnit},
		{params.HardSlow, params.HardSlow},
		{time.Hour, (1<<16 - 1) * params.RTTUnit},
	} {
		if got := unpackRTT(packRTT(c.in)); got != c.out {
			t.Errorf("%v became %v, want %v", c.in, got, c.out)
		}
	}
}

func TestMarksOutliveTheirSixteenBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for range 1000 {
		at := mono.Time(r.Int64N(int64(100 * 24 * time.Hour)))
		now := at.Add(time.Duration(r.Int64N(int64(11 * 24 * time.Hour))))
		m := markAt(at)
		if got := m.since(now); at.Sub(got) < 0 || at.Sub(got) >= params.UsefulUnit {
			t.Fatalf("%d seen at %d became %d", at, now, got)
		}
		if m.failed() || !(m | failedBit).failed() || (m|failedBit).since(now) != m.since(now) {
			t.Fatal("the failed bit and the moment disturb each other")
		}
	}
}

// bytes is what a table takes beside the book, slack at the ends included.
func (l *list) bytes() int {
	return 8*cap(l.words) + 8*cap(l.cells) + 8*cap(l.groups)
}

func TestATableAmongTenThousandNodesTakesUnderEightKilobytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	book := contact.NewBook()
	book.Pin()
	table := New(randomKey(r), book, Config{NoDiversity: true})
	for _, h := range crowd(book, r, 10_000) {
		table.Offer(h, 0, time.Millisecond)
	}
	bytes, spares := table.members.bytes()+table.spares.bytes(), len(table.spares.words)
	t.Logf("%d members and %d replacements take %d bytes", table.Len(), spares, bytes)
	if table.Len() < 300 || bytes > 8<<10 {
		t.Fatalf("%d members and %d replacements take %d bytes", table.Len(), spares, bytes)
	}
}

// TestNetworkSizeIsRightOnAverage offers whole networks of random identifiers.
// The mean of 100 estimates that are each off by 24 % is off by 2.4 %.
func TestNetworkSizeIsRightOnAverage(t *testing.T) {
	for _, n := range []int{100, 1_000, 10_000} {
		r := rand.New(rand.NewPCG(1, uint64(n)))
		book := contact.NewBook()
		book.Pin()
		all := crowd(book, r, n)
		var sum, squares float64
		const runs = 100
		for range runs {
			table := New(randomKey(r), book, Config{NoDiversity: true})
			for _, h := range all {
				table.Offer(h, 0, 0)
			}
			got, ok := table.NetworkSize()
			if !ok {
				t.Fatalf("no estimate of %d", n)
			}
			e := float64(got)/float64(n) - 1
			sum, squares = sum+e, squares+e*e
		}
		mean, spread := sum/runs, math.Sqrt(squares/runs)
		t.Logf("%d nodes: mean error %+.1f %%, root mean square %.1f %%", n, 100*mean, 100*spread)
		if math.Abs(mean) > .12 || spread > .35 {
			t.Errorf("%d nodes: mean error %+.3f, root mean square %.3f", n, mean, spread)
		}
	}
	if _, ok := New(key.Key{}, contact.NewBook(), Config{}).NetworkSize(); ok {
		t.Error("an empty table knows the size of the network")
	}
}

// TestAPopularGroupKeepsItsPlacesNearSelf measures why MaxPerGroup counts the
// big buckets apart. Half of the nodes live in 50 groups; with one count for
// the whole table 67 % of the nearest were known.
func TestAPopularGroupKeepsItsPlacesNearSelf(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	known, truth := 0, 0
	for range 20 {
		book := contact.NewBook()
		table := New(randomKey(r), book, Config{})
		var hs []contact.Handle
		for i := range 5_000 {
			g := i % 2000 // half of the nodes in 50 popular groups, the rest two by two
			if i%2 == 0 {
				g = 2000 + i/2%50
			}
			info := &contact.Info{ID: contact.ID(fmt.Sprint(i)), Key: randomKey(r)}
			info.Addrs = []contact.Addr{address(byte(g>>8), byte(g), 0, 1)}
			h, _ := book.Intern(info)
			hs = append(hs, h)
		}
		for _, i := range r.Perm(len(hs)) {
			table.Offer(hs[i], 0, 0)
		}
		slices.SortFunc(hs, func(a, b contact.Handle) int {
			return table.self.Closer(book.Info(a).Key, book.Info(b).Key)
		})
		for _, h := range hs[:params.K] {
			truth++
			if table.Has(h) {
				known++
			}
		}
	}
	share := float64(known) / float64(truth)
	t.Logf("%.1f %% of the %d nearest are in the table", 100*share, params.K)
	if share < .9 {
		t.Errorf("only %.3f of the nearest are in the table", share)
	}
}

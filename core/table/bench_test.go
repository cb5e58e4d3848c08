package table

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// crowd interns n contacts with random keys. Each lives in an IPv4 /16 of its
// own, up to 65536 of them.
func crowd(book *contact.Book, r *rand.Rand, n int) []contact.Handle {
	hs := make([]contact.Handle, n)
	for i := range hs {
		info := &contact.Info{ID: contact.ID(fmt.Sprintf("peer %d", i)), Key: randomKey(r)}
		info.Addrs = []contact.Addr{address(byte(i>>8), byte(i), 0, 1)}
		hs[i], _ = book.Intern(info)
	}
	return hs
}

func randomKey(r *rand.Rand) key.Key {
	return key.Key{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
}

// address is the multiaddr of an IPv4 address and TCP port 4001.
func address(a, b, c, d byte) contact.Addr {
	return contact.Addr([]byte{4, a, b, c, d, 6, 0x0f, 0xa1})
}

// filled returns a table that was offered contacts of a network of n until it
// had the given number of members.
func filled(tb testing.TB, r *rand.Rand, n, members int) (*Table, []contact.Handle) {
	tb.Helper()
	book := contact.NewBook()
	t := New(randomKey(r), book, Config{})
	all := crowd(book, r, n)
	for i, h := range all {
		if t.Len() == members {
			break
		}
		t.Offer(h, mono.Time(i), time.Duration(r.IntN(300))*time.Millisecond)
	}
	if members > 0 && t.Len() != members {
		tb.Fatalf("%d members, want %d", t.Len(), members)
	}
	return t, all
}

func randomKeys(r *rand.Rand, n int) []key.Key {
	ks := make([]key.Key, n)
	for i := range ks {
		ks[i] = randomKey(r)
	}
	return ks
}

func BenchmarkNearest21of200(b *testing.B) {
	r := rand.New(rand.NewPCG(8, 1))
	t, _ := filled(b, r, 10_000, 200)
	targets := randomKeys(r, 4096) // no branch predictor learns so many
	dst := make([]contact.Handle, 0, 2*params.K)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		dst = t.Nearest(dst[:0], targets[i%len(targets)], 21)
	}
	if len(dst) != 21 {
		b.Fatalf("%d found", len(dst))
	}
}

func BenchmarkSnapshotNearest21of200(b *testing.B) {
	r := rand.New(rand.NewPCG(8, 1))
	t, _ := filled(b, r, 10_000, 200)
	targets, s := randomKeys(r, 4096), t.Snapshot()
	dst := make([]*contact.Info, 0, 2*params.K)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		dst = s.Nearest(dst[:0], targets[i%len(targets)], 21)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	t, _ := filled(b, rand.New(rand.NewPCG(8, 2)), 10_000, 200)
	b.ReportAllocs()
	for b.Loop() {
		if t.Snapshot().Len() != 200 {
			b.Fatal("incomplete")
		}
	}
}

func BenchmarkSnapshotFind(b *testing.B) {
	book := contact.NewBook()
	t := New(key.Of(nil), book, Config{})
	for i := range 200 {
		h, _ := book.Intern(contact.New(contact.ID(fmt.Sprintf("peer %d", i)), address(byte(i), 1, 1, 1)))
		t.Offer(h, 0, 0)
	}
	s, b100 := t.Snapshot(), contact.ID("peer 100")
	b.ReportAllocs()
	for b.Loop() {
		if s.Find(b100) == nil {
			b.Fatal("not found")
		}
	}
}

// BenchmarkOffer is the stream of a live node: answers of contacts drawn from
// the whole network, some in the table, most for full buckets.
func BenchmarkOffer(b *testing.B) {
	for _, c := range []struct {
		name string
		cfg  Config
	}{{"diverse", Config{}}, {"simulated", Config{NoDiversity: true}}} {
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(8, 3))
			book := contact.NewBook()
			book.Pin()
			t, all := New(randomKey(r), book, c.cfg), crowd(book, r, 10_000)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				t.Offer(all[i%len(all)], mono.Time(i), time.Millisecond)
			}
		})
	}
}

func BenchmarkFailAndComeBack(b *testing.B) {
	r := rand.New(rand.NewPCG(8, 4))
	t, _ := filled(b, r, 10_000, 200)
	var members []contact.Handle
	for h := range t.All {
		members = append(members, h)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h := members[i%len(members)]
		t.Fail(h, mono.Time(i))
		t.Offer(h, mono.Time(i), time.Millisecond)
	}
}

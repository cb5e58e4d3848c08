package memory

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
)

// load is what the benchmarks store: n records of keys with 20 providers each,
// by peers of whom each has hundreds of records.
type load struct {
	peers []*contact.Info
	n     int
}

func newLoad(n int) *load {
	l := &load{n: n}
	for i := range 20 * max(1, n/4000) { // 200 records each
		addr := []byte{4, 127, 0, byte(i >> 8), byte(i), 6, 0x0f, 0xa1}
		l.peers = append(l.peers, contact.New(contact.ID(fmt.Sprintf("\x00\x24\x08\x01\x12\x20%032d", i)), contact.Addr(addr)))
	}
	return l
}

// record returns record i; the same key comes again every n/20 records, each
// time by another peer.
func (l *load) record(i int) record.Provider {
	keys := l.n / 20
	peer := i/keys%20*len(l.peers)/20 + i%keys
	return record.Provider{Key: multihash(i % keys), Peer: l.peers[peer%len(l.peers)], Received: mono.Wall(i)}
}

func multihash(i int) []byte {
	k := key.Of(binary.BigEndian.AppendUint64(nil, uint64(i))).Bytes()
	return append([]byte{0x12, 0x20}, k[:]...)
}

// distinct returns record i of those of which no two share a key.
func (l *load) distinct(i int) record.Provider {
	return record.Provider{Key: multihash(i), Peer: l.peers[i%len(l.peers)], Received: mono.Wall(i)}
}

const never = mono.Wall(1 << 62)

func filled(tb testing.TB, n int) (*Store, *load) {
	s, l := New(Config{}), newLoad(n)
	for i := range n {
		if err := s.AddProvider(context.Background(), l.record(i), never); err != nil {
			tb.Fatal(err)
		}
	}
	return s, l
}

// BenchmarkAdd adds records in the order in which a network would: never two
// of one key in a row. go-libp2p-kad-dht writes through to its datastore.
func BenchmarkAdd(b *testing.B) {
	ctx, l := context.Background(), newLoad(1_000_000)
	records := make([]record.Provider, l.n)
	for i := range records {
		records[i] = l.record(i)
	}
	s, i := New(Config{}), 0
	for b.Loop() {
		if i == len(records) {
			b.StopTimer()
			s, i = New(Config{}), 0
			b.StartTimer()
		}
		if err := s.AddProvider(ctx, records[i], never); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkRenew adds records that are there already, in a full store.
func BenchmarkRenew(b *testing.B) {
	s, l := filled(b, 1_000_000)
	ctx, i := context.Background(), 0
	records := make([]record.Provider, 1<<16)
	for i := range records {
		records[i] = l.record(i * 13 % l.n)
	}
	for b.Loop() {
		if err := s.AddProvider(ctx, records[i&(len(records)-1)], never); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkFind20 finds twenty providers among more and more records: the time
// must not grow with them, but for the memory being further away.
func BenchmarkFind20(b *testing.B) {
	for _, n := range []int{1_000, 20_000, 200_000, 1_000_000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			s, l := filled(b, n)
			ctx, i := context.Background(), 0
			asked := make([][]byte, 1<<12)
			for i := range asked {
				asked[i] = l.record(i * 31).Key
			}
			for b.Loop() {
				found, err := s.ProvidersOf(ctx, asked[i&(len(asked)-1)], 0, 20)
				if err != nil || len(found) != 20 {
					b.Fatal(len(found), err)
				}
				i++
			}
		})
	}
}

// BenchmarkMillion reports the memory of a million records: twenty to a key,
// and, the worst case, each of a key of its own.
func BenchmarkMillion(b *testing.B) {
	for _, kind := range []struct {
		name   string
		record func(*load, int) record.Provider
	}{{"20perkey", (*load).record}, {"distinct", (*load).distinct}} {
		b.Run(kind.name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(heapOfMillion(b, kind.record))/1e6, "MB")
			}
		})
	}
}

func heapOfMillion(tb testing.TB, rec func(*load, int) record.Provider) uint64 {
	before := heap()
	s, l := New(Config{}), newLoad(1_000_000)
	for i := range l.n {
		if err := s.AddProvider(context.Background(), rec(l, i), never); err != nil {
			tb.Fatal(err)
		}
	}
	after := heap()
	if _, n := s.Count(); n != l.n {
		tb.Fatalf("%d records are stored, not %d", n, l.n)
	}
	return after - before
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

package lsm

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
)

// million is how many records the benchmarks of a large store have.
const million = 1_000_000

var peers = func() (all []*contact.Info) {
	for i := range 5000 {
		addr := contact.Addr([]byte{4, 127, 0, byte(i >> 8), byte(i), 6, 0x0f, 0xa1})
		all = append(all, contact.New(contact.ID(fmt.Sprintf("\x00\x24\x08\x01\x12\x20%032d", i)), addr))
	}
	return all
}()

// provided is record i: twenty for a key, and no two of a key in a row.
func provided(i int) record.Provider {
	const keys = million / 20
	k := key.Of(binary.BigEndian.AppendUint64(nil, uint64(i%keys))).Bytes()
	peer := (i/keys*len(peers)/20 + i) % len(peers)
	return record.Provider{Key: append([]byte{0x12, 0x20}, k[:]...), Peer: peers[peer], Received: mono.Wall(i)}
}

func openBench(b *testing.B, folder string) *Store {
	s, err := Open(folder, store.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// BenchmarkAdd has as many callers as a busy node add one record at a time;
// each is durable when its caller goes on.
func BenchmarkAdd(b *testing.B) {
	s, ctx := openBench(b, b.TempDir()), context.Background()
	var next atomic.Int64
	b.SetParallelism(512)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.AddProvider(ctx, provided(int(next.Add(1))), 1<<62); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "adds/s")
}

// BenchmarkAddBatch has one caller add a thousand records at a time.
func BenchmarkAddBatch(b *testing.B) {
	s, ctx, i := openBench(b, b.TempDir()), context.Background(), 0
	for b.Loop() {
		addThousand(b, ctx, s, i)
		i += 1000
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "adds/s")
}

func addThousand(tb testing.TB, ctx context.Context, s *Store, from int) {
	batch := make([]record.Provider, 1000)
	for j := range batch {
		batch[j] = provided(from + j)
	}
	if err := s.AddProviders(ctx, batch, 1<<62); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkMillion fills a store with a million records, opens it again and
// finds twenty providers in it.
func BenchmarkMillion(b *testing.B) {
	folder, ctx := b.TempDir(), context.Background()
	s, err := Open(folder, store.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < million; i += 1000 {
		addThousand(b, ctx, s, i)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("Reopen", func(b *testing.B) {
		for b.Loop() {
			s, err := Open(folder, store.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if _, n := s.Count(); n != million {
				b.Fatalf("%d records came back", n)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		b.ReportMetric(megabytes(b, folder), "MB-on-disk")
	})
	b.Run("Find20", func(b *testing.B) {
		s, i := openBench(b, folder), 0
		asked := make([][]byte, 1<<12)
		for i := range asked {
			asked[i] = provided(i * 11).Key
		}
		for b.Loop() {
			if found, err := s.ProvidersOf(ctx, asked[i&(len(asked)-1)], 0, 20); err != nil || len(found) != 20 {
				b.Fatal(len(found), err)
			}
			i++
		}
	})
}

func megabytes(b *testing.B, folder string) float64 {
	total := int64(0)
	err := filepath.Walk(folder, func(_ string, info os.FileInfo, err error) error {
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return float64(total) / 1e6
}

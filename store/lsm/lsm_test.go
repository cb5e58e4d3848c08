package lsm

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"

	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
	"github.com/waymark-dht/waymark/store/storetest"
)

func TestLSM(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	storetest.Run(t, storetest.Engine{
		Open: func(t testing.TB, limits store.Limits) store.Store {
			s, err := newDisk(t).Open(limits)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		NewDisk: func(t testing.TB) storetest.Disk { return newDisk(t) },
	})
}

// disk is a disk in memory that fails on demand and keeps, when the power is
// cut, what was synced and some of the rest.
type disk struct {
	t     testing.TB
	files *vfs.MemFS
	open  *Store

	mu      sync.Mutex
	fault   error         // of every write
	blocked chan struct{} // closed when writes go on; nil if they do not wait
	full    bool
}

func newDisk(t testing.TB) *disk {
	d := &disk{t: t, files: vfs.NewCrashableMem()}
	t.Cleanup(func() {
		if d.open != nil {
			_ = d.open.Close() // the test may have closed it
		}
	})
	return d
}

func (d *disk) Open(limits store.Limits) (store.Store, error) {
	files := faulty{FS: errorfs.Wrap(d.files, errorfs.InjectorFunc(d.meet)), disk: d}
	s, err := open("store", limits, files)
	if err != nil {
		return nil, err
	}
	d.open = s
	return s, nil
}

// meet is called before every operation on a file.
func (d *disk) meet(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	d.mu.Lock()
	fault, blocked := d.fault, d.blocked
	d.mu.Unlock()
	if blocked != nil {
		<-blocked
	}
	return fault
}

// faulty is a file system that says how much room there is.
type faulty struct {
	vfs.FS
	disk *disk
}

func (f faulty) GetDiskUsage(string) (vfs.DiskUsage, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.full {
		return vfs.DiskUsage{TotalBytes: 1 << 40}, nil
	}
	return vfs.DiskUsage{TotalBytes: 1 << 40, AvailBytes: 1 << 39}, nil
}

func (d *disk) Crash(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	d.files = d.files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
	_ = d.open.Close() // it still writes to the disk as it was
	d.open = nil
}

func (d *disk) Fill(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

func (d *disk) Block() (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	blocked := make(chan struct{})
	d.blocked = blocked
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.blocked = nil
		close(blocked)
	}
}

func (d *disk) Corrupt(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	names, err := d.files.List("store")
	if err != nil {
		d.t.Fatal(err)
	}
	for range 1 + r.IntN(3) {
		name := "store/" + names[r.IntN(len(names))]
		data := d.read(name)
		for range 1 + r.IntN(4) {
			if len(data) > 0 {
				data[r.IntN(len(data))] ^= byte(1 + r.IntN(255))
			}
		}
		d.write(name, data)
	}
}

func (d *disk) read(name string) []byte {
	f, err := d.files.Open(name)
	if err != nil {
		d.t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		d.t.Fatal(err)
	}
	return data
}

func (d *disk) write(name string, data []byte) {
	f, err := d.files.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		d.t.Fatal(err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		d.t.Fatal(err)
	}
}

// TestAFailedDiskServesOn has a write fail that nobody could foresee: what is
// stored is served, writes fail at once, and opened again it is all there. The
// tree that has failed cannot be closed, so its goroutines stay.
func TestAFailedDiskServesOn(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
		t.Run(fault.Error(), func(t *testing.T) {
			d, ctx := newDisk(t), context.Background()
			s, err := d.Open(store.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.PutValue(ctx, record.Record{Key: []byte("/v/a"), Value: []byte("kept")}, 1<<62); err != nil {
				t.Fatal(err)
			}
			d.mu.Lock()
			d.fault = fault
			d.mu.Unlock()
			for range 3 {
				err := s.PutValue(ctx, record.Record{Key: []byte("/v/a"), Value: []byte("lost")}, 1<<62)
				if err == nil || !strings.Contains(err.Error(), "open the store again") || errors.Is(err, store.ErrFull) != (fault == syscall.ENOSPC) {
					t.Fatalf("the write ended with %v", err)
				}
			}
			holds(t, s)
			d.Crash(1)
			d.fault = nil
			s, err = d.Open(store.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			holds(t, s)
		})
	}
}

func holds(t *testing.T, s store.Store) {
	t.Helper()
	if r, err := s.Value(context.Background(), []byte("/v/a")); err != nil || string(r.Value) != "kept" {
		t.Fatalf("got %q, %v", r.Value, err)
	}
}

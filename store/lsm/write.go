package lsm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"

	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/store"
)

// job is one caller's write: to the disk first, then to the index, so that
// nothing is served that a crash could take back.
type job struct {
	ctx   context.Context
	size  int  // about how many bytes it writes
	frees bool // it makes room, and so may run on a disk that is full
	write func(*pebble.Batch) error
	apply func(context.Context) error
	done  chan error
}

// submit hands a job to the writer and waits for it. Who leaves earlier does
// not know whether it was done.
func (s *Store) submit(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.ctx, j.done = ctx, make(chan error, 1)
	select {
	case <-s.closing:
		return store.ErrClosed
	case <-s.failed:
		return s.cause()
	default:
	}
	select {
	case s.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return store.ErrClosed
	case <-s.failed:
		return s.cause()
	}
	return s.await(ctx, j)
}

func (s *Store) await(ctx context.Context, j *job) error {
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.failed:
		return s.cause()
	case <-s.written: // the store was closed; the job may have been the last
		select {
		case err := <-j.done:
			return err
		default:
			return store.ErrClosed
		}
	}
}

// write is the one goroutine that writes: all that waits goes to the disk
// together, with one sync, while the next gather.
func (s *Store) write() {
	defer close(s.written)
	for {
		select {
		case first := <-s.queue:
			s.commit(s.gather(first))
		case <-s.closing:
			s.drain()
			return
		}
	}
}

// drain commits what was handed over before the store was closed.
func (s *Store) drain() {
	for {
		select {
		case first := <-s.queue:
			s.commit(s.gather(first))
		default:
			s.commit(nil) // what the last one has evicted
			return
		}
	}
}

// gather takes what waits beside the first job, as much as goes together.
func (s *Store) gather(first *job) []*job {
	group, size := []*job{first}, first.size
	for size < params.StoreGroup {
		select {
		case j := <-s.queue:
			group, size = append(group, j), size+j.size
		default:
			return group
		}
	}
	return group
}

// commit makes a group of jobs durable and then visible, and tells who waits.
func (s *Store) commit(group []*job) {
	group = s.admit(group)
	b := s.db.NewBatch()
	err := s.deleteDropped(b)
	for _, j := range group {
		err = errors.Join(err, j.write(b))
	}
	if err == nil && !b.Empty() {
		err = b.Commit(pebble.Sync)
	}
	err = errors.Join(err, b.Close())
	for _, j := range group {
		if err == nil {
			j.done <- j.apply(context.Background())
		} else {
			j.done <- fmt.Errorf("store: %w", err)
		}
	}
}

// admit returns the jobs that still have a caller and room on the disk.
func (s *Store) admit(group []*job) []*job {
	full, admitted := s.full(), group[:0]
	for _, j := range group {
		switch {
		case j.ctx.Err() != nil:
			j.done <- j.ctx.Err()
		case full && !j.frees:
			j.done <- fmt.Errorf("%w: less than %d MB are free on the disk of %s", store.ErrFull, params.StoreReserve>>20, s.folder)
		default:
			admitted = append(admitted, j)
		}
	}
	return admitted
}

// full reports whether the disk is so full that a write could fail half way. A
// disk that cannot say is not.
func (s *Store) full() bool {
	usage, err := s.fs.GetDiskUsage(s.folder)
	return err == nil && usage.AvailBytes < params.StoreReserve
}

// failure is the end of a tree whose disk has failed in a write. What is in
// memory is served on; to write, the store must be opened again.
//
// It is the tree's logger: the tree reports there what it cannot go on after,
// and wants never to run again.
type failure struct {
	failed chan struct{}
	once   sync.Once
	err    error
}

// cause returns what has failed, or nil.
func (f *failure) cause() error {
	select {
	case <-f.failed:
		return f.err
	default:
		return nil
	}
}

// Infof is what the tree tells of its work; nobody reads it.
func (f *failure) Infof(string, ...any) {}

// Errorf is what the tree tells of failures that it tries again after.
func (f *failure) Errorf(string, ...any) {}

// Fatalf ends the goroutine of the tree that calls it.
func (f *failure) Fatalf(format string, args ...any) {
	f.once.Do(func() {
		f.err = fmt.Errorf("store: the disk failed, open the store again: "+format, args...)
		for _, arg := range args {
			if err, ok := arg.(error); ok && errors.Is(err, syscall.ENOSPC) {
				f.err = fmt.Errorf("%w: %w", store.ErrFull, f.err)
			}
		}
		close(f.failed)
	})
	runtime.Goexit()
}

// guarded runs what the tree does on a goroutine of its own, so that neither a
// panic over a damaged file nor Goexit reaches the caller.
func guarded(do func() error) error {
	done := make(chan error, 1)
	go func() {
		err := fmt.Errorf("%w: the tree gave up", store.ErrCorrupt)
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%w: %v", store.ErrCorrupt, r)
			}
			done <- err
		}()
		err = do()
	}()
	return <-done
}

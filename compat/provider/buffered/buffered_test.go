package buffered_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/compat/provider/buffered"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// slow is a provider whose calls wait until they may end.
type slow struct {
	mu      sync.Mutex
	calls   []string
	release chan error
	closed  bool
}

func (s *slow) note(what string, keys []multihash.Multihash) error {
	s.mu.Lock()
	if len(keys) < 100 {
		for _, k := range keys {
			what += " " + string(k)
		}
	}
	s.calls = append(s.calls, what)
	s.mu.Unlock()
	return <-s.release
}

func (s *slow) StartProviding(force bool, keys ...multihash.Multihash) error {
	return s.note(fmt.Sprintf("start %v", force), keys)
}
func (s *slow) StopProviding(keys ...multihash.Multihash) error { return s.note("stop", keys) }
func (s *slow) ProvideOnce(keys ...multihash.Multihash) error   { return s.note("once", keys) }
func (s *slow) Clear() int                                      { return 100 }
func (s *slow) RefreshSchedule() error                          { return errors.New("refreshed") }
func (s *slow) Close() error                                    { s.closed = true; return nil }

func key(text string) multihash.Multihash { return multihash.Multihash(text) }

func TestWhatComesMeanwhileGoesIntoTheNextCall(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		s := &slow{release: make(chan error)}
		b := buffered.New(s, nil, buffered.WithBatchSize(1), buffered.WithDsName("x"))
		start := func(force bool, keys ...multihash.Multihash) {
			if err := b.StartProviding(force, keys...); err != nil {
				t.Error(err)
			}
		}
		start(false, key("a"))
		synctest.Wait() // the first call waits for the disk
		start(false, key("b"), key("c"))
		start(false, key("d"))
		start(true, key("e"))
		start(false)
		for _, err := range []error{b.ProvideOnce(key("f")), b.StopProviding(key("a")), b.StopProviding(key("b"))} {
			if err != nil {
				t.Error(err)
			}
		}
		want := []string{"start false a", "start false b c d", "start true e", "once f", "stop a b"}
		for range want {
			s.release <- nil
		}
		synctest.Wait()
		if !slices.Equal(s.calls, want) {
			t.Errorf("%q, and not %q", s.calls, want)
		}
		if err := b.Close(); err != nil || !s.closed {
			t.Error(err)
		}
	})
}

func TestWhatFailedTheNextCallSays(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		s, wrong := &slow{release: make(chan error)}, errors.New("wrong")
		b := buffered.New(s, nil)
		for _, k := range []string{"a", "b", "c"} {
			want := error(nil)
			if k == "b" {
				want = wrong
			}
			if err := b.ProvideOnce(key(k)); !errors.Is(err, want) {
				t.Errorf("%s: %v", k, err)
			}
			synctest.Wait()
			if k == "a" {
				s.release <- wrong
			} else {
				s.release <- nil
			}
			synctest.Wait()
		}
		if err := b.RefreshSchedule(); err == nil {
			t.Error("a refresh does not come through")
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseHandsOnWhatIsQueued, once and for all.
func TestCloseHandsOnWhatIsQueued(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		s := &slow{release: make(chan error, 10)}
		b := buffered.New(s, nil)
		if err := b.ProvideOnce(key("a")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if err := errors.Join(b.ProvideOnce(key("b")), b.StartProviding(false, key("c"))); err != nil {
			t.Error(err)
		}
		if n := b.Clear(); n != 101 {
			t.Errorf("%d keys were cleared, and not one here and the provider's 100", n)
		}
		for range 3 {
			s.release <- nil
		}
		if err := b.Close(); err != nil || !slices.Equal(s.calls, []string{"once a", "start false c"}) {
			t.Errorf("%v after %q", err, s.calls)
		}
		if err := b.StartProviding(false, key("d")); !errors.Is(err, waymark.ErrClosed) {
			t.Errorf("once it is closed: %v", err)
		}
		if err := b.Close(); !errors.Is(err, waymark.ErrClosed) {
			t.Errorf("closed twice: %v", err)
		}
	})
}

func TestWhatWaitsHasALimit(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		s := &slow{release: make(chan error)}
		b := buffered.New(s, nil)
		if err := b.StopProviding(key("a")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		many := make([]multihash.Multihash, params.ScheduleKeys)
		if err := b.StopProviding(many...); err != nil {
			t.Error(err)
		}
		if err := b.StopProviding(key("b")); !errors.Is(err, waymark.ErrOverloaded) {
			t.Errorf("one more than there is room for: %v", err)
		}
		close(s.release)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

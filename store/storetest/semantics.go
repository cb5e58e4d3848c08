package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
)

func testValues(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{}), deadline(t)
	_, err := s.Value(ctx, []byte("/v/a"))
	wants(t, err, store.ErrNotFound)
	must(t, s.PutValue(ctx, value("/v/a", "one"), late))
	must(t, s.PutValue(ctx, value("/v/b", ""), late))
	must(t, s.PutValue(ctx, value("/v/a", "two"), late))
	got, err := s.Value(ctx, []byte("/v/a"))
	must(t, err)
	if want := value("/v/a", "two"); string(got.Value) != "two" || string(got.Key) != "/v/a" || got.TimeReceived != want.TimeReceived {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	counts(t, s, 2, 0)
	must(t, s.RemoveValue(ctx, []byte("/v/a")))
	must(t, s.RemoveValue(ctx, []byte("/v/never")))
	_, err = s.Value(ctx, []byte("/v/a"))
	wants(t, err, store.ErrNotFound)
	counts(t, s, 1, 0)
}

func testProviders(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{}), deadline(t)
	same(t, "of an unknown key", provides(t, s, "a", start, 20), []int{})
	add(t, s, "a", 1, start)
	add(t, s, "a", 2, start+1)
	add(t, s, "ab", 3, start)
	must(t, s.AddProviders(ctx, []record.Provider{provider("b", 4, start), provider("b", 5, start+1)}, late))
	must(t, s.AddProviders(ctx, nil, late))
	same(t, "of a", provides(t, s, "a", start, 20), []int{2, 1})
	same(t, "of ab", provides(t, s, "ab", start, 20), []int{3})
	same(t, "of b", provides(t, s, "b", start, 20), []int{5, 4})
	same(t, "at most one of b", provides(t, s, "b", start, 1), []int{5})
	same(t, "none of b", provides(t, s, "b", start, 0), []int{})
	counts(t, s, 0, 5)
	must(t, s.RemoveProviders(ctx, [][]byte{[]byte("none"), []byte("a")}, peer(2).ID))
	must(t, s.RemoveProviders(ctx, [][]byte{[]byte("a"), []byte("b")}, peer(9).ID))
	must(t, s.RemoveProviders(ctx, nil, peer(1).ID))
	same(t, "of a, after one left", provides(t, s, "a", start, 20), []int{1})
	counts(t, s, 0, 4)
	add(t, s, "a", 5, start)
	must(t, s.RemoveProviders(ctx, [][]byte{[]byte("a"), []byte("b")}, peer(5).ID))
	same(t, "of a, after another", provides(t, s, "a", start, 20), []int{1})
	same(t, "of b, after another", provides(t, s, "b", start, 20), []int{4})
	counts(t, s, 0, 3)
}

func testOrder(t *testing.T, e Engine) {
	s := e.Open(t, store.Limits{})
	for i, at := range []int{30, 10, 50, 20, 40} {
		add(t, s, "k", i, start+tick(at))
	}
	same(t, "by date", provides(t, s, "k", start, 20), []int{2, 4, 0, 3, 1})
	add(t, s, "k", 1, start+tick(60))
	same(t, "after one said so again", provides(t, s, "k", start, 20), []int{1, 2, 4, 0, 3})
	counts(t, s, 0, 5)
}

func testAddresses(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{}), deadline(t)
	add(t, s, "a", 1, start)
	moved := record.Provider{Key: []byte("b"), Peer: peerAt(1, 99), Received: start}
	must(t, s.AddProvider(ctx, moved, late))
	found, err := s.ProvidersOf(ctx, []byte("a"), start, 1)
	must(t, err)
	if len(found) != 1 || !slices.Equal(found[0].Peer.Addrs, moved.Peer.Addrs) {
		t.Fatalf("got %v, want the address that the peer gave last", found)
	}
}

func testInvalidKeys(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{}), deadline(t)
	long := strings.Repeat("k", params.MaxProviderKey)
	add(t, s, long, 1, start)
	same(t, "of the longest key", provides(t, s, long, start, 20), []int{1})
	for _, p := range []record.Provider{
		provider("", 1, start), provider(long+"k", 1, start), {Key: []byte("k")},
	} {
		wants(t, s.AddProvider(ctx, p, late), store.ErrKey)
		wants(t, s.AddProviders(ctx, []record.Provider{p}, late), store.ErrKey)
	}
	wants(t, s.PutValue(ctx, value("", "of nothing"), late), store.ErrKey)
	counts(t, s, 0, 1)
}

// testNothingShared changes what it handed over: a caller may reuse its buffers.
func testNothingShared(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{}), deadline(t)
	v, p, blob := value("/v/a", "value"), provider("key", 1, start), []byte("blob")
	must(t, s.PutValue(ctx, v, late))
	must(t, s.AddProvider(ctx, p, late))
	must(t, s.PutBlob(ctx, "name", blob))
	for _, b := range [][]byte{v.Key, v.Value, p.Key, blob} {
		clear(b)
	}
	got, err := s.Value(ctx, []byte("/v/a"))
	must(t, err)
	kept, err := s.Blob(ctx, "name")
	must(t, err)
	if string(got.Value) != "value" || string(got.Key) != "/v/a" || string(kept) != "blob" {
		t.Fatalf("got %q under %q and blob %q", got.Value, got.Key, kept)
	}
	same(t, "of key", provides(t, s, "key", start, 20), []int{1})
}

func testBlobs(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{}), deadline(t)
	_, err := s.Blob(ctx, "table")
	wants(t, err, store.ErrNotFound)
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, data := range [][]byte{[]byte("first"), {}, large} {
		must(t, s.PutBlob(ctx, "table", data))
		got, err := s.Blob(ctx, "table")
		must(t, err)
		if !bytes.Equal(got, data) {
			t.Fatalf("put %d bytes, got %d", len(data), len(got))
		}
	}
	counts(t, s, 0, 0)
}

func testExpire(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{}), deadline(t)
	for i := range 10 {
		must(t, s.AddProvider(ctx, provider("k", i, start+tick(i)), start+tick(i)*hour))
	}
	must(t, s.PutValue(ctx, value("/v/a", "short"), start+hour))
	must(t, s.PutValue(ctx, value("/v/b", "long"), late))
	same(t, "that have not expired", provides(t, s, "k", start+4*hour, 20), []int{9, 8, 7, 6, 5})
	same(t, "two of them", provides(t, s, "k", start+4*hour, 2), []int{9, 8})
	n, err := s.Expire(ctx, start+4*hour)
	must(t, err)
	if n != 6 {
		t.Fatalf("%d records expired, not 5 providers and a value", n)
	}
	counts(t, s, 1, 5)
	_, err = s.Value(ctx, []byte("/v/a"))
	wants(t, err, store.ErrNotFound)
	add(t, s, "k", 9, start+20)
	if n, err := s.Expire(ctx, start+10*hour); err != nil || n != 4 {
		t.Fatalf("%d expired (%v), not all but the renewed one", n, err)
	}
	same(t, "the renewed one", provides(t, s, "k", start+10*hour, 20), []int{9})
}

func testLists(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{}), deadline(t)
	want := map[string]bool{}
	var many []record.Provider
	for i := range 3000 {
		p := provider(fmt.Sprint("key ", i%100), i, start+tick(i))
		many = append(many, p)
		want[fmt.Sprintf("%s %x %d", p.Key, p.Peer.ID, p.Received)] = true
	}
	must(t, s.AddProviders(ctx, many, late))
	for i := range 10 {
		must(t, s.PutValue(ctx, value(fmt.Sprint("/v/", i), fmt.Sprint(i)), late))
		want[fmt.Sprintf("/v/%d=%d", i, i)] = true
	}
	got := map[string]bool{}
	for p, err := range s.AllProviders(ctx) {
		must(t, err)
		got[fmt.Sprintf("%s %x %d", p.Key, p.Peer.ID, p.Received)] = true
	}
	for v, err := range s.AllValues(ctx) {
		must(t, err)
		got[fmt.Sprintf("%s=%s", v.Key, v.Value)] = true
	}
	if !maps.Equal(got, want) {
		t.Fatalf("listed %d records, not the %d that were stored", len(got), len(want))
	}
	for range s.AllProviders(ctx) {
		break // whoever iterates may stop
	}
}

func testClosed(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{}), deadline(t)
	must(t, s.PutBlob(ctx, "n", nil))
	must(t, s.Close())
	_, err := s.Value(ctx, []byte("k"))
	wants(t, err, store.ErrClosed)
	_, err = s.ProvidersOf(ctx, []byte("k"), start, 1)
	wants(t, err, store.ErrClosed)
	_, err = s.Blob(ctx, "n")
	wants(t, err, store.ErrClosed)
	_, err = s.Expire(ctx, start)
	wants(t, err, store.ErrClosed)
	wants(t, s.PutValue(ctx, value("/v/k", "v"), late), store.ErrClosed)
	wants(t, s.AddProvider(ctx, provider("k", 1, start), late), store.ErrClosed)
	wants(t, s.PutBlob(ctx, "n", nil), store.ErrClosed)
	for _, err := range s.AllProviders(ctx) {
		wants(t, err, store.ErrClosed)
	}
	if err := s.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
		t.Fatalf("closed twice: %v", err)
	}
}

func testCancelled(t *testing.T, e Engine) {
	s := e.Open(t, store.Limits{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wants(t, s.PutValue(ctx, value("/v/k", "v"), late), context.Canceled)
	wants(t, s.AddProvider(ctx, provider("k", 1, start), late), context.Canceled)
	_, err := s.Value(ctx, []byte("k"))
	wants(t, err, context.Canceled)
	counts(t, s, 0, 0)
}

// testConcurrent has callers add, find, remove and expire at once, each over
// keys of its own and one that all share.
func testConcurrent(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{}), deadline(t)
	var callers sync.WaitGroup
	failed := make(chan error, 8)
	for c := range 8 {
		callers.Go(func() {
			for i := range 100 {
				if err := once(ctx, s, c, i); err != nil {
					failed <- fmt.Errorf("caller %d, round %d: %w", c, i, err)
					return
				}
			}
		})
	}
	callers.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	counts(t, s, 8, 8+8*10)
	same(t, "of the shared key", sorted(provides(t, s, "shared", start, 100)), []int{0, 1, 2, 3, 4, 5, 6, 7})
}

// once is one round of one caller: of its hundred keys, every tenth stays.
func once(ctx context.Context, s store.Store, caller, round int) error {
	own := fmt.Sprintf("of %d, %d", caller, round)
	err := errors.Join(
		s.AddProvider(ctx, provider("shared", caller, start+tick(round)), late),
		s.AddProvider(ctx, provider(own, caller, start), late),
		s.PutValue(ctx, value(fmt.Sprint("/v/", caller), fmt.Sprint(round)), late),
	)
	if err != nil {
		return err
	}
	found, err := s.ProvidersOf(ctx, []byte(own), start, 20)
	if err != nil || len(found) != 1 {
		return fmt.Errorf("found %d providers of what was added: %w", len(found), err)
	}
	v, err := s.Value(ctx, []byte(fmt.Sprint("/v/", caller)))
	if err != nil || string(v.Value) != fmt.Sprint(round) {
		return fmt.Errorf("got %q: %w", v.Value, err)
	}
	if round%10 == 0 {
		_, err := s.Expire(ctx, start)
		return err
	}
	return s.RemoveProviders(ctx, [][]byte{[]byte(own)}, peer(caller).ID)
}

func sorted(numbers []int) []int {
	slices.Sort(numbers)
	return numbers
}

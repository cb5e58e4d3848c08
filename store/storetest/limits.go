package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/store"
)

func runLimits(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"LimitPerKey", testLimitPerKey},
		{"LimitPerPeer", testLimitPerPeer},
		{"LimitInAllEvictsTheGreediest", testLimitInAll},
		{"LimitOfPeersEvictsTheSilent", testLimitOfPeers},
		{"LimitsOfValues", testLimitsOfValues},
		{"TooLargeAValue", testTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, e) })
	}
}

func testLimitPerKey(t *testing.T, e Engine) {
	s := e.Open(t, store.Limits{ProvidersPerKey: 3})
	for i := range 5 {
		add(t, s, "k", i, start+tick(i))
		add(t, s, fmt.Sprint("other ", i), i, start)
	}
	same(t, "of a full key", provides(t, s, "k", start, 20), []int{4, 3, 2})
	add(t, s, "k", 2, start+9)
	add(t, s, "k", 7, start+10)
	same(t, "after one was renewed", provides(t, s, "k", start, 20), []int{7, 2, 4})
	counts(t, s, 0, 8)
}

func testLimitPerPeer(t *testing.T, e Engine) {
	s := e.Open(t, store.Limits{ProvidersPerPeer: 3})
	for i := range 3 {
		add(t, s, fmt.Sprint(i), 1, start+tick(i))
	}
	add(t, s, "0", 1, start+5)
	add(t, s, "3", 1, start+6)
	add(t, s, "3", 2, start+7)
	for key, want := range map[string][]int{"0": {1}, "1": {}, "2": {1}, "3": {2, 1}} {
		same(t, "of "+key, provides(t, s, key, start, 20), want)
	}
}

// testLimitInAll has one peer flood a store that others use with measure: the
// flood evicts itself, its oldest records first.
func testLimitInAll(t *testing.T, e Engine) {
	s := e.Open(t, store.Limits{Providers: 30})
	for i := range 20 {
		add(t, s, fmt.Sprint("honest ", i), i%10, start)
	}
	for i := range 100 {
		add(t, s, fmt.Sprint("flood ", i), 99, start+tick(i))
	}
	counts(t, s, 0, 30)
	for i := range 20 {
		same(t, fmt.Sprint("honest ", i), provides(t, s, fmt.Sprint("honest ", i), start, 20), []int{i % 10})
	}
	for i := range 100 {
		want := []int{}
		if i >= 90 {
			want = []int{99}
		}
		same(t, fmt.Sprint("flood ", i), provides(t, s, fmt.Sprint("flood ", i), start, 20), want)
	}
}

// testLimitOfPeers has a crowd of invented peers come by, one record each: who
// goes on saying that it provides stays.
func testLimitOfPeers(t *testing.T, e Engine) {
	s := e.Open(t, store.Limits{ProviderPeers: 16})
	add(t, s, "k", 0, start)
	add(t, s, "k2", 0, start)
	for i := range 200 {
		add(t, s, "crowd", 1+i, start+tick(i))
		add(t, s, "k", 0, start+tick(i))
	}
	same(t, "of k", provides(t, s, "k", start, 20), []int{0})
	same(t, "of k2", provides(t, s, "k2", start, 20), []int{0})
	counts(t, s, 0, 17)
}

func testLimitsOfValues(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{Values: 6, ValuesPerPeer: 5, ValueBytes: 100}), deadline(t)
	put := func(key string, from contact.ID, size int) {
		v := value(key, strings.Repeat("x", size))
		v.From = from
		must(t, s.PutValue(ctx, v, late))
	}
	kept := func(want ...string) {
		t.Helper()
		for _, key := range want {
			if _, err := s.Value(ctx, []byte(key)); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
		}
		counts(t, s, len(want), 0)
	}
	put("h1", "honest", 1)
	put("h2", "honest", 1)
	for i := range 7 {
		put(fmt.Sprint("f", i), "flood", 1)
	}
	kept("h1", "h2", "f3", "f4", "f5", "f6")
	put("g", "large", 87) // 88 bytes, and the six others have three each
	kept("h1", "h2", "f5", "f6", "g")
}

func testTooLarge(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{ValueBytes: 10}), deadline(t)
	must(t, s.PutValue(ctx, value("k", "small"), late))
	wants(t, s.PutValue(ctx, value("k", "too large"+"!"), late), store.ErrFull)
	got, err := s.Value(ctx, []byte("k"))
	must(t, err)
	if string(got.Value) != "small" {
		t.Fatalf("got %q: what was refused must change nothing", got.Value)
	}
}

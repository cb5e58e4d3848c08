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
		{"TheLimitsOfStrangersAreNotForTheNodesOwn", testOwnProviders},
		{"NorForTheValuesThatItPutItself", testOwnValues},
		{"WhoBringsLargeValuesEvictsThemselves", testLargeValues},
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

// testOwnProviders has a node provide more than a stranger may, and a crowd of
// strangers who provide the same and more.
func testOwnProviders(t *testing.T, e Engine) {
	const self, strangers = 1, 40
	s := e.Open(t, store.Limits{Providers: 8, ProvidersPerPeer: 3, ProvidersPerKey: 4, ProviderPeers: 5, Own: 20})
	add(t, s, "before it is told", self, start)
	must(t, s.Own(deadline(t), peer(self).ID))
	own := []string{"before it is told"}
	for i := range 19 {
		own = append(own, fmt.Sprint("own ", i))
		add(t, s, own[i+1], self, start+tick(i))
	}
	for i := range strangers {
		add(t, s, "own 0", 2+i, start+hour+tick(i))
		add(t, s, fmt.Sprint("theirs ", i), 2+i, start+hour+tick(i))
	}
	for _, key := range own {
		if found := provides(t, s, key, start, 20); len(found) == 0 || found[len(found)-1] != self {
			t.Errorf("the node has forgotten that it provides %s: %v", key, found)
		}
	}
	same(t, "of a key that many provide", provides(t, s, "own 0", start, 20), []int{41, 40, 39, self})
	if _, n := s.Count(); n > 20+8 {
		t.Errorf("%d records", n)
	}
	add(t, s, "one too many", self, start+2*hour)
	same(t, "the oldest of the node's own", provides(t, s, own[0], start, 20), []int{})
	must(t, s.Own(deadline(t), peer(41).ID)) // and now it is somebody else
	for i := range 10 {
		add(t, s, fmt.Sprint("new ", i), 41, start+3*hour)
		add(t, s, fmt.Sprint("again ", i), self, start+3*hour+tick(i))
	}
	same(t, "of the new one", provides(t, s, "new 0", start, 20), []int{41})
	same(t, "of who was it before", provides(t, s, "again 0", start, 20), []int{})
}

// testOwnValues has the node itself put more than a stranger may, and strangers
// put as much as they can.
func testOwnValues(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{Values: 6, ValuesPerPeer: 2, ValueBytes: 60}), deadline(t)
	for i := range 6 {
		must(t, s.PutValue(ctx, value(fmt.Sprint("own ", i), "x"), late))
	}
	for i := range 40 {
		v := value(fmt.Sprint("their ", i), "xxx")
		v.From = contact.ID(fmt.Sprint("stranger ", i))
		must(t, s.PutValue(ctx, v, late))
	}
	for i := range 6 {
		if _, err := s.Value(ctx, fmt.Append(nil, "own ", i)); err != nil {
			t.Errorf("own %d: %v", i, err)
		}
	}
	if n, _ := s.Count(); n != 6+5 { // five times eleven bytes, and a half
		t.Errorf("%d values", n)
	}
	must(t, s.PutValue(ctx, value("own 6", "x"), late))
	_, err := s.Value(ctx, []byte("own 0"))
	wants(t, err, store.ErrNotFound)
}

// testLargeValues has one peer fill a store with a few large values, where
// others have many small ones: what is evicted is its own.
func testLargeValues(t *testing.T, e Engine) {
	s, ctx := e.Open(t, store.Limits{Values: 1000, ValuesPerPeer: 100, ValueBytes: 1000}), deadline(t)
	put := func(key, from string, size int) {
		v := value(key, strings.Repeat("x", size))
		v.From = contact.ID(from)
		must(t, s.PutValue(ctx, v, late))
		if _, err := s.Value(ctx, v.Key); err != nil {
			t.Fatalf("%s is said to be stored: %v", key, err)
		}
	}
	for i := range 20 {
		put(fmt.Sprint("small ", i), "honest", 1)
	}
	for i := range 20 {
		put(fmt.Sprint("large ", i), "flood", 200)
	}
	put("small 20", "honest", 1)
	put("huge", "another", 700)
	for i := range 21 {
		if _, err := s.Value(ctx, fmt.Append(nil, "small ", i)); err != nil {
			t.Fatalf("small %d: %v", i, err)
		}
	}
}

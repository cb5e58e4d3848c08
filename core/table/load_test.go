package table

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// A table that was loaded is the one that offers would have made.
func TestALoadedTableIsAnOfferedOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	book := contact.NewBook()
	self, cfg := key.Of([]byte("self")), Config{NoDiversity: true}
	offered, loaded := New(self, book, cfg), New(self, book, cfg)
	for i := range 600 {
		h, _ := book.Intern(contact.New(contact.ID(rune(1000 + i))))
		offered.Offer(h, mono.Time(params.UsefulUnit), 0)
	}
	var handles []contact.Handle
	var words []uint64
	for h := range offered.All {
		handles, words = append(handles, h), append(words, book.Info(h).Key[0])
	}
	loaded.Load(handles, words, mono.Time(params.UsefulUnit))
	for range 100 {
		target := key.Key{rng.Uint64(), rng.Uint64()}
		if got, want := loaded.Nearest(nil, target, 21), offered.Nearest(nil, target, 21); !slices.Equal(got, want) {
			t.Fatalf("nearest to %s: %v, want %v", target.Short(), got, want)
		}
	}
	sizes := func(t *Table) (n []int) {
		for _, b := range t.Buckets(nil) {
			n = append(n, b.Index, b.Size)
		}
		return n
	}
	loadedSizes := sizes(loaded)
	for i, b := 0, sizes(offered); i < len(loadedSizes); i++ {
		if loadedSizes[i] != b[i] {
			t.Fatalf("buckets %v, want %v", loadedSizes, b)
		}
	}
	if loaded.members.starts != offered.members.starts {
		t.Errorf("buckets begin at %v, want %v", loaded.members.starts, offered.members.starts)
	}
	defer func() {
		if recover() == nil {
			t.Error("a table that is not empty can be loaded")
		}
	}()
	loaded.Load(handles, words, 0)
}

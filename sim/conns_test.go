package sim

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Connections are what a list of them would be, in the same order.
func TestConnectionsAreAListOfThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c conns
		var list []uint32
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			n := uint32(rapid.IntRange(0, 60).Draw(t, "peer"))
			i := slices.Index(list, n)
			if c.has(n) != (i >= 0) {
				t.Fatalf("has %d: %v", n, c.has(n))
			}
			switch {
			case rapid.Bool().Draw(t, "drop"):
				if c.drop(n) != (i >= 0) {
					t.Fatalf("drop %d: %v", n, i < 0)
				}
				if i >= 0 {
					list = slices.Delete(list, i, i+1)
				}
			case i < 0:
				c.add(n)
				list = append(list, n)
			}
			if got := slices.Collect(c.all()); !slices.Equal(got, list) || c.len() != len(list) {
				t.Fatalf("%d: %v, want %v", c.len(), got, list)
			}
			if len(list) > 0 && c.oldest() != list[0] {
				t.Fatalf("oldest %d of %v", c.oldest(), list)
			}
		}
	})
}

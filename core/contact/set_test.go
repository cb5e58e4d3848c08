package contact

import (
	"testing"

	"pgregory.net/rapid"
)

// A set answers as a map does, whatever comes and goes.
func TestASetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		m := make(map[Handle]bool)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			h := Handle(rapid.IntRange(0, 40).Draw(t, "handle"))
			if rapid.Bool().Draw(t, "add") {
				if got, want := s.Add(h), h != 0 && !m[h]; got != want {
					t.Fatalf("adding %d: %v, want %v", h, got, want)
				}
				if h != 0 {
					m[h] = true
				}
			} else {
				if got := s.Remove(h); got != m[h] {
					t.Fatalf("removing %d: %v, want %v", h, got, m[h])
				}
				delete(m, h)
			}
			if s.Len() != len(m) {
				t.Fatalf("%d handles, want %d", s.Len(), len(m))
			}
			for h := range Handle(42) {
				if s.Has(h) != m[h] {
					t.Fatalf("has %d: %v, want %v", h, s.Has(h), m[h])
				}
			}
		}
		c := s.Clone()
		c.Clear(func(h Handle) { delete(m, h) })
		if len(m) != 0 || c.Len() != 0 || c.Has(1) {
			t.Fatalf("cleared, and %d were not named, %d are left", len(m), c.Len())
		}
	})
}

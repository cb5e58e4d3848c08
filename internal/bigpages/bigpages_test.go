package bigpages

import "testing"

// The pages of an area are those that lie in it as a whole.
func TestPagesLieInTheirArea(t *testing.T) {
	for _, c := range []struct {
		a    area
		want int
	}{
		{area{0, 2 * size}, 2},
		{area{1, 2 * size}, 1},
		{area{size - 1, 2*size - 1}, 0},
		{area{size, size}, 0},
		{area{size + 4096, 4*size + 4096}, 2},
	} {
		n := 0
		for at := range c.a.pages {
			n++
			if at%size != 0 || at < c.a.from || at+size > c.a.to {
				t.Errorf("%x is no page of %x to %x", at, c.a.from, c.a.to)
			}
		}
		if n != c.want {
			t.Errorf("%x to %x: %d pages, want %d", c.a.from, c.a.to, n, c.want)
		}
	}
}

// Whatever the kernel offers, what the memory holds stays, and to stop ends it.
func TestKeepChangesNothing(t *testing.T) {
	stop := Keep()
	words := make([]uint32, 8*size/4)
	for i := range words {
		words[i] = uint32(i) * 2654435769
	}
	m := mover{moved: make(map[uintptr]bool)}
	m.look()
	t.Logf("%d pages moved", len(m.moved))
	stop()
	for i, x := range words {
		if x != uint32(i)*2654435769 {
			t.Fatalf("word %d has changed", i)
		}
	}
}

package bigpages

import (
	"slices"
	"strings"
	"testing"
)

// Only what can be a heap is looked at: no file, no stack, nothing that is
// shared, reserved or small.
func TestAreasAreThoseOfAHeap(t *testing.T) {
	maps := `00400000-00a00000 r-xp 00000000 fe:00 1234 /bin/waymark
00a81000-02aba000 rw-p 00000000 00:00 0
20770c000000-20770d400000 ---p 00000000 00:00 0
20770d400000-20772d800000 rw-p 00000000 00:00 0
20772d800000-20772dc00000 rw-p 00000000 00:00 0 [anon: Go: heap]
20772dc00000-20772de00000 rw-p 00000000 00:00 0
7f0000000000-7f0001000000 rw-s 00000000 00:01 99 /dev/zero
7f0002000000-7f0003000000 rw-p 00000000 fe:00 98 /srv/file
7ffc00000000-7ffc01000000 rw-p 00000000 00:00 0 [stack]
nonsense
zz-yy rw-p 0 0 0
`
	want := []area{{0xa81000, 0x2aba000}, {0x20770d400000, 0x20772d800000}, {0x20772d800000, 0x20772dc00000}}
	if got := areas(strings.NewReader(maps)); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

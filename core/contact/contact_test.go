package contact

import (
	"fmt"
	"testing"

	"github.com/waymark-dht/waymark/core/params"
)

func ip4(a, b, c, d byte) Addr { return Addr([]byte{codeIP4, a, b, c, d, 6, 0x0f, 0xa1}) }

func TestInternKeepsEachPeerOnce(t *testing.T) {
	b := NewBook()
	h, fresh := b.Intern(New("a", ip4(127, 0, 0, 1)))
	if h == 0 || fresh != 1 {
		t.Fatalf("first: handle %d fresh %d", h, fresh)
	}
	again, fresh := b.Intern(New("a", ip4(127, 0, 0, 1), ip4(127, 0, 0, 2)))
	if again != h || fresh != 1 || b.Len() != 1 {
		t.Fatalf("second: handle %d (first %d) fresh %d len %d", again, h, fresh, b.Len())
	}
	if n := len(b.Info(h).Addrs); n != 2 {
		t.Fatalf("%d addresses, want both", n)
	}
}

func TestAddressesOfOnePeerAreBounded(t *testing.T) {
	b := NewBook()
	many := func(from int) (as []Addr) {
		for i := range 3 * params.MaxAddrs {
			as = append(as, ip4(127, 0, byte(from), byte(i)))
		}
		return as
	}
	h, _ := b.Intern(New("a", many(0)...))
	b.Intern(New("a", many(1)...))
	if n := len(b.Info(h).Addrs); n != params.MaxAddrs {
		t.Fatalf("%d addresses, limit %d", n, params.MaxAddrs)
	}
}

func TestAnInfoNeverChangesUnderItsReaders(t *testing.T) {
	b := NewBook()
	h, _ := b.Intern(New("a", ip4(127, 0, 0, 1)))
	before := b.Info(h)
	b.Intern(New("a", ip4(127, 0, 0, 2)))
	if len(before.Addrs) != 1 || b.Info(h) == before {
		t.Fatal("an Info that somebody may be reading was changed")
	}
}

func TestSweepForgetsOnlyWhatNobodyHolds(t *testing.T) {
	b := NewBook()
	kept, _ := b.Intern(New("kept"))
	b.Hold(kept)
	for i := range 10 {
		b.Intern(New(ID(fmt.Sprint(i))))
	}
	b.Sweep(10)
	if b.Len() != 11 {
		t.Fatalf("swept within the slack: %d left", b.Len())
	}
	b.Sweep(0)
	if b.Len() != 1 || b.Find("kept") != kept || b.Find("3") != 0 {
		t.Fatalf("after the sweep: %d contacts", b.Len())
	}
	if h, _ := b.Intern(New("new")); int(h) >= 12 {
		t.Fatalf("handle %d: free slots are not used again", h)
	}
	b.Drop(kept)
	b.Sweep(0)
	if b.Len() != 0 {
		t.Fatal("dropped contact survives")
	}
}

func TestCloneIsIndependent(t *testing.T) {
	b := NewBook()
	b.Intern(New("a"))
	c := b.Clone()
	c.Intern(New("b"))
	if b.Len() != 1 || c.Len() != 2 {
		t.Fatal("clone and original share state")
	}
}

func TestGroups(t *testing.T) {
	six := Addr("\x29\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x06\x0f\xa1")
	zoned := Addr("\x2a\x04eth0" + string(six))
	for _, c := range []struct {
		addr Addr
		want Group
	}{
		{ip4(10, 1, 2, 3), 4<<32 | 10<<8 | 1},
		{ip4(10, 1, 9, 9), 4<<32 | 10<<8 | 1},
		{six, 6<<32 | 0x20010db8},
		{zoned, 6<<32 | 0x20010db8},
		{Addr("\x36\x09localhost"), 0},
		{Addr("\x04\x01"), 0},
		{Addr("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0},
		{Addr("\x2a\x04eth0"), 0},
		{"", 0},
	} {
		if got := c.addr.Group(); got != c.want {
			t.Errorf("Group(%x) = %x, want %x", string(c.addr), got, c.want)
		}
	}
	if !ip4(127, 9, 9, 9).Loopback() || ip4(128, 0, 0, 1).Loopback() || six.Loopback() {
		t.Error("Loopback is wrong")
	}
	if !Addr("\x29\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01").Loopback() {
		t.Error("::1 is loopback")
	}
	if g := New("a", "\x36\x01x", ip4(10, 1, 0, 0)).Group(); g != 4<<32|10<<8|1 {
		t.Errorf("group of a contact: %x", g)
	}
}

func FuzzGroup(f *testing.F) {
	f.Add("\x2a\x04eth0\x29")
	f.Fuzz(func(t *testing.T, a string) {
		g := Addr(a).Group()
		if _, family := Addr(a).ip(); (family == 0) != (g == 0) {
			t.Fatalf("family %d but group %x", family, g)
		}
	})
}

// A pinned book knows the very Info that it took, and no other of the same peer.
func TestAPinnedBookKnowsWhatItTook(t *testing.T) {
	first, second, plain := NewBook(), NewBook(), NewBook()
	first.Pin()
	second.Pin()
	for i := range 5 {
		first.Intern(New(ID(rune('p' + i))))
	}
	info := New("a", "addr")
	h, _ := first.Intern(info)
	if again, fresh := first.Intern(info); again != h || fresh != 0 {
		t.Errorf("%d and %d fresh, want %d and none", again, fresh, h)
	}
	if other, fresh := first.Intern(New("a", "another")); other != h || fresh != 1 {
		t.Errorf("another Info: %d and %d fresh, want %d and one", other, fresh, h)
	}
	for _, b := range []*Book{second, plain} { // which it names nothing in
		if got, fresh := b.Intern(info); b.Info(got).ID != "a" || got != 1 || fresh != 1 {
			t.Errorf("in another book: %d and %d fresh", got, fresh)
		}
	}
}

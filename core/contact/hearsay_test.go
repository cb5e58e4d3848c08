package contact

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/waymark-dht/waymark/core/params"
)

func addrs(from byte, n int) (as []Addr) {
	for i := range n {
		as = append(as, ip4(127, 0, from, byte(i)))
	}
	return as
}

// Whoever names a peer first, with as many made-up addresses as are kept, must
// not keep out those who know better; nor may whoever names it last.
func TestNobodyCrowdsOutTheAddressesThatOthersName(t *testing.T) {
	for _, c := range []struct {
		what   string
		naming [][]Addr
	}{
		{"a liar names it first", [][]Addr{addrs(1, params.MaxAddrs), addrs(0, 2)}},
		{"a liar names it last", [][]Addr{addrs(0, 2), addrs(1, params.MaxAddrs), addrs(2, params.MaxAddrs)}},
	} {
		b := NewBook()
		var h Handle
		for _, as := range c.naming {
			if h, _ = b.Intern(New("peer", as...)); h == 0 {
				t.Fatal("not taken")
			}
		}
		for _, true := range addrs(0, 2) {
			if !slices.Contains(b.Info(h).Addrs, true) {
				t.Errorf("%s: %x is not known", c.what, string(true))
			}
		}
	}
}

// What a peer has told itself is what others are told, and hearsay takes no
// place of it until the peer has failed there.
func TestHearsayTakesNoPlaceOfWhatIsKnownAtFirstHand(t *testing.T) {
	b := NewBook()
	h, _ := b.Intern(New("peer", addrs(1, params.MaxAddrs)...))
	told := addrs(0, params.MaxAddrs)
	b.Verify(h, New("peer", told...))
	b.Intern(New("peer", addrs(2, params.MaxAddrs)...))
	if info := b.Info(h); !slices.Equal(info.Addrs, told) || !slices.Equal(info.FirstHand().Addrs, told) {
		t.Errorf("%d addresses, of which %d are passed on", len(info.Addrs), len(info.FirstHand().Addrs))
	}
	b.Doubt(h)
	if _, fresh := b.Intern(New("peer", addrs(2, 1)...)); fresh != 1 {
		t.Error("the address that a peer moved to is not taken")
	}
}

// Whatever is named, told and doubted in any order: at most MaxAddrs addresses,
// each once, those of first hand at the front and no others passed on.
func TestAddressesUnderAnyNaming(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBook()
		h, _ := b.Intern(New("peer"))
		b.Hold(h)
		var told []Addr
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			as := addrs(byte(rapid.IntRange(0, 3).Draw(t, "from")), rapid.IntRange(0, 2*params.MaxAddrs).Draw(t, "how many"))
			before := b.Info(h).Addrs
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				b.Doubt(h)
				told = nil
			case 1:
				b.Verify(h, New("peer", as...))
				told = as[:min(len(as), params.MaxAddrs)]
			default:
				_, fresh := b.Intern(New("peer", as...))
				n := 0
				for _, a := range b.Info(h).Addrs {
					if !slices.Contains(before, a) {
						n++
					}
				}
				if n != fresh {
					t.Fatalf("%d addresses are new, said to be %d", n, fresh)
				}
			}
			info := b.Info(h)
			if len(info.Addrs) > params.MaxAddrs {
				t.Fatalf("%d addresses", len(info.Addrs))
			}
			for i, a := range info.Addrs {
				if slices.Contains(info.Addrs[:i], a) {
					t.Fatalf("an address twice")
				}
			}
			if len(told) > 0 && !slices.Equal(info.FirstHand().Addrs, told) {
				t.Fatalf("%d addresses are passed on, %d are of first hand", len(info.FirstHand().Addrs), len(told))
			}
		}
	})
}

package key

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"testing"
)

func random(r *rand.Rand) Key { return Key{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()} }

func number(k Key) *big.Int {
	b := k.Bytes()
	return new(big.Int).SetBytes(b[:])
}

func TestOrderAgreesWithBigIntegers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		a, b, target := random(r), random(r), random(r)
		if r.IntN(2) == 0 { // near pairs exercise the later words
			b = a.FlipBit(r.IntN(Bits))
		}
		if got, want := a.Compare(b), number(a).Cmp(number(b)); got != want {
			t.Fatalf("Compare(%s, %s) = %d, want %d", a, b, got, want)
		}
		want := number(a.Xor(target)).Cmp(number(b.Xor(target)))
		if got := target.Closer(a, b); got != want {
			t.Fatalf("Closer(%s, %s) to %s = %d, want %d", a, b, target, got, want)
		}
		if got, want := a.CommonPrefix(b), Bits-number(a.Xor(b)).BitLen(); got != want {
			t.Fatalf("CommonPrefix = %d, want %d", got, want)
		}
	}
}

func TestBytesRoundTrip(t *testing.T) {
	k := Of([]byte("waymark"))
	if FromBytes(k.Bytes()) != k {
		t.Fatal("bytes do not come back")
	}
	if OfString("waymark") != k {
		t.Fatal("OfString differs from Of")
	}
	if k.Short() != k.String()[:8] {
		t.Fatal("Short is not the head of String")
	}
}

func TestFlipBitOutOfRangeIsTheKeyItself(t *testing.T) {
	k := Of(nil)
	if k.FlipBit(-1) != k || k.FlipBit(Bits) != k {
		t.Fatal("out of range flipped something")
	}
	for i := range Bits {
		if got := k.FlipBit(i).CommonPrefix(k); got != i {
			t.Fatalf("flip of bit %d shares %d bits", i, got)
		}
	}
}

func TestPreimageLandsInTheWantedRegion(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range MaxPreimageBits + 1 {
		want := random(r)
		for salt := range uint32(3) {
			p := Preimage(want, n, salt)
			if got := Of(p[:]).CommonPrefix(want); got < n {
				t.Fatalf("n %d salt %d: shares %d bits", n, salt, got)
			}
			if !bytes.Equal(p[:2], []byte{0x12, 0x20}) {
				t.Fatalf("not a sha2-256 multihash: %x", p)
			}
		}
	}
}

func TestSaltsGiveDifferentPreimages(t *testing.T) {
	want, seen := Of([]byte("x")), map[[PreimageLen]byte]bool{}
	for salt := range uint32(64) {
		seen[Preimage(want, 4, salt)] = true
	}
	if len(seen) != 64 {
		t.Fatalf("64 salts gave %d preimages", len(seen))
	}
}

func BenchmarkCloser(b *testing.B) {
	x, y, z := Of([]byte("x")), Of([]byte("y")), Of([]byte("z"))
	for b.Loop() {
		z.Closer(x, y)
	}
}

func BenchmarkPreimage16(b *testing.B) {
	want := Of([]byte("x"))
	for i := uint32(0); b.Loop(); i++ {
		Preimage(want, 16, i&7)
	}
}

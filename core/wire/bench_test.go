package wire

import (
	"testing"

	"github.com/waymark-dht/waymark/core/params"
)

// What one answer costs: 20 peers with 4 addresses each.

func BenchmarkDecodeAnswer(b *testing.B) {
	body := Append(nil, testAnswer(params.K, 4))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(body, AnswerLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeRequest(b *testing.B) {
	body := Append(nil, &Message{Type: FindNode, Key: []byte(testPeer(1, 0).ID)})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(body, RequestLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendAnswer(b *testing.B) {
	fresh, kept := testAnswer(params.K, 4), testAnswer(params.K, 4)
	for _, p := range kept.Closer {
		p.Contact.Wire = EncodeContact(p.Contact)
	}
	for name, m := range map[string]*Message{"fresh": fresh, "kept": kept} {
		b.Run(name, func(b *testing.B) {
			var dst []byte
			b.SetBytes(int64(Size(m)))
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendFrame(dst[:0], m)
			}
		})
	}
}

func TestAllocationsOfOneAnswer(t *testing.T) {
	m := testAnswer(params.K, 4)
	body := Append(nil, m)
	if n := testing.AllocsPerRun(100, func() { _, _ = Decode(body, AnswerLimits()) }); n > 3*params.K+1 {
		t.Errorf("decoding: %v allocations, want three for each peer and one for the list", n)
	}
	dst := make([]byte, 0, 2*len(body))
	if n := testing.AllocsPerRun(100, func() { AppendFrame(dst, m) }); n != 0 {
		t.Errorf("encoding into a buffer with room: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { AppendFrame(nil, m) }); n != 1 {
		t.Errorf("encoding into no buffer: %v allocations, want 1", n)
	}
}

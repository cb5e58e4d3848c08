package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

func TestFrameLen(t *testing.T) {
	for _, c := range []struct {
		bytes        string
		limit        int
		body, prefix int
		err          error
	}{
		{"", 10, 0, 0, nil},
		{"\x00", 10, 0, 1, nil},
		{"\x0a\xff", 10, 10, 1, nil},
		{"\x0b", 10, 0, 0, ErrTooLong},
		{"\x80", 1000, 0, 0, nil}, // more must come
		{"\xac\x02", 1000, 300, 2, nil},
		{"\xac\x02", 299, 0, 0, ErrTooLong},
		{"\x8b", 10, 0, 0, ErrTooLong}, // whatever comes, it is at least 11
		{"\x80\x80\x80\x02", params.MaxMessage, params.MaxMessage, 4, nil},
		{"\x81\x80\x80\x02", params.MaxMessage, 0, 0, ErrTooLong},
		{"\x80\x00", 1000, 0, 0, ErrPrefix},     // 0 in two bytes
		{"\x85\x80\x00", 1000, 0, 0, ErrPrefix}, // 5 in three
		{"\x80\x80\x80", params.MaxMessage, 0, 0, nil},
		{"\x80\x80\x80\x80", params.MaxMessage, 0, 0, ErrPrefix}, // endless
		{"\x80\x80\x80\x80\x04", params.MaxMessage, 0, 0, ErrPrefix},
	} {
		body, prefix, err := FrameLen([]byte(c.bytes), c.limit)
		if body != c.body || prefix != c.prefix || err != c.err {
			t.Errorf("FrameLen(%x, %d) = %d, %d, %v; want %d, %d, %v",
				c.bytes, c.limit, body, prefix, err, c.body, c.prefix, c.err)
		}
	}
}

func TestThePrefixOfTheLongestMessageFits(t *testing.T) {
	if n := len(binary.AppendUvarint(nil, params.MaxMessage)); n != maxPrefix {
		t.Fatalf("the longest message has a prefix of %d bytes, maxPrefix is %d", n, maxPrefix)
	}
}

func TestReadFrameTakesFramesOneAfterTheOther(t *testing.T) {
	bodies := []string{"first", "", string(make([]byte, 3*params.ReadChunk)), "last"}
	var stream []byte
	for _, b := range bodies {
		stream = append(binary.AppendUvarint(stream, uint64(len(b))), b...)
	}
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "bytes": iotest.OneByteReader(bytes.NewReader(stream)),
		"eof with the last byte": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		var buf []byte
		for i, want := range bodies {
			var err error
			if buf, err = ReadFrame(r, buf, params.MaxMessage); err != nil || string(buf) != want {
				t.Fatalf("%s: frame %d: %d bytes, %v; want %d bytes", name, i, len(buf), err, len(want))
			}
		}
		if _, err := ReadFrame(r, buf, params.MaxMessage); err != io.EOF {
			t.Fatalf("%s: after the last frame: %v, want EOF", name, err)
		}
	}
}

func TestReadFrameSaysHowAStreamEnded(t *testing.T) {
	cut := errors.New("cut")
	for _, c := range []struct {
		name string
		r    io.Reader
		want error
	}{
		{"nothing", bytes.NewReader(nil), io.EOF},
		{"half a prefix", bytes.NewReader([]byte{0x85}), io.ErrUnexpectedEOF},
		{"no body", bytes.NewReader([]byte{5}), io.ErrUnexpectedEOF},
		{"half a body", bytes.NewReader([]byte{5, 1, 2}), io.ErrUnexpectedEOF},
		{"an error", iotest.ErrReader(cut), cut},
		{"an error within", io.MultiReader(bytes.NewReader([]byte{5, 1}), iotest.ErrReader(cut)), cut},
		{"too long", bytes.NewReader([]byte{0xff, 0x7f}), ErrTooLong},
		{"an endless prefix", bytes.NewReader(bytes.Repeat([]byte{0x80}, 100)), ErrPrefix},
		{"nothing for ever", nothing{}, io.ErrNoProgress},
		{"nothing for ever in the body", io.MultiReader(bytes.NewReader([]byte{5, 1}), nothing{}), io.ErrNoProgress},
	} {
		if _, err := ReadFrame(c.r, nil, params.MaxRequest/16); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestReadFrameFollowsBytesReceivedNotTheLengthAnnounced(t *testing.T) {
	for _, sent := range []int{0, 10, params.ReadChunk, 5 * params.ReadChunk, 1 << 20} {
		stream := binary.AppendUvarint(nil, params.MaxMessage)
		stream = append(stream, make([]byte, sent)...)
		buf, err := ReadFrame(bytes.NewReader(stream), nil, params.MaxMessage)
		if err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
		if limit := max(params.ReadChunk, 2*sent); cap(buf) > limit {
			t.Errorf("4 MiB announced, %d bytes sent: %d bytes of memory, at most %d allowed", sent, cap(buf), limit)
		}
	}
}

func TestOnlyAPutMayBeALongRequest(t *testing.T) {
	value := make([]byte, 3*params.MaxRequest)
	long := func(m *Message) []byte { return AppendFrame(nil, m) }
	for _, c := range []struct {
		name  string
		frame []byte
		read  error
		taken int // bytes, if it is refused
	}{
		{"a put", long(&Message{Type: PutValue, Record: &record.Record{Value: value}}), nil, 0},
		{"a put that says so", append(binary.AppendUvarint(nil, uint64(len(value)+6)), append([]byte{8, 0, 0x1a, 0xfa, 0xff, 0x0b}, value[:]...)...), nil, 0},
		{"a find node", append(binary.AppendUvarint(nil, uint64(params.MaxRequest+1)), append([]byte{8, 4}, value...)...), ErrTooLong, 5},
		{"too long for a put", binary.AppendUvarint(nil, params.MaxPut+1), ErrTooLong, 3},
		{"cut short", binary.AppendUvarint(nil, params.MaxPut), io.ErrUnexpectedEOF, 3},
	} {
		r := bytes.NewReader(c.frame)
		body, err := ReadRequest(r, nil)
		if taken := len(c.frame) - r.Len(); err != c.read || err != nil && taken != c.taken || err == nil && r.Len() > 0 {
			t.Errorf("%s: %d bytes, %v, %d taken; want %v, %d", c.name, len(body), err, taken, c.read, c.taken)
		}
	}
	typeLast := append(binary.AppendUvarint([]byte{0x7a}, uint64(params.MaxRequest)), value[:params.MaxRequest]...)
	if _, err := Decode(append(typeLast, 8, 4), RequestLimits()); err != ErrTooLong {
		t.Errorf("a find node that says so last: %v", err)
	}
}

func TestReadFrameUsesItsBufferAgain(t *testing.T) {
	frame := append([]byte{100}, make([]byte, 100)...)
	r := bytes.NewReader(nil)
	buf := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(100, func() {
		r.Reset(frame)
		buf, _ = ReadFrame(r, buf, params.MaxRequest)
	}); n != 0 || len(buf) != 100 {
		t.Fatalf("%v allocations, %d bytes", n, len(buf))
	}
}

func TestAppendFrame(t *testing.T) {
	m := Message{Type: FindNode, Key: make([]byte, 200)}
	frame := AppendFrame([]byte("before"), &m)
	body, prefix, err := FrameLen(frame[len("before"):], params.MaxRequest)
	if err != nil || prefix != 2 || !bytes.Equal(frame[len("before")+prefix:], Append(nil, &m)) || body != Size(&m) {
		t.Fatalf("%x: body %d, prefix %d, %v", frame, body, prefix, err)
	}
}

func FuzzReadFrame(f *testing.F) {
	for _, s := range []string{
		"", "\x00", "\x03abc", "\x03ab", "\x80", "\x80\x00", "\xff\xff\xff\xff\xff", "\x80\x80\x80\x02x",
		"\x01a\x01b", "\xac\x02", "\x04\x08\x04\x50\x01",
	} {
		f.Add([]byte(s), uint16(64), false)
		f.Add([]byte(s), uint16(2), true)
	}
	f.Fuzz(func(t *testing.T, stream []byte, limit uint16, trickle bool) {
		source := bytes.NewReader(stream)
		r := io.Reader(source)
		if trickle {
			r = iotest.OneByteReader(source)
		}
		buf, err := ReadFrame(r, nil, int(limit))
		if taken := len(stream) - source.Len(); cap(buf) > max(params.ReadChunk, 2*taken) {
			t.Fatalf("%d bytes taken, %d allocated", taken, cap(buf))
		}
		size, n := binary.Uvarint(stream) // what the standard library makes of it
		whole := n > 0 && n == len(binary.AppendUvarint(nil, size)) &&
			size <= uint64(limit) && size <= uint64(len(stream)-n)
		if whole != (err == nil) {
			t.Fatalf("%x, limit %d: %v", stream, limit, err)
		}
		if whole && (!bytes.Equal(buf, stream[n:n+int(size)]) || len(stream)-source.Len() != n+int(size)) {
			t.Fatalf("%x: read %x, left %d", stream, buf, source.Len())
		}
	})
}

package wire

import (
	"io"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waymark-dht/waymark/core/params"
)

// maxPrefix is how many bytes the prefix of the longest message takes: 28 bits
// are more than params.MaxMessage needs, 21 are not enough. KAD-9.3.
const maxPrefix = 4

// AppendFrame appends m as it goes over a stream: its length as an unsigned
// varint, then its encoding. It allocates at most once.
func AppendFrame(dst []byte, m *Message) []byte {
	n := Size(m)
	dst = slices.Grow(dst, protowire.SizeBytes(n))
	return Append(protowire.AppendVarint(dst, uint64(n)), m)
}

// FrameLen reads the length prefix at the front of b: how long the body is and
// how long the prefix. A prefix of 0 bytes means that more of it must come.
// It refuses bodies longer than limit as soon as that is certain.
func FrameLen(b []byte, limit int) (body, prefix int, err error) {
	for i, c := range b {
		body |= int(c&0x7f) << (7 * i)
		switch last := c < 0x80; {
		case last && c == 0 && i > 0, !last && i == maxPrefix-1:
			return 0, 0, ErrPrefix
		case body > limit:
			return 0, 0, ErrTooLong
		case last:
			return body, i + 1, nil
		}
	}
	return 0, 0, nil
}

// ReadFrame reads one frame and returns its body, in the memory of buf if that
// suffices. It takes no byte beyond the frame from r, and no more memory than
// twice what r has handed over (and params.ReadChunk to begin with).
//
// It returns io.EOF if r ends before the frame begins, io.ErrUnexpectedEOF if
// within it. The result is worth keeping as the next buf after an error too.
func ReadFrame(r io.Reader, buf []byte, limit int) ([]byte, error) {
	buf, size, err := openFrame(r, buf, limit)
	if err != nil {
		return buf, err
	}
	return readBody(r, buf, size)
}

// ReadRequest is ReadFrame for what strangers ask: a frame that is longer than
// params.MaxRequest has to begin as a PUT_VALUE does, and is refused after two
// bytes if it does not. Which type it has in the end is for Decode to say.
func ReadRequest(r io.Reader, buf []byte) ([]byte, error) {
	buf, size, err := openFrame(r, buf, params.MaxPut)
	if err != nil {
		return buf, err
	}
	if size > params.MaxRequest {
		buf = buf[:putHead]
		if err := readFull(r, buf); err != nil {
			return buf[:0], cutShort(err)
		}
		if !beginsAsPut(buf) {
			return buf[:0], ErrTooLong
		}
	}
	return readBody(r, buf, size)
}

// putHead is how many bytes say whether a message begins as a PUT_VALUE does.
const putHead = 2

// beginsAsPut reports whether a message may be a PUT_VALUE. That type is 0, so
// that most encoders leave it out and begin with another field.
func beginsAsPut(body []byte) bool {
	return len(body) >= putHead && (uint64(body[0]) != tagType || body[1] == byte(PutValue))
}

// openFrame reads a prefix, and returns an empty buffer that has some room.
func openFrame(r io.Reader, buf []byte, limit int) ([]byte, int, error) {
	if cap(buf) < maxPrefix {
		buf = make([]byte, 0, params.ReadChunk)
	}
	size, err := readPrefix(r, buf[:maxPrefix], limit)
	return buf[:0], size, err
}

// readBody reads the rest of a frame behind what is in buf already.
func readBody(r io.Reader, buf []byte, size int) ([]byte, error) {
	for len(buf) < size {
		if len(buf) == cap(buf) {
			buf = grow(buf, size)
		}
		had := len(buf)
		buf = buf[:min(size, cap(buf))]
		if err := readFull(r, buf[had:]); err != nil {
			return buf[:0], cutShort(err)
		}
	}
	return buf, nil
}

// readPrefix reads byte by byte, since the byte after the frame is not ours.
func readPrefix(r io.Reader, room []byte, limit int) (size int, err error) {
	for i := range room {
		if err := readFull(r, room[i:i+1]); err != nil {
			if i > 0 {
				err = cutShort(err)
			}
			return 0, err
		}
		size, prefix, err := FrameLen(room[:i+1], limit)
		if err != nil || prefix > 0 {
			return size, err
		}
	}
	return 0, ErrPrefix // FrameLen has refused it already
}

// grow doubles the room of a full buffer, up to what the frame needs.
func grow(full []byte, size int) []byte {
	room := max(params.ReadChunk, 2*len(full))
	return append(make([]byte, 0, min(size, room)), full...)
}

// readFull fills b. Unlike io.ReadFull it ends even if r hands over nothing
// for ever without an error.
func readFull(r io.Reader, b []byte) error {
	for empty := 0; len(b) > 0; {
		n, err := r.Read(b)
		if b = b[n:]; len(b) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			empty = 0
		} else if empty++; empty == params.EmptyReads {
			return io.ErrNoProgress
		}
	}
	return nil
}

// cutShort names the end of a stream within a frame for what it is.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

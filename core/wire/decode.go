package wire

import (
	"math"
	"unicode/utf8"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// Decode reads one message, without its length prefix. KAD-9.1 to KAD-9.5.
//
// Key and Record share the memory of body; peers do not, for they are kept.
// Unknown fields are skipped, and so are peers and addresses that cannot be
// valid. A field that comes twice counts as it came last.
func Decode(body []byte, lim Limits) (Message, error) {
	long := len(body) > lim.Bytes
	if long && (len(body) > lim.Put || !beginsAsPut(body)) {
		return Message{}, ErrTooLong
	}
	var m Message
	for len(body) > 0 {
		f, n, err := next(body)
		if err != nil {
			return Message{}, err
		}
		if err := m.set(f, lim); err != nil {
			return Message{}, err
		}
		body = body[n:]
	}
	if !m.Type.known() { // only now: an unknown type may be followed by a known one
		return Message{}, ErrType
	}
	if long && m.Type != PutValue {
		return Message{}, ErrTooLong
	}
	return m, nil
}

func (m *Message) set(f field, lim Limits) (err error) {
	switch f.tag {
	case tagType:
		m.Type = Type(f.varint)
	case tagKey:
		m.Key, err = f.key()
	case tagRecord: // a message within the message: a second one adds to the first
		if m.Record == nil {
			m.Record = new(record.Record)
		}
		err = decodeRecord(m.Record, f.bytes)
	case tagCloser:
		m.Closer, err = decodePeer(m.Closer, f.bytes, lim.Closer)
	case tagProviders:
		m.Providers, err = decodePeer(m.Providers, f.bytes, lim.Providers)
	}
	return err
}

// key returns the field's bytes if they may be a key.
func (f field) key() ([]byte, error) {
	if len(f.bytes) > params.MaxKey {
		return nil, ErrKey
	}
	return f.bytes, nil
}

func decodeRecord(r *record.Record, b []byte) error {
	for len(b) > 0 {
		f, n, err := next(b)
		if err != nil {
			return err
		}
		switch f.tag {
		case tagRecordKey:
			if r.Key, err = f.key(); err != nil {
				return err
			}
		case tagRecordValue:
			r.Value = f.bytes
		case tagRecordTime:
			if !utf8.Valid(f.bytes) {
				return errText
			}
			r.TimeReceived = string(f.bytes)
		case tagRecordPublisher:
			if validID(f.bytes) {
				r.Publisher = contact.ID(f.bytes)
			}
		case tagRecordTTL:
			r.TTL = uint32(min(f.varint, math.MaxUint32))
		}
		b = b[n:]
	}
	return nil
}

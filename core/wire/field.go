package wire

import "google.golang.org/protobuf/encoding/protowire"

// The schema (dht.proto and record.proto of the libp2p specification), as the
// tags that stand before each field: its number and how its value is written.
// A known number with another kind of value is another tag: an unknown field.
const (
	number = uint64(protowire.VarintType)
	octets = uint64(protowire.BytesType)

	tagType      = 1<<3 | number
	tagKey       = 2<<3 | octets
	tagRecord    = 3<<3 | octets
	tagCloser    = 8<<3 | octets
	tagProviders = 9<<3 | octets
	tagCluster   = 10<<3 | number

	tagPeerID     = 1<<3 | octets
	tagPeerAddr   = 2<<3 | octets
	tagConnection = 3<<3 | number

	tagRecordKey   = 1<<3 | octets
	tagRecordValue = 2<<3 | octets
	tagRecordTime  = 5<<3 | octets

	// What rust-libp2p adds to a record; others skip it.
	tagRecordPublisher = 666<<3 | octets
	tagRecordTTL       = 777<<3 | number
)

// field is one field as it stands on the wire.
type field struct {
	tag    uint64
	varint uint64 // the value, if the tag says that it is a number
	bytes  []byte // the value, if the tag says that it is bytes; part of the message
}

// next reads the field at the front of b and returns its length in b.
//
// Groups are refused, although they could be skipped: no version of the
// protocol has one, and nested ones cost the reader a stack frame per byte.
func next(b []byte) (f field, size int, err error) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || num > protowire.MaxValidNumber {
		return field{}, 0, errField
	}
	f.tag = uint64(num)<<3 | uint64(typ)
	value := 0
	switch typ {
	case protowire.VarintType:
		f.varint, value = protowire.ConsumeVarint(b[n:])
	case protowire.BytesType:
		f.bytes, value = protowire.ConsumeBytes(b[n:])
		f.bytes = f.bytes[:len(f.bytes):len(f.bytes)]
	case protowire.StartGroupType, protowire.EndGroupType:
		return field{}, 0, errGroup
	default:
		value = protowire.ConsumeFieldValue(num, typ, b[n:])
	}
	if value < 0 {
		return field{}, 0, errField
	}
	return f, n + value, nil
}

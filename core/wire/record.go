package wire

import (
	"github.com/waymark-dht/waymark/core/record"

	"google.golang.org/protobuf/encoding/protowire"
)

// AppendRecord appends a record as other implementations store it: the message
// record.pb.Record alone, without a frame.
func AppendRecord(dst []byte, r *record.Record) []byte {
	field := appendRecord(nil, r)
	bare, _ := protowire.ConsumeBytes(field[1:]) // without the tag and the length
	return append(dst, bare...)
}

// DecodeRecord reads what AppendRecord or another implementation has stored.
// The record shares b.
func DecodeRecord(b []byte) (record.Record, error) {
	var r record.Record
	err := decodeRecord(&r, b)
	return r, err
}

// Package record is what the network stores: values under keys, with the date of their arrival.
//
// It may not know the wire, the disk or the clock. Start reading at [Record].
package record

// Record is one stored value, in the three fields that all implementations share.
type Record struct {
	Key   []byte // where it is stored: a namespace and what it names, e.g. /ipns/…
	Value []byte
	// TimeReceived is an RFC 3339 date that the storing peer sets on arrival.
	// One that comes over the network is a claim of its sender.
	TimeReceived string
}

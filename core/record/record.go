// Package record is what the network stores: values under keys and provider records, with the dates that decide how long they count.
//
// It may not know the wire, the disk or the clock.
// Start reading at [Record], then [Provider].
package record

import (
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// Record is one stored value, in the three fields that all implementations
// share and the two that rust-libp2p adds.
type Record struct {
	Key   []byte // where it is stored: a namespace and what it names, e.g. /ipns/…
	Value []byte
	// TimeReceived is an RFC 3339 date that the storing peer sets on arrival.
	// One that comes over the network is a claim of its sender.
	TimeReceived string
	Publisher    contact.ID // who put it first, if it says so (field 666); a claim as well
	TTL          uint32     // seconds that it is to be kept, if it says so (field 777); 0 is not said
	// From is who brought it here, which a store counts by; empty for this
	// node itself. It is never sent, and a restart may forget it.
	From contact.ID
}

// Provider is one provider record: a peer can deliver what a key names.
type Provider struct {
	Key      []byte        // a multihash, 1 to params.MaxProviderKey bytes
	Peer     *contact.Info // who, with the addresses that it gave
	Received mono.Wall     // when it said so last, by our own clock
}

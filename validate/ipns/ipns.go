// Package ipns is the validator of the /ipns namespace, for Config.Validators.
//
// It may not know the network or the store. It is a room of its own so that a
// program that has no use for IPNS does not link what reads its records.
// Start reading at [New].
package ipns

import (
	"github.com/ipfs/boxo/ipns"
	"github.com/libp2p/go-libp2p/core/peerstore"

	"github.com/waymark-dht/waymark"
)

// Namespace is the first part of the keys that this validator is for.
const Namespace = "ipns"

// New returns the validator. A record must be signed by the key that its name
// is the hash of, be of at most 10 KiB and not have expired; of several the
// one with the highest sequence number is the best, then the one that expires
// last (IPNS record specification). Names whose hash does not hold the key
// itself need it from the record, or from keys, which may be nil.
func New(keys peerstore.KeyBook) waymark.Validator { return ipns.Validator{KeyBook: keys} }

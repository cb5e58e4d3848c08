// Package amino is the numbers of the public IPFS network with the names of go-libp2p-kad-dht/amino.
//
// It may not have a number of its own: each is Waymark's, from core/params.
// Start reading at the constants, all that there is.
package amino

import (
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/waymark-dht/waymark/core/params"
)

// The protocol of the network.
const (
	ProtocolPrefix protocol.ID = "/ipfs"
	ProtocolID     protocol.ID = ProtocolPrefix + "/kad/1.0.0"
)

// Protocols are all that is spoken there.
var Protocols = []protocol.ID{ProtocolID}

// The network's numbers, as far as Waymark has them too.
const (
	DefaultBucketSize               = params.K
	DefaultConcurrency              = params.Alpha
	DefaultProvideValidity          = params.ProviderAge
	DefaultMaxRecordAge             = params.ValueAge
	DefaultReprovideInterval        = params.ProvideEvery
	DefaultMaxPeersPerIPGroup       = params.MaxPerGroup
	DefaultMaxPeersPerIPGroupPerCpl = params.MaxPerGroupBucket
)

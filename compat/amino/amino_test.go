package amino

import (
	"testing"
	"time"
)

// TestTheNetworksNumbersAreThose that programs know from the incumbent, where
// Waymark is to do the same.
func TestTheNetworksNumbersAreThose(t *testing.T) {
	if DefaultBucketSize != 20 || DefaultProvideValidity != 48*time.Hour || DefaultMaxRecordAge != 48*time.Hour ||
		DefaultMaxPeersPerIPGroup != 3 || DefaultMaxPeersPerIPGroupPerCpl != 2 || Protocols[0] != "/ipfs/kad/1.0.0" {
		t.Errorf("k %d, providers %v, values %v, groups of %d and %d, %v", DefaultBucketSize, DefaultProvideValidity,
			DefaultMaxRecordAge, DefaultMaxPeersPerIPGroup, DefaultMaxPeersPerIPGroupPerCpl, Protocols)
	}
}

package store

import "github.com/waymark-dht/waymark/core/params"

// Limits caps what a store keeps. A zero field takes the number of core/params.
//
// What is over a limit is evicted, not refused, or whoever came first would
// hold the store for ever. Over a peer's limit goes the oldest of that peer;
// over a key's limit the oldest of that key; over the total the oldest of the
// peer that has most, in bytes if they are what is too many, so that a flood
// evicts itself; and where there are too many peers, one that was not heard of
// for longest goes with all it has.
//
// They are for strangers. What is the node's own (see [Store]) is not counted
// with theirs, and no flood of theirs evicts any of it: it has a limit of its
// own, Own for provider records and Values and ValueBytes once more for values.
type Limits struct {
	Providers        int // records in all; params.StoreProviders
	ProvidersPerKey  int // params.StoreProvidersPerKey
	ProvidersPerPeer int // params.StoreProvidersPerPeer
	Own              int // provider records of the node itself; params.StoreOwn
	ProviderPeers    int // peers that have provider records; params.StoreProviderPeers
	Values           int // params.StoreValues
	ValuesPerPeer    int // values that one peer brought; params.StoreValuesPerPeer
	ValueBytes       int // keys and values together; params.StoreValueBytes
}

// OrDefault returns the limits with the defaults in place of zeros.
func (l Limits) OrDefault() Limits {
	return Limits{
		Providers:        or(l.Providers, params.StoreProviders),
		ProvidersPerKey:  or(l.ProvidersPerKey, params.StoreProvidersPerKey),
		ProvidersPerPeer: or(l.ProvidersPerPeer, params.StoreProvidersPerPeer),
		Own:              or(l.Own, params.StoreOwn),
		ProviderPeers:    or(l.ProviderPeers, params.StoreProviderPeers),
		Values:           or(l.Values, params.StoreValues),
		ValuesPerPeer:    or(l.ValuesPerPeer, params.StoreValuesPerPeer),
		ValueBytes:       or(l.ValueBytes, params.StoreValueBytes),
	}
}

func or(limit, otherwise int) int {
	if limit <= 0 {
		return otherwise
	}
	return limit
}

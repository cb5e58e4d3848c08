package params

// What a node stores for others. KAD-9.
const (
	// StoreProviders caps provider records: a million of them are some 130 MB in
	// memory. A network of 25 000 servers that holds 200 million records 20
	// times over leaves 160 000 on each.
	StoreProviders = 1 << 20
	// StoreProvidersPerPeer is an eighth of it: one peer that provides a
	// hundred million keys leaves 80 000 on each of 25 000 servers.
	StoreProvidersPerPeer = StoreProviders / 8
	// StoreProvidersPerKey caps the providers of one key, of which an answer
	// carries some hundred: more of them give a finder no better choice.
	StoreProvidersPerKey = 1 << 10
	// StoreProviderPeers caps the peers that have provider records, each with
	// its addresses (some 500 bytes): five times the servers of the largest
	// network, so that a crowd of invented ones cannot fill the memory.
	StoreProviderPeers = 1 << 17
	// StoreValues, StoreValuesPerPeer and StoreValueBytes cap values. An IPNS
	// record has some 400 bytes and at most 10 KiB.
	StoreValues        = 1 << 17
	StoreValuesPerPeer = StoreValues / 8
	StoreValueBytes    = 128 << 20
)

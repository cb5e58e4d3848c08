package params

// The shape of the ecosystem: what stands around one node. KAD-20.
const (
	// DualGrace is how long the slower of two networks is waited for once the
	// other has found a peer: as long as one request may take.
	DualGrace = HardMax
)

package sim

import "slices"

// maxConns is how many connections a node keeps: the default high-water mark
// of a go-libp2p connection manager is of this order.
const maxConns = 192

// conns are the open connections of a node, the oldest first.
type conns []uint32

func (c conns) has(n uint32) bool { return slices.Contains(c, n) }

func (c *conns) drop(n uint32) bool {
	i := slices.Index(*c, n)
	if i < 0 {
		return false
	}
	*c = slices.Delete(*c, i, i+1)
	return true
}

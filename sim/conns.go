package sim

import "iter"

// maxConns is how many connections a node keeps: the default high-water mark
// of a go-libp2p connection manager is of this order.
const maxConns = 192

// conns are the open connections of a node. To ask for one, to add one and to
// drop one each touch a cache line or two: with a hundred thousand nodes, of
// which none is in the cache, a scan of a list cost as much as the engines did.
type conns struct {
	slots []link   // a hash table: a power of two of them, at most three in four taken
	order []uint32 // peers + 1, the oldest first; zero where one was dropped
	first uint32   // serial of order[0]
	n     int
}

// link is one connection.
type link struct{ peer, serial uint32 } // the peer + 1, or zero; where it is in order

func (c *conns) home(n uint32) int { return int((n + 1) * 2654435769 >> 8 & uint32(len(c.slots)-1)) }

// place returns where n is, or the free place where it would be.
func (c *conns) place(n uint32) int {
	i := c.home(n)
	for c.slots[i].peer != 0 && c.slots[i].peer != n+1 {
		i = (i + 1) & (len(c.slots) - 1)
	}
	return i
}

func (c *conns) len() int { return c.n }

func (c *conns) has(n uint32) bool { return c.n > 0 && c.slots[c.place(n)].peer == n+1 }

// oldest returns the connection that was added first; there must be one.
func (c *conns) oldest() uint32 { return c.order[0] - 1 }

// all visits the connections, the oldest first. They may be dropped meanwhile.
func (c *conns) all() iter.Seq[uint32] {
	now := append([]uint32(nil), c.order...)
	return func(yield func(uint32) bool) {
		for _, peer := range now {
			if peer != 0 && !yield(peer-1) {
				return
			}
		}
	}
}

// add adds a connection that is not there.
func (c *conns) add(n uint32) {
	if 4*(c.n+1) > 3*len(c.slots) {
		c.rebuild(max(16, 2*len(c.slots)))
	}
	if len(c.order) > 2*c.n+16 {
		c.rebuild(len(c.slots)) // most of the order are gaps
	}
	c.put(n)
}

func (c *conns) put(n uint32) {
	c.slots[c.place(n)] = link{peer: n + 1, serial: c.first + uint32(len(c.order))}
	c.order = append(c.order, n+1)
	c.n++
}

// rebuild makes the table anew, with so many slots, and the order without gaps.
func (c *conns) rebuild(slots int) {
	old := c.order
	*c = conns{slots: make([]link, slots), order: make([]uint32, 0, len(old)+8)}
	for _, peer := range old {
		if peer != 0 {
			c.put(peer - 1)
		}
	}
}

// drop takes a connection out and reports whether it was there. Who stood
// behind it moves up, so that no search ends at a gap.
func (c *conns) drop(n uint32) bool {
	if !c.has(n) {
		return false
	}
	gap, mask := c.place(n), len(c.slots)-1
	c.order[c.slots[gap].serial-c.first] = 0
	for i := (gap + 1) & mask; c.slots[i].peer != 0; i = (i + 1) & mask {
		if (i-c.home(c.slots[i].peer-1))&mask >= (i-gap)&mask {
			c.slots[gap], gap = c.slots[i], i
		}
	}
	c.slots[gap] = link{}
	c.n--
	for len(c.order) > 0 && c.order[0] == 0 {
		c.order, c.first = c.order[1:], c.first+1
	}
	return true
}

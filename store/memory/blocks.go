package memory

// blocks keeps short lists of references, each in one piece, so that the reads
// of what a list names do not wait for each other as in a chain. A list doubles
// its block when it is full and halves it when it is a quarter full.
type blocks struct {
	classes [blockClasses]class
}

// class holds the blocks of one size, side by side in chunks.
type class struct {
	chunks [][]uint32
	free   []uint32
	used   uint32
}

// blockClasses are sizes from one reference to the longest list there may be.
const (
	blockClasses = 21
	longest      = 1 << (blockClasses - 1)
)

// refs is a list; the zero value is empty.
type refs struct {
	block uint32
	count uint32
	class uint8
}

// of returns the references of a list where they lie.
func (b *blocks) of(l refs) []uint32 {
	if l.count == 0 {
		return nil
	}
	return b.classes[l.class].at(l.block, l.class)[:l.count]
}

// insert puts a reference at a position of a list.
func (b *blocks) insert(l *refs, at int, ref uint32) {
	if l.count == 0 {
		l.class, l.block = 0, b.classes[0].take(0)
	} else if l.count == 1<<l.class {
		b.move(l, l.class+1)
	}
	l.count++
	list := b.of(*l)
	copy(list[at+1:], list[at:])
	list[at] = ref
}

// remove takes the reference at a position out of a list.
func (b *blocks) remove(l *refs, at int) {
	list := b.of(*l)
	copy(list[at:], list[at+1:])
	if l.count--; l.count == 0 {
		b.classes[l.class].give(l.block)
	} else if l.class > 0 && 4*l.count <= 1<<l.class {
		b.move(l, l.class-1)
	}
}

// move copies a list into a block of another size.
func (b *blocks) move(l *refs, to uint8) {
	block := b.classes[to].take(to)
	copy(b.classes[to].at(block, to), b.of(*l))
	b.classes[l.class].give(l.block)
	l.block, l.class = block, to
}

// perChunk is how many blocks of a size are taken from the heap at a time.
func perChunk(size uint8) uint32 { return uint32(max(1, chunk>>size)) }

func (c *class) at(block uint32, size uint8) []uint32 {
	per := perChunk(size)
	from := (block % per) << size
	return c.chunks[block/per][from : from+1<<size]
}

func (c *class) take(size uint8) uint32 {
	if n := len(c.free); n > 0 {
		block := c.free[n-1]
		c.free = c.free[:n-1]
		return block
	}
	if per := perChunk(size); int(c.used) == len(c.chunks)*int(per) {
		c.chunks = append(c.chunks, make([]uint32, per<<size))
	}
	c.used++
	return c.used - 1
}

func (c *class) give(block uint32) { c.free = append(c.free, block) }

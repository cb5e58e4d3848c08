package memory

// index finds a reference by a hash: open addressing with linear probing, eight
// bytes a place and no pointer, where a map of Go would take forty and more.
type index struct {
	places []place // a power of two, at most three quarters full
	count  int
}

// place holds the hash beside the reference, so that neither growing nor
// deleting has to look at what is referred to.
type place struct{ hash, ref uint32 }

// smallest is the number of places to begin with.
const smallest = 1 << 6

// find returns the reference that has a hash and is the wanted one, or zero.
func (x *index) find(hash uint32, is func(ref uint32) bool) uint32 {
	if x.count == 0 {
		return 0
	}
	mask := uint32(len(x.places) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		p := x.places[i]
		if p.ref == 0 {
			return 0
		}
		if p.hash == hash && is(p.ref) {
			return p.ref
		}
	}
}

// insert adds a reference that is not there.
func (x *index) insert(hash, ref uint32) {
	if 4*(x.count+1) > 3*len(x.places) {
		x.grow()
	}
	x.count++
	x.put(place{hash, ref})
}

func (x *index) put(p place) {
	mask := uint32(len(x.places) - 1)
	i := p.hash & mask
	for x.places[i].ref != 0 {
		i = (i + 1) & mask
	}
	x.places[i] = p
}

func (x *index) grow() {
	old := x.places
	x.places = make([]place, max(smallest, 2*len(old)))
	for _, p := range old {
		if p.ref != 0 {
			x.put(p)
		}
	}
}

// remove deletes a reference and moves up those that it stood in the way of, so
// that no tombstones gather.
func (x *index) remove(hash, ref uint32) {
	mask := uint32(len(x.places) - 1)
	hole := hash & mask
	for x.places[hole].ref != ref {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; x.places[i].ref != 0; i = (i + 1) & mask {
		// It may move to the hole unless its home lies behind the hole.
		if home := x.places[i].hash & mask; (i-home)&mask >= (i-hole)&mask {
			x.places[hole], hole = x.places[i], i
		}
	}
	x.places[hole] = place{}
	x.count--
}

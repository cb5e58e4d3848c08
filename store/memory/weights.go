package memory

// weights knows how many bytes each of some owners has, and who has most. A
// heap: a change costs the logarithm of their number.
type weights struct {
	bytes map[uint32]int
	heap  []uint32
	place map[uint32]int // in the heap
}

func newWeights() weights { return weights{bytes: map[uint32]int{}, place: map[uint32]int{}} }

// add gives an owner so many bytes more, or takes them from it; who has none is
// forgotten.
func (w *weights) add(owner uint32, bytes int) {
	at, known := w.place[owner]
	if !known {
		at = len(w.heap)
		w.heap = append(w.heap, owner)
		w.place[owner] = at
	}
	if w.bytes[owner] += bytes; w.bytes[owner] > 0 {
		w.down(w.up(at))
		return
	}
	last := len(w.heap) - 1
	w.swap(at, last)
	w.heap = w.heap[:last]
	delete(w.place, owner)
	delete(w.bytes, owner)
	if at < last {
		w.down(w.up(at))
	}
}

// heaviest returns the owner that has most bytes; zero if there is none.
func (w *weights) heaviest() uint32 {
	if len(w.heap) == 0 {
		return 0
	}
	return w.heap[0]
}

// second returns the owner that has most bytes but for the heaviest, or zero.
func (w *weights) second() uint32 {
	switch len(w.heap) {
	case 0, 1:
		return 0
	case 2:
		return w.heap[1]
	}
	if w.less(1, 2) {
		return w.heap[2]
	}
	return w.heap[1]
}

// less orders by bytes, and by reference where they are the same: a run is a
// function of what was stored.
func (w *weights) less(i, j int) bool {
	a, b := w.heap[i], w.heap[j]
	if w.bytes[a] != w.bytes[b] {
		return w.bytes[a] < w.bytes[b]
	}
	return a > b
}

func (w *weights) swap(i, j int) {
	w.heap[i], w.heap[j] = w.heap[j], w.heap[i]
	w.place[w.heap[i]], w.place[w.heap[j]] = i, j
}

func (w *weights) up(at int) int {
	for at > 0 && w.less((at-1)/2, at) {
		w.swap(at, (at-1)/2)
		at = (at - 1) / 2
	}
	return at
}

func (w *weights) down(at int) {
	for {
		most := at
		for _, child := range []int{2*at + 1, 2*at + 2} {
			if child < len(w.heap) && w.less(most, child) {
				most = child
			}
		}
		if most == at {
			return
		}
		w.swap(at, most)
		at = most
	}
}

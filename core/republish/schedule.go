package republish

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// region is the keys that share a prefix of Machine.depth bits.
type region struct {
	lo   uint64 // the first head
	keys int
	due  mono.Wall
	busy bool // a run is under way
	more bool // keys were added to it meanwhile
}

// bounds returns the first and the last head of a prefix.
func bounds(head uint64, prefix int) (lo, hi uint64) {
	rest := ^uint64(0) >> prefix
	return head &^ rest, head | rest
}

// start provides a key from now on.
func (m *Machine) start(text []byte, force bool) {
	i := m.item(text)
	if i == nil {
		return
	}
	ask := force || !i.keep
	m.keep += one(!i.keep)
	i.keep = true
	if ask {
		m.ask(i)
	}
}

// once provides a key at once.
func (m *Machine) once(text []byte) {
	if i := m.item(text); i != nil {
		m.ask(i)
	}
}

// item returns the entry of a key, new if there was none and there is room.
func (m *Machine) item(text []byte) *item {
	head, name := key.Of(text)[0], string(text)
	if i := m.items.get(head, name); i != nil {
		return i
	}
	if m.Room() <= 0 {
		return nil
	}
	m.touch(head)
	m.region(head).keys++
	return m.items.put(head, name)
}

// ask queues a key.
func (m *Machine) ask(i *item) {
	m.touch(i.head)
	m.queued += one(!i.queued)
	i.queued = true
	g := m.region(i.head)
	g.due, g.more = min(g.due, m.now.Wall), g.busy
}

// stop forgets a key.
func (m *Machine) stop(text []byte) {
	head, name := key.Of(text)[0], string(text)
	if i := m.items.get(head, name); i != nil {
		m.keep -= one(i.keep)
		m.queued -= one(i.queued)
		m.drop(head, name)
	}
}

// drop takes a key out of the schedule.
func (m *Machine) drop(head uint64, name string) {
	m.touch(head)
	m.items.remove(head, name)
	g := m.region(head)
	g.keys--
	m.forget(g)
}

// forget drops a region that has no keys.
func (m *Machine) forget(g *region) {
	if g.keys > 0 || g.busy {
		return
	}
	if at, found := m.find(g.lo); found {
		m.regions = slices.Delete(m.regions, at, at+1)
	}
}

// clear empties the queue.
func (m *Machine) clear() {
	if m.items.n == 0 {
		return
	}
	m.items.each(0, ^uint64(0), func(i *item) bool {
		if i.queued {
			m.touch(i.head)
			i.queued = false
			if i.last == 0 {
				i.last = seconds(m.now.Wall) // its turn comes with its region's
			}
		}
		return true
	})
	m.items.removeIf(func(i *item) bool { return !i.keep })
	m.queued = 0
	m.divide()
}

// region returns the region of a key, made if there is none.
func (m *Machine) region(head uint64) *region {
	lo, _ := bounds(head, m.depth)
	at, found := m.find(lo)
	if !found {
		m.regions = slices.Insert(m.regions, at, &region{lo: lo, due: m.slot(lo, m.now.Wall)})
	}
	return m.regions[at]
}

func (m *Machine) find(lo uint64) (at int, found bool) {
	return slices.BinarySearchFunc(m.regions, lo, func(g *region, lo uint64) int { return cmp.Compare(g.lo, lo) })
}

// first returns the region that is due first and not under way, or nil.
func (m *Machine) first() *region {
	var first *region
	for _, g := range m.regions {
		if !g.busy && (first == nil || g.due < first.due) {
			first = g
		}
	}
	return first
}

// slot returns the first time of a region after a date, in whole seconds. The
// regions' times are spread over the cycle as the regions are over the key
// space, so that work is spread too, whenever keys were added.
func (m *Machine) slot(lo uint64, after mono.Wall) mono.Wall {
	cycle := m.every
	share, _ := bits.Mul64(lo, uint64(cycle/second))
	first := m.epoch + mono.Wall(share)*second
	if after < first {
		return first - (first-after-1)/cycle*cycle
	}
	return first + ((after-first)/cycle+1)*cycle
}

// turn is the last time of a region that has come.
func (m *Machine) turn(lo uint64) mono.Wall {
	return m.slot(lo, m.now.Wall) - m.every
}

// due returns when a region's time comes: now, if a key waits to be provided,
// or at its slot after the key that was provided longest ago. A date that has
// not come yet was written by a clock that was wrong, and is made to be now.
func (m *Machine) due(g *region) mono.Wall {
	now, waits := seconds(m.now.Wall), false
	oldest := now
	_, hi := bounds(g.lo, m.depth)
	m.items.each(g.lo, hi, func(i *item) bool {
		if i.last > now {
			m.touch(i.head)
			i.last = now
		}
		waits = waits || i.queued
		oldest = min(oldest, i.last)
		return true
	})
	if waits {
		return min(m.now.Wall, max(g.due, 1))
	}
	return m.slot(g.lo, mono.Wall(oldest)*second)
}

// wants reports whether a key is to be provided now.
func (i *item) wants(turn mono.Wall) bool {
	return i.queued || i.keep && mono.Wall(i.last)*second < turn
}

// reckon determines anew when each region's time comes.
func (m *Machine) reckon() {
	for _, g := range m.regions {
		if !g.busy {
			g.due = m.due(g)
		}
	}
}

// learn notes how many bits a target shares with the last of its k closest, of
// which the size of the network follows.
func (m *Machine) learn(shared int) {
	m.samples = min(m.samples+1, params.SweepSamples)
	m.nearest += (shared*unit - m.nearest) / m.samples
}

// unit is how finely bits are smoothed.
const unit = params.SweepUnit

// ideal is how many bits a region's prefix should have, in units.
func (m *Machine) ideal() int { return max(0, m.nearest-unit*params.SweepSpan) }

// misfits reports whether regions are larger or smaller than they should be,
// by more than chance. New ones wait then until those under way have ended.
func (m *Machine) misfits() bool {
	off := m.ideal() - unit*m.depth
	return m.samples > 0 && max(off, -off)*100 >= unit*params.SweepSlackPercent && m.fitting() != m.depth
}

func (m *Machine) fitting() int {
	return min((m.ideal()+unit/2)/unit, key.MaxPreimageBits-params.SweepSpan)
}

// regroup makes the regions such that each has a few times k peers.
func (m *Machine) regroup() {
	if len(m.runs) == 0 && m.misfits() {
		m.depth = m.fitting()
		m.regions = nil
		m.divide()
	}
}

// divide makes the regions anew from the keys that there are. Those under way
// stay as they are.
func (m *Machine) divide() {
	var all []*region
	m.items.each(0, ^uint64(0), func(i *item) bool {
		if lo, _ := bounds(i.head, m.depth); len(all) == 0 || all[len(all)-1].lo != lo {
			all = append(all, &region{lo: lo, due: m.now.Wall})
		}
		all[len(all)-1].keys++
		return true
	})
	busy := slices.DeleteFunc(m.regions, func(g *region) bool { return !g.busy })
	m.regions = all
	for _, g := range busy {
		at, found := m.find(g.lo)
		if found {
			g.keys, m.regions[at] = m.regions[at].keys, g
		} else {
			g.keys, m.regions = 0, slices.Insert(m.regions, at, g)
		}
	}
	m.reckon()
}

// touch notes that a key's shard has to be kept again.
func (m *Machine) touch(head uint64) { m.dirty[shardOf(head)] = true }

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// lag is how long after its time something happens.
func lag(now, due mono.Wall) time.Duration { return max(0, time.Duration(now-due)) }

package republish

import (
	"encoding/binary"
	"errors"

	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Shards is how many parts a schedule is kept in: each has the keys of one
// prefix of params.ScheduleShardBits.
const Shards = 1 << params.ScheduleShardBits

func shardOf(head uint64) int { return int(head >> (headBits - params.ScheduleShardBits)) }

// ErrKept: what was kept is not a shard of a schedule, or was cut.
var ErrKept = errors.New("republish: not a shard of a schedule")

// keptVersion is the first byte of a shard. After it come the epoch and what is
// known of the network's size, and then the keys: flags, the second in which
// each was provided last, and its multihash behind its length.
const keptVersion = 1

const (
	flagKeep = 1 << iota
	flagQueued
)

// Dirty returns the shards that changed since Encode wrote them, in order.
func (m *Machine) Dirty() (shards []int) {
	for n, changed := range m.dirty {
		if changed {
			shards = append(shards, n)
		}
	}
	return shards
}

// Encode returns a shard as it is to be kept. It is no longer dirty after that;
// Touch makes it so again.
func (m *Machine) Encode(shard int) []byte {
	m.dirty[shard] = false
	out := []byte{keptVersion}
	out = binary.AppendVarint(out, int64(m.epoch))
	out = binary.AppendUvarint(out, uint64(m.nearest))
	out = binary.AppendUvarint(out, uint64(m.samples))
	lo := uint64(shard) << (headBits - params.ScheduleShardBits)
	_, hi := bounds(lo, params.ScheduleShardBits)
	m.items.each(lo, hi, func(i *item) bool {
		out = append(out, byte(one(i.keep)*flagKeep+one(i.queued)*flagQueued))
		out = binary.AppendUvarint(out, uint64(i.last))
		out = binary.AppendUvarint(out, uint64(len(i.text)))
		out = append(out, i.text...)
		return true
	})
	return out
}

// Kept returns the keys of a shard that are provided again and again, in the
// order of the key space.
func (m *Machine) Kept(shard int) (keys []string) {
	lo := uint64(shard) << (headBits - params.ScheduleShardBits)
	_, hi := bounds(lo, params.ScheduleShardBits)
	m.items.each(lo, hi, func(i *item) bool {
		if i.keep {
			keys = append(keys, i.text)
		}
		return true
	})
	return keys
}

// Touch makes a shard dirty: it could not be kept.
func (m *Machine) Touch(shard int) { m.dirty[shard] = true }

// Restore adds what Encode wrote in an earlier life to the schedule. Of what is
// there already it keeps the later date. After ErrKept nothing was added. What
// follows from it comes with the next Step.
func (m *Machine) Restore(data []byte) error {
	k, err := readKept(data)
	if err != nil {
		return err
	}
	m.epoch = min(m.epoch, k.epoch)
	changed := m.dirty // what was kept need not be kept again
	defer func() { m.dirty = changed }()
	if m.samples < k.samples {
		m.nearest, m.samples = k.nearest, k.samples
	}
	for _, i := range k.items {
		m.recall(i)
	}
	return nil
}

// recall adds one key of an earlier life.
func (m *Machine) recall(was item) {
	i := m.item([]byte(was.text))
	if i == nil {
		return
	}
	i.last = min(max(i.last, was.last), seconds(m.now.Wall)) // a later date was written by a clock that was wrong
	m.keep += one(was.keep && !i.keep)
	m.queued += one(was.queued && !i.queued)
	i.keep, i.queued = i.keep || was.keep, i.queued || was.queued
	g := m.region(i.head)
	if i.queued {
		g.due = min(g.due, m.now.Wall)
	} else {
		g.due = min(g.due, m.slot(g.lo, mono.Wall(i.last)*second))
	}
}

// kept is a shard as it was read.
type kept struct {
	epoch            mono.Wall
	nearest, samples int
	items            []item
}

// readKept reads a shard, whole or not at all.
func readKept(data []byte) (k kept, err error) {
	if len(data) == 0 || data[0] != keptVersion {
		return k, ErrKept
	}
	r := reader{rest: data[1:]}
	k.epoch = mono.Wall(r.varint())
	k.nearest, k.samples = int(r.uvarint(headBits*unit)), int(r.uvarint(params.SweepSamples))
	for len(r.rest) > 0 && !r.bad {
		flags := r.uvarint(flagKeep | flagQueued)
		i := item{keep: flags&flagKeep != 0, queued: flags&flagQueued != 0, last: uint32(r.uvarint(1<<32 - 1))}
		i.text = string(r.take(r.uvarint(params.MaxProviderKey)))
		if flags == 0 || i.text == "" || len(k.items) == params.ScheduleKeys {
			return kept{}, ErrKept
		}
		i.head = key.OfString(i.text)[0]
		k.items = append(k.items, i)
	}
	if r.bad || k.epoch%second != 0 || k.epoch < 0 {
		return kept{}, ErrKept
	}
	return k, nil
}

// reader reads numbers and texts until one is not there.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	return took(r, v, n)
}

// uvarint reads a number that is at most so large.
func (r *reader) uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if v > most {
		n = 0
	}
	return took(r, v, n)
}

func took[T int64 | uint64](r *reader, v T, n int) T {
	if n <= 0 {
		r.rest, r.bad = nil, true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.rest, r.bad = nil, true
		return nil
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

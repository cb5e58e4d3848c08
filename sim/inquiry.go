package sim

import (
	"encoding/binary"
	"maps"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// inquiry makes lookups of which whoever asks for one is told the end.
type inquiry struct {
	w    *World
	open map[engine.OpID]question
}

type question struct {
	asker  uint32
	target key.Key
	told   func(n uint32, target key.Key, r engine.Result)
}

func newInquiry(w *World) *inquiry { return &inquiry{w: w, open: make(map[engine.OpID]question)} }

// ended takes the end of an operation, if it is one of the inquiry's.
func (q *inquiry) ended(n uint32, f engine.OpEnded) {
	if was, ok := q.open[f.Op]; ok {
		delete(q.open, f.Op)
		q.w.checkResult(q.w.nodes[n].act, was.target, f.Result.Closest)
		was.told(n, was.target, f.Result)
	}
}

// ask lets a node look up the key of a preimage.
func (q *inquiry) ask(n uint32, preimage []byte, told func(uint32, key.Key, engine.Result)) {
	op := q.w.newOp()
	q.open[op] = question{n, key.Of(preimage), told}
	q.w.step(q.w.actor(n), engine.StartLookup{Op: op, Kind: engine.KindLookup, Preimage: preimage})
}

// forget drops the questions of a node that is gone, and returns how many.
func (q *inquiry) forget(n uint32) int {
	before := len(q.open)
	maps.DeleteFunc(q.open, func(_ engine.OpID, was question) bool { return was.asker == n })
	return before - len(q.open)
}

// preimage draws what a lookup may be for.
func (w *World) preimage() []byte {
	return binary.BigEndian.AppendUint64(nil, w.rnd.targets.Uint64())
}

// scattered is a moment within the time over which lookups begin.
func (w *World) scattered() time.Duration {
	return time.Duration(w.rnd.targets.Int64N(int64(spread)))
}

// answered is by when all lookups have ended that began within spread.
const answered = spread + params.OpDeadline + params.Epsilon

// share is a fraction that is counted.
type share struct{ part, whole int }

func (s share) value() float64 { return ratio(s.part, s.whole) }

// found counts, of the true k nearest for whom want is true, those in a result.
func (w *World) found(n uint32, target key.Key, r engine.Result, want func(m uint32) bool) (s share) {
	for _, m := range w.answering().nearest(target, w.opt.Engine.Lookup.K, n) {
		if want(m) {
			s.whole++
			if names(r, w.info(m)) {
				s.part++
			}
		}
	}
	return s
}

func (s *share) add(o share) { s.part, s.whole = s.part+o.part, s.whole+o.whole }

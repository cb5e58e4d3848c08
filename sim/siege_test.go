package sim

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
)

// siege is a network with accomplices around one key: they answer, name each
// other, acknowledge what is stored and have nothing.
type siege struct {
	w      *World
	key    []byte
	ends   map[engine.OpID]engine.Result
	honest []uint32 // the honest members closest to the key
}

func besiege(t *testing.T, seed uint64, members, accomplices int) *siege {
	t.Helper()
	opt := Options{Nodes: members, Seed: seed}.defaults("siege", members, 0)
	opt.Engine.Lookup = lookup.Defaults(1)
	s := &siege{w: NewWorld(opt), key: fmt.Appendf(nil, "/v/besieged %d", seed), ends: map[engine.OpID]engine.Result{}}
	s.w.shelve(0)
	target := key.Of(s.key)
	s.honest = s.w.answering().nearest(target, opt.Engine.Lookup.K, ^uint32(0))
	nearest := s.w.key(s.honest[0])
	for range accomplices { // each nearer to the key than anybody who is there
		n := s.w.settleAs(func(k key.Key) bool { return target.Closer(k, nearest) < 0 })
		s.w.setState(n, sybil)
	}
	s.w.Fill()
	s.w.ended = func(_ uint32, f engine.OpEnded) { s.ends[f.Op] = f.Result }
	return s
}

// settleAs adds a member whose key is as wanted.
func (w *World) settleAs(want func(key.Key) bool) uint32 {
	for {
		id := binary.BigEndian.AppendUint64(nil, w.rnd.keys.Uint64())
		if want(key.Of(id)) {
			w.book.Intern(contact.New(contact.ID(id), address(uint32(len(w.nodes)))))
			return w.join()
		}
	}
}

// do runs one operation of a member that has looked things up before.
func (s *siege) do(t *testing.T, n uint32, ev func(engine.OpID) engine.Event) engine.Result {
	t.Helper()
	for range 8 {
		p := binary.BigEndian.AppendUint64(nil, s.w.rnd.targets.Uint64())
		s.w.step(s.w.actor(n), engine.StartLookup{Op: s.w.newOp(), Kind: engine.KindLookup, Preimage: p})
	}
	if err := s.w.Run(mono.Never); err != nil {
		t.Fatal(err)
	}
	op := s.w.newOp()
	s.w.step(s.w.actor(n), ev(op))
	if err := s.w.Run(mono.Never); err != nil {
		t.Fatal(err)
	}
	r, ended := s.ends[op]
	if !ended {
		t.Fatal("it did not end")
	}
	return r
}

// A key around which 30 accomplices sit is stored on the honest peers that are
// closest to it, and found there.
func TestASiegeIsNoticedAndTheRegionIsAsked(t *testing.T) {
	for seed := range uint64(5) {
		s := besiege(t, seed, 1000, 30)
		value := record.Record{Key: s.key, Value: []byte("v")}
		s.w.shelves.item(s.key, &value)
		put := s.do(t, s.w.survivor(), func(op engine.OpID) engine.Event { return engine.StartPut{Op: op, Record: value} })
		have := 0
		for _, n := range s.honest {
			have += len(s.w.shelves.find(n, 0))
		}
		if !put.Eclipse || put.Outcome != engine.Stored || have < 18 {
			t.Errorf("seed %d: eclipse %v, %v, %d of %d honest closest have it", seed, put.Eclipse, put.Outcome, have, len(s.honest))
		}
		get := s.do(t, s.w.survivor(), func(op engine.OpID) engine.Event { return engine.StartGet{Op: op, Key: s.key, Quorum: 11} })
		if !get.Eclipse || get.Value == nil || get.Agree < 15 {
			t.Errorf("seed %d: eclipse %v, %v, %d agree", seed, get.Eclipse, get.Outcome, get.Agree)
		}
	}
}

// The same for provider records, which nobody would find without.
func TestASiegeOfContentIsNoticed(t *testing.T) {
	s := besiege(t, 1, 1000, 30)
	from := s.w.survivor()
	provide := s.do(t, from, func(op engine.OpID) engine.Event { return engine.StartProvide{Op: op, Key: s.key, Enough: 10} })
	if !provide.Eclipse || provide.Pending > 0 || len(provide.Stored) < 30+18 {
		t.Errorf("eclipse %v, %d stored, %d pending", provide.Eclipse, len(provide.Stored), provide.Pending)
	}
	find := s.do(t, s.w.survivor(), func(op engine.OpID) engine.Event { return engine.StartFindProviders{Op: op, Key: s.key} })
	if find.Providers != 1 {
		t.Errorf("%d providers, %v", find.Providers, find.Outcome)
	}
}

// In a network without accomplices nothing is taken for a siege.
func TestNoSiegeIsInvented(t *testing.T) {
	s := besiege(t, 1, 1000, 0)
	for i := range 300 {
		k := fmt.Appendf(nil, "/v/%d", i)
		op := s.w.newOp()
		s.w.step(s.w.actor(s.w.survivor()), engine.StartProvide{Op: op, Key: k})
	}
	if err := s.w.Run(mono.Never); err != nil {
		t.Fatal(err)
	}
	for op, r := range s.ends {
		if r.Eclipse {
			t.Errorf("operation %d sees a siege", op)
		}
	}
}

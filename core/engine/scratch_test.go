package engine

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// Engines that share a scratch do what those do that have their own, and may
// be told outcomes by pointer.
func TestEnginesThatShareTheirScratchDoTheSame(t *testing.T) {
	shared := new(Scratch)
	village := func(scratch *Scratch) *Engine {
		book := contact.NewBook()
		e := New(Config{Scratch: scratch, Terse: true}, contact.New("self"), book, 1)
		for i := range 40 {
			e.Step(mono.Now{}, Vouched{Peer: contact.New(contact.ID(fmt.Sprint("peer ", i)))})
		}
		return e
	}
	alone, one, other := village(nil), village(shared), village(shared)
	step := func(e *Engine, at time.Duration, ev Event) (effects []Effect, facts []Fact) {
		e.Step(mono.Now{Mono: mono.Time(at)}, ev)
		for eff, ok := e.Next(); ok; eff, ok = e.Next() {
			if s, is := eff.(*Send); is {
				eff = *s
			}
			effects = append(effects, eff)
		}
		for f := range e.Facts() {
			facts = append(facts, f)
		}
		return effects, facts
	}
	for _, e := range []*Engine{alone, one, other} {
		step(e, 0, Tick{}) // what the vouched have left
	}
	seen := 0
	for i := range 60 {
		at := time.Duration(i) * 100 * time.Millisecond
		var ev, byPointer Event = Tick{}, Tick{}
		switch {
		case i == 0:
			ev = StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("key")}
			byPointer = ev
		case i%3 == 0:
			f := Failed{Attempt: AttemptID(i), Failure: contact.Silent}
			ev, byPointer = f, &f
		case i%3 == 1:
			a := Answered{Attempt: AttemptID(i), Closer: []*contact.Info{contact.New(contact.ID(fmt.Sprint("new ", i)))}}
			ev, byPointer = a, &a
		}
		wantEffects, wantFacts := step(alone, at, ev)
		effects, facts := step(one, at, byPointer)
		step(other, at, StartLookup{Op: OpID(i + 1), Kind: KindLookup, Preimage: []byte{byte(i)}})
		if !reflect.DeepEqual(effects, wantEffects) || !reflect.DeepEqual(facts, wantFacts) {
			t.Fatalf("step %d:\n%+v\n%+v\nwant\n%+v\n%+v", i, effects, facts, wantEffects, wantFacts)
		}
		seen += len(effects)
	}
	if seen < 10 {
		t.Fatalf("%d effects are no test", seen)
	}
}

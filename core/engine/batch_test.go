package engine

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Rule 6 over all that is told in one step: whoever tells it late, with the
// deadlines already over, loses no outcome by that.

// asked starts operations in a village that answers nothing by itself, and
// returns the requests.
func (v *village) holds(evs ...Event) (sent []Send) {
	v.serve = func(eff Effect) Event {
		if s, is := eff.(Send); is {
			sent = append(sent, s)
		}
		return nil
	}
	for _, ev := range evs {
		v.step(ev)
	}
	return sent
}

// together tells the engine of several things at once.
func (v *village) together(evs ...Event) {
	v.e.Step(mono.Now{Mono: v.now, Wall: v.wall}, evs...)
	for _, ok := v.e.Next(); ok; _, ok = v.e.Next() {
	}
	for f := range v.e.Facts() {
		v.facts = append(v.facts, f)
	}
}

// end returns the end of an operation, or nil.
func (v *village) end(op OpID) *Result {
	for _, f := range v.facts {
		if end, is := f.(OpEnded); is && end.Op == op {
			return &end.Result
		}
	}
	return nil
}

func TestAnswersThatAreToldWithTheirDeadlineCount(t *testing.T) {
	v := newVillage(t, 6, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	sent := v.holds(StartLookup{Op: 1, Preimage: []byte("key")}, StartPing{Op: 2, Peer: v.members[0]})
	var told []Event
	for _, s := range sent {
		told = append(told, Answered{Attempt: s.Attempt})
	}
	if len(told) != len(v.members)+1 {
		t.Fatalf("%d requests are under way", len(told))
	}
	v.now = v.now.Add(2 * params.HardMax)
	v.together(told...)
	for op := OpID(1); op <= 2; op++ {
		if r := v.end(op); r == nil || r.Stats.Failures.Total() != 0 || r.Outcome != Converged && r.Outcome != Found {
			t.Errorf("operation %d: %+v", op, r)
		}
	}
	if n := v.e.Table().Len(); n != len(v.members) {
		t.Errorf("%d of %d are left in the table", n, len(v.members))
	}
}

// A record that was acknowledged in time is stored, whenever that is told.
func TestAcknowledgementsThatAreToldWithTheirDeadlineCount(t *testing.T) {
	v := newVillage(t, 4, Config{})
	sent := v.holds(StartProvide{Op: 1, Key: []byte("key"), To: v.members})
	v.now = v.now.Add(2 * params.HardMax)
	var told []Event
	for _, s := range sent {
		told = append(told, Answered{Attempt: s.Attempt})
	}
	v.together(told...)
	if r := v.end(1); r == nil || len(r.Stored) != len(v.members) || len(r.Unstored) != 0 {
		t.Errorf("%+v", r)
	}
}

// A bootstrap is told of its seeds and names at once.
func TestSeedsThatAreToldWithTheirDeadlineCount(t *testing.T) {
	v := newVillage(t, 3, Config{Seeds: []Seed{{Name: "a name"}}, Remembered: []*contact.Info{contact.New("old", "addr")}})
	var resolve AttemptID
	var sent []AttemptID
	v.serve = func(eff Effect) Event {
		if s, is := eff.(Send); is {
			sent = append(sent, s.Attempt)
		}
		return nil
	}
	v.names = map[string][]*contact.Info{"a name": {v.members[1]}}
	v.step(StartBootstrap{Op: 1})
	resolve = v.due[0].ev.(Resolved).Attempt
	v.now = v.now.Add(params.DNSDeadline + time.Second)
	told := []Event{Resolved{Attempt: resolve, Seeds: v.members[1:2]}}
	for _, id := range sent {
		told = append(told, Answered{Attempt: id})
	}
	v.together(told...)
	v.serve, v.due = nil, nil
	v.run()
	r := v.end(1)
	if r == nil || r.Report == nil {
		t.Fatal("the bootstrap does not end")
	}
	for _, s := range r.Report.Steps[:2] { // the names and the seeds
		if s.Failures.Total() != 0 || s.Answered != s.Asked {
			t.Errorf("%+v", s)
		}
	}
}

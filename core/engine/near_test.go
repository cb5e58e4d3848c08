package engine

import (
	"slices"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// stranger is a village of which the node knows one member.
func stranger(t *testing.T, n int) *village {
	v := newVillage(t, n, Config{})
	v.step(Vouched{Peer: v.members[0]})
	withShelf(v)
	return v
}

func TestALookupThatBeginsWithTheNearestIsOneHop(t *testing.T) {
	v := stranger(t, 200)
	near := v.nearest([]byte("key"))
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("key"), Near: near})
	v.run()
	r := v.result(1)
	if r.Outcome != Converged || !slices.Equal(r.Closest, near) || r.Stats.Requests > params.K+params.K/4 {
		t.Errorf("%v, %d peers, %+v", r.Outcome, len(r.Closest), r.Stats)
	}
	v.rested()
}

func TestALookupThatBeginsWithTheWrongOnesGoesOn(t *testing.T) {
	v := stranger(t, 200)
	near := v.nearest([]byte("key"))
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("key"), Near: v.nearest([]byte("elsewhere"))})
	v.run()
	if r := v.result(1); r.Outcome != Converged || !slices.Equal(r.Closest, near) {
		t.Errorf("%v, %d peers, %+v", r.Outcome, len(r.Closest), r.Stats)
	}
	v.rested()
}

func TestAnAnnouncementToSomeTellsThemAllKeysAndNobodyElse(t *testing.T) {
	v := stranger(t, 60)
	told := make(map[contact.ID]int)
	v.serve = func(eff Effect) Event {
		q := eff.(Send)
		if q.Ask != AskAnnounce {
			t.Errorf("%v was sent", q.Ask)
		}
		told[q.To.ID] += 1 + len(q.More)
		return Answered{Attempt: q.Attempt}
	}
	v.step(StartProvide{Op: 1, Key: []byte("a"), More: [][]byte{[]byte("b"), []byte("c")}, To: v.members[10:15]})
	v.run()
	r := v.result(1)
	if r.Outcome != Stored || len(r.Stored) != 5 || len(told) != 5 || r.Stats.Requests != 5 {
		t.Errorf("%v, %d stored, %d were told, %+v", r.Outcome, len(r.Stored), len(told), r.Stats)
	}
	for id, n := range told {
		if n != 3 {
			t.Errorf("%s was told of %d keys", id, n)
		}
	}
	v.rested()
}

func TestWhoIsAskedApartIsNotBlamed(t *testing.T) {
	for _, apart := range []bool{false, true} {
		v, _ := joined(t, 60)
		dead := v.members[:30]
		v.serve = func(eff Effect) Event {
			return Failed{Attempt: eff.(Send).Attempt, Failure: contact.Refused, Detail: "nobody"}
		}
		before := v.e.tab.Len()
		for i, m := range dead {
			v.step(StartPing{Op: OpID(1 + i), Peer: m, Key: []byte("key"), Apart: apart})
			v.run()
		}
		doubtful := v.e.memory.Doubtful(dead[0], v.e.now.Mono)
		if apart && (v.e.tab.Len() != before || doubtful || v.e.memory.Down(v.e.now.Mono)) {
			t.Errorf("apart: the table went from %d to %d; doubtful: %v", before, v.e.tab.Len(), doubtful)
		}
		if !apart && v.e.tab.Len() == before && !doubtful {
			t.Error("not apart: nothing is held against anybody")
		}
	}
}

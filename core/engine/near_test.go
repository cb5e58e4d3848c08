package engine

import (
	"slices"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// stranger is a village of which the node knows one member.
func stranger(t *testing.T, n int) *village {
	v := newVillage(t, n, Config{})
	v.step(Vouched{Peer: v.members[0]})
	withShelf(v)
	return v
}

// some returns the nearest members to a key, as many as one hop asks.
func some(v *village, preimage string) []*contact.Info {
	target := key.Of([]byte(preimage))
	all := slices.Clone(v.members)
	slices.SortFunc(all, func(a, b *contact.Info) int { return target.Closer(a.Key, b.Key) })
	return all[:params.MaxNear]
}

func TestOneHopAsksTheNearestAndNobodyElse(t *testing.T) {
	v := stranger(t, 200)
	asked := make(map[contact.ID]bool)
	v.serve = func(eff Effect) Event {
		q := eff.(Send)
		asked[q.To.ID] = true
		return Answered{Attempt: q.Attempt, Closer: v.nearest([]byte("elsewhere"))}
	}
	near := some(v, "key")
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("key"), Near: near})
	v.run()
	r := v.result(1)
	if r.Outcome != Converged || !slices.Equal(r.Closest, near[:params.K]) || r.FellBack || r.Stats.Depth != 1 {
		t.Errorf("%v, %d peers, %+v", r.Outcome, len(r.Closest), r.Stats)
	}
	for id := range asked {
		if !slices.ContainsFunc(near, func(c *contact.Info) bool { return c.ID == id }) {
			t.Errorf("%s was asked", id)
		}
	}
	v.rested()
}

func TestWhereTooFewOfOneHopAnswerALookupFollows(t *testing.T) {
	for name, ev := range map[string]Event{
		"lookup": StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("/v/a")},
		"get":    StartGet{Op: 1, Key: []byte("/v/a")},
		"find":   StartFindProviders{Op: 1, Key: []byte("/v/a")},
	} {
		v := stranger(t, 200)
		s := withShelf(v)
		near := some(v, "/v/a")
		dead := near[:params.MaxNear-params.K/2] // as many of k as are too few are left
		for _, m := range dead {
			v.mute[m.ID] = true
		}
		s.put(v, "/v/a", "1", params.K-1) // it answers, and is not near enough to
		last := v.nearest([]byte("/v/a"))[params.K-1]
		v.mute[last.ID] = true
		farther := v.members[0]
		s.values[farther.ID] = s.values[last.ID]
		s.providers[farther.ID] = []*contact.Info{farther}
		switch e := ev.(type) {
		case StartLookup:
			e.Near = near
			ev = e
		case StartGet:
			e.Near = near
			ev = e
		case StartFindProviders:
			e.Near = near
			ev = e
		}
		v.step(ev)
		v.run()
		r := v.result(1)
		if !r.FellBack || r.Stats.Requests <= params.MaxNear || r.Stats.Failures.Total() < len(dead) {
			t.Errorf("%s: fell back %v, %+v", name, r.FellBack, r.Stats)
		}
		if name == "lookup" && (r.Outcome != Converged || len(r.Closest) != params.K) {
			t.Errorf("%s: %v, %d peers", name, r.Outcome, len(r.Closest))
		}
		if name != "lookup" && r.Outcome != Found {
			t.Errorf("%s: %v", name, r.Outcome)
		}
		v.rested()
	}
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
		if !apart {
			dead = dead[:params.OutageFailures-1] // one more, and it is our own outage
		}
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

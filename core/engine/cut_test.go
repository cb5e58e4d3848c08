package engine

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// A put leaves its storing a part of its time, so that its walk has less than a
// caller's short deadline says. Who did not answer within that little is not
// silent: it had not the time that it deserves.
func TestWhoIsCutOffByTheEndOfAPutsWalkIsNotBlamed(t *testing.T) {
	v := newVillage(t, 6, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	v.step(StartLookup{Op: 1, Preimage: []byte("first")}) // somebody answers: it is no outage
	v.run()
	sent := v.holds(StartProvide{Op: 2, Key: []byte("key"), Deadline: v.now.Add(time.Second)})
	if len(sent) != len(v.members) {
		t.Fatalf("%d requests are under way", len(sent))
	}
	v.step(Answered{Attempt: sent[0].Attempt}) // after the first, too
	before := v.now
	for _, s := range sent[1:] {
		v.now = max(v.now, s.Deadline)
		v.step(Failed{Attempt: s.Attempt, Failure: contact.Silent, Detail: "not in time"})
	}
	if v.now.Sub(before) > time.Second/2 {
		t.Fatalf("they had %v", v.now.Sub(before))
	}
	if n := v.e.Table().Len(); n != len(v.members) {
		t.Errorf("%d of %d are left in the table", n, len(v.members))
	}
	for _, m := range v.members {
		if (*env)(v.e).Doubtful(v.e.book.Find(m.ID)) {
			t.Errorf("%s is remembered as failing", m.ID)
		}
	}
	v.serve = nil
	v.run()
	if r := v.end(2); r == nil || r.Ended > before+mono.Time(time.Second) {
		t.Errorf("%+v", r)
	}
}

package engine

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// outage is a story of a village that falls silent for a while.
type outage struct {
	groups bool // its members live in many IP groups, so an outage can be told from the failure of a few
	used   bool // somebody looks things up meanwhile
	name   bool // a seed is a name that never resolves
}

// TestTheWayBackWhenTheFaultEndsAtAnyMoment lets an outage end at every moment
// of the node's attempts to end it: in a pause, amid the names, the seeds, the
// walk for itself and the refreshes.
func TestTheWayBackWhenTheFaultEndsAtAnyMoment(t *testing.T) {
	step := 7
	if testing.Short() {
		step = 29
	}
	for _, o := range []outage{{}, {used: true}, {groups: true}, {groups: true, used: true}, {groups: true, used: true, name: true}} {
		worst, after := time.Duration(0), 0
		for lasts := 1; lasts < 200; lasts += step {
			if took := o.tell(t, lasts); took > worst {
				worst, after = took, lasts
			}
		}
		t.Logf("%+v: %v at most, after an outage of %d s, of %v", o, worst, after, boot.BoundBack(false))
		if worst > boot.BoundBack(false) {
			t.Errorf("%+v: the way back took %v after an outage of %d s", o, worst, after)
		}
	}
}

// begin makes a village fall silent.
func (o outage) begin(t *testing.T, cfg Config, members int) *village {
	v := newVillage(t, members, cfg)
	for i, m := range v.members[1:] { // the seed keeps its address
		if o.groups {
			v.members[1+i] = contact.New(m.ID, contact.Addr([]byte{4, 127, byte(i), 0, 1, 6, 0, 1}))
		}
	}
	v.step(Supervise{})
	v.runUntil(mono.Time(time.Minute))
	for _, m := range v.members {
		v.step(Connected{Peer: m.ID})
	}
	v.muteAll(true)
	for _, m := range v.members {
		v.step(Disconnected{Peer: m.ID})
	}
	return v
}

// tell returns how long the way back takes after an outage of so many seconds.
func (o outage) tell(t *testing.T, lasts int) time.Duration {
	cfg := Config{Terse: true}
	if o.name {
		cfg.Seeds = []Seed{{Name: "a name"}}
	}
	v := o.begin(t, cfg, 120)
	for s := range lasts {
		if o.used && s%5 == 0 {
			v.step(StartLookup{Op: OpID(1 + s), Kind: KindLookup, Preimage: []byte{byte(s)}})
		}
		v.runUntil(v.now.Add(time.Second))
	}
	v.muteAll(false)
	ended := v.now
	v.facts = nil
	for range 300 {
		v.runUntil(v.now.Add(time.Second))
		for _, f := range v.facts {
			if r, ok := f.(BecameReady); ok {
				return r.At.Sub(ended)
			}
		}
	}
	t.Fatalf("%+v: no way back after %d s: %+v", o, lasts, v.e.Health())
	return 0
}

// TestAnOutageCostsNoMoreDialsThanStated counts the requests of an idle node in
// every minute of an outage, whether it can tell that the outage is its own or
// not; beside a dead network each is a dial.
func TestAnOutageCostsNoMoreDialsThanStated(t *testing.T) {
	for _, groups := range []bool{false, true} {
		o := outage{groups: groups}
		v := o.begin(t, Config{}, 250)
		table := v.e.tab.Len()
		v.facts = nil
		v.runUntil(v.now.Add(20 * time.Minute))
		var at []mono.Time
		for _, f := range v.facts {
			if r, ok := f.(RequestSent); ok {
				at = append(at, r.At)
			}
		}
		worst, first := 0, 0
		for i := range at {
			for at[i].Sub(at[first]) >= time.Minute {
				first++
			}
			worst = max(worst, i-first+1)
		}
		most := boot.DialsOffline(1+params.MaxRemembered, table)
		t.Logf("groups %v: table of %d, then %d; %d requests in 20 minutes, %d in the worst, %d stated",
			groups, table, v.e.tab.Len(), len(at), worst, most)
		if worst > most || len(at) == 0 {
			t.Errorf("%d requests in a minute, %d are stated", worst, most)
		}
	}
}

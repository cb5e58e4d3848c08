package boot_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// The transition relation of docs/model/supervisor.qnt, once more, with the
// names it has there; the real supervisor is followed through random worlds.

// next says when the model begins the next bootstrap.
type next uint8

const (
	due next = iota
	pause
	period
	none
)

// longest is how often a pause doubles at most before it is capped.
const longest = 8

// node is the supervisor as the model has it.
type node struct {
	state                boot.State
	running, again, full bool
	fails                int
	next                 next
	level                int // of a pause
}

func (n node) begins() (node, bool) {
	can := !n.running && n.next == due
	n.running, n.again, n.next = true, false, none
	return n, can
}

func (n node) elapses() (node, bool) {
	can := !n.running && (n.next == pause || n.next == period)
	n.next = due
	return n, can
}

func (n node) ends(o boot.Outcome) (node, bool) {
	can := n.running
	n.running, n.full = false, !o.Ready || n.again
	switch {
	case o.Ready:
		n.state, n.fails, n.next = boot.Ready, 0, period
	case o.Reached:
		n.state = boot.Degraded
	default:
		n.state = boot.Offline
	}
	if !o.Ready {
		n.next, n.level = pause, n.fails
		n.fails = min(n.fails+1, longest)
	}
	if n.again {
		n.next = due
	}
	return n, can
}

func (n node) changes() (node, bool) {
	if n.state == boot.Ready {
		n.state = boot.Degraded
	}
	n.again, n.fails, n.full = n.running, 0, true
	if !n.running {
		n.next = due
	}
	return n, true
}

func (n node) looks(seen boot.State) (node, bool) {
	can := !n.running && n.state == boot.Ready
	n.state, n.full, n.next = seen, true, due
	return n, can
}

func (n node) alarms() (node, bool) {
	can := !n.running && n.state == boot.Ready && n.next == period
	n.full = true
	return n, can
}

// trace is a run of the real supervisor with the model beside it.
type trace struct {
	t      *testing.T
	rng    *rand.Rand
	s      boot.Supervisor
	n      node
	now    mono.Time
	began  mono.Time // the last bootstrap
	enough int
	log    []string
	met    map[string]int
}

func (tr *trace) becomes(n node, can bool) func(name string) {
	return func(name string) {
		tr.t.Helper()
		tr.log = append(tr.log, name)
		tr.met[name]++
		if !can {
			tr.t.Fatalf("no transition of docs/model/supervisor.qnt from %+v: %v", tr.n, tr.log)
		}
		tr.n = n
	}
}

func (tr *trace) flip() bool { return tr.rng.IntN(2) == 0 }

// step lets one thing happen.
func (tr *trace) step() {
	switch tr.rng.IntN(7) {
	case 0:
		tr.s.Changed(tr.now, "network")
		tr.becomes(tr.n.changes())("change")
	case 1:
		tr.look(boot.View{Table: tr.rng.IntN(2 * params.LowTable), Down: tr.rng.IntN(4) == 0})
	case 2:
		before := tr.s.Wake()
		if tr.s.Alone(tr.now, tr.rng.Uint32()); tr.s.Wake() != before {
			tr.becomes(tr.n.alarms())("alone")
		}
	default:
		if tr.n.running {
			tr.end()
		} else {
			tr.begin()
		}
	}
	tr.compare()
}

func (tr *trace) end() {
	tr.now = tr.now.Add(time.Duration(tr.rng.Int64N(int64(params.BootDeadline))))
	o := boot.Outcome{Ready: tr.rng.IntN(4) == 0, Reached: tr.flip()}
	v := boot.View{Table: 1 + tr.rng.IntN(2*params.LowTable), Dice: tr.rng.Uint32()}
	if o.Ready {
		tr.enough = min(params.LowTable, (v.Table+1)/2)
	}
	tr.s.Ended(tr.now, o, v)
	tr.becomes(tr.n.ends(o))(fmt.Sprintf("end ready=%v reached=%v", o.Ready, o.Reached))
}

// begin waits for the timer, or asks too early.
func (tr *trace) begin() {
	if tr.n.next == due {
		tr.now = max(tr.now, tr.s.Next())
	}
	if tr.flip() {
		wake := tr.s.Wake()
		if tr.n.next != due {
			tr.becomes(tr.n.elapses())("elapse")
		}
		tr.now = max(tr.now, wake)
	}
	is, full := tr.s.Due(tr.now)
	if want := tr.n.next == due; is != want || is && full != tr.n.full {
		tr.t.Fatalf("due %v full %v, and should be %v %v: %v", is, full, want, tr.n.full, tr.log)
	}
	if is {
		tr.s.Began(tr.now)
		tr.began = tr.now
		tr.becomes(tr.n.begins())("begin")
	}
}

func (tr *trace) look(v boot.View) {
	tr.s.Look(tr.now, v)
	switch open := !tr.n.running && tr.n.state == boot.Ready; {
	case open && v.Down:
		tr.becomes(tr.n.looks(boot.Offline))("look offline")
	case open && v.Table < tr.enough:
		tr.becomes(tr.n.looks(boot.Degraded))("look degraded")
	}
}

// compare sees that the supervisor is where the model is, and that what the
// model calls a pause is as long as it should be.
func (tr *trace) compare() {
	tr.t.Helper()
	h := tr.s.Health()
	if h.State != tr.n.state || h.Running != tr.n.running || h.Fails != tr.n.fails {
		tr.t.Fatalf("health %+v, model %+v: %v", h, tr.n, tr.log)
	}
	if tr.n.running != (h.Next == mono.Never) {
		tr.t.Fatalf("I1: next %d, model %+v: %v", h.Next, tr.n, tr.log)
	}
	least, most := time.Duration(0), time.Duration(0)
	switch left := time.Duration(h.Next - tr.now); {
	case tr.n.running:
		return
	case tr.n.next == pause:
		least = min(params.RetryFirst<<tr.n.level, params.RetryMax)
	case tr.n.next == period:
		least = params.RefreshEvery
	case left > 0 && tr.s.Next() != tr.began.Add(params.RetryFirst): // as soon as may be
		tr.t.Fatalf("due, and %v to wait: %v", left, tr.log)
	}
	most = least + least*params.RetryJitterPercent/100
	if tr.n.next == pause { // it counts from the beginning of the last, but there is a least
		spent := tr.now.Sub(tr.began)
		least = max(least-spent, params.RetryFirst)
		most = max(most-spent, params.RetryFirst*(100+params.RetryJitterPercent)/100)
	}
	if tr.n.next == period && tr.n.full { // sooner, for no connection is left
		least = params.RetryFirst
	}
	if left := time.Duration(h.Next - tr.now); tr.n.next != due && (left < least || left > most) {
		tr.t.Fatalf("waits %v, and should %v to %v: %v", left, least, most, tr.log)
	}
}

func TestTracesFollowTheModel(t *testing.T) {
	met := make(map[string]int)
	for seed := range uint64(500) {
		tr := &trace{t: t, rng: rand.New(rand.NewPCG(seed, 0)), met: met, n: node{full: true}}
		tr.log = append(tr.log, fmt.Sprintf("seed %d", seed))
		tr.s.Enable(tr.now)
		tr.compare()
		for range 100 {
			tr.step()
		}
	}
	for _, name := range []string{
		"begin", "elapse", "change", "alone", "look offline", "look degraded",
		"end ready=true reached=true", "end ready=false reached=true", "end ready=false reached=false",
	} {
		if met[name] == 0 {
			t.Errorf("no trace has the transition %s", name)
		}
	}
	t.Log(met)
}

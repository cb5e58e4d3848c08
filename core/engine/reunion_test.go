package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// supervised is a village whose node has joined it and looks after itself.
func supervised(t *testing.T, n int) *village {
	t.Helper()
	v := newVillage(t, n, Config{})
	v.step(Supervise{})
	v.runUntil(v.now.Add(time.Minute))
	if h := v.e.Health(); h.State != boot.Ready {
		t.Fatalf("it has not joined: %+v", h)
	}
	return v
}

// ask looks up a member, upon which that is asked.
func (v *village) ask(op OpID, m *contact.Info) {
	v.step(StartLookup{Op: op, Kind: KindLookup, Preimage: []byte(m.ID)})
	v.runUntil(v.now.Add(2 * params.HardSlow))
}

func (v *village) has(m *contact.Info) bool { return v.e.tab.Has(v.e.book.Find(m.ID)) }

// TestASeedThatWasLostIsFoundAgainByAnIdleNode has the only seed fail beside a
// network that works: what joins by it in the meantime would never be met.
func TestASeedThatWasLostIsFoundAgainByAnIdleNode(t *testing.T) {
	v := supervised(t, 60)
	seed := v.members[0]
	v.mute[seed.ID] = true
	v.ask(100, seed)
	if v.has(seed) {
		t.Fatal("the seed did not fail")
	}
	before, began := v.asked[seed.ID], v.now
	v.runUntil(began.Add(5 * time.Minute))
	longest := params.RetryMax * (100 + params.RetryJitterPercent) / 100
	if n := v.asked[seed.ID] - before; n < int(5*time.Minute/longest) || n > int(5*time.Minute/params.RetryMax) {
		t.Errorf("in five minutes it was asked %d times", n)
	}
	if s := v.e.Health(); s.State != boot.Ready {
		t.Errorf("a node of use is %+v", s)
	}
	tries := len(v.bootstraps())
	delete(v.mute, seed.ID)
	v.runUntil(v.now.Add(longest + params.HardMax))
	if !v.has(seed) {
		t.Errorf("%v after it came back the seed is not in the table", longest)
	}
	if n := len(v.bootstraps()) - tries; n != 1 {
		t.Errorf("%d bootstraps when the seed came back", n)
	}
}

// TestWhoFailedAndThenCallsIsAsked has a member restart: it failed a moment ago
// and is remembered for that, and it dials us.
func TestWhoFailedAndThenCallsIsAsked(t *testing.T) {
	v := supervised(t, 30)
	m := v.members[7]
	v.mute[m.ID] = true
	v.ask(100, m)
	if v.has(m) || !v.e.memory.Doubtful(m, v.now) {
		t.Fatal("the member did not fail")
	}
	delete(v.mute, m.ID)
	v.step(Met{Peer: m})
	v.runUntil(v.now.Add(time.Second))
	if v.has(m) {
		t.Error("it was asked because we have dialled it: who hangs up would be dialled for ever")
	}
	v.step(Met{Peer: m, Called: true})
	v.runUntil(v.now.Add(time.Second))
	if !v.has(m) {
		t.Error("it has dialled us, and is not asked")
	}
}

// TestANewAddressOfAContactIsPassedOn has a contact tell of another address,
// and nobody enter or leave the table.
func TestANewAddressOfAContactIsPassedOn(t *testing.T) {
	v := supervised(t, 30)
	m := v.members[7]
	moved := contact.New(m.ID, "\x04\x7f\x00\x00\x09\x06\x00\x01")
	published := func(ev Event) (n int) {
		v.e.Step(mono.Now{Mono: v.now}, ev)
		for eff, ok := v.e.Next(); ok; eff, ok = v.e.Next() {
			if _, is := eff.(Publish); is {
				n++
			}
		}
		return n
	}
	if n := published(Met{Peer: m}); n != 0 {
		t.Error("there is nothing new, and the table is published")
	}
	if n := published(Met{Peer: moved}); n != 1 {
		t.Error("the table is not published")
	}
	if got := v.e.Snapshot().Find(m.ID); got == nil || !slices.Equal(got.Addrs, moved.Addrs) {
		t.Errorf("others are told of %v", got)
	}
}

// TestWhoFailedAndStaysConnectedIsAskedAgain has a member be silent for a while
// without the end of its connection, which nobody will tell us is of use again.
func TestWhoFailedAndStaysConnectedIsAskedAgain(t *testing.T) {
	for _, stays := range []bool{true, false} {
		v := supervised(t, 30)
		m := v.members[7]
		v.step(Connected{Peer: m.ID})
		v.step(Connected{Peer: v.members[9].ID}) // so that the node is not alone
		v.mute[m.ID] = true
		v.ask(100, m)
		if v.has(m) {
			t.Fatal("the member did not fail")
		}
		delete(v.mute, m.ID)
		if !stays {
			v.step(Disconnected{Peer: m.ID})
		}
		before := v.asked[m.ID]
		v.runUntil(v.now.Add(params.MemoryFirst))
		if n := v.asked[m.ID] - before; v.has(m) != stays || n > 1 || n > 0 && !stays {
			t.Errorf("connected %v: after %v in the table %v, asked %d times", stays, params.MemoryFirst, v.has(m), n)
		}
	}
}

// TestASeedOutsideTheTableIsASeedThatAnswers has one of two seeds dead, and the
// other answer though it has no place in the table any more: as after a restart
// of it, in a network so large that its bucket is full.
func TestASeedOutsideTheTableIsASeedThatAnswers(t *testing.T) {
	dead := contact.New("a dead seed", "\x04\x7f\x00\x00\x01\x06\x00\x01")
	v := newVillage(t, 60, Config{Seeds: []Seed{{Peer: dead}}})
	v.mute[dead.ID] = true
	v.step(Supervise{})
	v.runUntil(v.now.Add(time.Minute))
	alive := v.members[0]
	v.serve = func(eff Effect) Event {
		s := eff.(Send)
		return Answered{Attempt: s.Attempt, Closer: v.nearest(s.Key), Unwanted: s.To.ID == alive.ID}
	}
	v.mute[alive.ID] = true
	v.ask(100, alive)
	delete(v.mute, alive.ID)
	v.runUntil(v.now.Add(2 * params.RetryMax)) // the seed is found again
	if v.e.Health().State != boot.Ready || v.has(alive) {
		t.Fatalf("%+v, the seed is in the table: %v", v.e.Health(), v.has(alive))
	}
	tries, asked := len(v.bootstraps()), v.asked[dead.ID]
	v.runUntil(v.now.Add(params.RefreshEvery))
	if n := len(v.bootstraps()) - tries; n > 1 {
		t.Errorf("a node that is well had %d bootstraps in %v", n, params.RefreshEvery)
	}
	if n := v.asked[dead.ID] - asked; n > 1 {
		t.Errorf("the dead seed was asked %d times in %v", n, params.RefreshEvery)
	}
}

// TestASeedIsTriedThoughStrangersQueueForTheirCheck: who has a node meet ever new
// servers, which never answer, keeps its checks busy. They are not to cost it the
// seed that it waits for, nor one of them the second chance of others.
func TestASeedIsTriedThoughStrangersQueueForTheirCheck(t *testing.T) {
	v := supervised(t, 60)
	seed := v.members[0]
	v.mute[seed.ID] = true
	v.ask(100, seed)
	before := v.asked[seed.ID]
	for i := range 4000 {
		stranger := contact.New(contact.ID(fmt.Sprint("stranger ", i)), "\x04\x7f\x01\x00\x01\x06\x00\x01")
		v.mute[stranger.ID] = true
		v.step(Met{Peer: stranger, Called: true})
		v.runUntil(v.now.Add(10 * time.Millisecond))
	}
	if v.asked[seed.ID] == before {
		t.Error("in forty seconds the seed was not tried once")
	}
	if n := len(v.e.admit.waiting); n > params.AdmissionQueue+params.MaxSeeds {
		t.Errorf("%d wait for their check", n)
	}
}

// TestNobodyTakesTheSecondChancesOfOthers has one member fail and answer by turns.
func TestNobodyTakesTheSecondChancesOfOthers(t *testing.T) {
	v := supervised(t, 60)
	v.step(Connected{Peer: v.members[9].ID})
	m := v.members[7]
	v.step(Connected{Peer: m.ID})
	h := v.e.book.Find(m.ID)
	for range 10 {
		v.e.tab.Offer(h, v.now, 0)
		v.e.recheck(h)
	}
	if n := len(v.e.admit.later); n != 1 {
		t.Errorf("one contact has %d second chances", n)
	}
}

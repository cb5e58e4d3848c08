package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// Whoever names enough peers can have the book forget all whom nobody holds.
// What an operation will ask for later must be held until it has ended.

// forget has the book forget whoever nobody holds, and gives the handles that
// become free to strangers, whom nobody may take for who had them before.
func (v *village) forget() {
	v.e.book.Sweep(0)
	for i := range 200 {
		v.e.book.Intern(contact.New(contact.ID(fmt.Sprintf("stranger %d", i))))
	}
}

// noStrangers fails if a stranger was asked.
func (v *village) noStrangers() {
	v.t.Helper()
	for id := range v.asked {
		if strings.HasPrefix(string(id), "stranger") {
			v.t.Errorf("%s was asked, who has the handle of somebody forgotten", id)
		}
	}
}

// A value is compared for longer than its walk takes, and who gave it is not
// one of the closest, serves no longer and is forgotten by everybody else.
func TestWhoGaveAValueIsKnownUntilTheGetHasEnded(t *testing.T) {
	v := newVillage(t, 60, Config{})
	s := withShelf(v)
	s.slow = true
	byDistance := v.ranked([]byte("/v/a"))
	first, second := byDistance[58], byDistance[59]
	s.put(v, "/v/a", "1", ranks(20)...)
	s.values[first.ID] = s.values[byDistance[0].ID]
	s.values[second.ID] = valued("/v/a", "2")
	v.step(Vouched{Peer: first})
	v.step(Vouched{Peer: second})
	v.step(StartGet{Op: 1, Key: []byte("/v/a")})
	for v.e.byID[1].walk != nil {
		v.next()
	}
	choosing := v.e.byID[1].get.choosing
	if choosing == 0 {
		t.Fatal("nothing is being compared")
	}
	v.step(Withdrawn{Peer: second.ID})
	v.forget()
	v.step(Chosen{Attempt: choosing, Best: 1})
	v.run()
	if r := v.result(1); r.Value == nil || string(r.Value.Value) != "2" {
		t.Errorf("%v with %v", r.Outcome, r.Value)
	}
	for _, f := range factsOf[ValueFound](v) {
		if string(f.Record.Value) == "2" && f.Peer.ID != second.ID {
			t.Errorf("the better value is said to be of %s", f.Peer.ID)
		}
	}
	v.rested()
}

// A reserve seed serves no longer by the time it would be asked.
func TestAReserveSeedIsKnownUntilItIsAsked(t *testing.T) {
	v := newVillage(t, 60, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
		v.mute[m.ID] = true
	}
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("anything")})
	for _, m := range v.ranked([]byte("anything"))[params.K:] {
		v.step(Withdrawn{Peer: m.ID})
	}
	v.forget()
	v.run()
	v.noStrangers()
	v.result(1)
	v.rested()
}

// A remembered contact gives its place to one that left the table while a
// bootstrap has it in line.
func TestARememberedContactIsKnownUntilItIsAsked(t *testing.T) {
	var cfg Config
	for i := range params.MaxRemembered {
		cfg.Remembered = append(cfg.Remembered, contact.New(contact.ID(fmt.Sprintf("remembered %d", i))))
		cfg.Seeds = append(cfg.Seeds, Seed{Peer: contact.New(contact.ID(fmt.Sprintf("seed %d", i)))})
	}
	v := newVillage(t, 1, cfg)
	v.serve = func(Effect) Event { return nil }
	for i := range 3 {
		v.step(Vouched{Peer: contact.New(contact.ID(fmt.Sprintf("dead %d", i)))})
	}
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("anything")})
	v.now = v.now.Add(time.Second)
	v.step(StartBootstrap{Op: 2})
	for v.e.byID[1] != nil {
		v.next()
	}
	v.forget()
	v.run()
	v.noStrangers()
	if v.asked["remembered 31"] != 1 {
		t.Errorf("the last of the remembered contacts was asked %d times", v.asked["remembered 31"])
	}
	v.result(2)
	v.rested()
}

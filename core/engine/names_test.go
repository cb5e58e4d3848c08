package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// nowhere is n contacts that nobody can reach.
func (v *village) nowhere(name string, n int) (dead []*contact.Info) {
	for i := range n {
		c := contact.New(contact.ID(fmt.Sprintf("%s %d", name, i)), "\x04\x7f\x01\x00\x01\x06\x00\x01")
		v.mute[c.ID] = true
		dead = append(dead, c)
	}
	return dead
}

// What a name stood for once has no right to stay: DNS is how the owner of a
// network tells that its seeds have moved.
func TestWhatANameStandsForNowIsAsked(t *testing.T) {
	v := newVillage(t, 60, Config{Seeds: []Seed{{Name: "seeds.example"}}})
	v.mute[v.members[0].ID] = true
	v.names = map[string][]*contact.Info{}
	v.step(Supervise{})
	for i := range 4 { // four times as many as there is room for
		v.names["seeds.example"] = v.nowhere(fmt.Sprint("seed of day ", i), params.MaxSeeds)
		v.runUntil(v.now.Add(2 * time.Minute))
	}
	if s := v.e.Health().State; s != boot.Offline {
		t.Fatalf("state %v though all seeds are dead", s)
	}
	v.names["seeds.example"] = v.members[1:4]
	moved := v.now
	v.runUntil(moved.Add(boot.BoundBack(false)))
	if s := v.e.Health().State; s != boot.Ready {
		t.Errorf("state %v, %v after the name stood for living seeds", s, v.now.Sub(moved))
	}
	if n := len(v.e.seeds.list); n > params.MaxSeeds {
		t.Errorf("%d seeds are kept", n)
	}
}

// Nor has it within one bootstrap, when nobody looks names up beside it.
func TestABootstrapHasRoomForWhatANameStandsForNow(t *testing.T) {
	v := newVillage(t, 60, Config{Seeds: []Seed{{Name: "seeds.example"}}})
	v.mute[v.members[0].ID] = true
	v.names = map[string][]*contact.Info{"seeds.example": v.nowhere("dead", params.MaxSeeds)}
	v.step(StartBootstrap{Op: 1})
	v.run()
	v.names["seeds.example"] = v.members[1:4]
	v.step(StartBootstrap{Op: 2})
	v.run()
	if r := v.result(2); r.Outcome != Ready {
		t.Errorf("%v: %v", r.Outcome, r.Report)
	}
}

// One name that stands for many leaves room for what another stands for.
func TestNoNameTakesTheRoomOfAnother(t *testing.T) {
	v := newVillage(t, 60, Config{Seeds: []Seed{{Name: "many.example"}, {Name: "few.example"}}})
	v.mute[v.members[0].ID] = true
	v.names = map[string][]*contact.Info{"few.example": v.members[1:4]}
	v.names["many.example"] = v.nowhere("dead", 2*params.MaxSeeds)
	v.step(StartBootstrap{Op: 1})
	v.run()
	if r := v.result(1); r.Outcome != Ready {
		t.Errorf("%v: %v", r.Outcome, r.Report)
	}
}

// A contact that is given as a seed is not pushed out by what names stand for.
func TestAGivenSeedStays(t *testing.T) {
	v := newVillage(t, 60, Config{Seeds: []Seed{{Name: "seeds.example"}}})
	v.muteAll(true)
	v.names = map[string][]*contact.Info{}
	v.step(Supervise{})
	for i := range 4 {
		v.names["seeds.example"] = v.nowhere(fmt.Sprint("seed of day ", i), params.MaxSeeds)
		v.runUntil(v.now.Add(2 * time.Minute))
	}
	v.muteAll(false)
	back := v.now
	v.runUntil(back.Add(boot.BoundBack(false)))
	if s := v.e.Health().State; s != boot.Ready {
		t.Errorf("state %v, %v after the given seed was back", s, v.now.Sub(back))
	}
}

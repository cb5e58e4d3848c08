package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
)

func addressed(of *contact.Info, net byte, n int) *contact.Info {
	c := contact.New(of.ID)
	for i := range n {
		c.Addrs = append(c.Addrs, contact.Addr([]byte{4, 127, net, 0, byte(i), 6, 0, 1}))
	}
	return c
}

// Others are told of a contact what it has told itself, and not what somebody
// else has named, who would aim them at whom he likes.
func TestHearsayIsNotPassedOn(t *testing.T) {
	v := supervised(t, 30)
	m := v.members[7]
	told := addressed(m, 1, 2)
	v.step(Met{Peer: told})
	v.serve = func(eff Effect) Event {
		s := eff.(Send)
		return Answered{Attempt: s.Attempt, Closer: []*contact.Info{addressed(m, 66, 2)}}
	}
	v.step(StartLookup{Op: 1000, Kind: KindLookup, Preimage: []byte(m.ID)})
	v.runUntil(v.now.Add(time.Second))
	v.step(Met{Peer: contact.New("newcomer", "\x04\x7f\x00\x00\x01\x06\x00\x01")})
	v.runUntil(v.now.Add(time.Second))
	served := v.e.Snapshot().Find(m.ID)
	if served == nil {
		t.Fatal("the contact has left")
	}
	if want := wire.AppendContact(nil, told); !slices.Equal(wire.AppendContact(nil, served), want) {
		t.Errorf("others are told %q, and not %q", wire.AppendContact(nil, served), want)
	}
	if len(served.Addrs) != 4 {
		t.Errorf("%d addresses are known, want those that were named too", len(served.Addrs))
	}
}

// A liar names a peer with as many made-up addresses as anybody keeps, before
// an honest one names it as it is. It is asked there once the others have
// proved to lead nowhere.
func TestWhoWasNamedWrongIsAskedWhereOthersSay(t *testing.T) {
	v := newVillage(t, 3, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	liar, honest := v.members[1].ID, v.members[2].ID
	lost := contact.New("lost")
	found := false
	v.serve = func(eff Effect) Event {
		s := eff.(Send)
		switch s.To.ID {
		case liar:
			return Answered{Attempt: s.Attempt, Closer: []*contact.Info{addressed(lost, 66, params.MaxAddrs)}}
		case honest:
			v.due = append(v.due, arrival{v.now.Add(100 * time.Millisecond), Answered{
				Attempt: s.Attempt, Closer: []*contact.Info{addressed(lost, 1, 1)},
			}})
			return nil
		case lost.ID:
			found = found || slices.Contains(s.To.Addrs, addressed(lost, 1, 1).Addrs[0])
			if found {
				return Answered{Attempt: s.Attempt}
			}
			return nil
		}
		return Answered{Attempt: s.Attempt}
	}
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte(lost.ID)})
	v.run()
	if r := v.result(1); !found || len(r.Closest) == 0 || r.Closest[0].ID != lost.ID {
		t.Errorf("%v: it was not asked where it is", r.Outcome)
	}
}

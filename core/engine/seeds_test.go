package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

const seedName = "/dnsaddr/seeds.example"

// hamlet is a village that a name leads to; whoever else it may know is mute.
func hamlet(t *testing.T, members int) *village {
	v := newVillage(t, 1, Config{Seeds: []Seed{{Name: seedName}}})
	v.mute[v.members[0].ID] = true
	v.names = make(map[string][]*contact.Info)
	v.resettle(0, members)
	v.step(Supervise{})
	v.runUntil(v.now.Add(time.Minute))
	v.isReady("the start")
	return v
}

// resettle has other peers in place of all members, of whom the name stands for
// four.
func (v *village) resettle(generation, n int) {
	for _, m := range v.members {
		v.mute[m.ID] = true
	}
	v.members = nil
	for i := range n {
		id := contact.ID(fmt.Sprintf("member %d of %d", i, generation))
		v.members = append(v.members, contact.New(id, where(generation, 1)))
	}
	v.names[seedName] = v.members[:4]
}

// where is an address that nobody else has.
func where(generation, n int) contact.Addr {
	return contact.Addr([]byte{4, 127, 0, byte(generation), byte(n), 6, 0, 1})
}

func (v *village) isReady(when string) {
	v.t.Helper()
	if h := v.e.Health(); h.State != boot.Ready {
		v.t.Fatalf("%s: %+v", when, h)
	}
}

// TestANameThatStandsForOthersLeadsBack: it is looked up again when all are lost,
// and whom it stands for then is asked, however many it stood for before.
func TestANameThatStandsForOthersLeadsBack(t *testing.T) {
	v := hamlet(t, 10)
	for generation := 1; generation <= 2*params.MaxSeeds/4+2; generation++ {
		v.resettle(generation, 10)
		v.step(StartLookup{Op: OpID(generation), Kind: KindLookup, Preimage: []byte("key")})
		v.runUntil(v.now.Add(boot.BoundBack(false)))
		v.isReady(fmt.Sprint("generation ", generation))
		if n := len(v.e.seeds.list); n > params.MaxSeeds {
			t.Fatalf("%d seeds", n)
		}
	}
}

// TestASeedThatMovedIsDialledWhereItsNameSays: the peer is the same, and has more
// addresses behind it than are kept of anybody.
func TestASeedThatMovedIsDialledWhereItsNameSays(t *testing.T) {
	v := newVillage(t, 1, Config{Seeds: []Seed{{Name: seedName}}})
	v.mute[v.members[0].ID] = true
	var at contact.Addr
	v.serve = func(eff Effect) Event {
		if s := eff.(Send); slices.Contains(s.To.Addrs, at) {
			told := contact.New(s.To.ID, at)
			for i := range params.MaxAddrs - 1 {
				told.Addrs = append(told.Addrs, contact.Addr(append([]byte(at[:len(at)-1]), byte(100+i))))
			}
			return Answered{Attempt: s.Attempt, From: told}
		}
		return nil
	}
	v.step(Supervise{})
	for generation := range 5 {
		at = where(generation, 2)
		moved := contact.New("seed", where(generation, 1), at, where(generation, 3))
		v.names = map[string][]*contact.Info{seedName: {moved}}
		v.step(StartLookup{Op: OpID(1 + generation), Kind: KindLookup, Preimage: []byte("key")})
		v.runUntil(v.now.Add(boot.BoundBack(false)))
		v.isReady(fmt.Sprint("generation ", generation))
	}
}

// TestAReadyNodeFollowsTheNameOfSeedsThatItLost: it lives in one part of a
// network, and the name stands for peers in the other.
func TestAReadyNodeFollowsTheNameOfSeedsThatItLost(t *testing.T) {
	v := hamlet(t, 30)
	seeds := v.members[:4]
	for _, s := range seeds {
		v.mute[s.ID] = true
	}
	for i, s := range seeds {
		v.ask(OpID(100+i), s)
	}
	v.isReady("without its seeds")
	v.runUntil(v.now.Add(5 * time.Minute))
	other := contact.New("elsewhere", where(9, 1))
	v.names[seedName] = []*contact.Info{other}
	v.runUntil(v.now.Add(params.RetryMax*(100+params.RetryJitterPercent)/100 + params.HardMax))
	if !v.has(other) {
		t.Error("the name stands for another peer, which was not met")
	}
	asked := v.asked[other.ID]
	v.runUntil(v.now.Add(9 * time.Minute)) // until the next refresh
	if v.asked[other.ID] > asked+3 {
		t.Errorf("a seed that answers was asked %d times more", v.asked[other.ID]-asked)
	}
}

// TestNamesThatAreMuteAreTriedAgainByANodeThatOthersLedBack: it is of use, and
// those who join by the name never hear of it.
func TestNamesThatAreMuteAreTriedAgainByANodeThatOthersLedBack(t *testing.T) {
	v := newVillage(t, 30, Config{})
	cfg := Config{Seeds: []Seed{{Name: seedName}}, Remembered: v.members[1:2]} // the village's seed is none of its own
	cfg.Table.NoDiversity = true
	v.e = New(cfg, contact.New("self"), contact.NewBook(), 1)
	v.names = make(map[string][]*contact.Info) // there is no such name
	v.step(Supervise{})
	v.runUntil(v.now.Add(2 * time.Minute))
	v.isReady("by a remembered contact")
	seed := contact.New("seed", where(1, 1))
	v.names[seedName] = []*contact.Info{seed}
	v.runUntil(v.now.Add(params.RetryMax*(100+params.RetryJitterPercent)/100 + params.HardMax))
	if !v.has(seed) {
		t.Error("the name can be looked up, and the seed was not met")
	}
	v.step(Shutdown{})
}

// TestANameThatIsLookedUpBetweenBootstrapsEnds, whatever becomes of it.
func TestANameThatIsLookedUpBetweenBootstrapsEnds(t *testing.T) {
	for _, ends := range []string{"mute", "sleep", "clone"} {
		v := hamlet(t, 30)
		for i, s := range v.members[:4] {
			v.mute[s.ID] = true
			v.ask(OpID(100+i), s)
		}
		v.names = nil // from now on
		for range 100 {
			if len(v.e.naming) > 0 {
				break
			}
			v.runUntil(v.now.Add(time.Second))
		}
		if len(v.e.naming) != 1 {
			t.Fatalf("%d names are looked up", len(v.e.naming))
		}
		began, id := v.now, v.e.naming[0].attempt
		switch ends {
		case "sleep":
			v.step(ClockJumped{Gap: int64(time.Hour)})
		case "clone":
			v.e = v.e.Clone()
			fallthrough
		default:
			v.runUntil(began.Add(params.DNSDeadline))
		}
		if v.e.attempts.has(id) || !v.aborted[id] {
			t.Errorf("%s: it is looked up after %v", ends, v.now.Sub(began))
		}
		v.step(Resolved{Attempt: id, Seeds: []*contact.Info{contact.New("late", where(1, 1))}})
		if v.e.book.Find("late") != 0 {
			t.Errorf("%s: an outcome that nobody waits for is taken", ends)
		}
	}
}

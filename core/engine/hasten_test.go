package engine

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

func TestWhatIsLearntHastensWhatIsUnderWay(t *testing.T) {
	v := newVillage(t, 60, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	silent := v.nearest([]byte("key"))[:5]
	for _, m := range silent {
		v.mute[m.ID] = true
	}
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("key")})
	v.run()
	v.result(1)
	first, hastened := map[AttemptID]bool{}, 0
	for _, f := range v.facts { // what was sent before anything was known
		if f, ok := f.(RequestSent); ok && f.At == 0 && v.mute[f.Peer.ID] {
			first[f.Attempt] = true
		}
	}
	for id := range first {
		if at, told := v.hastened[id]; told {
			hastened++
			if most := mono.Time(0).Add(params.HardMax - params.HastenLeast); at > most {
				t.Errorf("attempt %d is wanted by %v, not before %v", id, at, most)
			}
		}
	}
	if len(first) != len(silent) || hastened != len(silent) {
		t.Errorf("%d of %d requests to the silent were hastened, not all %d", hastened, len(first), len(silent))
	}
}

func TestWhoIsOfNoLookupIsNotHastened(t *testing.T) {
	v := newVillage(t, 60, Config{})
	v.mute[v.members[1].ID] = true
	v.step(StartPing{Op: 1, Peer: v.members[1]})
	for _, m := range v.members[2:] {
		v.step(Vouched{Peer: m})
	}
	v.step(StartLookup{Op: 2, Kind: KindLookup, Preimage: []byte("key")})
	v.run()
	v.result(1)
	for _, f := range v.facts {
		if f, ok := f.(RequestSent); ok && f.Op == 1 {
			if at, told := v.hastened[f.Attempt]; told {
				t.Errorf("a ping was hastened to %v", at)
			}
		}
	}
}

// On a link that is measured to be slow nobody is hurried.
func TestWhatIsLeftOnASlowLink(t *testing.T) {
	v := newVillage(t, 4, Config{})
	for range 2 * params.PatienceSamples {
		v.e.patience.Sample(false, 0, 2*time.Second)
	}
	for _, s := range v.holds(Vouched{Peer: v.members[0]}, StartLookup{Op: 1, Preimage: []byte("key")}) {
		if hard := s.Deadline.Add(params.DriverLead).Sub(v.now); s.Rest != 0 || hard != params.HardSlow {
			t.Errorf("it has %v, and then %v", hard, s.Rest)
		}
	}
}

// A request that has to dial is told what it has once it need not any more: what is
// measured of answers over open connections.
func TestWhatIsLeftOnceThereIsAConnection(t *testing.T) {
	v := newVillage(t, 2*params.K, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	for i := range 4 { // all are asked, and asked again over a connection
		v.step(StartLookup{Op: OpID(i + 1), Preimage: []byte{byte(i)}})
		v.run()
		for _, m := range v.members {
			v.step(Connected{Peer: m.ID})
		}
	}
	dialled := v.members[0]
	v.step(Disconnected{Peer: dialled.ID})
	sent := v.holds(StartLookup{Op: 9, Preimage: []byte(dialled.ID)})
	if len(sent) < 2 {
		t.Fatalf("%d requests", len(sent))
	}
	for _, s := range sent {
		switch hard := s.Deadline.Add(params.DriverLead).Sub(v.now); {
		case s.To.ID == dialled.ID && (s.Rest != params.HardMinWarm || hard != params.HardMinCold):
			t.Errorf("who has to be dialled has %v, and then %v", hard, s.Rest)
		case s.To.ID != dialled.ID && (s.Rest != 0 || hard != params.HardMinWarm):
			t.Errorf("who is connected has %v, and then %v", hard, s.Rest)
		}
	}
}

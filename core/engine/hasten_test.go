package engine

import (
	"testing"

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

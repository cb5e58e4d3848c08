package engine

import (
	"fmt"
	"testing"

	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// rank is how many members are nearer to a key than the node itself.
func rank(v *village, preimage string) (n int) {
	target := key.Of([]byte(preimage))
	for _, m := range v.members {
		if target.Closer(m.Key, v.e.self.Key) < 0 {
			n++
		}
	}
	return n
}

// keyOfRank is a key to which so many members are nearer.
func keyOfRank(v *village, want func(int) bool) string {
	for i := 0; ; i++ {
		if k := fmt.Sprintf("/v/%d", i); want(rank(v, k)) {
			return k
		}
	}
}

func TestAReplicationReachesTheOthersOfTheClosest(t *testing.T) {
	v, s := joined(t, 60)
	for _, r := range []int{0, 7, params.K - 1} {
		k := keyOfRank(v, func(n int) bool { return n == r })
		v.step(StartReplicate{Record: record.Record{Key: []byte(k), Value: []byte("1"), TTL: 77}})
		v.run()
		have := 0
		for i, m := range v.nearest([]byte(k)) {
			if got := s.values[m.ID]; got != nil && string(got.Key) == k && got.TTL == 77 {
				have++
			} else if i < params.K-1 {
				t.Errorf("rank %d: %s is one of the closest and has nothing", r, m.ID)
			}
		}
		if have != params.K-1 || s.asked[AskStore] != params.K-1 || s.asked[AskPeers] != 0 {
			t.Errorf("rank %d: %d have it after %v requests", r, have, s.asked)
		}
		clear(s.asked)
		v.rested()
	}
}

func TestWhoIsNotOneOfTheClosestReplicatesNothing(t *testing.T) {
	v, s := joined(t, 60)
	k := keyOfRank(v, func(n int) bool { return n >= params.K })
	v.step(StartReplicate{Record: record.Record{Key: []byte(k), Value: []byte("1")}})
	v.run()
	if len(s.asked) != 0 {
		t.Errorf("%v", s.asked)
	}
	v.rested()
}

func TestInASmallNetworkAReplicationReachesEverybody(t *testing.T) {
	v, s := joined(t, 5)
	v.step(StartReplicate{Record: record.Record{Key: []byte("/v/a"), Value: []byte("1")}})
	v.run()
	if s.asked[AskStore] != 5 {
		t.Errorf("%v", s.asked)
	}
	alone := newVillage(t, 1, Config{})
	alone.step(StartReplicate{Record: record.Record{Key: []byte("/v/a"), Value: []byte("1")}})
	alone.run()
	alone.rested()
}

package sim

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/params"
)

// Row 72 of docs/HANGS.md: four nodes start at the same moment, two and two
// apart, each pair with a seed of its own among the seeds that all know. Once
// they can reach each other they become one network.
func TestTwoNetworksThatStartedApartBecomeOne(t *testing.T) {
	for seed := range uint64(10) {
		startApart(t, seed)
	}
}

func startApart(t *testing.T, seed uint64) {
	t.Helper()
	town := newTown("apart", Options{Nodes: 4, Seed: seed})
	w := town.w
	w.opt.Engine.Seeds = w.opt.Engine.Seeds[:2] // 0 and 1
	for n := range uint32(4) {
		w.nodes[n].side = uint8(n % 2)
		town.start(n)
	}
	if err := w.Run(w.now.Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n := w.nodes[2].tab.Len(); n != 1 {
		t.Fatalf("apart, a node knows %d others", n)
	}
	for n := range w.nodes {
		w.nodes[n].side = 0
	}
	// The first reunion lets the halves meet, refreshes after it introduce the rest.
	reunion := (params.ReunionEvery + 2) * params.RefreshEvery * (100 + params.RetryJitterPercent) / 100
	if err := w.Run(w.now.Add(reunion + params.BootDeadline)); err != nil {
		t.Fatal(err)
	}
	for n := range w.nodes {
		if have := w.nodes[n].tab.Len(); have != 3 {
			t.Errorf("seed %d: after %v together, node %d knows %d of 3", seed, reunion, n, have)
		}
	}
}

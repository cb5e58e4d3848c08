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
	town := newTown("apart", Options{Nodes: 4, Seed: 9})
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
	reunion := params.ReunionEvery * params.RefreshEvery * (100 + params.RetryJitterPercent) / 100
	if err := w.Run(w.now.Add(reunion + params.BootDeadline)); err != nil {
		t.Fatal(err)
	}
	for n := range w.nodes {
		if have := w.nodes[n].tab.Len(); have != 3 {
			t.Errorf("after %v together, node %d knows %d of 3", reunion, n, have)
		}
	}
}

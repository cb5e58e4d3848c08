package fulltable

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// crowd is n peers with Ed25519 IDs and addresses as on the public network.
func crowd(seed uint64, n int) []found {
	rng := rand.New(rand.NewPCG(seed, 0))
	all := make([]found, n)
	for i := range all {
		id := []byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}
		for range 4 {
			id = binary.LittleEndian.AppendUint64(id, rng.Uint64())
		}
		addrs := make([]contact.Addr, 4)
		for j := range addrs { // /ip4/…/udp/…/quic-v1
			addrs[j] = contact.Addr(append(binary.BigEndian.AppendUint32([]byte{4}, rng.Uint32()), 0x91, 2, byte(rng.Uint32()), byte(j), 0xcd, 3))
		}
		all[i] = found{contact.New(contact.ID(id), addrs...), time.Duration(rng.IntN(300)) * time.Millisecond}
	}
	return all
}

// truth is the n of some peers that are nearest to a target.
func truth(all []found, target key.Key, n int) (ids []contact.ID) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b found) int { return target.Closer(a.info.Key, b.info.Key) })
	for _, f := range all[:min(n, len(all))] {
		ids = append(ids, f.info.ID)
	}
	return ids
}

func idsOf(list []*contact.Info) (ids []contact.ID) {
	for _, p := range list {
		ids = append(ids, p.ID)
	}
	return ids
}

func TestTheNearestOfATableAreTheTruth(t *testing.T) {
	for _, n := range []int{0, 1, 19, 20, 21, 100, 3000} {
		all := crowd(uint64(n), n)
		tab := newTable(all)
		for i := range 50 {
			target := key.OfString(fmt.Sprint(i))
			if got, want := idsOf(tab.nearest(target, 20)), truth(all, target, 20); !slices.Equal(got, want) {
				t.Fatalf("of %d, target %d: %x, want %x", n, i, got, want)
			}
		}
	}
}

func TestATableKeepsWhoAPeerIsAndItsFirstAddresses(t *testing.T) {
	all := crowd(1, 500)
	tab := newTable(all)
	for _, f := range all {
		got := tab.lookUp(f.info.ID)
		if got == nil || !slices.Equal(got.Addrs, f.info.Addrs[:params.FullAddrs]) || got.Key != f.info.Key {
			t.Fatalf("%x became %+v", f.info.ID, got)
		}
	}
	if tab.lookUp("nobody") != nil {
		t.Error("it knows nobody")
	}
	if back := tab.all(); len(back) != len(all) || back[0].rtt.Truncate(params.RTTUnit) != back[0].rtt {
		t.Errorf("%d of %d came back", len(back), len(all))
	}
}

func TestWhoFailedIsPassedOverUntilItAnswers(t *testing.T) {
	all := crowd(2, 300)
	tab := newTable(all)
	target := key.OfString("x")
	near := truth(all, target, 300)
	for _, id := range near[:8] {
		tab.failed(id)
	}
	if got := idsOf(tab.nearest(target, 20)); got[0] != near[0] {
		t.Error("a failure counts before anybody has answered")
	}
	last := tab.lookUp(near[299])
	tab.answered(last, 0)
	if got := idsOf(tab.nearest(target, 20)); !slices.Equal(got, near[8:28]) {
		t.Error("those who failed are not passed over")
	}
	if peers, good := tab.len(); peers != 300 || good != 292 {
		t.Errorf("%d peers, %d good", peers, good)
	}
	tab.answered(tab.lookUp(near[0]), 0)
	if got := idsOf(tab.nearest(target, 20)); got[0] != near[0] {
		t.Error("one that answered again is passed over")
	}
	if got := idsOf(tab.nearest(target, 300)); len(got) != 300 {
		t.Errorf("where not enough are good: %d of 300", len(got))
	}
}

func TestManyFailuresInARowAreOurOwn(t *testing.T) {
	all := crowd(3, 300)
	tab := newTable(all)
	for _, f := range all[:200] {
		tab.failed(f.info.ID)
	}
	tab.answered(all[250].info, 0)
	if peers, good := tab.len(); good != peers {
		t.Errorf("%d of %d are held to have failed", peers-good, peers)
	}
}

func TestATableTakesInWhoeverAnswersAndWastesLittle(t *testing.T) {
	all := crowd(4, 1000)
	tab := newTable(all[:500])
	for round := range 20 {
		for _, f := range all {
			addrs := []contact.Addr{contact.Addr(fmt.Sprintf("%d-%s", round, f.info.Addrs[0]))}
			tab.answered(contact.New(f.info.ID, addrs...), time.Millisecond)
		}
	}
	target := key.OfString("x")
	if got, want := idsOf(tab.nearest(target, 20)), truth(all, target, 20); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	for _, f := range all {
		if got := tab.lookUp(f.info.ID); got == nil || len(got.Addrs) != 1 || got.Addrs[0][:3] != "19-" {
			t.Fatalf("%x became %+v", f.info.ID, got)
		}
	}
	if tab.waste > len(tab.text)/2 {
		t.Errorf("%d of %d bytes are waste", tab.waste, len(tab.text))
	}
}

func TestATableOf25000TakesAFewTensOfBytesForEach(t *testing.T) {
	tab := newTable(crowd(5, 25_000))
	each := float64(tab.bytes()) / 25_000
	t.Logf("%.0f bytes for each of 25 000 peers with %d addresses", each, params.FullAddrs)
	if each > 110 {
		t.Errorf("%.0f bytes each", each)
	}
}

func BenchmarkNearest(b *testing.B) {
	tab := newTable(crowd(5, 25_000))
	targets := make([]key.Key, 1024)
	for i := range targets {
		targets[i] = key.OfString(fmt.Sprint(i))
	}
	for i := 0; b.Loop(); i++ {
		tab.nearest(targets[i%len(targets)], params.K)
	}
}

func BenchmarkShare(b *testing.B) {
	tab := newTable(crowd(5, 25_000))
	targets := make([]key.Key, 1024)
	for i := range targets {
		targets[i] = key.OfString(fmt.Sprint(i))
	}
	for b.Loop() {
		tab.share(targets, func(int, uint32) {}, func(uint32, *contact.Info) {})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/key")
}

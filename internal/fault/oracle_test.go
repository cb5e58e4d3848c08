package fault

import (
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
)

func idsOf(list []*contact.Info) (ids []contact.ID) {
	for _, i := range list {
		ids = append(ids, i.ID)
	}
	return ids
}

func TestClosestAgreesWithSorting(t *testing.T) {
	members := nobody(200)
	o := NewOracle(members)
	rng := seeded(3)
	for range 50 {
		target := key.Key{rng.Uint64(), rng.Uint64(), rng.Uint64(), rng.Uint64()}
		sorted := make([]*contact.Info, len(members))
		for i, m := range members {
			sorted[i] = contactOf(m)
		}
		slices.SortFunc(sorted, func(a, b *contact.Info) int { return target.Closer(a.Key, b.Key) })
		for _, n := range []int{1, params.K, 200, 300} {
			want := idsOf(sorted[:min(n, 200)])
			if got := idsOf(o.Closest(target, n, nil)); !slices.Equal(got, want) {
				t.Fatalf("target %v: the %d closest differ", target, n)
			}
		}
	}
}

func TestTheOracleLeavesOutAskerAndItselfUnlessAskedForThem(t *testing.T) {
	members := nobody(5)
	o := NewOracle(members)
	self, from := contact.ID(members[0].ID), contact.ID(members[1].ID)
	for _, c := range []struct {
		target contact.ID
		want   int
	}{{"anything", 3}, {self, 4}, {from, 4}, {contact.ID(members[2].ID), 3}} {
		a := o.answer(&wire.Message{Type: wire.FindNode, Key: []byte(c.target)}, self, from)
		if len(a.Closer) != c.want || a.Key != nil {
			t.Errorf("%d peers, key %x", len(a.Closer), a.Key)
		}
		if c.want == 4 && a.Closer[0].Contact.ID != c.target {
			t.Error("the target is not the first")
		}
	}
}

func TestTheOracleRefusesWhatItCannotAnswer(t *testing.T) {
	leakFree(t)
	client := newHost(t, HostOptions{Rand: seeded(2), Silent: true})
	p := start(t, Honest, 1, false)
	for _, m := range []wire.Message{
		{Type: wire.FindNode},
		{Type: wire.AddProvider, Key: []byte("x")},
		{Type: wire.PutValue, Key: []byte("x")},
	} {
		got := ask(t, client, p.AddrInfo(), ample, wire.AppendFrame(nil, &m))
		if got.step != waiting || !is(network.ErrReset)(got.err) {
			t.Errorf("%v: %v", m.Type, got)
		}
	}
	for _, kind := range []wire.Type{wire.GetValue, wire.GetProviders, wire.Ping} {
		m := wire.Message{Type: kind, Key: []byte("x")}
		got := ask(t, client, p.AddrInfo(), ample, wire.AppendFrame(nil, &m))
		if got.step != done || got.answer.Type != kind || string(got.answer.Key) != "x" {
			t.Errorf("%v: %v, %+v", kind, got, got.answer)
		}
	}
}

func TestMembersMayBeNamedLater(t *testing.T) {
	leakFree(t)
	client := newHost(t, HostOptions{Rand: seeded(2), Silent: true})
	o := NewOracle(nil)
	p := must[*Peer](t)(Start(Honest, Options{Rand: seeded(1), Serve: o.Serve}))
	defer p.Close()
	o.SetMembers([]peer.AddrInfo{p.AddrInfo(), info(client), nobody(1)[0]})
	got := ask(t, client, p.AddrInfo(), ample, findNode("target"))
	if got.step != done || len(got.answer.Closer) != 1 {
		t.Fatalf("%v: %d peers", got, len(got.answer.Closer))
	}
}

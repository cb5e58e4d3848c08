package waymark

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/test"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

const somebody = "12D3KooWEqnTdgqHnkkwarSrJjeMP2ZJiADWLYADaNvUb6SQNyPF"

func addrs(t *testing.T, texts ...string) (out []ma.Multiaddr) {
	t.Helper()
	for _, s := range texts {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// TestConfigIsCounted makes whoever adds a field think of its default, of
// what checked does with it, and of this list.
func TestConfigIsCounted(t *testing.T) {
	want := []string{
		"Protocol", "Mode", "Seeds", "Remembered", "Paths", "AllowLoopback", "Addrs", "OneSite", "ManualAdmission", "LAN", "Resolver", "DialWatch", "BlackHoles", "Validators", "ValueAge", "Store", "ReplicateEvery", "Approve", "Logger",
		"Seed", "Clock",
	}
	var got []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		got = append(got, f.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("Config has %q, and this test knows %q", got, want)
	}
}

func TestTheZeroConfigWorks(t *testing.T) {
	c, e, err := Config{}.checked("self")
	if err != nil || c.Protocol != DefaultProtocol || c.Resolver == nil || c.Logger == nil || c.Clock == nil {
		t.Fatalf("%v, %+v", err, c)
	}
	if e.Paths != 1 || e.Seeds != nil || e.Table.ExemptLoopback {
		t.Errorf("%+v", e)
	}
}

func TestABadConfigSaysWhatIsWrong(t *testing.T) {
	var many []ma.Multiaddr
	for i := range params.MaxSeeds + 1 {
		many = append(many, ma.StringCast(fmt.Sprintf("/dnsaddr/seed%d.example", i)))
	}
	for name, c := range map[string]Config{
		"protocol":          {Protocol: "kad"},
		"mode":              {Mode: 7},
		"paths":             {Paths: params.MaxPaths + 1},
		"negative paths":    {Paths: -1},
		"seed without peer": {Seeds: addrs(t, "/ip4/127.0.0.1/tcp/4001")},
		"too many seeds":    {Seeds: many},
		"empty seed":        {Seeds: make([]ma.Multiaddr, 1)},
		"negative age":      {ValueAge: -time.Second},
	} {
		if _, _, err := c.checked("self"); !errors.Is(err, ErrBadConfig) || len(err.Error()) < 30 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSeedsAreSortedIntoPeersAndNames(t *testing.T) {
	self, err := peer.Decode("12D3KooWBU7mY1sw3zaBeWq6MsSwLXWjF5wGFADcG9yXfZ3S2hCV")
	if err != nil {
		t.Fatal(err)
	}
	seeds, err := seedsOf(addrs(t,
		"/ip4/127.0.0.1/tcp/1/p2p/"+somebody,
		"/dnsaddr/seeds.example",
		"/ip4/127.0.0.1/tcp/2/p2p/"+somebody,
		"/ip4/127.0.0.1/tcp/3/p2p/"+self.String(),
		"/dns4/seed.example/tcp/1/p2p/"+somebody,
	), self)
	if err != nil || len(seeds) != 3 {
		t.Fatalf("%v, %+v", err, seeds)
	}
	if p := seeds[0].Peer; p == nil || len(p.Addrs) != 2 {
		t.Errorf("the peer: %+v", p)
	}
	if seeds[1].Name != "/dnsaddr/seeds.example" || seeds[2].Name == "" {
		t.Errorf("the names: %+v", seeds[1:])
	}
}

func TestASeedMayHaveManyAddresses(t *testing.T) {
	var many []ma.Multiaddr
	for i := range params.MaxSeeds + 1 {
		many = append(many, addrs(t, fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", i+1, somebody))...)
	}
	if _, e, err := (Config{Seeds: many}).checked("self"); err != nil || len(e.Seeds) != 1 {
		t.Errorf("%v, %d seeds", err, len(e.Seeds))
	}
}

func TestWhatOthersNameIsFiltered(t *testing.T) {
	offered := packed(addrs(t,
		"/ip4/8.8.8.8/tcp/4001",
		"/ip4/127.0.0.1/tcp/4001",
		"/ip4/10.0.0.1/tcp/4001",
		"/dns4/evil.example/tcp/4001",
		"/dnsaddr/evil.example",
		"/ip4/8.8.4.4/tcp/4001/p2p/"+somebody+"/p2p-circuit",
		"/ip6/2001:4860:4860::8888/udp/4001/quic-v1",
	))
	for _, c := range []struct {
		p    policy
		want int
	}{
		{policy{}, 2},
		{policy{loopback: true}, 4},
		{policy{own: manet.IsPrivateAddr}, 2},
		{policy{own: func(ma.Multiaddr) bool { return true }}, 4}, // no name, no relay
	} {
		if got := c.p.addrs(append(offered, "", "\xff\xff")); len(got) != c.want {
			t.Errorf("%+v keeps %v", c.p, unpacked(got))
		}
	}
	var many []contact.Addr
	for i := range 3 * params.MaxAddrs {
		many = append(many, contact.Addr([]byte{4, 8, 8, 8, byte(i), 6, 0x0f, 0xa1}))
	}
	if got := (policy{}).addrs(many); len(got) != params.MaxAddrs {
		t.Errorf("%d addresses of one peer are kept", len(got))
	}
	if got := (policy{}).contacts([]*contact.Info{contact.New("x", offered[1])}); len(got) != 0 {
		t.Errorf("a peer that cannot be dialled is kept: %+v", got[0])
	}
}

// names is a resolver with a fixed zone.
type names map[string][]ma.Multiaddr

func (n names) Resolve(_ context.Context, a ma.Multiaddr) ([]ma.Multiaddr, error) {
	if found, ok := n[a.String()]; ok {
		return found, nil
	}
	return nil, errors.New("no such name")
}

func TestNamesLeadToPeers(t *testing.T) {
	zone := names{
		"/dnsaddr/a": addrs(t, "/dnsaddr/b", "/dnsaddr/gone", "/ip4/127.0.0.1/tcp/1/p2p/"+somebody),
		"/dnsaddr/b": addrs(t, "/ip4/127.0.0.1/tcp/2/p2p/"+somebody, "/ip4/127.0.0.1/tcp/3"),
		"/dnsaddr/o": addrs(t, "/dnsaddr/o", "/dnsaddr/o"), // leads to itself, twice
	}
	infos, err := resolve(t.Context(), zone, "/dnsaddr/a", seeded(1))
	if err != nil || len(infos) != 1 || len(infos[0].Addrs) != 2 {
		t.Errorf("%v, %v", err, infos)
	}
	for _, name := range []string{"/dnsaddr/o", "/dnsaddr/nowhere", "no multiaddr"} {
		if infos, err := resolve(t.Context(), zone, name, seeded(1)); err == nil {
			t.Errorf("%s leads to %v", name, infos)
		}
	}
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// A name that stands for many peers is taken from all of them: where each node
// took the first, those would carry the network, and the others would be there
// for nothing.
func TestANameOfManyLeadsEachNodeToOthers(t *testing.T) {
	const peers, nodes = 60, 200
	zone := names{"/dnsaddr/all": addrs(t, "/dnsaddr/more"), "/dnsaddr/more": nil}
	for i := range peers {
		id := test.RandPeerIDFatal(t)
		for _, a := range []string{"/ip4/127.0.0.1/tcp/%d/p2p/%s", "/ip4/127.0.0.1/udp/%d/quic-v1/p2p/%s", "/ip6/::1/tcp/%d/p2p/%s"} {
			zone["/dnsaddr/more"] = append(zone["/dnsaddr/more"], addrs(t, fmt.Sprintf(a, i+1, id))...)
		}
	}
	before := slices.Clone(zone["/dnsaddr/more"])
	first, taken := map[peer.ID]int{}, map[peer.ID]int{}
	for n := range nodes {
		infos, err := resolve(t.Context(), zone, "/dnsaddr/all", seeded(uint64(n)))
		if err != nil || len(infos) <= params.MaxSeeds || len(infos) > peers {
			t.Fatalf("%d peers, %v", len(infos), err)
		}
		first[infos[0].ID]++
		for _, p := range infos[:params.MaxSeeds] {
			taken[p.ID]++
		}
	}
	if !slices.EqualFunc(before, zone["/dnsaddr/more"], ma.Multiaddr.Equal) {
		t.Error("what the resolver holds was put in another order")
	}
	// Each is among the first 32 in 32 of 60 cases, so 107 times of 200, with a deviation of 7.
	for id, n := range taken {
		if n < 70 || n > 145 || first[id] > 20 {
			t.Errorf("%s is taken %d times of %d, %d times as the first", id, n, nodes, first[id])
		}
	}
	if len(taken) != peers {
		t.Errorf("only %d of %d are taken", len(taken), peers)
	}
}

func TestALimitIsPerPlaceAndWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWindowed[netip.Prefix](3, time.Second)
		at := func(s string) netip.Prefix {
			p, ok := neighbourhood(addrs(t, s)[0], true)
			if !ok {
				t.Fatal(s)
			}
			return p
		}
		for i := range 5 {
			if got := w.allow(at(fmt.Sprintf("/ip4/8.8.8.%d/tcp/1", i))); got != (i < 3) {
				t.Errorf("event %d of one neighbourhood: %v", i, got)
			}
		}
		if !w.allow(at("/ip4/8.8.9.1/tcp/1")) || !w.allow(at("/ip6/2001:db8::1/tcp/1")) {
			t.Error("another neighbourhood is not counted apart")
		}
		<-time.After(time.Second)
		if !w.allow(at("/ip4/8.8.8.8/tcp/1")) {
			t.Error("the next window is not another one")
		}
		for i := range 2 * params.MaxWindowed {
			w.allow(at(fmt.Sprintf("/ip4/9.%d.%d.1/tcp/1", i>>8, i&255)))
		}
		if len(w.counts) > params.MaxWindowed+1 {
			t.Errorf("%d places are counted", len(w.counts))
		}
	})
	for _, none := range []string{"/dns4/a.example/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1"} {
		if p, ok := neighbourhood(addrs(t, none)[0], true); ok {
			t.Errorf("%s is in %v", none, p)
		}
	}
	for _, c := range []struct {
		policy
		at   string
		bits int
	}{
		{policy{}, "/ip6/2001:db8::1/tcp/1", 64},
		{policy{oneSite: true}, "/ip6/fd00::1/tcp/1", 128}, // all of a LAN are in one /64
		{policy{}, "/ip4/8.8.8.8/tcp/1", 32},
		{policy{}, "/ip4/127.0.0.1/tcp/1", 32},
		{policy{loopback: true}, "/ip4/127.0.0.1/tcp/1", 0},
	} {
		if p, ok := c.household(addrs(t, c.at)[0]); ok != (c.bits > 0) || ok && p.Bits() != c.bits {
			t.Errorf("%+v: %s is in %v", c.policy, c.at, p)
		}
	}
}

// TestAFloodLeavesOthersBehindTheSameAddressSomething: one peer asks as often as it
// can, and another one at its address is answered.
func TestAFloodLeavesOthersBehindTheSameAddressSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(&DHT{})
		here, there := addrs(t, "/ip4/8.8.8.8/tcp/1")[0], addrs(t, "/ip4/8.8.4.4/tcp/1")[0]
		answered := func(from string, at ma.Multiaddr) (n int) {
			for range 2 * params.RequestsPerIP {
				if s.allows(peer.ID(from), at) {
					n++
				}
			}
			return n
		}
		if n := answered("flood", here); n != params.RequestsPerPeer {
			t.Errorf("%d requests of one peer are answered", n)
		}
		if n := answered("another", here); n != params.RequestsPerIP-params.RequestsPerPeer {
			t.Errorf("%d requests of another one at its address are", n)
		}
		if n := answered("elsewhere", there); n != params.RequestsPerPeer {
			t.Errorf("%d requests from another address are", n)
		}
		<-time.After(params.RequestsWindow)
		if n := answered("flood", here); n != params.RequestsPerPeer {
			t.Errorf("%d are in the next window", n)
		}
		s.policy.loopback = true
		if n := answered("test", addrs(t, "/ip4/127.0.0.1/tcp/1")[0]); n != 2*params.RequestsPerIP {
			t.Errorf("%d are of this machine", n)
		}
	})
}

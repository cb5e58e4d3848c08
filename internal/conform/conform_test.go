package conform

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/wire"
	"github.com/waymark-dht/waymark/internal/fault"
)

const someone = "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

func TestOnlyOnesOwnNodesAreExercised(t *testing.T) {
	for text, want := range map[string]error{
		"/ip4/127.0.0.1/tcp/4001":                         nil,
		"/ip4/127.8.9.1/udp/4001/quic-v1":                 nil,
		"/ip6/::1/tcp/4001":                               nil,
		"/ip4/10.1.2.3/tcp/4001":                          nil,
		"/ip4/172.16.0.1/tcp/4001":                        nil,
		"/ip4/192.168.1.7/tcp/4001":                       nil,
		"/ip4/169.254.1.1/tcp/4001":                       nil,
		"/ip6/fe80::1/tcp/4001":                           nil,
		"/ip6zone/eth0/ip6/fe80::1/tcp/4001":              nil,
		"/ip6/fd00::1/tcp/4001":                           nil,
		"/ip4/192.0.2.7/tcp/4001":                         ErrPublic,
		"/ip4/172.32.0.1/tcp/4001":                        ErrPublic,
		"/ip4/100.64.0.1/tcp/4001":                        ErrPublic,
		"/ip4/0.0.0.0/tcp/4001":                           ErrPublic,
		"/ip6/::/tcp/4001":                                ErrPublic,
		"/ip6/2001:db8::1/tcp/4001":                       ErrPublic,
		"/ip6/::ffff:192.0.2.7/tcp/4001":                  ErrPublic,
		"/dns4/localhost/tcp/4001":                        ErrAddress,
		"/dnsaddr/example.org":                            ErrAddress,
		"/ip4/127.0.0.1/tcp/1" + someone + "/p2p-circuit": ErrPublic,
	} {
		if _, err := Permitted(ma.StringCast(text + someone)); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	if _, err := Permitted(ma.StringCast("/ip4/127.0.0.1/tcp/4001")); !errors.Is(err, ErrAddress) {
		t.Errorf("without a peer: %v", err)
	}
	if _, err := Run(t.Context(), Options{Target: ma.StringCast("/ip4/192.0.2.7/tcp/1" + someone)}); !errors.Is(err, ErrPublic) {
		t.Errorf("Run of a public address: %v", err)
	}
}

func TestCasesHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		if seen[c.Name] || slices.Contains(Groups, c.Name) || !slices.Contains(Groups, c.Group) || c.About == "" || c.run == nil {
			t.Errorf("%+v", c)
		}
		seen[c.Name] = true
	}
	if _, err := Bound(Options{Only: []string{"frams"}}); !errors.Is(err, ErrCase) {
		t.Errorf("an unknown case: %v", err)
	}
	some, err := chosen([]string{"ping", "wire"})
	if err != nil || len(some) != len(wireCases)+1 {
		t.Errorf("%d cases, %v", len(some), err)
	}
}

func TestNobodyThereIsSaidAtOnce(t *testing.T) {
	p, err := fault.Start(fault.Refused, fault.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	began := time.Now()
	_, err = Run(t.Context(), Options{Target: addrOf(t, p.AddrInfo())})
	if !errors.Is(err, ErrUnreachable) || time.Since(began) > startLimit {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// naive is a server that believes everything: what each case is there to find.
type naive struct {
	host host.Host

	mu     sync.Mutex
	values map[string]*record.Record
	given  map[string][]wire.Peer
	stuck  bool // it waits for whoever has not finished, and nobody else
}

func startNaive(t *testing.T) (*naive, ma.Multiaddr) {
	h, err := fault.NewHost(fault.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	n := &naive{host: h, values: map[string]*record.Record{}, given: map[string][]wire.Peer{}}
	h.SetStreamHandler(DefaultProtocol, n.handle)
	return n, addrOf(t, peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
}

func (n *naive) handle(s network.Stream) {
	if n.stuck {
		n.mu.Lock()
		defer n.mu.Unlock()
	}
	for {
		body, err := wire.ReadFrame(s, nil, params.MaxMessage)
		if err != nil {
			_ = s.Close()
			return
		}
		q, err := wire.Decode(body, wire.RecordLimits())
		if err != nil {
			continue // and says nothing
		}
		if !n.stuck {
			n.mu.Lock()
		}
		a := n.answer(&q)
		if !n.stuck {
			n.mu.Unlock()
		}
		if _, err := s.Write(a); err != nil {
			return
		}
	}
}

func (n *naive) answer(q *wire.Message) []byte {
	m := &wire.Message{Type: q.Type, Key: q.Key}
	switch q.Type {
	case wire.PutValue:
		if q.Record == nil {
			return nil
		}
		n.values[string(q.Key)], m.Record = q.Record, q.Record
	case wire.GetValue:
		m.Record = n.values[string(q.Key)]
	case wire.AddProvider:
		n.given[string(q.Key)] = q.Providers
		return nil
	case wire.GetProviders:
		m.Providers = n.given[string(q.Key)]
	case wire.FindNode:
		m.Key = nil
		for _, id := range n.host.Network().Peers() {
			m.Closer = append(m.Closer, wire.Peer{Contact: contactOf(id, n.host.Network().ConnsToPeer(id)[0].RemoteMultiaddr())})
		}
		m.Closer = append(m.Closer, q.Closer...)
	}
	return wire.AppendFrame(nil, m)
}

// Closest asks everybody that is connected.
func (n *naive) Closest(ctx context.Context, key []byte) (ids []string, err error) {
	for _, id := range n.host.Network().Peers() {
		if _, err := n.ask(ctx, id, &wire.Message{Type: wire.FindNode, Key: key}); err == nil {
			ids = append(ids, string(id))
		}
	}
	return ids, nil
}

// Get believes whoever answers first.
func (n *naive) Get(ctx context.Context, key []byte) ([]byte, error) {
	for _, id := range n.host.Network().Peers() {
		if m, err := n.ask(ctx, id, &wire.Message{Type: wire.GetValue, Key: key}); err == nil && m.Record != nil {
			return m.Record.Value, nil
		}
	}
	return nil, errors.New("nobody has it")
}

func (n *naive) ask(ctx context.Context, id peer.ID, q *wire.Message) (wire.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s, err := n.host.NewStream(ctx, id, DefaultProtocol)
	if err != nil {
		return wire.Message{}, err
	}
	defer s.Reset()
	_ = s.SetDeadline(time.Now().Add(time.Second))
	if _, err := s.Write(wire.AppendFrame(nil, q)); err != nil {
		return wire.Message{}, err
	}
	return newTalk(s).read(time.Second)
}

func TestWhoBelievesEverythingFails(t *testing.T) {
	t.Parallel()
	n, addr := startNaive(t)
	want := map[string]Verdict{
		"missing-key": Warn, "long-provider-key": Warn, "wrong-type": Warn, "an-answer-unasked": Fail, "ping": Pass,
		"client-not-admitted": Fail, "valid-record": Pass, "pk-of-another": Fail, "pk-garbage": Fail,
		"ipns-forged": Fail, "ipns-garbage": Fail, "unknown-namespace": Warn, "mismatched-key": Fail,
		"record-of-the-future": Warn, "replacing-by-worse": Fail, "announced-by-another": Fail,
		"get-absent": Pass, "withdraws": Warn, "silent": Pass, "names-nobody": Pass, "poisoned-get": Fail,
	}
	r, err := Run(t.Context(), Options{
		Target: addr, Only: slices.Sorted(maps.Keys(want)), Drain: time.Millisecond, Seed: 1, Driver: n,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Results {
		if c.Verdict != want[c.Case] {
			t.Errorf("%s: %v, want %v: %v, %v", c.Case, c.Verdict, want[c.Case], c.Saw, c.Why)
		}
	}
}

// A target that one peer can keep from everybody else fails by what it keeps
// them from, and what follows is not blamed on it.
func TestWhoStopsAnsweringFailsOnce(t *testing.T) {
	t.Parallel()
	n, addr := startNaive(t)
	first := true
	r, err := Run(t.Context(), Options{
		Target: addr, Only: []string{"half-request", "pipelined", "ping"}, Drain: time.Millisecond, Seed: 1,
		Began: func(int, int, string) {
			if first {
				n.stuck, first = true, false
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []Verdict
	for _, c := range r.Results {
		verdicts = append(verdicts, c.Verdict)
	}
	if !slices.Equal(verdicts, []Verdict{Fail, Skipped, Skipped}) {
		t.Errorf("%v", r.Results)
	}
	if why := strings.Join(r.Results[0].Why, "; "); !strings.Contains(why, "did not recover") || !strings.Contains(why, "others get no answer") {
		t.Error(why)
	}
}

// endless is the driver of a node whose lookups do not end.
type endless struct{}

func (endless) Closest(ctx context.Context, _ []byte) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (endless) Get(ctx context.Context, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAnOperationThatDoesNotEndFails(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	k := &kit{o: Options{Driver: endless{}}}
	try := k.newTry(ctx, Case{Name: "x"})
	try.looksUp([]byte("x"))
	if r := try.result(); r.Verdict != Fail || r.Lookup < 20*time.Millisecond {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsHeldTooLongIsJudged(t *testing.T) {
	freed := &held{what: "a", grave: Fail, done: make(chan struct{}), took: time.Second}
	close(freed.done)
	kept := &held{what: "b", grave: Fail, done: make(chan struct{})}
	mild := &held{what: "c", grave: Warn, done: make(chan struct{})}
	for _, c := range []struct {
		all     []*held
		drained time.Duration
		want    Verdict
		kept    int
	}{
		{[]*held{freed, kept}, Patience - 1, Pass, 1},
		{[]*held{freed, kept, kept}, Patience, Fail, 2},
		{[]*held{mild}, Patience, Warn, 1},
		{[]*held{freed}, Patience, Pass, 0},
	} {
		try := (&kit{}).newTry(t.Context(), Case{})
		try.settleHeld(c.all, c.drained)
		if r := try.result(); r.Verdict != c.want || r.Kept != c.kept || r.Held != len(c.all) {
			t.Errorf("%+v, want %v with %d kept", r, c.want, c.kept)
		}
	}
}

func TestARunThatIsStoppedEndsAtOnce(t *testing.T) {
	_, addr := startNaive(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stopped time.Time
	r, err := Run(ctx, Options{
		Target: addr, Only: []string{"frames"}, Seed: 1,
		Began: func(_, _ int, name string) {
			if name == "oversize-prefix" { // which is waited for, and then watched
				time.AfterFunc(50*time.Millisecond, func() { stopped = time.Now(); cancel() })
			}
		},
	})
	if !errors.Is(err, context.Canceled) || time.Since(stopped) > time.Second || len(r.Results) > 3 {
		t.Errorf("%v after %v with %d results", err, time.Since(stopped), len(r.Results))
	}
}

func TestTheKitListensWhereTheTargetReachesIt(t *testing.T) {
	for _, c := range []struct{ target, local, want string }{
		{"/ip4/192.168.1.7/tcp/4001", "192.168.1.2", "/ip4/192.168.1.2/tcp/0"},
		{"/ip4/127.0.0.1/udp/4001/quic-v1", "127.0.0.1", "/ip4/127.0.0.1/udp/0/quic-v1"},
		{"/ip6/fd00::7/tcp/4001", "fd00::2", "/ip6/fd00::2/tcp/0"},
		{"/ip6zone/eth0/ip6/fe80::7/tcp/4001", "fe80::2%eth0", "/ip6zone/eth0/ip6/fe80::2/tcp/0"},
	} {
		k := &kit{addr: ma.StringCast(c.target), local: netip.MustParseAddr(c.local)}
		if got := k.listenAddr(); got != c.want {
			t.Errorf("%s: %s, want %s", c.target, got, c.want)
		}
	}
}

// The hosts of the kit dial the target alone, whatever they hear of others.
func TestTheKitDialsNobodyElse(t *testing.T) {
	target, err := peer.Decode(programID)
	if err != nil {
		t.Fatal(err)
	}
	g := gate{&kit{target: target, addr: ma.StringCast("/ip4/192.168.1.7/tcp/4001")}}
	for text, want := range map[string]bool{
		"/ip4/192.168.1.7/tcp/4001": true,
		"/ip4/127.0.0.1/tcp/9":      true, // the kit's own wires
		"/ip4/192.168.1.7/tcp/4002": false,
		"/ip4/192.0.2.7/tcp/4001":   false,
	} {
		if got := g.InterceptAddrDial(target, ma.StringCast(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if g.InterceptPeerDial("another") || g.InterceptAddrDial("another", ma.StringCast("/ip4/192.168.1.7/tcp/4001")) {
		t.Error("it dials somebody else")
	}
}

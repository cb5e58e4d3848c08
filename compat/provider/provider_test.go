package provider_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	dht "github.com/waymark-dht/waymark/compat"
	"github.com/waymark-dht/waymark/compat/provider"
	"github.com/waymark-dht/waymark/compat/provider/keystore"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// node is one of some servers.
func node(w *testkit.World) (*dht.IpfsDHT, []*waymark.DHT) {
	w.Helper()
	servers := w.Servers(5, waymark.Config{Protocol: "/test/kad/1.0.0", OneSite: true})
	d, err := dht.New(context.Background(), w.Host(), dht.ProtocolPrefix("/test"), dht.Mode(dht.ModeServer),
		dht.BootstrapPeers(peer.AddrInfo{ID: servers[0].PeerID(), Addrs: servers[0].Host().Addrs()}))
	w.Check(err)
	w.Cleanup(func() { w.Check(d.Close()) })
	w.Check(d.WaitReady(w.Context()))
	return d, servers
}

func take(w *testkit.World, opts ...provider.Option) *provider.SweepingProvider {
	w.Helper()
	p, err := provider.New(opts...)
	w.Check(err)
	return p
}

// provided reports who of some texts is in a node's schedule.
func provided(w *testkit.World, d *dht.IpfsDHT, texts ...string) (in []string) {
	w.Helper()
	for k, err := range d.Scheduled() {
		w.Check(err)
		for _, text := range texts {
			if string(k) == string(hash(text)) {
				in = append(in, text)
			}
		}
	}
	slices.Sort(in)
	return in
}

func hash(text string) multihash.Multihash { return testkit.CID(text).Hash() }

func TestWhatIsStartedIsAnnouncedAndAgain(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d, servers := node(w)
		p := take(w, provider.WithRouter(d), provider.WithReprovideInterval(22*time.Hour), provider.WithMaxWorkers(1),
			provider.WithAddLocalRecord(func(multihash.Multihash) error { return nil }),
			provider.WithAddLocalRecord(func(context.Context, multihash.Multihash) error { return nil }))
		w.Check(p.StartProviding(false, hash("a"), hash("b")))
		w.Check(p.ProvideOnce(hash("once")))
		w.Check(p.AddToSchedule(hash("c")))
		testkit.Pass(time.Minute)
		for _, text := range []string{"a", "b", "c", "once"} {
			if found, err := servers[2].FindProviders(t.Context(), testkit.CID(text)); err != nil || len(found) != 1 {
				t.Errorf("%s: %v, %v", text, found, err)
			}
		}
		if in := provided(w, d, "a", "b", "c", "once"); !slices.Equal(in, []string{"a", "b", "c"}) {
			t.Errorf("%v are announced again", in)
		}
		w.Check(p.StopProviding(hash("b")))
		if in := provided(w, d, "a", "b", "c"); !slices.Equal(in, []string{"a", "c"}) {
			t.Errorf("after one was stopped %v are", in)
		}
		s, err := p.Stats(t.Context())
		if err != nil || s.Connectivity.Status != "online" || s.Schedule.Keys != 2 || s.Operations.Past.KeysProvided != 4 ||
			s.Schedule.NextReprovideAt.Before(time.Now()) || s.Timing.Uptime < time.Minute || s.Closed {
			t.Errorf("%+v, %v", s, err)
		}
		if s.Timing.ReprovidesInterval != params.ProvideEvery || s.Timing.CurrentTimeOffset < time.Minute ||
			!s.Timing.CycleStart.Add(s.Timing.CurrentTimeOffset).Equal(time.Now()) {
			t.Errorf("an interval that is too long: %+v", s.Timing)
		}
		past, met := s.Operations.Past, s.Network
		if past.RecordsProvided != 4*5 || past.RegionReprovidedLastCycle == 0 || met.AvgHolders != 5 || met.AvgRegionSize != 5 {
			t.Errorf("%+v, %+v", past, met)
		}
		if got := past.AvgKeysPerReprovide * float64(past.RegionReprovidedLastCycle); got != 4 {
			t.Errorf("%v keys were announced by regions", got)
		}
		if met.Peers != 5*int(past.RegionReprovidedLastCycle) || met.Reachable != met.Peers {
			t.Errorf("%+v", met)
		}
		w.Check(p.RefreshSchedule())
		if n := p.Clear(); n != 0 {
			t.Errorf("%d keys were still to be announced", n)
		}
		w.Check(p.Close())
		for name, err := range map[string]error{
			"start": p.StartProviding(false, hash("z")), "once": p.ProvideOnce(hash("z")), "stop": p.StopProviding(hash("a")),
			"refresh": p.RefreshSchedule(), "add": p.AddToSchedule(hash("z")),
		} {
			if !errors.Is(err, provider.ErrClosed) {
				t.Errorf("%s, once it is closed: %v", name, err)
			}
		}
		if s, err := p.Stats(t.Context()); err != nil || !s.Closed || p.Clear() != 0 {
			t.Errorf("%+v, %v", s, err)
		}
		if in := provided(w, d, "a", "c"); len(in) != 2 {
			t.Errorf("once it is closed %v are announced", in)
		}
	})
}

// TestTheIntervalIsKept is Kubo's Provide.DHT.Interval of less than ten hours.
func TestTheIntervalIsKept(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d, _ := node(w)
		p := take(w, provider.WithRouter(d), provider.WithReprovideInterval(time.Hour))
		w.Check(p.StartProviding(false, hash("a"), hash("b")))
		testkit.Pass(4*time.Hour + time.Minute)
		s, err := p.Stats(t.Context())
		w.Check(err)
		// At once, and then in each hour; the first turn comes within one.
		if n := s.Operations.Past.KeysProvided; s.Timing.ReprovidesInterval != time.Hour || n < 2*4 || n > 2*6 {
			t.Errorf("in four hours %d times two keys were announced: %+v", n/2, s.Timing)
		}
		if n := s.Operations.Past.RegionReprovidedLastCycle; n < 1 || n > 2 {
			t.Errorf("%d regions in the last hour", n)
		}
		for _, every := range []time.Duration{time.Millisecond, 48 * time.Hour} {
			take(w, provider.WithRouter(d), provider.WithReprovideInterval(every))
			if got := d.Schedule().Every; got < params.ProvideLeast || got > params.ProvideEvery {
				t.Errorf("an interval of %v is %v", every, got)
			}
		}
		if _, err := provider.New(provider.WithRouter(d), provider.WithReprovideInterval(-1)); !errors.Is(err, waymark.ErrBadConfig) {
			t.Errorf("an interval that is none: %v", err)
		}
	})
}

// TestNoIntervalIsOnce is Kubo's Provide.DHT.Interval of 0.
func TestNoIntervalIsOnce(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d, servers := node(w)
		p := take(w, provider.WithRouter(d), provider.WithReprovideInterval(0))
		w.Check(p.StartProviding(false, hash("a")))
		testkit.Pass(time.Minute)
		if found, err := servers[2].FindProviders(t.Context(), testkit.CID("a")); err != nil || len(found) != 1 {
			t.Errorf("%v, %v", found, err)
		}
		if in := provided(w, d, "a"); len(in) != 0 {
			t.Errorf("%v are announced again", in)
		}
	})
}

func cids(texts ...string) <-chan cid.Cid {
	out := make(chan cid.Cid, len(texts))
	for _, text := range texts {
		out <- testkit.CID(text)
	}
	close(out)
	return out
}

// TestAResetIsTheSchedule: what a program names is provided, and nothing else.
func TestAResetIsTheSchedule(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d, _ := node(w)
		keys, err := keystore.NewResettableKeystore(nil, keystore.KeystoreOption(keystore.WithPrefixBits(16), keystore.WithBatchSize(7)))
		w.Check(err)
		p := take(w, provider.WithRouter(d), provider.WithKeystore(keys))
		w.Check(p.StartProviding(false, hash("old"), hash("stays")))
		w.Check(keys.ResetCids(t.Context(), cids("stays", "new", "new")))
		if in := provided(w, d, "old", "stays", "new"); !slices.Equal(in, []string{"new", "stays"}) {
			t.Errorf("%v are provided", in)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := keys.ResetCids(ctx, cids("other")); !errors.Is(err, context.Canceled) {
			t.Errorf("a reset that was called off: %v", err)
		}
		if in := provided(w, d, "stays", "new", "other"); !slices.Equal(in, []string{"new", "stays"}) {
			t.Errorf("after it %v are provided", in)
		}
		slow := make(chan cid.Cid)
		first := make(chan error, 1)
		go func() { first <- keys.ResetCids(t.Context(), slow) }()
		slow <- testkit.CID("stays")
		if err := keys.ResetCids(t.Context(), cids("other")); !errors.Is(err, keystore.ErrResetInProgress) {
			t.Errorf("a second reset beside the first: %v", err)
		}
		w.Check(p.StartProviding(false, hash("added"))) // by somebody who adds content while all that there is is listed
		close(slow)
		w.Check(<-first)
		if in := provided(w, d, "stays", "new", "added"); !slices.Equal(in, []string{"added", "stays"}) {
			t.Errorf("after the slow one %v are provided", in)
		}
		w.Check(keys.ResetCids(t.Context(), cids("stays")))
		if in := provided(w, d, "stays", "added"); !slices.Equal(in, []string{"stays"}) {
			t.Errorf("after one that began later %v are provided", in)
		}
		w.Check(keys.Close())
		if err := keys.ResetCids(t.Context(), cids("other")); !errors.Is(err, keystore.ErrClosed) {
			t.Errorf("a reset once it is closed: %v", err)
		}
	})
}

func TestMoreThanAScheduleHoldsIsAnError(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		keys, err := keystore.NewResettableKeystore(nil)
		w.Check(err)
		told := false
		keys.OnReset(taker{&told})
		many := make(chan cid.Cid, 1<<14)
		done := make(chan error, 1)
		go func() { done <- keys.ResetCids(t.Context(), many) }()
		raw := make([]byte, 10)
		for i := range params.ScheduleKeys + 1 {
			raw[0], raw[1], raw[2] = byte(i), byte(i>>8), byte(i>>16)
			h, err := multihash.Encode(raw, multihash.IDENTITY)
			w.Check(err)
			many <- cid.NewCidV1(cid.Raw, h)
		}
		if err := <-done; !errors.Is(err, waymark.ErrOverloaded) || told {
			t.Errorf("%v; the providers were told: %v", err, told)
		}
	})
}

type nobody struct{}

func (nobody) GetClosestPeers(context.Context, string) ([]peer.ID, error) { return nil, nil }

func TestOnlyOurNodesHaveASchedule(t *testing.T) {
	for name, opts := range map[string][]provider.Option{"none": nil, "another's": {provider.WithRouter(nobody{})}} {
		if _, err := provider.New(opts...); !errors.Is(err, waymark.ErrBadConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// taker notes whether it was told any keys.
type taker struct{ told *bool }

func (t taker) ResetBegins()                      {}
func (t taker) Reset([]multihash.Multihash) error { *t.told = true; return nil }
func (t taker) ResetEnds()                        {}

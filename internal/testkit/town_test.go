package testkit

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/boot"
)

var whole = flag.Bool("hosts.whole", false, "every scenario of hosts of their own, with faults as long as they should be: two minutes")

// town is hosts with a node each. Every other node is in use: it looks
// something up every second. The rest are idle.
type town struct {
	*testing.T
	lab   *Lab
	hosts []*Host

	lasts        time.Duration // how long the fault should last
	began, ended time.Time     // and when it did
	told         []*Host       // whose interfaces tell of its end
	apart        func(a, b *Host) bool
	tcp          bool   // nobody speaks QUIC
	mdns         string // the name under which they look for their neighbours
	slow         way    // of the slowest
}

const population = 10

// ip4 is the address of a host in one of the lab's IPv4 networks.
func ip4(network, host int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(network), byte(host + 1)}), 24)
}

// populate plugs ten hosts into a switch.
func (w *town) populate(at Switch) {
	for i := range population {
		w.hosts = append(w.hosts, w.lab.Host(at, ip4(0, i)))
	}
}

// overTCP says how others reach a host: half of them over TCP, half over QUIC,
// unless somebody speaks TCP alone.
func (w *town) overTCP(h *Host) bool { return w.tcp || h.index%4 < 2 }

// inUse says whether a node has a user.
func inUse(h *Host) bool { return h.index%2 == 0 }

// spec is the node of one host.
func (w *town) spec(h *Host, seeds ...*Host) Spec {
	s := Spec{Key: uint64(h.index + 1), Mode: waymark.ModeServer, MDNS: w.mdns, Listen: []string{Listen(h.Addr(0), w.overTCP(h))}}
	for _, seed := range seeds {
		for _, p := range seed.ports {
			id := Spec{Key: uint64(seed.index + 1)}.ID()
			s.Seeds = append(s.Seeds, At(p.addrs[0].Addr(), w.overTCP(seed))+"/p2p/"+id.String())
		}
	}
	return s
}

// start begins a node on every host that has none, and waits until each knows
// all.
func (w *town) start(seeds ...*Host) {
	w.Helper()
	for _, h := range w.hosts {
		if h.Node == nil {
			h.Start(w.spec(h, seeds...))
		}
	}
	w.each("start", w.hosts, func(ctx context.Context, h *Host) error { return h.Node.Listens(ctx) })
	w.ended = time.Now() // until now there was no network
	w.judge(w.hosts)
	w.each("use", w.hosts, func(ctx context.Context, h *Host) error {
		if !inUse(h) {
			return nil
		}
		return h.Node.Use(ctx)
	})
	w.began = time.Now()
}

// each does something with hosts, all at once.
func (w *town) each(what string, hosts []*Host, do func(context.Context, *Host) error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), startTime)
	defer cancel()
	failed := make([]error, len(hosts))
	var all sync.WaitGroup
	for i, h := range hosts {
		all.Go(func() { failed[i] = do(ctx, h) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		w.Fatalf("%s: %v", what, err)
	}
}

// last lets the fault last.
func (w *town) last() {
	timer := time.NewTimer(time.Until(w.began.Add(w.lasts)))
	defer timer.Stop()
	<-timer.C
}

// heal says that the fault ends now, and waits until all are back.
func (w *town) heal(end func()) {
	w.Helper()
	end()
	w.ended = time.Now()
	w.slow = w.judge(w.hosts)
}

// overtime is how much longer than allowed a node is watched, to know.
const overtime = 20 * time.Second

// judge waits until every one of some hosts is useful, and until it finds all
// the others, and holds both to the promise. It returns how long the slowest
// took to the one and to the other.
func (w *town) judge(hosts []*Host) (slowest way) {
	w.Helper()
	ctx, cancel := context.WithDeadline(w.Context(), w.ended.Add(waymark.BoundBack(false)+overtime))
	defer cancel()
	took, failed := make([]way, len(hosts)), make([]error, len(hosts))
	var all sync.WaitGroup
	for i, h := range hosts {
		all.Go(func() { took[i], failed[i] = w.back(ctx, h, hosts) })
	}
	all.Wait()
	for i, h := range hosts {
		slowest = way{max(slowest.useful, took[i].useful), max(slowest.whole, took[i].whole)}
		told := slices.Contains(w.told, h)
		switch {
		case failed[i] != nil:
			w.Errorf("%v is not back: %v", h, failed[i])
		case took[i].useful > waymark.BoundBack(told):
			w.Errorf("%v is useful after %v of %v", h, took[i].useful, waymark.BoundBack(told))
		case took[i].whole > waymark.BoundBack(false): // others have to notice too, and nobody tells them
			w.Errorf("%v finds all after %v of %v", h, took[i].whole, waymark.BoundBack(false))
		}
	}
	return slowest
}

// way is how long the way back took: until a walk of the node for itself
// converged, and until it found all the others.
type way struct{ useful, whole time.Duration }

// back waits until a host's node is useful, as it says itself and as a walk of
// it shows, and until that finds all the others.
func (w *town) back(ctx context.Context, h *Host, all []*Host) (took way, err error) {
	poll := time.NewTicker(time.Second)
	defer poll.Stop()
	for {
		r, err := h.Node.State(ctx)
		if err == nil && r.State == "ready" {
			r, err = h.Node.Find(ctx)
		}
		if took.useful == 0 && len(r.Found) > 0 {
			took.useful = time.Since(w.ended)
		}
		missing := w.missing(r.Found, h, all)
		switch {
		case err == nil && len(missing) == 0:
			took.whole = time.Since(w.ended)
			return took, nil
		case err != nil && ctx.Err() == nil:
			return took, err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return took, fmt.Errorf("it is %s (%s), has a table of %d and does not find %v", r.State, strings.Join(r.Reasons, "; "), len(r.Table), missing)
		}
	}
}

// missing returns whom a list of peers lacks, of those that a host can reach
// and that serve.
func (w *town) missing(peers []string, h *Host, all []*Host) (missing []*Host) {
	for _, other := range all {
		if other == h || other.Node.Spec.Mode != waymark.ModeServer || w.apart != nil && w.apart(h, other) {
			continue
		}
		if !slices.Contains(peers, other.Node.ID.String()) {
			missing = append(missing, other)
		}
	}
	return missing
}

// close ends every node, and holds it to what it promised.
func (w *town) close() (calls, dials int) {
	w.Helper()
	var mu sync.Mutex
	w.each("promises", w.hosts, func(ctx context.Context, h *Host) error {
		r, err := h.Node.State(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		calls, dials = calls+r.Calls, max(dials, worstMinute(r.Dials))
		return w.kept(h, r)
	})
	w.each("close", w.hosts, func(_ context.Context, h *Host) error { return h.Node.End() })
	return calls, dials
}

// kept says which promise a node has broken. While nobody asked it for anything
// it has to dial as little as it states.
func (w *town) kept(h *Host, r Reply) error {
	if r.Late > 0 || r.Overdue > 0 {
		return fmt.Errorf("%v: %d of %d calls outlived their bound, the slowest took %d ms; %d overdue", h, r.Late, r.Calls, r.Slowest, r.Overdue)
	}
	idle := slices.DeleteFunc(slices.Clone(r.Dials), func(at int64) bool {
		return inUse(h) || at < w.began.UnixNano() || at > w.ended.UnixNano()
	})
	if worst, most := worstMinute(idle), boot.DialsOffline(len(h.Node.Spec.Seeds), population); worst > most {
		return fmt.Errorf("%v dialled %d times in a minute, %d are stated", h, worst, most)
	}
	return nil
}

// worstMinute returns how many of some moments, in nanoseconds and in order,
// lie within one minute.
func worstMinute(at []int64) (worst int) {
	first := 0
	for i := range at {
		for at[i]-at[first] > int64(time.Minute) {
			first++
		}
		worst = max(worst, i-first+1)
	}
	return worst
}

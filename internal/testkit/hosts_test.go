package testkit

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark"
)

// Each scenario makes a town, spoils it for a while and mends it. Those with a
// short time are the sample.
var scenarios = []struct {
	name        string
	short, long time.Duration
	tell        func(*town)
}{
	{"a partition", 8 * time.Second, 60 * time.Second, partition},
	{"no network at all", 0, 45 * time.Second, blackout},
	{"one-way loss", 5 * time.Second, 30 * time.Second, oneWay},
	{"new addresses", 0, 15 * time.Second, newAddresses},
	{"hosts that vanish", 4 * time.Second, 30 * time.Second, vanish},
	{"behind an address translation", 0, 20 * time.Second, translated},
	{"IPv6 only", 0, 30 * time.Second, onlyIPv6},
	{"two LANs and a router", 0, 45 * time.Second, routed},
	{"two LANs and a host in both", 0, 20 * time.Second, joined},
	{"slow and lossy cables", 0, 20 * time.Second, lossy},
}

// TestHosts is promise 2 of the guarantee across network boundaries: ten hosts,
// each with a node in a process of its own.
func TestHosts(t *testing.T) {
	for _, c := range scenarios {
		lasts := c.long
		if !*whole {
			lasts = c.short
		}
		if lasts == 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("ten processes for half a minute")
			}
			t.Parallel()
			w := &town{T: t, lab: NewLab(t), lasts: lasts}
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("repeat: go test -count=1 -v -run '^%s$' ./internal/testkit -hosts.whole=%v", t.Name(), *whole)
				}
			})
			c.tell(w)
			calls, dials := w.close()
			t.Logf("| %s | %s | %.1f s | %.1f s | %.1f s | %d | %d |",
				time.Now().UTC().Format(time.DateOnly), c.name, w.ended.Sub(w.began).Seconds(), w.slow.useful.Seconds(), w.slow.whole.Seconds(), calls, dials)
		})
	}
}

// partition splits the town in two. All seeds are in one half.
func partition(w *town) {
	here, there := w.lab.Switch(), w.lab.Switch()
	w.populate(here)
	w.start(w.hosts[0], w.hosts[1])
	for _, h := range w.hosts[5:] {
		h.Move(there)
	}
	w.last()
	w.heal(func() {
		for _, h := range w.hosts[5:] {
			h.Move(here)
		}
	})
}

// blackout takes the switch away: nobody hears anybody.
func blackout(w *town) {
	sw := w.lab.Switch()
	w.populate(sw)
	w.start(w.hosts[0], w.hosts[1])
	w.lab.Turn(sw, false)
	w.last()
	w.heal(func() { w.lab.Turn(sw, true) })
}

// oneWay loses what one half sends to the other.
func oneWay(w *town) {
	w.populate(w.lab.Switch())
	w.start(w.hosts[0], w.hosts[9])
	for _, h := range w.hosts[:5] {
		h.Lose(w.hosts[5:]...)
	}
	w.last()
	w.heal(func() {
		for _, h := range w.hosts[:5] {
			h.Find(w.hosts[5:]...)
		}
	})
}

// newAddresses takes the addresses of four hosts, of a seed among them, and
// gives them others. A second seed stays.
func newAddresses(w *town) {
	w.populate(w.lab.Switch())
	w.start(w.hosts[0], w.hosts[5])
	movers := w.hosts[:4]
	w.told = movers
	for _, h := range movers {
		h.Unaddress()
	}
	w.last()
	w.heal(func() {
		for i, h := range movers {
			h.Address(ip4(0, 50+i))
		}
	})
}

// vanish takes four hosts away without a word, a seed among them. The others
// must get on with each other; then those that were lost are started anew.
func vanish(w *town) {
	w.populate(w.lab.Switch())
	seeds := []*Host{w.hosts[0], w.hosts[5]}
	w.start(seeds...)
	lost, left := w.hosts[:4], w.hosts[4:]
	for _, h := range lost {
		h.Vanish()
	}
	w.ended = time.Now() // for those who are left
	w.judge(left)
	w.last()
	for _, h := range lost {
		h.Return()
		h.Start(w.spec(h, seeds...))
	}
	w.heal(func() {
		for _, h := range lost {
			if err := h.Node.Listens(w.Context()); err != nil {
				w.Fatal(err)
			}
		}
	})
}

// translated has a host that only knows an address by which nobody reaches it,
// and whose connections seem to come from another, which changes.
func translated(w *town) {
	w.tcp = true
	w.populate(w.lab.Switch())
	inner := w.hosts[population-1]
	inside := netip.MustParsePrefix("198.19.0.2/32")
	inner.Inside(inside)
	spec := w.spec(inner, w.hosts[0], w.hosts[1])
	spec.Mode, spec.Ephemeral, spec.Listen = waymark.ModeAuto, true, []string{At(inside.Addr(), true)}
	inner.Start(spec)
	w.start(w.hosts[0], w.hosts[1])
	inner.Unaddress()
	w.last()
	w.heal(func() { inner.Address(ip4(0, 99)) })
	for _, h := range w.hosts {
		r, err := h.Node.State(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if slices.Contains(r.Table, inner.Node.ID.String()) {
			w.Errorf("%v has somebody in its table whom nobody reaches", h)
		}
		if wants := map[bool]string{true: "client", false: "server"}[h == inner]; r.Mode != wants {
			w.Errorf("%v is a %s", h, r.Mode)
		}
	}
}

// onlyIPv6 is a town without an address of IPv4, and its cables are pulled at
// three hosts, of which one is a seed.
func onlyIPv6(w *town) {
	sw := w.lab.Switch()
	for i := range population {
		w.hosts = append(w.hosts, w.lab.Host(sw, netip.MustParsePrefix(fmt.Sprintf("fd00:5741:59::%x/64", i+1))))
	}
	w.start(w.hosts[0], w.hosts[5])
	pulled := w.hosts[:3]
	for _, h := range pulled {
		h.Pull()
	}
	w.last()
	w.heal(func() {
		for _, h := range pulled {
			h.Push()
		}
	})
}

// twoLANs are five hosts on each of two switches; the host between is on both.
func twoLANs(w *town) (between *Host) {
	sw := [2]Switch{w.lab.Switch(), w.lab.Switch()}
	between = w.lab.Host(sw[0], ip4(0, 0))
	between.Plug(sw[1], ip4(1, 0))
	w.hosts = append(w.hosts, between)
	for i := 1; i < population; i++ {
		w.hosts = append(w.hosts, w.lab.Host(sw[i%2], ip4(i%2, i)))
	}
	return between
}

// routed has a host between two LANs that is a router, and stops to be one.
func routed(w *town) {
	between := twoLANs(w)
	for _, h := range w.hosts[1:] {
		mine := h.index % 2
		h.Route(ip4(1-mine, -1), between.Addr(mine))
	}
	between.Forward(true)
	w.start(between, w.hosts[1])
	between.Forward(false)
	w.last()
	w.heal(func() { between.Forward(true) })
}

// joined has a host in both LANs that passes nothing on: each LAN hears of the
// other's hosts and cannot reach them. It vanishes and comes back.
func joined(w *town) {
	between := twoLANs(w)
	w.apart = func(a, b *Host) bool { return a != between && b != between && a.index%2 != b.index%2 }
	w.start(between)
	between.Vanish()
	w.last()
	between.Return()
	between.Start(w.spec(between))
	w.heal(func() {
		if err := between.Node.Listens(w.Context()); err != nil {
			w.Fatal(err)
		}
	})
}

// lossy has five hosts on cables that delay and lose. Then those lose all.
func lossy(w *town) {
	sw := w.lab.Switch()
	bad := Shape{Delay: 40 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.02}
	for i := range population {
		if i%2 == 0 {
			w.hosts = append(w.hosts, w.lab.Host(sw, ip4(0, i)))
			continue
		}
		bad.Seed = uint64(i)
		w.hosts = append(w.hosts, w.lab.ShapedHost(sw, bad, ip4(0, i)))
	}
	w.start(w.hosts[0], w.hosts[1])
	cut := func(loss float64) {
		for i := 1; i < population; i += 2 {
			s := bad
			s.Loss = loss
			w.hosts[i].Reshape(s)
		}
	}
	cut(1)
	w.last()
	w.heal(func() { cut(bad.Loss) })
}

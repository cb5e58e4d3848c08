package testkit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
)

// LAN are the networks that hosts of a lab have their addresses in: those for
// the benchmarks of network equipment (RFC 2544) and the unique local ones of
// IPv6. No host of the Internet has an address in them.
var LAN = []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("fd00::/8")}

// Unavailable says why there can be no lab on this machine, or "".
var Unavailable = sync.OnceValue(why)

// Lab is a room full of hosts and the switches that they are plugged into. Its
// methods end the test if the kernel refuses something.
type Lab struct {
	testing.TB
	wires    *namespace // where the switches are
	switches int
	hosts    []*Host
}

// NewLab makes an empty lab, which is cleared away at the end of the test. It
// skips the test where there can be none.
func NewLab(t testing.TB) *Lab {
	t.Helper()
	if why := Unavailable(); why != "" {
		t.Skip("no hosts of their own: ", why)
	}
	wires, err := newNamespace()
	if err != nil {
		t.Fatal(err)
	}
	l := &Lab{TB: t, wires: wires}
	full := overflows()
	t.Cleanup(func() {
		if n := overflows() - full; n > 0 && t.Failed() {
			t.Logf("the kernel had no room for %d neighbours: net.ipv4.neigh.default.gc_thresh3 holds for all labs together", n)
		}
		l.close()
	})
	return l
}

func (l *Lab) close() {
	var ends sync.WaitGroup
	for _, h := range l.hosts {
		ends.Go(h.close)
	}
	ends.Wait()
	l.wires.close()
}

// must ends the test after an error.
func (l *Lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// Switch is a bridge of the kernel.
type Switch int

// Switch makes one.
func (l *Lab) Switch() Switch {
	l.Helper()
	s := Switch(l.switches)
	l.switches++
	l.must(l.wires.ip(fmt.Sprintf("link add name sw%d type bridge mcast_snooping 0", s), fmt.Sprintf("link set sw%d up", s)))
	return s
}

// Turn turns a switch on or off: the interfaces that are plugged into it see
// nothing of it.
func (l *Lab) Turn(s Switch, on bool) {
	l.Helper()
	l.must(l.wires.ip(fmt.Sprintf("link set sw%d %s", s, upDown(on))))
}

func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

// Host is a network namespace with interfaces eth0, eth1 … and at most one node.
type Host struct {
	lab   *Lab
	index int
	ns    *namespace
	ports []port
	wire  *cable // of eth0, if that is shaped
	Node  *Node  // the latest
}

// port is one end of a cable in the switches' namespace; the other is ethN.
type port struct {
	name  string // in the switches' namespace
	at    Switch
	addrs []netip.Prefix
}

// Host makes a host, with one interface.
func (l *Lab) Host(at Switch, addrs ...netip.Prefix) *Host {
	l.Helper()
	h := l.Unplugged()
	h.Plug(at, addrs...)
	return h
}

// Unplugged makes a host that has no interface yet.
func (l *Lab) Unplugged() *Host {
	l.Helper()
	ns, err := newNamespace()
	l.must(err)
	h := &Host{lab: l, index: len(l.hosts), ns: ns}
	l.hosts = append(l.hosts, h)
	return h
}

// Plug gives the host one more interface.
func (h *Host) Plug(at Switch, addrs ...netip.Prefix) {
	h.lab.Helper()
	h.ports = append(h.ports, port{name: fmt.Sprintf("h%de%d", h.index, len(h.ports)), at: at, addrs: addrs})
	h.cable(len(h.ports) - 1)
}

// cable puts in the cable of an interface and gives it its addresses.
func (h *Host) cable(i int) {
	h.lab.Helper()
	p := h.ports[i]
	h.lab.must(h.lab.wires.ip(
		fmt.Sprintf("link add name %s type veth peer name eth%d netns %d", p.name, i, h.ns.pid()),
		fmt.Sprintf("link set %s master sw%d up", p.name, p.at),
	))
	h.up(i)
}

// up configures an interface that is there.
func (h *Host) up(i int) {
	h.lab.Helper()
	lines := []string{}
	if !slices.ContainsFunc(h.ports[i].addrs, func(a netip.Prefix) bool { return a.Addr().Is6() }) {
		lines = append(lines, fmt.Sprintf("link set eth%d addrgenmode none", i))
	}
	lines = append(lines, fmt.Sprintf("link set eth%d up", i))
	for _, a := range h.ports[i].addrs {
		lines = append(lines, addrLine("add", a, i))
	}
	h.lab.must(h.ns.ip(lines...))
}

func addrLine(verb string, a netip.Prefix, i int) string {
	line := fmt.Sprintf("addr %s %s dev eth%d", verb, a, i)
	if verb == "add" && a.Addr().Is6() {
		line += " nodad" // which takes a second
	}
	return line
}

// Pull takes the cable of the first interface out: both ends see that.
func (h *Host) Pull() { h.lab.Helper(); h.link(false) }

// Push puts it back in.
func (h *Host) Push() { h.lab.Helper(); h.link(true) }

func (h *Host) link(up bool) {
	h.lab.Helper()
	h.lab.must(h.lab.wires.ip(fmt.Sprintf("link set %s %s", h.ports[0].name, upDown(up))))
}

// Move plugs the host into another switch: its interface sees nothing of it.
func (h *Host) Move(to Switch) {
	h.lab.Helper()
	h.ports[0].at = to
	h.lab.must(h.lab.wires.ip(fmt.Sprintf("link set %s master sw%d", h.ports[0].name, to)))
}

// Unaddress takes the address of the host's first interface away.
func (h *Host) Unaddress() {
	h.lab.Helper()
	h.lab.must(h.ns.ip(addrLine("del", h.ports[0].addrs[0], 0)))
}

// Address gives the first interface another address in place of its first.
func (h *Host) Address(to netip.Prefix) {
	h.lab.Helper()
	h.ports[0].addrs = slices.Clone(h.ports[0].addrs)
	h.ports[0].addrs[0] = to
	h.lab.must(h.ns.ip(addrLine("add", to, 0)))
}

// Inside gives the host one more address, which no other host has a route to.
func (h *Host) Inside(at netip.Prefix) {
	h.lab.Helper()
	h.lab.must(h.ns.ip(fmt.Sprintf("addr add %s dev lo", at)))
}

// nobody is a hardware address that no host of a lab has.
const nobody = "02:00:00:00:00:00"

// Lose lets everything vanish that the host sends to others: its route to them
// ends at a neighbour that is not there. What they send arrives.
func (h *Host) Lose(to ...*Host) {
	h.lab.Helper()
	h.neighbours("replace", " lladdr "+nobody+" nud permanent", to)
}

// Find undoes Lose.
func (h *Host) Find(to ...*Host) { h.lab.Helper(); h.neighbours("del", "", to) }

func (h *Host) neighbours(verb, what string, to []*Host) {
	h.lab.Helper()
	var lines []string
	for _, other := range to {
		for _, a := range other.ports[0].addrs {
			lines = append(lines, fmt.Sprintf("neigh %s %s dev eth0%s", verb, a.Addr(), what))
		}
	}
	h.lab.must(h.ns.ip(lines...))
}

// Route sends what is for a network by way of a neighbour.
func (h *Host) Route(to netip.Prefix, via netip.Addr) {
	h.lab.Helper()
	h.lab.must(h.ns.ip(fmt.Sprintf("route add %s via %s", to.Masked(), via)))
}

// Forward makes the host a router between its interfaces, or no longer.
func (h *Host) Forward(on bool) {
	h.lab.Helper()
	value := "0"
	if on {
		value = "1"
	}
	h.lab.must(h.ns.set("net/ipv4/ip_forward", value))
}

// Vanish ends the host's node without a word: the cables go first, and then the
// process is killed.
func (h *Host) Vanish() {
	h.lab.Helper()
	for _, p := range h.ports {
		h.lab.must(h.lab.wires.ip("link del " + p.name))
	}
	if h.Node != nil {
		h.Node.kill()
	}
}

// Return puts the cables back in, after Vanish.
func (h *Host) Return() {
	h.lab.Helper()
	for i := range h.ports {
		h.cable(i)
	}
}

// Addr returns the host's address on an interface.
func (h *Host) Addr(i int) netip.Addr { return h.ports[i].addrs[0].Addr() }

// String names the host in messages.
func (h *Host) String() string {
	var addrs []string
	for _, p := range h.ports {
		for _, a := range p.addrs {
			addrs = append(addrs, a.Addr().String())
		}
	}
	return fmt.Sprintf("host %d (%s)", h.index, strings.Join(addrs, " "))
}

func (h *Host) close() {
	if h.Node != nil {
		h.Node.end()
	}
	if h.wire != nil {
		h.wire.close()
	}
	h.ns.close()
}

package testkit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/waymark-dht/waymark"
)

// mdnsName is what the nodes of a lab look for; nobody else does.
const mdnsName = "_waymark-lab._udp"

// ip6 is the address of a host in one of the lab's IPv6 networks.
func ip6(network, host int) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf("fd00:5741:59:%x::%x/64", network, host+1))
}

// newVillage is hosts that know no seed, and look around.
func newVillage(t *testing.T) *town {
	if testing.Short() {
		t.Skip("processes for half a minute")
	}
	t.Parallel()
	return &town{T: t, lab: NewLab(t), mdns: mdnsName}
}

// together waits until some hosts have found each other.
func (w *town) together(what string, hosts ...*Host) {
	w.Helper()
	w.ended = time.Now()
	slow := w.judge(hosts)
	w.Logf("| %s | %s | %.1f s | %.1f s |", time.Now().UTC().Format(time.DateOnly), what, slow.useful.Seconds(), slow.whole.Seconds())
}

// begin starts the nodes of some hosts.
func (w *town) begin(hosts ...*Host) {
	w.Helper()
	for _, h := range hosts {
		h.Start(w.spec(h))
	}
	w.each("start", hosts, func(ctx context.Context, h *Host) error { return h.Node.Listens(ctx) })
}

// TestNeighboursFindEachOther: nodes that know no seed find each other by
// multicast DNS, in two LANs of which neither finds the other. One of them comes
// later, and one leaves with a goodbye.
func TestNeighboursFindEachOther(t *testing.T) {
	for family, addr := range map[string]func(network, host int) netip.Prefix{"IPv4": ip4, "IPv6": ip6} {
		t.Run(family, func(t *testing.T) {
			w := newVillage(t)
			here, there := w.lab.Switch(), w.lab.Switch()
			for i := range 5 {
				at := here
				if i > 2 {
					at = there
				}
				w.hosts = append(w.hosts, w.lab.Host(at, addr(0, i)))
			}
			w.apart = func(a, b *Host) bool { return a.index/3 != b.index/3 }
			w.began = time.Now()
			goodbye := w.lab.Host(here, addr(0, 9)).overhear(family)
			first, late, others := w.hosts[:2], w.hosts[2], w.hosts[3:]
			w.begin(append(slices.Clone(first), others...)...)
			w.together(family+": two LANs of two", append(slices.Clone(first), others...)...)
			w.begin(late)
			w.together(family+": one more comes", w.hosts[:3]...)
			if err := first[0].Node.End(); err != nil {
				t.Error(err)
			}
			if name, err := goodbye(t.Context()); err != nil {
				t.Errorf("no goodbye: %v", err)
			} else if !strings.HasSuffix(name, "."+mdnsName+".local.") {
				t.Errorf("goodbye of %q", name)
			}
			for _, h := range w.hosts[1:] {
				r, err := h.Node.Find(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, stranger := range w.hosts {
					if w.apart(h, stranger) && slices.Contains(slices.Concat(r.Table, r.Found), stranger.Node.ID.String()) {
						t.Errorf("%v knows %v, which is in another LAN", h, stranger)
					}
				}
				if slices.Contains(r.Found, first[0].Node.ID.String()) {
					t.Errorf("%v finds %v, which has left", h, first[0])
				}
			}
			w.hosts = w.hosts[1:]
			w.close()
		})
	}
}

// TestAnInterfaceThatComesLaterHasNeighbours: the node starts on a machine without
// any network, is plugged in, gets another address, and is moved to another LAN.
func TestAnInterfaceThatComesLaterHasNeighbours(t *testing.T) {
	w := newVillage(t)
	here, there := w.lab.Switch(), w.lab.Switch()
	w.tcp = true
	mate, other, late := w.lab.Host(here, ip4(0, 0)), w.lab.Host(there, ip4(0, 1)), w.lab.Unplugged()
	w.hosts = []*Host{mate, other, late}
	w.began = time.Now()
	w.begin(mate, other)
	late.Start(Spec{Key: uint64(late.index + 1), Mode: waymark.ModeServer, MDNS: mdnsName, Listen: []string{Listen(ip4(0, 2).Addr(), true)}})
	w.each("start", w.hosts[2:], func(ctx context.Context, h *Host) error { return h.Node.Listens(ctx) })
	if r, err := late.Node.State(t.Context()); err != nil || r.State == "ready" || len(r.Table) > 0 {
		t.Errorf("without a network it is %s with %d contacts: %v", r.State, len(r.Table), err)
	}
	late.Plug(here, ip4(0, 2))
	w.together("an interface comes later", mate, late)
	late.Unaddress()
	late.Address(ip4(0, 7))
	w.together("its address changes", mate, late)
	w.ended = time.Now()
	late.Move(there)
	late.Unaddress()
	late.Address(ip4(0, 8))
	w.together("it moves to another LAN", other, late)
	w.close()
}

// spyEnvironment makes this program overhear who says goodbye, by a family.
const spyEnvironment = "WAYMARK_TESTKIT_SPY"

// overhear begins to listen on a host, and returns a wait for the next goodbye.
func (h *Host) overhear(family string) func(context.Context) (name string, err error) {
	h.lab.Helper()
	self, err := os.Executable()
	h.lab.must(err)
	cmd := h.ns.command(self)
	cmd.Env = append(os.Environ(), spyEnvironment+"="+family)
	in, err := cmd.StdinPipe()
	h.lab.must(err)
	out, err := cmd.StdoutPipe()
	h.lab.must(err)
	var said tail
	cmd.Stderr = &said
	h.lab.must(cmd.Start())
	lines := make(chan string, 64)
	go func() {
		defer close(lines)
		for text := bufio.NewScanner(out); text.Scan(); {
			lines <- text.Text()
		}
	}()
	h.lab.Cleanup(func() {
		in.Close()
		for range lines {
		}
		cmd.Wait()
	})
	if up := <-lines; up != "up" {
		h.lab.Fatalf("%v does not overhear anybody: %q %s", h, up, said.String())
	}
	return func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, startTime)
		defer cancel()
		select {
		case name, ok := <-lines:
			if !ok {
				return "", errors.New(said.String())
			}
			return name, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// spy prints the name of each announcement that is withdrawn, until its input ends.
func spy(family string) (code int) {
	group, network := net.IPv4(224, 0, 0, 251), "udp4"
	if family == "IPv6" {
		group, network = net.ParseIP("ff02::fb"), "udp6"
	}
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	heard, err := net.ListenMulticastUDP(network, eth0, &net.UDPAddr{IP: group, Port: 5353})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("up")
	go func() {
		bufio.NewReader(os.Stdin).ReadByte() // until it ends
		heard.Close()
	}()
	for buf := make([]byte, 1<<16); ; {
		n, _, err := heard.ReadFromUDP(buf)
		if err != nil {
			return 0
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil {
			continue
		}
		for _, a := range m.Answers {
			if to, is := a.Body.(*dnsmessage.PTRResource); is && a.Header.TTL == 0 && strings.HasPrefix(a.Header.Name.String(), mdnsName) {
				fmt.Println(to.PTR.String())
			}
		}
	}
}

package testkit

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waymark-dht/waymark"
)

// TestNothingLeavesALab looks for a way out of a host, and for a way in.
func TestNothingLeavesALab(t *testing.T) {
	before := interfaces(t)
	l := NewLab(t)
	h := l.Host(l.Switch(), ip4(0, 0), netip.MustParsePrefix("fd00:5741:59::1/64"))
	if got := interfaces(t); got != before {
		t.Errorf("whoever runs the lab has the interfaces %s, and had %s", got, before)
	}
	for _, outside := range []string{"192.0.2.1", "203.0.113.9", "2001:db8::1"} { // documentation: nobody's
		if out, err := h.ns.command("ip", "route", "get", outside).CombinedOutput(); err == nil {
			t.Errorf("there is a way to %s: %s", outside, out)
		}
	}
	if out, err := h.ns.command("ip", "route", "get", ip4(0, 1).Addr().String()).CombinedOutput(); err != nil {
		t.Errorf("there is no way to a neighbour: %s", out)
	}
}

func interfaces(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	return strings.Join(names, " ")
}

// victim makes this program build a lab and wait for its end.
const victim = "WAYMARK_TESTKIT_VICTIM"

// TestALabEndsWithItsProcess kills one that has hosts, a node and a cable that
// is a process.
func TestALabEndsWithItsProcess(t *testing.T) {
	if why := Unavailable(); why != "" {
		t.Skip("no hosts of their own: ", why)
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestALabToBeKilled$", "-test.v")
			cmd.Env = append(os.Environ(), victim+"=1")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var ids []string
			for lines := bufio.NewScanner(out); len(ids) == 0 && lines.Scan(); {
				if list, is := strings.CutPrefix(lines.Text(), "namespaces "); is {
					ids = strings.Fields(list)
				}
			}
			if n := len(inside(t, ids)); n < 3+2 {
				t.Errorf("%d processes are in the lab", n)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Error(err)
			}
			cmd.Wait()
			if left := emptied(t, ids); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// emptied waits until no process is in any of some namespaces, which then are
// no more, and returns who is left if that does not happen.
func emptied(t *testing.T, ids []string) (left []string) {
	t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	limit := time.NewTimer(startTime)
	defer limit.Stop()
	for {
		if left = inside(t, ids); len(left) == 0 {
			return nil
		}
		select {
		case <-poll.C:
		case <-limit.C:
			return left
		}
	}
}

// inside returns the processes in some namespaces.
func inside(t *testing.T, ids []string) (all []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if id, err := os.Readlink(link); err == nil && slices.Contains(ids, id) {
			all = append(all, link)
		}
	}
	return all
}

// TestALabToBeKilled is what TestALabEndsWithItsProcess kills.
func TestALabToBeKilled(t *testing.T) {
	if os.Getenv(victim) == "" {
		t.Skip("it is a part of TestALabEndsWithItsProcess")
	}
	l := NewLab(t)
	sw := l.Switch()
	plain, shaped := l.Host(sw, ip4(0, 0)), l.ShapedHost(sw, Shape{}, ip4(0, 1))
	n := plain.Start(Spec{Key: 1, Mode: waymark.ModeServer, Listen: []string{Listen(plain.Addr(0), true)}})
	if err := n.Listens(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := []string{"namespaces"}
	for _, ns := range []*namespace{l.wires, plain.ns, shaped.ns} {
		id, err := ns.id()
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	fmt.Println(strings.Join(ids, " "))
	<-time.After(startTime)
}

package testkit

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// namespace is a network namespace without a name. It lives as long as the
// keeper in it, which reads a pipe of ours: when this process ends, even by
// SIGKILL, the pipe is closed, the keeper ends, and the kernel removes the
// namespace with all that is in it.
type namespace struct {
	keeper *exec.Cmd
	leash  io.Closer
}

func newNamespace() (*namespace, error) {
	n := &namespace{keeper: exec.Command("cat")}
	n.keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	leash, err := n.keeper.StdinPipe()
	if err == nil {
		n.leash = leash
		err = n.keeper.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("testkit: a network namespace: %w", err)
	}
	if err := n.ip("link set lo up"); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// pid is a process in the namespace, by which the kernel finds it.
func (n *namespace) pid() int { return n.keeper.Process.Pid }

// command returns a program that is to run in the namespace.
func (n *namespace) command(program string, args ...string) *exec.Cmd {
	at := fmt.Sprintf("--net=/proc/%d/ns/net", n.pid())
	return exec.Command("nsenter", append([]string{at, "--", program}, args...)...)
}

// ip carries out lines of ip-batch(8) in the namespace.
func (n *namespace) ip(lines ...string) error { return n.batch("ip", lines) }

func (n *namespace) batch(program string, lines []string) error {
	c := n.command(program, "-batch", "-")
	c.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("testkit: %s %q: %w: %s", program, lines, err, bytes.TrimSpace(out))
	}
	return nil
}

// set writes a variable of the kernel, such as net/ipv4/ip_forward.
func (n *namespace) set(name, value string) error {
	out, err := n.command("sh", "-c", `printf %s "$2" >"/proc/sys/$1"`, "sh", name, value).CombinedOutput()
	if err != nil {
		return fmt.Errorf("testkit: %s = %s: %w: %s", name, value, err, bytes.TrimSpace(out))
	}
	return nil
}

// id is what the kernel calls the namespace.
func (n *namespace) id() (string, error) { return os.Readlink(fmt.Sprintf("/proc/%d/ns/net", n.pid())) }

func (n *namespace) close() {
	n.leash.Close()
	n.keeper.Wait() // cat ends at the end of its input
}

// overflows returns how often the kernel had no room for a neighbour. All
// namespaces of a machine share one table for IPv4 and one for IPv6, of 1024
// entries if nobody has changed that; a lab of ten hosts takes 90.
func overflows() (n uint64) {
	for _, table := range []string{"arp_cache", "ndisc_cache"} {
		text, _ := os.ReadFile("/proc/net/stat/" + table) // without it the answer is none
		names, rows, _ := strings.Cut(string(text), "\n")
		full := slices.Index(strings.Fields(names), "table_fulls")
		for row := range strings.Lines(rows) { // one for each processor
			if values := strings.Fields(row); full >= 0 && full < len(values) {
				times, _ := strconv.ParseUint(values[full], 16, 64)
				n += times
			}
		}
	}
	return n
}

// why says what is missing for namespaces, or nothing.
func why() string {
	if os.Geteuid() != 0 {
		return "network namespaces need root"
	}
	for _, tool := range []string{"ip", "bridge", "nsenter", "cat"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " is missing: apt-get install -y iproute2 util-linux"
		}
	}
	n, err := newNamespace()
	if err != nil {
		return err.Error()
	}
	defer n.close()
	if err := n.ip("link add name sw0 type bridge", "link add name p0 type veth peer name p1"); err != nil {
		return "no bridge or veth: " + err.Error()
	}
	return ""
}

package testkit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Node is a node in a process of its own, on a host.
type Node struct {
	Spec Spec
	ID   peer.ID
	Bye  *Bye // what it said at its end

	host   *Host
	cmd    *exec.Cmd
	in     io.WriteCloser
	errors tail
	up     chan struct{}
	ended  chan struct{} // its output has ended

	mu      sync.Mutex
	asked   int
	replies map[int]chan Reply
	ready   []time.Time // when it became ready
	changed chan struct{}
	killed  bool
}

// Start begins a node on the host, in a process of its own: this test program
// once more, whose TestMain has to call Main.
func (h *Host) Start(spec Spec) *Node {
	h.lab.Helper()
	self, err := os.Executable()
	h.lab.must(err)
	n := &Node{
		Spec: spec, ID: spec.ID(), host: h, cmd: h.ns.command(self), up: make(chan struct{}), ended: make(chan struct{}),
		replies: make(map[int]chan Reply), changed: make(chan struct{}),
	}
	n.cmd.Env = append(os.Environ(), environment+"="+spec.encode(), "GOMAXPROCS=2")
	n.cmd.Stderr = &n.errors
	n.in, err = n.cmd.StdinPipe()
	h.lab.must(err)
	out, err := n.cmd.StdoutPipe()
	h.lab.must(err)
	h.lab.must(n.cmd.Start())
	h.Node = n
	go n.read(out)
	return n
}

// Listens waits until the node listens.
func (n *Node) Listens(ctx context.Context) error {
	select {
	case <-n.up:
		return nil
	case <-n.ended:
		return fmt.Errorf("%v: the node did not start: %s", n.host, n.errors.String())
	case <-ctx.Done():
		return fmt.Errorf("%v: the node does not listen: %w: %s", n.host, ctx.Err(), n.errors.String())
	}
}

// startTime is what many processes may take to start or to end at once on a busy
// machine.
const startTime = 60 * time.Second

func (n *Node) read(out io.Reader) {
	defer close(n.ended)
	for lines := bufio.NewReader(out); ; {
		text, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			fmt.Fprintf(&n.errors, "it says %q\n", text)
			continue
		}
		n.heard(l)
	}
}

func (n *Node) heard(l line) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch l.What {
	case isUp:
		close(n.up)
	case isReady:
		n.ready = append(n.ready, time.Unix(0, l.At))
		close(n.changed)
		n.changed = make(chan struct{})
	case isReply:
		if to := n.replies[l.N]; to != nil {
			to <- l.Reply // it has room
			delete(n.replies, l.N)
		}
	case isBye:
		n.Bye = &l.Bye
	}
}

// ReadyAfter waits until the node says that a walk for the node itself has
// converged after a moment, and returns when that was.
func (n *Node) ReadyAfter(ctx context.Context, after time.Time) (time.Time, error) {
	for {
		n.mu.Lock()
		at, changed := n.ready, n.changed
		n.mu.Unlock()
		if i := slices.IndexFunc(at, func(t time.Time) bool { return t.After(after) }); i >= 0 {
			return at[i], nil
		}
		select {
		case <-changed:
		case <-n.ended:
			return time.Time{}, fmt.Errorf("%v: its process has ended: %s", n.host, n.errors.String())
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

// State asks the node how it is. It sends nothing to others.
func (n *Node) State(ctx context.Context) (Reply, error) { return n.ask(ctx, "state") }

// Find has the node walk to its own key.
func (n *Node) Find(ctx context.Context) (Reply, error) { return n.ask(ctx, "find") }

// Use has the node look something up every second from now on, Rest no longer.
func (n *Node) Use(ctx context.Context) error  { _, err := n.ask(ctx, "use"); return err }
func (n *Node) Rest(ctx context.Context) error { _, err := n.ask(ctx, "rest"); return err }

func (n *Node) ask(ctx context.Context, what string) (Reply, error) {
	answer := make(chan Reply, 1)
	n.mu.Lock()
	n.asked++
	r := request{N: n.asked, Do: what}
	n.replies[r.N] = answer
	text, _ := json.Marshal(r) // it is a number and a word
	_, err := n.in.Write(append(text, '\n'))
	n.mu.Unlock()
	if err != nil {
		return Reply{}, fmt.Errorf("%v: %w: %s", n.host, err, n.errors.String())
	}
	select {
	case got := <-answer:
		return got, nil
	case <-n.ended:
		return Reply{}, fmt.Errorf("%v: its process has ended: %s", n.host, n.errors.String())
	case <-ctx.Done():
		return Reply{}, fmt.Errorf("%v does not answer %q: %w", n.host, what, ctx.Err())
	}
}

// kill ends the process without a word.
func (n *Node) kill() {
	n.mu.Lock()
	n.killed = true
	n.mu.Unlock()
	n.cmd.Process.Kill()
	<-n.ended
	n.cmd.Wait()
}

// End has the node close, and returns an error if it did not do so as promised.
func (n *Node) End() error {
	if n.gone() {
		return nil
	}
	err := n.end()
	switch {
	case err != nil:
		return fmt.Errorf("%v: %w: %s", n.host, err, n.errors.String())
	case n.Bye == nil:
		return fmt.Errorf("%v: the node ended without a word: %s", n.host, n.errors.String())
	case n.Bye.Left != "":
		return fmt.Errorf("%v: left over: %s", n.host, n.Bye.Left)
	case n.Bye.Repeated > 0, n.Bye.Open > 0 && n.Bye.Missed == 0:
		return fmt.Errorf("%v: %d operations never ended, %d more than once", n.host, n.Bye.Open, n.Bye.Repeated)
	}
	return nil
}

func (n *Node) gone() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	gone := n.killed
	n.killed = true
	return gone
}

// end closes the node's input, upon which it ends by itself, and waits.
func (n *Node) end() error {
	n.in.Close()
	limit := time.NewTimer(startTime)
	defer limit.Stop()
	late := false
	select {
	case <-n.ended:
	case <-limit.C:
		late = true
		n.cmd.Process.Kill()
		<-n.ended
	}
	err := n.cmd.Wait()
	if late {
		err = errors.Join(fmt.Errorf("not ended after %v", startTime), err)
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// tailSize holds a stack trace.
const tailSize = 8 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// opLimit is what one operation of a stranger may take: js and rust give a
// request ten seconds.
const opLimit = 20 * time.Second

// kind is one implementation: its name and the program that runs a peer of it.
type kind struct {
	Name string
	Argv []string
}

// proc is one peer that runs.
type proc struct {
	Kind  string
	ID    string
	Addrs []string

	cmd  *exec.Cmd
	in   io.WriteCloser
	mu   sync.Mutex
	last int
	wait map[int]chan reply
	gone chan struct{}
}

// reply is one line out.
type reply struct {
	ID     *int            `json:"id"`
	OK     bool            `json:"ok"`
	Ms     float64         `json:"ms"`
	Error  string          `json:"error"`
	Result json.RawMessage `json:"result"`

	Event  string   `json:"event"`
	PeerID string   `json:"peerId"`
	Addrs  []string `json:"addrs"`
}

// args are the fields of a request beside id and op.
type args map[string]any

// spawn starts a peer and waits until it is ready.
func spawn(ctx context.Context, k kind, flags ...string) (*proc, error) {
	p := &proc{Kind: k.Name, wait: map[int]chan reply{}, gone: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, k.Argv[0], append(append([]string{}, k.Argv[1:]...), flags...)...)
	if os.Getenv("INTEROP_STDERR") != "" {
		p.cmd.Stderr = os.Stderr
	}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan reply, 1)
	go p.read(out, ready)
	select {
	case r := <-ready:
		p.ID, p.Addrs = r.PeerID, r.Addrs
		return p, nil
	case <-p.gone:
		err = errors.New("it ended before it was ready")
	case <-time.After(opLimit):
		err = errors.New("it was not ready in time")
	}
	p.stop()
	return nil, fmt.Errorf("%s: %w", k.Name, err)
}

// read hands every line to who waits for it.
func (p *proc) read(out io.Reader, ready chan<- reply) {
	defer close(p.gone)
	in := bufio.NewScanner(out)
	in.Buffer(nil, 4<<20)
	for in.Scan() {
		var r reply
		if json.Unmarshal(in.Bytes(), &r) != nil {
			continue
		}
		if r.Event == "ready" {
			ready <- r
			continue
		}
		if r.ID == nil {
			continue
		}
		p.mu.Lock()
		w := p.wait[*r.ID]
		delete(p.wait, *r.ID)
		p.mu.Unlock()
		if w != nil {
			w <- r
		}
	}
}

// do has the peer carry out an operation and decodes its result.
func (p *proc) do(op string, a args, result any) error { return p.doWithin(op, a, result, opLimit) }

func (p *proc) doWithin(op string, a args, result any, limit time.Duration) error {
	line := map[string]any{"op": op, "timeoutMs": limit.Milliseconds()}
	for k, v := range a {
		line[k] = v
	}
	answer := make(chan reply, 1)
	p.mu.Lock()
	p.last++
	line["id"] = p.last
	p.wait[p.last] = answer
	err := json.NewEncoder(p.in).Encode(line)
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s %s: %w", p.Kind, op, err)
	}
	timer := time.NewTimer(limit + 2*time.Second)
	defer timer.Stop()
	select {
	case r := <-answer:
		if !r.OK {
			return fmt.Errorf("%s %s: %s", p.Kind, op, r.Error)
		}
		if result != nil && len(r.Result) > 0 {
			return json.Unmarshal(r.Result, result)
		}
		return nil
	case <-p.gone:
		return fmt.Errorf("%s %s: the peer has ended", p.Kind, op)
	case <-timer.C:
		return fmt.Errorf("%s %s: no answer within %v", p.Kind, op, limit)
	}
}

// connect connects the peer to another.
func (p *proc) connect(to *proc) error { return p.do("connect", args{"addr": to.Addrs[0]}, nil) }

// knows waits until the peer has another in its routing table.
func (p *proc) knows(other *proc, within time.Duration) error {
	for end := time.Now().Add(within); ; {
		var t struct{ Peers []string }
		if err := p.do("routingTable", nil, &t); err != nil {
			return err
		}
		for _, id := range t.Peers {
			if id == other.ID {
				return nil
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s does not have %s in its table of %d after %v", p.Kind, other.Kind, len(t.Peers), within)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// stop ends the peer by the end of its input, and by force if that is not enough.
func (p *proc) stop() {
	_ = p.in.Close()
	timer := time.AfterFunc(3*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Wait()
}

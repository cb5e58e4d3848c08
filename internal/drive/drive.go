// Package drive runs a peer, of whatever implementation, as a program and has it
// carry out operations by lines of JSON; interop/README.md has the language. It
// may not know Kademlia, hosts or what an operation means. Start reading at
// Program.Do.
package drive

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// Program is a peer that runs. Safe for concurrent use.
type Program struct {
	ID    string   // its peer ID, as it says
	Addrs []string // its addresses with the peer ID, as it says; at least one

	cmd  *exec.Cmd
	in   io.WriteCloser
	pen  chan struct{} // held by who writes to in
	mu   sync.Mutex
	last int
	wait map[int]chan reply
	gone chan struct{}
}

// reply is one line out of the program.
type reply struct {
	ID     *int            `json:"id"`
	OK     bool            `json:"ok"`
	Error  string          `json:"error"`
	Result json.RawMessage `json:"result"`

	Event  string   `json:"event"`
	PeerID string   `json:"peerId"`
	Addrs  []string `json:"addrs"`
}

// The limits of a program. The slowest to start is one that is compiled as it is
// loaded, beside others that are.
const (
	readyLimit = 20 * time.Second
	stopLimit  = 3 * time.Second
	lineLimit  = 4 << 20 // bytes: a table of ten thousand peers
)

// What becomes of a program instead of an answer.
var (
	// ErrNotDriven says that a program did not become ready.
	ErrNotDriven = errors.New("the program cannot be driven")
	// ErrEnded says that a program has ended.
	ErrEnded = errors.New("the program has ended")
)

// Start starts a program and waits until it is ready: at most 20 seconds, or as
// long as ctx lets it. Where the program's stderr goes is the command's to say.
func Start(ctx context.Context, cmd *exec.Cmd) (*Program, error) {
	p := &Program{cmd: cmd, pen: make(chan struct{}, 1), wait: map[int]chan reply{}, gone: make(chan struct{})}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotDriven, err)
	}
	ready := make(chan reply, 1)
	go p.read(out, ready)
	if err := p.becomesReady(ctx, ready); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Program) becomesReady(ctx context.Context, ready <-chan reply) error {
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	select {
	case r := <-ready:
		if p.ID, p.Addrs = r.PeerID, r.Addrs; len(r.Addrs) > 0 {
			return nil
		}
		return fmt.Errorf("%w: it has no address", ErrNotDriven)
	case <-p.gone:
		return fmt.Errorf("%w: it ended before it was ready", ErrNotDriven)
	case <-limit.C:
		return fmt.Errorf("%w: it was not ready within %v", ErrNotDriven, readyLimit)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read hands every line to who waits for it. Whatever is not of the language is
// passed over: programs talk.
func (p *Program) read(out io.Reader, ready chan<- reply) {
	defer close(p.gone)
	in := bufio.NewScanner(out)
	in.Buffer(nil, lineLimit)
	for in.Scan() {
		var r reply
		switch {
		case json.Unmarshal(in.Bytes(), &r) != nil:
		case r.Event == "ready":
			select {
			case ready <- r:
			default: // it said so before
			}
		case r.ID != nil:
			if w := p.waiting(*r.ID); w != nil {
				w <- r
			}
		}
	}
}

// waiting returns who waits for an answer, who then waits no more.
func (p *Program) waiting(id int) chan reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.wait[id]
	delete(p.wait, id)
	return w
}

// Do has the program carry out an operation within its own limit, which is told
// to it, and decodes the result unless that is nil. It waits until ctx ends,
// ErrEnded if the program ends before.
func (p *Program) Do(ctx context.Context, op string, args map[string]any, limit time.Duration, result any) error {
	id, answer, line := p.ask(op, args, limit)
	if err := p.send(ctx, line); err != nil {
		p.waiting(id)
		return fmt.Errorf("%s: %w", op, err)
	}
	select {
	case r := <-answer:
		return r.into(result)
	case <-p.gone:
		select {
		case r := <-answer: // its last words
			return r.into(result)
		default:
			return ErrEnded
		}
	case <-ctx.Done():
		p.waiting(id)
		return ctx.Err()
	}
}

// into decodes the result of an operation that succeeded.
func (r reply) into(result any) error {
	if !r.OK {
		return errors.New(r.Error)
	}
	if result == nil || len(r.Result) == 0 {
		return nil
	}
	return json.Unmarshal(r.Result, result)
}

// ask makes the line of an operation, and a place for its answer.
func (p *Program) ask(op string, args map[string]any, limit time.Duration) (id int, answer chan reply, line map[string]any) {
	line = map[string]any{"op": op, "timeoutMs": limit.Milliseconds()}
	for k, v := range args {
		line[k] = v
	}
	answer = make(chan reply, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	line["id"] = p.last
	p.wait[p.last] = answer
	return p.last, answer, line
}

// send writes a line, and waits for that as long as ctx lets it: the pipe of a
// program that does not read is full some day. One that is given up goes on
// until the program reads, or Close.
func (p *Program) send(ctx context.Context, line map[string]any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	select {
	case p.pen <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	sent := make(chan error, 1)
	go func() {
		_, err := p.in.Write(append(text, '\n'))
		<-p.pen
		sent <- err
	}()
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// PID is the program's process, for who asks the machine what it uses.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// Close ends the program by the end of its input, and by force if it is not gone
// three seconds later. It is an error if the program did not end well.
func (p *Program) Close() error {
	_ = p.in.Close()
	kill := time.AfterFunc(stopLimit, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	<-p.gone
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("the program did not end well: %w", err)
	}
	return nil
}

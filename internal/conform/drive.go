package conform

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Program is a target that the kit has started itself, and drives by lines of
// JSON; interop/README.md has the language.
type Program struct {
	// Addrs are the addresses that the program says it has, with its peer ID.
	Addrs []string

	cmd  *exec.Cmd
	in   io.WriteCloser
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
	Event  string          `json:"event"`
	Addrs  []string        `json:"addrs"`
}

// The limits of a program.
const (
	readyLimit = 20 * time.Second
	stopLimit  = 3 * time.Second
	lineLimit  = 4 << 20
)

// ErrProgram says that a program is not to be driven.
var ErrProgram = errors.New("conform: the program cannot be driven")

// StartProgram starts a command, words apart by spaces, and waits until it is
// ready. Its stderr goes to errs.
func StartProgram(ctx context.Context, command string, errs io.Writer) (*Program, error) {
	argv := strings.Fields(command)
	if len(argv) == 0 {
		return nil, fmt.Errorf("%w: there is no command", ErrProgram)
	}
	p := &Program{cmd: exec.Command(argv[0], argv[1:]...), wait: map[int]chan reply{}, gone: make(chan struct{})}
	p.cmd.Stderr = errs
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.in = in
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProgram, err)
	}
	ready := make(chan reply, 1)
	go p.read(out, ready)
	return p, p.becomesReady(ctx, ready)
}

func (p *Program) becomesReady(ctx context.Context, ready <-chan reply) (err error) {
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	select {
	case r := <-ready:
		if p.Addrs = r.Addrs; len(r.Addrs) > 0 {
			return nil
		}
		err = fmt.Errorf("%w: it has no address", ErrProgram)
	case <-p.gone:
		err = fmt.Errorf("%w: it ended before it was ready", ErrProgram)
	case <-limit.C:
		err = fmt.Errorf("%w: it was not ready within %v", ErrProgram, readyLimit)
	case <-ctx.Done():
		err = ctx.Err()
	}
	return errors.Join(err, p.Close())
}

// read hands every line to who waits for it.
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
			default:
			}
		case r.ID != nil:
			p.mu.Lock()
			w := p.wait[*r.ID]
			delete(p.wait, *r.ID)
			p.mu.Unlock()
			if w != nil {
				w <- r
			}
		}
	}
}

// do has the program carry out an operation.
func (p *Program) do(ctx context.Context, op string, args map[string]any, result any) error {
	// The program is given far more time than the kit waits, so that its own
	// bound is seen and not this one.
	line := map[string]any{"op": op, "timeoutMs": (10 * lookupLimit).Milliseconds()}
	for k, v := range args {
		line[k] = v
	}
	answer := make(chan reply, 1)
	p.mu.Lock()
	p.last++
	id := p.last
	line["id"] = id
	p.wait[id] = answer
	err := json.NewEncoder(p.in).Encode(line)
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	select {
	case r := <-answer:
		if !r.OK {
			return errors.New(r.Error)
		}
		return json.Unmarshal(r.Result, result)
	case <-p.gone:
		return errors.New("the program has ended")
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.wait, id)
		return ctx.Err()
	}
}

// Closest implements Driver.
func (p *Program) Closest(ctx context.Context, key []byte) ([]string, error) {
	var r struct{ Peers []string }
	err := p.do(ctx, "getClosestPeers", map[string]any{"keyB64": base64.StdEncoding.EncodeToString(key)}, &r)
	var ids []string
	for _, text := range r.Peers {
		if id, err := peer.Decode(text); err == nil {
			ids = append(ids, string(id))
		}
	}
	return ids, err
}

// Get implements Driver.
func (p *Program) Get(ctx context.Context, key []byte) ([]byte, error) {
	var r struct{ ValueB64 []byte }
	err := p.do(ctx, "get", map[string]any{"keyB64": base64.StdEncoding.EncodeToString(key)}, &r)
	return r.ValueB64, err
}

// Close ends the program by the end of its input, and by force if that is not
// enough.
func (p *Program) Close() error {
	_ = p.in.Close()
	kill := time.AfterFunc(stopLimit, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	<-p.gone
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("conform: the program ended by itself: %w", err)
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/waymark-dht/waymark/internal/drive"
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
	run   *drive.Program
}

// args are the fields of a request beside id and op.
type args map[string]any

// spawn starts a peer and waits until it is ready.
func spawn(ctx context.Context, k kind, flags ...string) (*proc, error) {
	cmd := exec.CommandContext(ctx, k.Argv[0], append(slices.Clone(k.Argv[1:]), flags...)...)
	if os.Getenv("INTEROP_STDERR") != "" {
		cmd.Stderr = os.Stderr
	}
	p, err := drive.Start(ctx, cmd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.Name, err)
	}
	return &proc{Kind: k.Name, ID: p.ID, Addrs: p.Addrs, run: p}, nil
}

// do has the peer carry out an operation and decodes its result.
func (p *proc) do(op string, a args, result any) error { return p.doWithin(op, a, result, opLimit) }

// doWithin gives the peer two seconds more than it was told to take, to say so.
func (p *proc) doWithin(op string, a args, result any, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit+2*time.Second)
	defer cancel()
	err := p.run.Do(ctx, op, a, limit, result)
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer within %v", limit)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", p.Kind, op, err)
	}
	return nil
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

// stop ends the peer. How it ends is its own affair.
func (p *proc) stop() { _ = p.run.Close() }

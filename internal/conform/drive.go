package conform

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/internal/drive"
)

// Program is a target that the kit has started itself, and drives by lines of
// JSON.
type Program struct{ *drive.Program }

// StartProgram starts a command, words apart by spaces, and waits until it is
// ready. Its stderr goes to errs. Errors are those of drive.Start.
func StartProgram(ctx context.Context, command string, errs io.Writer) (*Program, error) {
	argv := strings.Fields(command)
	if len(argv) == 0 {
		return nil, fmt.Errorf("%w: there is no command", drive.ErrNotDriven)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = errs
	p, err := drive.Start(ctx, cmd)
	if err != nil {
		return nil, fmt.Errorf("conform: %w", err)
	}
	return &Program{p}, nil
}

// do gives the program far more time than the kit waits, so that its own bound
// is seen and not this one.
func (p *Program) do(ctx context.Context, op string, key []byte, result any) error {
	args := map[string]any{"keyB64": base64.StdEncoding.EncodeToString(key)}
	return p.Do(ctx, op, args, 10*lookupLimit, result)
}

// Closest implements Driver.
func (p *Program) Closest(ctx context.Context, key []byte) ([]string, error) {
	var r struct{ Peers []string }
	err := p.do(ctx, "getClosestPeers", key, &r)
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
	err := p.do(ctx, "get", key, &r)
	return r.ValueB64, err
}

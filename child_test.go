package waymark_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/internal/fault"
)

// childSeeds makes this test program a node with these seeds and nothing else.
const childSeeds = "WAYMARK_TEST_CHILD_SEEDS"

// live is a node in a process of its own. It says when it becomes ready, and
// ends when its input does.
func live(seeds string) (code int) {
	dials := new(gater)
	quic := strings.Contains(seeds, "/quic-v1")
	h, err := fault.NewHost(fault.HostOptions{
		QUIC: quic, NoTCP: quic, Extra: []libp2p.Option{libp2p.ConnectionGater(dials)},
	})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	defer h.Close()
	cfg := waymark.Config{AllowLoopback: true}
	for s := range strings.FieldsSeq(seeds) {
		cfg.Seeds = append(cfg.Seeds, ma.StringCast(s))
	}
	d, err := waymark.New(h, cfg)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	defer d.Close()
	facts := d.Facts(context.Background())
	go func() {
		for f := range facts {
			if r, is := f.(engine.BecameReady); is {
				at := d.Time(r.At)
				fmt.Println("ready", at.UnixNano(), dials.worstMinute(at.Add(-time.Minute), at))
			}
		}
	}()
	if err := d.Bootstrap(context.Background()); err != nil {
		fmt.Println("error", err)
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// child is such a process.
type child struct {
	*exec.Cmd
	ready chan wasReady
}

// wasReady is what a child says.
type wasReady struct {
	at    time.Time
	dials int // in the minute before
}

func startChild(t *testing.T, seeds []ma.Multiaddr) *child {
	t.Helper()
	var list []string
	for _, s := range seeds {
		list = append(list, s.String())
	}
	c := &child{Cmd: exec.Command(os.Args[0]), ready: make(chan wasReady, 1000)}
	c.Env = append(os.Environ(), childSeeds+"="+strings.Join(list, " "))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() { defer close(read); c.read(out) }()
	t.Cleanup(func() {
		in.Close()
		<-read
		if err := c.Wait(); err != nil {
			t.Errorf("the child: %v", err)
		}
	})
	return c
}

func (c *child) read(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var r wasReady
		var nano int64
		if n, _ := fmt.Sscanf(lines.Text(), "ready %d %d", &nano, &r.dials); n == 2 {
			r.at = time.Unix(0, nano)
			c.ready <- r
		} else {
			fmt.Fprintln(os.Stderr, "the child says", lines.Text())
		}
	}
}

// next waits until the child becomes ready after a moment.
func (c *child) next(after time.Time, within time.Duration) (r wasReady) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for !r.at.After(after) {
		select {
		case r = <-c.ready:
		case <-timer.C:
			return wasReady{}
		}
	}
	return r
}

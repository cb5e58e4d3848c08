package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/waymark-dht/waymark/internal/cli"
)

// signalled is the cause of a context that a signal ended.
type signalled struct{ by os.Signal }

func (s *signalled) Error() string { return s.by.String() }

// exit is the code that shells expect after the signal.
func (s *signalled) exit() int {
	if s.by == syscall.SIGTERM {
		return cli.ExitTerminated
	}
	return cli.ExitInterrupted
}

// untilSignal returns a context that the first ^C or SIGTERM ends, so that the
// command stops and prints what it has. The second ends the process at once.
func untilSignal(parent context.Context, exit func(int)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals, done := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for first := true; ; first = false {
			select {
			case by := <-signals:
				cause := &signalled{by}
				if !first {
					exit(cause.exit())
				}
				cancel(cause)
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestTheFirstSignalStopsAndTheSecondEnds(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}} {
		exits := make(chan int, 1)
		ctx, stop := untilSignal(t.Context(), func(code int) { exits <- code })
		raise(t, c.signal)
		wait(t, ctx.Done(), "the first signal did not end the context")
		var by *signalled
		if !errors.As(context.Cause(ctx), &by) || by.exit() != c.code {
			t.Errorf("%v: the cause is %v", c.signal, context.Cause(ctx))
		}
		if got := interrupted(by, nil); got.Exit != c.code || got.Outcome != "cancelled" {
			t.Errorf("%v: told as exit %d, outcome %s", c.signal, got.Exit, got.Outcome)
		}
		raise(t, c.signal)
		if got := wait(t, exits, "the second signal did not end the process"); got != c.code {
			t.Errorf("%v: exit code %d, want %d", c.signal, got, c.code)
		}
		stop()
	}
}

func raise(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}

func wait[T any](t *testing.T, ch <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(10 * time.Second):
		t.Fatal(what)
	}
	return v
}

// Command waymark runs, asks and shows Kademlia nodes that always end what they begin.
//
// It is the roof and may know every room. It decides nothing about Kademlia:
// it reads what a person typed, calls the front door and shows what happens.
// One command is one file. Start reading at [run], then demo.go.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/waymark-dht/waymark/internal/cli"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the whole program: it obeys the arguments and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal(context.Background(), os.Exit)
	defer stop()
	a := &app{args: args, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		return a.speak().Finish("failed", nil, usageTrouble(err))
	}
	return a.exit
}

// app is what the commands share: the streams, the global flags and the exit
// code of the command that ran.
type app struct {
	args           []string
	stdout, stderr io.Writer
	options        cli.Options
	timeout        time.Duration
	wantsVersion   bool
	exit           int
	out            *cli.Out
}

// speak returns the voice of the program. It is made when it is first needed,
// since the flags decide how it sounds.
func (a *app) speak() *cli.Out {
	if a.out == nil {
		a.options.JSON = a.options.JSON || wantsJSON(a.args)
		a.out = cli.NewOut(a.stdout, a.stderr, time.Now, a.options)
	}
	return a.out
}

// wantsJSON finds --json even where the flags could not be read, so that a
// program gets its result line for a mistyped flag too.
func wantsJSON(args []string) bool {
	for _, arg := range args {
		if arg == "--" {
			return false
		}
		if arg == "--json" || arg == "--json=true" {
			return true
		}
	}
	return false
}

// ending is what a command leaves: the word for its outcome and what the
// result line says beside it.
type ending struct {
	outcome string
	body    any
}

// do runs a command's work within --timeout and ends it by the contract: an
// error line if there is trouble, the result line always.
func (a *app) do(ctx context.Context, work func(context.Context, *cli.Out) (ending, error)) error {
	out := a.speak()
	if a.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.timeout)
		defer cancel()
	}
	end, err := work(ctx, out)
	t := troubleOf(ctx, err)
	if t != nil && t.Outcome != "" {
		end.outcome = t.Outcome
	}
	if u := (*unjoined)(nil); end.body == nil && errors.As(err, &u) {
		end.body = u.line
	}
	a.exit = out.Finish(end.outcome, end.body, t)
	if lost := out.Lost(); lost != nil && a.exit == cli.ExitOK {
		a.exit = out.Tell(trouble("WM-S003", "the answer could not be written", []string{reason(lost)},
			[]string{"write it to a place that has room: the command itself did what it was asked to"}))
	}
	return nil
}

// outOfTime reports whether --timeout, and not a bound, ended a call.
func outOfTime(ctx context.Context, err error) bool {
	_, limited := ctx.Deadline()
	return limited && errors.Is(err, context.DeadlineExceeded)
}

// troubleOf returns what to tell about an error, which may be that somebody
// pressed ^C.
func troubleOf(ctx context.Context, err error) *cli.Trouble {
	var t *cli.Trouble
	var by *signalled
	switch {
	case errors.As(context.Cause(ctx), &by):
		return interrupted(by, err)
	case err == nil:
		return nil
	case errors.As(err, &t):
		return t
	case errors.Is(err, context.DeadlineExceeded):
		return trouble("WM-S002", "--timeout ended the command", []string{"what there was is printed above"},
			[]string{"give it longer, or leave --timeout out: every operation has a bound of its own"})
	}
	return unexpected(err, "run it again with -v, which shows each request; if it stays, please report it with this text")
}

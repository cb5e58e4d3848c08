package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waymark-dht/waymark/internal/devnet"
	"github.com/waymark-dht/waymark/internal/fault"
)

// serveForScripts is a program beside waymark: a small network whose first
// seed it writes into a file, and a port that is taken. It runs until it is
// interrupted, and for a minute at most.
func serveForScripts() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := serveUntil(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serveUntil(ctx context.Context, args []string) error {
	var text string
	switch args[0] {
	case "network":
		nodes, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		n, err := devnet.Start(ctx, devnet.Config{Nodes: nodes, Seed: 1}, func(int) {})
		if err != nil {
			return err
		}
		defer n.Close()
		for _, m := range n.Members {
			text += addrOf(m.Info) + "\n"
		}
	case "port":
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		text = fmt.Sprintf("/ip4/127.0.0.1/tcp/%d\n", l.Addr().(*net.TCPAddr).Port)
	default:
		kind, err := fault.ParseKind(args[0])
		if err != nil {
			return err
		}
		p, err := fault.Start(kind, fault.Options{})
		if err != nil {
			return err
		}
		defer p.Close()
		text = addrOf(p.AddrInfo()) + "\n"
	}
	if err := os.WriteFile(args[len(args)-1], []byte(text), 0o644); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func addrOf(info peer.AddrInfo) string {
	for _, a := range info.Addrs {
		return a.String() + "/p2p/" + info.ID.String()
	}
	return ""
}

// await NAME FILE waits until a program in the background has written FILE and
// sets $NAME, $NAME2… to its lines, and $NAME_ID, … to the peer IDs in them.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await NAME FILE")
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(30 * time.Second); ; {
		content, err := os.ReadFile(ts.MkAbs(args[1]))
		if err == nil && strings.HasSuffix(string(content), "\n") {
			for i, line := range strings.Fields(string(content)) {
				name := args[0]
				if i > 0 {
					name += strconv.Itoa(i + 1)
				}
				ts.Setenv(name, line)
				_, id, _ := strings.Cut(line, "/p2p/")
				ts.Setenv(name+"_ID", id)
			}
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			ts.Fatalf("%s was not written: %v", args[1], err)
		}
	}
}

// exits CODE ARGS… runs waymark and wants an exit code. With -int it is
// interrupted once, when it has printed its first line.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE [-int] ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = args[1:]
	var got int
	if len(args) > 0 && args[0] == "-int" {
		got = interruptedRun(ts, args[1:])
	} else {
		err := ts.Exec("waymark", args...)
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			got = exit.ExitCode()
		} else {
			ts.Check(err)
		}
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// interruptedRun starts waymark, interrupts it at its first line of progress,
// writes its streams to the files out and err, and returns its exit code.
func interruptedRun(ts *testscript.TestScript, args []string) int {
	path, err := exec.LookPath("waymark")
	ts.Check(err)
	cmd := exec.Command(path, args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = os.Environ()
	for _, name := range []string{"PATH", "HOME", "WAYMARK_DEV_DIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name)) // the script's, not this machine's
	}
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	var stdout strings.Builder
	cmd.Stdout = &stdout
	ts.Check(cmd.Start())
	kill := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	in := bufio.NewReader(stderr)
	first, err := in.ReadString('\n')
	ts.Check(err)
	ts.Check(cmd.Process.Signal(syscall.SIGINT))
	rest, _ := io.ReadAll(in)
	_ = cmd.Wait()
	ts.Check(os.WriteFile(ts.MkAbs("out"), []byte(stdout.String()), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("err"), []byte(first+string(rest)), 0o644))
	return cmd.ProcessState.ExitCode()
}

// result FIELD=VALUE… wants the last line of stdout to be a result with these
// fields; FIELD<=OTHER compares two of its numbers, FIELD>=NUMBER one. The
// file out stands for the output of an interrupted run.
func result(ts *testscript.TestScript, neg bool, args []string) {
	source := "stdout"
	if len(args) > 1 && args[0] == "-from" {
		source, args = args[1], args[2:]
	}
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(source)), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			ts.Fatalf("not JSON: %s", line)
		}
	}
	var last map[string]any
	ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &last))
	if last["type"] != "result" {
		ts.Fatalf("the last line is no result: %s", lines[len(lines)-1])
	}
	for _, want := range args {
		if holds(ts, last, want) == neg {
			ts.Fatalf("%s does not hold (negated: %v) in %s", want, neg, lines[len(lines)-1])
		}
	}
}

// hash A B same|different compares the trace hashes of two simulations.
func hash(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: hash A B same|different")
	}
	of := func(file string) string {
		_, rest, _ := strings.Cut(ts.ReadFile(file), `"trace_hash":"`)
		digits, _, _ := strings.Cut(rest, `"`)
		return digits
	}
	a, b := of(args[0]), of(args[1])
	if a == "" || (a == b) != (args[2] == "same") {
		ts.Fatalf("the hashes are %q and %q, not %s", a, b, args[2])
	}
}

func holds(ts *testscript.TestScript, last map[string]any, want string) bool {
	if a, b, found := strings.Cut(want, "<="); found {
		return last[a].(float64) <= last[b].(float64)
	}
	if a, b, found := strings.Cut(want, ">="); found {
		least, err := strconv.ParseFloat(b, 64)
		ts.Check(err)
		return last[a].(float64) >= least
	}
	field, value, _ := strings.Cut(want, "=")
	return fmt.Sprint(last[field]) == value
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// conformance runs `waymark conform` against a peer of every kind and prints
// what each did. Cases in which the peer is made to ask get a fresh peer each,
// so that none is blamed for what another left behind.
type conformance struct {
	waymark string // the command
	drain   time.Duration
}

// verdict is one line of the kit.
type verdict struct {
	Type, Case, Group, About, Verdict string
	Saw, Why                          []string
	Took                              float64 `json:"took_ms"`
	Held, Kept                        int
	Freed                             float64 `json:"freed_ms"`
	Agent                             string
}

// together are the groups in which nobody is made to ask: they share a peer.
var together = []string{"frames", "load", "wire", "records"}

// run prints the tables, and fails if Waymark's own peer, the first, failed.
func (c conformance) run(ctx context.Context, kinds []kind) int {
	cases, err := c.list(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		return 1
	}
	seen := make([]map[string]verdict, len(kinds))
	var all sync.WaitGroup
	for i, k := range kinds {
		all.Go(func() { seen[i] = c.of(ctx, k, cases) })
	}
	all.Wait()
	for i, k := range kinds {
		c.tell(k, cases, seen[i])
	}
	c.matrix(kinds, cases, seen)
	failed := 0
	for _, x := range cases {
		if v := seen[0][x.Case]; v.Verdict == "fail" || v.Verdict == "" {
			failed++
		}
	}
	fmt.Printf("%s: %d passed, %d failed\n", kinds[0].Name, len(cases)-failed, failed)
	if failed > 0 {
		return 1
	}
	return 0
}

func (c conformance) list(ctx context.Context) ([]verdict, error) { return c.kit(ctx, "--list") }

// of exercises peers of one kind: one at a time.
func (c conformance) of(ctx context.Context, k kind, cases []verdict) map[string]verdict {
	seen := map[string]verdict{}
	drive := strings.Join(k.Argv, " ")
	note := func(lines []verdict, err error) {
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", k.Name, err)
		}
		for _, v := range lines {
			seen[v.Case] = v
		}
	}
	note(c.kit(ctx, "--drive", drive, "--only", strings.Join(together, ","), "--drain", c.drain.String()))
	for _, x := range cases {
		if !strings.Contains(strings.Join(together, " "), x.Group) {
			note(c.kit(ctx, "--drive", drive, "--only", x.Case, "--drain", min(c.drain, 15*time.Second).String()))
		}
	}
	return seen
}

// kit runs the command and reads its cases.
func (c conformance) kit(ctx context.Context, args ...string) (lines []verdict, err error) {
	cmd := exec.CommandContext(ctx, c.waymark, append([]string{"conform", "--json", "--quiet"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout = &out
	err = cmd.Run()
	in := bufio.NewScanner(&out)
	in.Buffer(nil, 4<<20)
	agent := ""
	for in.Scan() {
		var v verdict
		if json.Unmarshal(in.Bytes(), &v) != nil {
			continue
		}
		switch v.Type {
		case "conform.case":
			lines = append(lines, v)
		case "result":
			agent = v.Agent
		}
	}
	for i := range lines {
		lines[i].Agent = agent
	}
	if len(lines) > 0 && errors.As(err, new(*exec.ExitError)) {
		err = nil // some failed, which is what the lines say
	}
	return lines, err
}

// tell prints what one kind did wherever it did not simply pass.
func (c conformance) tell(k kind, cases []verdict, seen map[string]verdict) {
	count := map[string]int{}
	for _, x := range cases {
		count[seen[x.Case].Verdict]++
	}
	fmt.Printf("%s (%s): %d passed, %d warned, %d failed, %d skipped\n", k.Name, seen[cases[0].Case].Agent,
		count["pass"], count["warn"], count["fail"], count["skipped"])
	for _, x := range cases {
		v := seen[x.Case]
		if v.Verdict != "pass" {
			fmt.Printf("  %-7s %-25s %s\n", v.Verdict, x.Case, strings.Join(append(v.Why, v.Saw...), "; "))
		}
	}
	fmt.Println()
}

// matrix prints every case against every kind.
func (c conformance) matrix(kinds []kind, cases []verdict, seen []map[string]verdict) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "case")
	for _, k := range kinds {
		fmt.Fprintf(w, "\t%s", k.Name)
	}
	fmt.Fprintln(w)
	for _, x := range cases {
		fmt.Fprint(w, x.Case)
		for i := range kinds {
			fmt.Fprintf(w, "\t%s", seen[i][x.Case].cell())
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	fmt.Println()
}

// cell is the verdict, and how long the target's own operation or its hold of
// what was left open lasted, if that is what there is to know.
func (v verdict) cell() string {
	text := v.Verdict
	for _, s := range v.Saw {
		if _, rest, found := strings.Cut(s, "lookup ended in "); found {
			took, _, _ := strings.Cut(rest, " ")
			return text + " " + took
		}
	}
	switch {
	case v.Kept > 0:
		text += fmt.Sprintf(" holds %d", v.Kept)
	case v.Held > 0:
		text += fmt.Sprintf(" %.0fs", v.Freed/1000)
	}
	return text
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/internal/cli"
	"github.com/waymark-dht/waymark/internal/golden"
)

// told is a node that notices what a test tells it, at a time that the test
// sets.
type told struct {
	facts chan waymark.Fact
	open  []waymark.OpenOp
	now   mono.Time
}

var epoch = time.Date(2026, 11, 22, 20, 41, 33, 0, time.UTC)

func (n *told) Facts(context.Context) <-chan waymark.Fact { return n.facts }
func (n *told) Open() []waymark.OpenOp                    { return n.open }
func (n *told) Time(at mono.Time) time.Time               { return epoch.Add(time.Duration(at)) }

func (n *told) at(ms int) { n.now = mono.Time(ms) * mono.Time(time.Millisecond) }

var somebody = contact.New("\x00\x24\x08\x01\x12\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")

func step(name string, outcome engine.Outcome, asked, answered int, took time.Duration, failed ...contact.Failure) engine.StepReport {
	s := engine.StepReport{Name: name, Outcome: outcome, Asked: asked, Answered: answered, Elapsed: took}
	for _, f := range failed {
		s.Failures[f]++
	}
	return s
}

// story is a bootstrap as a node would notice it.
func story(n *told, look func(string), note func(waymark.Fact)) {
	look("before anything is known")
	note(engine.RequestSent{At: n.now, Op: 1, Attempt: 1, Peer: somebody, Depth: 1})
	n.open = []waymark.OpenOp{{Op: 1, Kind: engine.KindBootstrap, InFlight: []engine.Waiting{
		{Attempt: 1, Peer: somebody, What: "find_node", Since: 0, Deadline: mono.Time(2 * time.Second)},
		{What: "self", Deadline: mono.Time(time.Minute)},
	}}}
	n.at(1100)
	look("waiting for the first seed")
	note(engine.RequestEnded{At: n.now, Op: 1, Attempt: 1, Peer: somebody, Took: 1100 * time.Millisecond})
	note(engine.Progressed{
		At: n.now, Op: 1, Kind: engine.KindBootstrap, Count: 1, Remaining: 3,
		Step: step("seeds", engine.Converged, 5, 4, 1100*time.Millisecond, contact.Refused),
	})
	n.open = nil
	look("one step is done")
	for i := range 8 {
		n.at(1200 + i)
		note(engine.Progressed{
			At: n.now, Op: 1, Kind: engine.KindBootstrap, Count: 2 + i, Remaining: 7 - i, Last: i == 7,
			Step: step(fmt.Sprintf("bucket %d", 7+i), engine.PartialDeadline, 160, 20, 12345*time.Millisecond,
				contact.MuteHandshake, contact.MuteIdentify, contact.BlackHole, contact.MuteHandshake),
		})
	}
	look("many steps are done, and many kinds of failure were seen")
}

func tellStory(t *testing.T, options cli.Options) (pictures, stderr, stdout string) {
	var b, errs, outs bytes.Buffer
	n := &told{facts: make(chan waymark.Fact)}
	options.Color = "never"
	out := cli.NewOut(&outs, &errs, func() time.Time { return n.Time(n.now) }, options)
	w := newWatch(out, n, 5)
	defer w.Close()
	w.begin("bootstrap", 60250*time.Millisecond)
	story(n, func(what string) {
		w.open = n.Open()
		fmt.Fprintf(&b, "# %s\n", what)
		lines := w.Region(79)
		for _, line := range lines {
			fmt.Fprintf(&b, "|%s\n", line)
			if cli.Width(line) > 79 {
				t.Errorf("%s: wider than a terminal: %q", what, line)
			}
		}
		if len(lines) > 12 {
			t.Errorf("%s: %d lines", what, len(lines))
		}
		fmt.Fprintf(&b, "one line: %s\n\n", w.Line())
	}, w.note)
	return b.String(), errs.String(), outs.String()
}

func TestABootstrapIsShownStepByStep(t *testing.T) {
	pictures, stderr, _ := tellStory(t, cli.Options{Progress: "plain"})
	golden.Check(t, "a_bootstrap_is_shown_step_by_step", pictures+"# as a log\n"+stderr)
}

func TestABootstrapIsTold(t *testing.T) {
	_, _, stdout := tellStory(t, cli.Options{Progress: "none", JSON: true})
	golden.Check(t, "a_bootstrap_is_told_as_events", stdout)
}

func TestEveryCodeIsUsedOnceExplainedAndUnique(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || f == "codes.go" {
			continue
		}
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(content)
	}
	seen := map[string]bool{}
	for _, c := range codes {
		if seen[c.name] {
			t.Errorf("%s stands for two things", c.name)
		}
		seen[c.name] = true
		if !strings.Contains(source.String(), `"`+c.name+`"`) {
			t.Errorf("%s is never printed", c.name)
		}
		for _, line := range strings.Split(c.text, "\n") {
			if cli.Width(line) > 79 {
				t.Errorf("%s is explained in a line of %d cells: %s", c.name, cli.Width(line), line)
			}
		}
	}
}

func TestHelpFitsATerminal(t *testing.T) {
	a := &app{}
	root := a.root()
	all := append(root.Commands(), root)
	for _, c := range root.Commands() {
		all = append(all, c.Commands()...)
	}
	for _, c := range all {
		var b bytes.Buffer
		help(c, &b)
		for _, line := range strings.Split(b.String(), "\n") {
			if cli.Width(line) > 80 {
				t.Errorf("%s: %d cells: %s", c.Name(), cli.Width(line), line)
			}
		}
	}
}

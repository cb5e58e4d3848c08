package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark/internal/cli"
	"github.com/waymark-dht/waymark/sim"
)

// recording is what the first line of a record says: what to run, and by which
// program it was run.
type recording struct {
	Version  string   `json:"version"`
	Commit   string   `json:"commit,omitempty"`
	Modified bool     `json:"modified,omitempty"`
	Arch     string   `json:"arch,omitempty"` // floating point is not the same to the last bit on all
	Scenario string   `json:"scenario"`
	Nodes    int      `json:"nodes"`
	Seed     uint64   `json:"seed"`
	Dead     int      `json:"dead"`
	Set      []string `json:"set,omitempty"`
}

// The types of the lines of a record. They are lines as --json prints them,
// dated from the epoch of the simulation's wall clock, so that a record is a
// function of its run.
const (
	recordStart = "sim.recorded"
	recordMark  = "sim.mark"
	recordEnd   = "sim.ended"
)

// record writes what happened to a file.
func (r *simRun) record() error {
	if r.flags.record == "" {
		return nil
	}
	b := readBuild()
	var text bytes.Buffer
	add := func(after time.Duration, kind string, body any) error {
		line, err := cli.Line(time.Unix(simEpoch, 0).Add(after), kind, body)
		text.Write(line)
		return err
	}
	err := add(0, recordStart, recording{
		Version: b.Version, Commit: b.Commit, Modified: b.Modified, Arch: runtime.GOARCH, Scenario: r.story.Name,
		Nodes: r.flags.nodes, Seed: r.opt.Seed, Dead: r.opt.Dead, Set: r.opt.Settings(),
	})
	for _, m := range r.plots.Marks {
		if err == nil {
			err = add(time.Duration(m.At), recordMark, map[string]string{"what": m.What})
		}
	}
	end := r.result
	end.EventsPerCPUs, end.BytesPerNode = 0, 0 // of the machine, not of the run
	if err == nil {
		err = add(end.Virtual, recordEnd, end)
	}
	if err == nil {
		err = os.WriteFile(r.flags.record, text.Bytes(), 0o644)
	}
	if err != nil {
		return unwritten("record", err)
	}
	r.out.Say("record: %s", r.flags.record)
	return nil
}

// simEpoch is when the wall clock of a simulation begins, in seconds.
const simEpoch = 1_767_225_600

// simReplay runs again what a record says, and compares.
func (a *app) simReplay() *cobra.Command {
	return &cobra.Command{
		Use: "replay FILE", Short: "run a recorded simulation again", GroupID: "sim", Args: wantArgs(1, 1),
		Long: "waymark sim replay: run a recorded simulation again\n\n" +
			"FILE was written by `waymark sim run … --record FILE`. The run is repeated with\n" +
			"its seed and its settings; exit code 0 means that all went as it had gone then:\n" +
			"the two hashes of everything that happened are the same.",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := newReplay(args[0])
			if err != nil {
				return err
			}
			return a.do(cmd.Context(), p.run)
		},
	}
}

// replay is a record and the run that repeats it.
type replay struct {
	then recording
	end  sim.Result
	now  *simRun
}

func newReplay(file string) (*replay, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, badRecord(file, err.Error())
	}
	p, ends := &replay{}, false
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		var head struct{ Type string }
		err := json.Unmarshal(lines.Bytes(), &head)
		switch {
		case err != nil:
		case head.Type == recordStart:
			err = json.Unmarshal(lines.Bytes(), &p.then)
		case head.Type == recordEnd:
			ends, err = true, json.Unmarshal(lines.Bytes(), &p.end)
		}
		if err != nil {
			return nil, badRecord(file, fmt.Sprintf("line %d: %v", n, err))
		}
	}
	switch {
	case lines.Err() != nil:
		return nil, badRecord(file, lines.Err().Error())
	case p.then.Scenario == "":
		return nil, badRecord(file, "it has no line of type "+recordStart)
	case !ends || p.end.TraceHash == "":
		return nil, badRecord(file, "it has no line of type "+recordEnd+" with a hash: the run was cut off")
	case p.then.Nodes < 0 || p.then.Nodes > maxSimNodes || p.then.Dead < 0 || p.then.Dead > maxSimDead:
		return nil, badRecord(file, "it has more nodes than can be simulated, or more dead ones")
	}
	p.now, err = newSimRun(p.then.Scenario, simFlags{nodes: p.then.Nodes, dead: p.then.Dead, seed: p.then.Seed, set: p.then.Set})
	return p, err
}

func badRecord(file, why string) error {
	return trouble("WM-M004", fmt.Sprintf("%s is not the record of a simulation", shortenTo(file, 60)), []string{why}, []string{"waymark sim run SCENARIO --record FILE writes one"})
}

// run repeats the run and says whether it was the same.
func (p *replay) run(ctx context.Context, out *cli.Out) (ending, error) {
	end, err := p.now.run(ctx, out)
	now, then := p.now.result, p.end
	if end.outcome == "cancelled" {
		return end, err
	}
	same := now.TraceHash == then.TraceHash
	end.body = map[string]any{
		"scenario": now.Scenario, "nodes": now.Nodes, "seed": now.Seed, "same": same,
		"trace_hash": now.TraceHash, "recorded_trace_hash": then.TraceHash, "events": now.Events, "recorded_events": then.Events,
	}
	if same {
		row(out, "replay", out.Style.Green("✓")+" the same as recorded")
		return end, err
	}
	b := readBuild()
	seen := fmt.Sprintf("trace %s after %d events, recorded %s after %d", now.TraceHash, now.Events, then.TraceHash, then.Events)
	next := "repeat it with the program that recorded it: " + builtAs(p.then.Version, p.then.Commit, p.then.Modified)
	switch {
	case p.then.Arch != "" && p.then.Arch != runtime.GOARCH:
		next = "repeat it where it was recorded: a processor of type " + shortenTo(p.then.Arch, 20) + ", and not " + runtime.GOARCH
	case p.then.Commit != "" && p.then.Commit == b.Commit && !p.then.Modified && !b.Modified:
		next = "this program recorded it: please report that a run does not repeat"
	}
	return end, trouble("WM-M006", "the run differs from the record", []string{seen}, []string{next})
}

func builtAs(version, commit string, modified bool) string {
	text := version
	if commit != "" {
		text += ", commit " + commit
	}
	if modified {
		text += ", modified"
	}
	return text
}

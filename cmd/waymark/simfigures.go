package main

import (
	"fmt"
	"time"

	"github.com/waymark-dht/waymark/internal/cli"
	"github.com/waymark-dht/waymark/sim"
)

// simFigure is one row of what a simulation measured: in the terminal and on
// the page the same.
type simFigure struct {
	name  string
	words []string
}

// simFigures are the rows of a result, whose scenario was asked for so many
// members; 0 is its default. What a scenario does not measure has no row.
func simFigures(asked int, x sim.Result) (rows []simFigure) {
	add := func(name string, words ...string) { rows = append(rows, simFigure{name, words}) }
	add("nodes", memberWords(asked, x.Nodes), deadWords(x.Dead), fmt.Sprintf("seed %d", x.Seed))
	if x.Bootstraps > 0 {
		add("joined", fmt.Sprintf("%s of %s", cli.Number(x.Ready), cli.Number(x.Bootstraps)), p50(x.Boot50), p95(x.Boot95))
	}
	if x.Back > 0 {
		add("of use", cli.Count(x.Back, "node"), p50(x.Back50), p95(x.Back95), fmt.Sprintf("last %s of at most %s", millis(x.BackMax), millis(x.BackBound)))
	}
	if x.Lookups > 0 {
		add("lookups", cli.Number(x.Lookups), cli.Number(x.Converged)+" converged", p50(x.P50), p95(x.P95), fmt.Sprintf("recall %.4f", x.Recall))
		add("first", p50(x.First50), p95(x.First95))
		add("15 of 20", p50(x.Most50), p95(x.Most95))
		add("cost", fmt.Sprintf("%.1f requests each", x.Requests), fmt.Sprintf("depth %.2f", x.Depth))
	}
	rows = append(rows, ownFigures(x)...)
	over := "none over"
	if x.MaxOverBound > 0 {
		over = "at most " + millis(x.MaxOverBound) + " over"
	}
	add("bound", cli.Count(int(x.Operations), "operation"), fmt.Sprintf("overdue %d", x.Overdue), fmt.Sprintf("stalled %d", x.Stalled), over)
	add("engine", engineWords(x)...)
	add("trace", x.TraceHash)
	return rows
}

// ownFigures are the rows that only some scenarios have.
func ownFigures(x sim.Result) (rows []simFigure) {
	add := func(name string, words ...string) { rows = append(rows, simFigure{name, words}) }
	if x.OnePath > 0 {
		add("honest", fmt.Sprintf("%.4f of them found", x.Honest), fmt.Sprintf("%.4f with one path", x.OnePath))
	}
	if x.Target > 0 {
		add("target", fmt.Sprintf("%.4f of the honest next to it found", x.Target))
	}
	for i, s := range x.Swept {
		if s.Keys > 0 {
			add([]string{"at once", "a cycle"}[i], cli.Count(s.Keys, "key"), cli.Count(s.Lookups, "lookup"), cli.Count(s.Batches, "batch"),
				fmt.Sprintf("on %.2f of the closest, %d at least", s.Mean, s.Least))
		}
	}
	for _, k := range x.Kept {
		add(fmt.Sprintf("%.0f h", k.Hours), fmt.Sprintf("%.4f still there", k.There), fmt.Sprintf("%.1f holders each", k.Holders),
			fmt.Sprintf("%s of %s found", cli.Number(k.Found), cli.Number(k.Tries)))
	}
	if x.Leaves > 0 {
		add("churn", cli.Count(x.Leaves, "session")+" ended")
	}
	if x.Near > 0 {
		add("nearest", fmt.Sprintf("%.4f of them known to each node", x.Near), fmt.Sprintf("%.4f at least", x.NearMin), fmt.Sprintf("%.4f in its table", x.NearHeld))
	}
	if x.Stated > 0 {
		add("offline", fmt.Sprintf("%d requests in a minute of at most %d", x.Offline, x.Stated))
	}
	if x.Samples > 0 {
		add("growth", fmt.Sprintf("×%.3f at most", x.Growth), cli.Count(x.Samples, "sample"))
	}
	return rows
}

func p50(ms float64) string { return "p50 " + millis(ms) }
func p95(ms float64) string { return "p95 " + millis(ms) }

func millis(ms float64) string { return cli.Duration(time.Duration(ms * float64(time.Millisecond))) }

// engineWords say what a run cost. A run that was cut off was not measured.
func engineWords(x sim.Result) []string {
	words := []string{cli.Count(int(x.Events), "event")}
	if x.EventsPerCPUs > 0 {
		words = append(words, cli.Number(int(x.EventsPerCPUs))+" per CPU second")
	}
	if x.BytesPerNode > 0 {
		words = append(words, cli.Number(int(x.BytesPerNode))+" bytes per node")
	}
	return words
}

// memberWords say how many members a network had, those who came later among
// them.
func memberWords(asked, all int) string {
	if asked == 0 || asked == all {
		return cli.Number(all)
	}
	return fmt.Sprintf("%s and %s who came later", cli.Number(asked), cli.Number(all-asked))
}

func deadWords(percent int) string {
	if percent == 0 {
		return "none dead"
	}
	return fmt.Sprintf("%d %% dead", percent)
}

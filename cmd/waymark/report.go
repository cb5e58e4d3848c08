package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/internal/cli"
)

// Measures of a report.
const (
	nameColumn    = 10
	failureColumn = 35 // for the failures of one step
)

// bootLine is what the result line says of a bootstrap.
type bootLine struct {
	Elapsed  float64        `json:"elapsed_ms"`
	Bound    float64        `json:"bound_ms"`
	Steps    int            `json:"steps"`
	Table    int            `json:"table_peers"`
	Requests int            `json:"requests"`
	Failures map[string]int `json:"failures"`
	Overdue  int64          `json:"overdue"`
}

func bootLineOf(r waymark.Report, bound time.Duration, overdue int64) bootLine {
	return bootLine{
		Elapsed: ms(r.Elapsed), Bound: ms(bound), Steps: len(r.Steps), Table: r.Table,
		Requests: r.Stats.Requests, Failures: r.Stats.Failures.Words(), Overdue: overdue,
	}
}

// printBoot prints how a bootstrap went, for people.
func printBoot(out *cli.Out, r waymark.Report, word string, bound time.Duration) {
	row(out, "outcome", fmt.Sprintf("%s %s in %s of at most %s",
		mark(out.Style, r.Outcome), word, cli.Duration(r.Elapsed), cli.Duration(bound)))
	row(out, "table", cli.Count(r.Table, "peer"))
	row(out, "requests", fmt.Sprintf("%d · %d answered", r.Stats.Requests, r.Stats.Successes))
	printFailures(out, r.Stats.Failures.Words())
}

// printSteps prints the steps of a bootstrap, in the order of their ends.
func printSteps(out *cli.Out, count int, steps []engine.StepReport) {
	label := cli.Count(count, "step")
	for _, s := range steps {
		row(out, label, stepLineOf(out.Style, s))
		label = ""
	}
}

// folded returns the steps with all buckets as one, for a report that is read
// at a glance.
func folded(steps []engine.StepReport) (short []engine.StepReport) {
	all := engine.StepReport{Outcome: engine.Converged}
	buckets, at := 0, 0
	for _, s := range steps {
		if !strings.HasPrefix(s.Name, "bucket ") {
			short = append(short, s)
			continue
		}
		if buckets == 0 {
			at = len(short)
		}
		buckets++
		all.Asked, all.Answered, all.Elapsed = all.Asked+s.Asked, all.Answered+s.Answered, max(all.Elapsed, s.Elapsed)
		for kind, count := range s.Failures {
			all.Failures[kind] += count
		}
		if s.Outcome != engine.Converged {
			all.Outcome = s.Outcome
		}
	}
	if buckets > 0 {
		all.Name = cli.Count(buckets, "bucket")
		short = slices.Insert(short, at, all)
	}
	return short
}

// row prints one line of a report: a name and what there is to say.
func row(out *cli.Out, name, text string) {
	out.Answer("%s", strings.TrimRight(out.Style.Dim(cli.Pad(name, nameColumn))+text, " "))
}

// requestWords says how many requests there were and how they ended.
func requestWords(s waymark.Stats) string {
	text := fmt.Sprintf("%d: %d answered", s.Requests, s.Successes)
	if words := failureWords(s.Failures.Words()); words != "" {
		text += ", " + words
	}
	return text
}

// printFailures prints how many requests failed how, in lines that fit.
func printFailures(out *cli.Out, counts map[string]int) {
	label := "failures"
	for _, line := range cli.Wrap(failureList(counts), ", ", column-nameColumn) {
		row(out, label, line)
		label = ""
	}
}

// failureWords is all failures in one line.
func failureWords(counts map[string]int) string { return strings.Join(failureList(counts), ", ") }

// failureHeads is as many of the most frequent failures as fit a column.
func failureHeads(counts map[string]int, width int) (text string) {
	list := failureList(counts)
	for i, words := range list {
		longer := text + words
		if i < len(list)-1 {
			longer += ", "
		}
		if cli.Width(longer) > width-1 {
			return text + "…"
		}
		text = longer
	}
	return text
}

// kindList lists kinds of peers, with a number only where there are several.
func kindList(counts map[string]int) []string {
	list := failureList(counts)
	for i, words := range list {
		list[i] = strings.TrimPrefix(words, "1 ")
	}
	return list
}

// failureList lists failures, the most frequent first.
func failureList(counts map[string]int) []string {
	kinds := make([]string, 0, len(counts))
	for kind := range counts {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b string) int {
		if d := counts[b] - counts[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", counts[kind], kind)
	}
	return kinds
}

// stepWords says how a step went.
func stepWords(s engine.StepReport) string {
	text := fmt.Sprintf("%s, %d of %d answered in %s", s.Outcome, s.Answered, s.Asked, cli.Duration(s.Elapsed))
	if words := failureWords(s.Failures.Words()); words != "" {
		text += " (" + words + ")"
	}
	return text
}

// stepLineOf is stepWords in columns. How a step ended is said in a word only
// if it did not converge.
func stepLineOf(style cli.Style, s engine.StepReport) string {
	why := ""
	if s.Outcome != engine.Converged {
		why = s.Outcome.String() + "; "
	}
	why += failureHeads(s.Failures.Words(), failureColumn-cli.Width(why))
	return fmt.Sprintf("%s %s %7s %7s   %s", mark(style, s.Outcome), cli.Pad(s.Name, stepColumns),
		fmt.Sprintf("%d/%d", s.Answered, s.Asked), cli.Duration(s.Elapsed), style.Dim(strings.TrimSuffix(why, "; ")))
}

// mark is an outcome at a glance.
func mark(style cli.Style, o waymark.Outcome) string {
	switch o {
	case engine.Converged, engine.Found, engine.Ready, engine.Stored:
		return style.Green("✓")
	case engine.NoPeers, engine.NotFound, engine.Rejected, engine.Unstored:
		return style.Red("✗")
	}
	return style.Yellow("!")
}

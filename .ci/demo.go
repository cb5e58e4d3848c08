//go:build ignore

// Command demo runs the demonstration over seeds and shares of faulty peers and holds it to its promises.
//
// It may know of the command only what a user sees: its exit code and its
// lines. Start reading at [main], then [run.broken].
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The promises of the demonstration, besides the recall of -recall.
const (
	firstLine = 100 * time.Millisecond // in the median; one run may meet a busy machine
	patience  = 3 * time.Minute        // far beyond every bound: a hang of the whole program
)

// result is the last line of the demonstration with --json.
type result struct {
	Type     string   `json:"type"`
	Outcome  string   `json:"outcome"`
	Elapsed  *float64 `json:"elapsed_ms"`
	Bound    *float64 `json:"bound_ms"`
	Steps    int      `json:"steps"`
	Table    int      `json:"table_peers"`
	Requests int      `json:"requests"`
	Overdue  *int     `json:"overdue"`
	Lookups  int      `json:"lookups"`
	Recall   *float64 `json:"recall"`
	P50      float64  `json:"lookup_p50_ms"`
	P95      float64  `json:"lookup_p95_ms"`
}

// run is one demonstration.
type run struct {
	seed, nodes, faulty, paths int
	recall                     float64 // promised

	last   result
	exit   int
	first  time.Duration // from start to the first line
	took   time.Duration
	stderr []byte
}

func main() {
	binary := flag.String("waymark", "", "the command to run")
	seeds := flag.String("seeds", "1-3", "first and last seed")
	nodes := flag.Int("nodes", 40, "nodes of the network")
	faulty := flag.String("faulty", "0,30", "shares of faulty peers in per cent")
	paths := flag.String("disjoint", "1", "numbers of disjoint paths")
	recall := flag.Float64("recall", 0.95, "the promised share of the true nearest peers found")
	flag.Parse()

	from, to, err := span(*seeds)
	if err != nil {
		fail(err)
	}
	failed := 0
	for _, d := range numbers(*paths) {
		for _, percent := range numbers(*faulty) {
			failed += matrix(*binary, from, to, run{nodes: *nodes, faulty: percent, paths: d, recall: *recall})
		}
	}
	if failed > 0 {
		fail(fmt.Errorf("%d demonstrations broke a promise", failed))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "demo:", err)
	os.Exit(1)
}

// numbers reads "0,30".
func numbers(list string) (all []int) {
	for part := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			fail(err)
		}
		all = append(all, n)
	}
	return all
}

// span reads "1-20" or "7".
func span(s string) (from, to int, err error) {
	a, b, _ := strings.Cut(s, "-")
	if b == "" {
		b = a
	}
	from, err = strconv.Atoi(a)
	if err == nil {
		to, err = strconv.Atoi(b)
	}
	if err == nil && to < from {
		err = fmt.Errorf("no seeds in %q", s)
	}
	return from, to, err
}

// matrix runs all seeds of one kind of run and returns how many of them broke
// a promise.
func matrix(binary string, from, to int, kind run) (failed int) {
	var runs []*run
	for seed := from; seed <= to; seed++ {
		r := kind
		r.seed = seed
		r.do(binary)
		runs = append(runs, &r)
		fmt.Printf("seed %2d  faulty %2d %%  paths %d  %s\n", seed, r.faulty, r.paths, r.line())
		if broken := r.broken(); len(broken) > 0 {
			failed++
			fmt.Printf("  broken: %s\n  repeat: go run ./cmd/waymark demo --nodes %d --faulty %d --disjoint %d --seed %d --json\n%s\n",
				strings.Join(broken, "; "), r.nodes, r.faulty, r.paths, seed, r.stderr)
		}
	}
	slices.SortFunc(runs, func(a, b *run) int { return int(a.first - b.first) })
	if median := runs[len(runs)/2].first; median > firstLine {
		failed++
		fmt.Printf("  broken: the first line came after %v in the median, promised %v\n", median.Round(time.Millisecond), firstLine)
	}
	fmt.Println(conclusion(runs, kind))
	return failed
}

// do runs the command once and keeps what a user would see.
func (r *run) do(binary string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "demo", "--json",
		"--nodes", strconv.Itoa(r.nodes), "--faulty", strconv.Itoa(r.faulty), "--seed", strconv.Itoa(r.seed),
		"--disjoint", strconv.Itoa(r.paths))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		fail(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		fail(err)
	}
	last := r.lines(out, began)
	err = cmd.Wait()
	r.took, r.stderr = time.Since(began), stderr.Bytes()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		r.exit = exit.ExitCode()
	} else if err != nil {
		fail(err)
	}
	if err := json.Unmarshal(last, &r.last); err != nil {
		r.last = result{Type: fmt.Sprintf("unreadable (%v): %.200s", err, last)}
	}
}

// lines reads to the end, notes when the first line came, and returns the last.
func (r *run) lines(out io.Reader, began time.Time) (last []byte) {
	in := bufio.NewScanner(out)
	in.Buffer(nil, 4<<20)
	for in.Scan() {
		if last == nil {
			r.first = time.Since(began)
		}
		last = append(last[:0], in.Bytes()...)
	}
	return last
}

// broken lists the promises that a run broke.
func (r *run) broken() (list []string) {
	check := func(holds bool, format string, args ...any) {
		if !holds {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	l := r.last
	check(r.exit == 0, "exit code %d", r.exit)
	check(l.Type == "result", "the last line is no result but %s", l.Type)
	if l.Type != "result" {
		return list
	}
	check(l.Outcome == "ready", "outcome %s", l.Outcome)
	check(l.Elapsed != nil && l.Bound != nil && *l.Elapsed <= *l.Bound, "elapsed_ms %s, bound_ms %s", show(l.Elapsed), show(l.Bound))
	check(l.Overdue != nil && *l.Overdue == 0, "overdue %s", show(l.Overdue))
	check(l.Recall != nil && *l.Recall >= r.recall, "recall %s, promised %v", show(l.Recall), r.recall)
	check(l.Lookups > 0, "no lookups")
	return list
}

func show[T any](v *T) string {
	if v == nil {
		return "missing"
	}
	return fmt.Sprint(*v)
}

func (r *run) line() string {
	l := r.last
	return fmt.Sprintf("%s in %s ms of %s  steps %d  table %d  requests %d  recall %s  lookup p50 %.0f p95 %.0f ms  first line %v  all %v",
		l.Outcome, show(l.Elapsed), show(l.Bound), l.Steps, l.Table, l.Requests, show(l.Recall), l.P50, l.P95,
		r.first.Round(time.Millisecond), r.took.Round(time.Millisecond))
}

// conclusion is a row of the table in docs/TESTING.md.
func conclusion(runs []*run, kind run) string {
	var slowest, part, p50, p95, first float64
	least, kept := 1.0, 0
	for _, r := range runs {
		if len(r.broken()) > 0 {
			continue
		}
		kept++
		slowest = max(slowest, *r.last.Elapsed)
		part = max(part, *r.last.Elapsed / *r.last.Bound)
		p50, p95 = max(p50, r.last.P50), max(p95, r.last.P95)
		least = min(least, *r.last.Recall)
		first = max(first, float64(r.first.Milliseconds()))
	}
	return fmt.Sprintf("| %s | %d nodes, %d %% faulty, %d paths, %d seeds | %d of %d kept | slowest %.0f ms (%.0f %% of its bound) | least %.3f | worst p50 %.0f ms, p95 %.0f ms | %.0f ms at the latest |",
		time.Now().UTC().Format(time.DateOnly), kind.nodes, kind.faulty, kind.paths, len(runs), kept, len(runs), slowest, 100*part, least, p50, p95, first)
}

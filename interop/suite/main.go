// Command suite runs Waymark beside peers that nobody here wrote, and prints what works with whom.
//
// It may not know the peers but as programs, which interop/run builds.
// Start reading at [suite.run].
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var s suite
	var mixed int
	var only string
	var report reportPlan
	flag.Func("peer", "NAME=PROGRAM ARGS…: a kind of peer; the first is Waymark's", s.add)
	flag.IntVar(&mixed, "mixed", 20, "peers in the network of all kinds; 0 leaves it out")
	flag.StringVar(&only, "only", "", "pairs, raw or mixed: only these")
	flag.IntVar(&report.seeds, "report", 0, "instead: repeat the report of rust-libp2p#5432 with so many seeds")
	width := flag.Int("width", 0, "with -report and -beside: how many at a time (4, 1)")
	flag.DurationVar(&report.limit, "limit", 5*time.Minute, "with -report: how long each is watched")
	capture := flag.String("capture", "", "instead: write what each stranger sends into this folder, as vectors for core/wire")
	var kit conformance
	flag.StringVar(&kit.waymark, "conform", "", "instead: exercise a peer of each kind with this waymark command")
	flag.DurationVar(&kit.drain, "drain", 75*time.Second, "with -conform: how long what is still held is watched")
	var beside besidePlan
	beside.flags(flag.CommandLine)
	flag.Parse()
	report.width, beside.width = cmp.Or(*width, 4), cmp.Or(*width, 1)
	limit := 40 * time.Minute
	if beside.on {
		limit = 4 * time.Hour // strangers take minutes for a lookup
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if len(s.kinds) < 1 {
		fmt.Fprintln(os.Stderr, "suite: no peers; interop/run starts it with some")
		os.Exit(2)
	}
	if *capture != "" {
		if err := s.capture(ctx, *capture); err != nil {
			fmt.Fprintln(os.Stderr, "suite:", err)
			os.Exit(1)
		}
		return
	}
	if kit.waymark != "" {
		os.Exit(kit.run(ctx, s.kinds))
	}
	if report.seeds > 0 {
		os.Exit(report.run(ctx, s.kinds))
	}
	if beside.on {
		os.Exit(beside.run(ctx, s.kinds))
	}
	os.Exit(s.run(ctx, mixed, only))
}

// suite is the kinds of peers and what came of the tries.
type suite struct {
	kinds  []kind
	rows   []row
	passed int
	failed int
}

// row is one try.
type row struct {
	op, where string
	err       error
}

func (s *suite) add(text string) error {
	name, program, found := strings.Cut(text, "=")
	if !found || program == "" {
		return fmt.Errorf("%q is not NAME=PROGRAM", text)
	}
	s.kinds = append(s.kinds, kind{name, strings.Fields(program)})
	return nil
}

// note keeps what came of one try, and says it at once if it is worth it.
func (s *suite) note(op, where string, err error) {
	s.rows = append(s.rows, row{op, where, err})
	switch {
	case err == nil:
		s.passed++
	case errors.As(err, new(manner)):
		s.passed++
		fmt.Printf("known   %s: %s: %v\n", where, op, err)
	default:
		s.failed++
		fmt.Printf("FAILED  %s: %s: %v\n", where, op, err)
	}
}

// manner is how a stranger is known to behave otherwise than we do. A try that
// meets it is no failure of ours.
type manner string

func (m manner) Error() string { return string(m) }

// cell is the word for what came of a try.
func (r row) cell() string {
	switch {
	case r.err == nil:
		return "ok"
	case errors.As(r.err, new(manner)):
		return "known"
	}
	return "FAILED"
}

// run tries Waymark with every other kind in both directions, with itself, and
// all of them in one network; or only one of these.
func (s *suite) run(ctx context.Context, mixed int, only string) int {
	all := only == ""
	if all || only == "pairs" {
		s.runPairs(ctx)
	}
	if all || only == "raw" {
		for _, k := range s.kinds {
			s.runRaw(ctx, k)
		}
	}
	if mixed > 0 && (all || only == "mixed") {
		s.runMixed(ctx, mixed)
	}
	s.table()
	fmt.Printf("%d passed, %d failed\n", s.passed, s.failed)
	if s.failed > 0 {
		return 1
	}
	return 0
}

func (s *suite) runPairs(ctx context.Context) {
	ours := s.kinds[0]
	s.runPair(ctx, ours, ours)
	for _, other := range s.kinds[1:] {
		s.runPair(ctx, other, ours)
		s.runPair(ctx, ours, other)
	}
}

// table prints the operations against the pairs and their directions.
func (s *suite) table() {
	var ops, places []string
	cells := map[[2]string]string{}
	for _, r := range s.rows {
		if cells[[2]string{r.op, ""}] == "" {
			cells[[2]string{r.op, ""}] = "seen"
			ops = append(ops, r.op)
		}
		if cells[[2]string{"", r.where}] == "" {
			cells[[2]string{"", r.where}] = "seen"
			places = append(places, r.where)
		}
		cells[[2]string{r.op, r.where}] = r.cell()
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for i, p := range places {
		fmt.Fprintf(w, "%d\t%s\n", i+1, p)
	}
	fmt.Fprint(w, "\noperation")
	for i := range places {
		fmt.Fprintf(w, "\t%d", i+1)
	}
	fmt.Fprintln(w)
	for _, op := range ops {
		fmt.Fprint(w, op)
		for _, p := range places {
			fmt.Fprintf(w, "\t%s", cells[[2]string{op, p}])
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	fmt.Println()
}

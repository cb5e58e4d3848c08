// Command bench measures Waymark on real hosts: how fast a fresh node joins a network of which a share misbehaves, and what its lookups cost.
//
// It may know everything but the insides of what it measures; it asserts no
// times, only that every operation ended, in time. The network lives in this
// process, the fresh node in a process of its own. Start reading at [cell.run].
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv(freshEnv) != "" {
		exit(runFresh(ctx, os.Stdin, os.Stdout))
	}
	exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func exit(err error) {
	switch {
	case err == nil:
		os.Exit(0)
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// plan is what the command line asks for.
type plan struct {
	cells   []cell
	json    bool
	verbose bool
}

// run measures what the arguments name and prints a table, or JSON lines.
func run(ctx context.Context, args []string, out, errs io.Writer) error {
	p, err := parse(args, errs)
	if err != nil {
		return err
	}
	t := newTable(out)
	if !p.json {
		t.head()
	}
	var broken []error
	for _, c := range p.cells {
		f, err := c.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		if p.json {
			err = json.NewEncoder(out).Encode(f)
		} else {
			err = t.row(f)
		}
		if p.verbose {
			f.explain(errs)
		}
		broken = append(broken, err, f.sane())
	}
	return errors.Join(broken...)
}

// parse reads the command line.
func parse(args []string, errs io.Writer) (p plan, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() {
		fmt.Fprintf(errs, "usage: go run ./bench [flags]\n\nThe kinds of fault: %s.\n\n", fault.Words(fault.Kinds()))
		flags.PrintDefaults()
	}
	base := cell{}
	kinds := flags.String("kinds", "honest,issue", `faults, by commas; "issue" are the twelve of the acceptance, "all" are all, "honest" is none`)
	faulty := flags.String("faulty", "10,30,50", "how many of a hundred members misbehave")
	paths := flags.String("paths", "1", "disjoint paths of each lookup, by commas")
	flags.IntVar(&base.Nodes, "nodes", 200, "members of the network")
	flags.IntVar(&base.Lookups, "lookups", 100, "lookups of random keys, one after the other")
	flags.Uint64Var(&base.Seed, "seed", 1, "the same seed makes the same network and the same keys")
	flags.DurationVar(&base.Idle, "idle", 0, "instead of lookups, count the dials of an idle node for so long")
	flags.StringVar(&base.Profile, "profile", "", "write CPU profiles of the two processes to files that begin so")
	flags.BoolVar(&p.json, "json", false, "a line of JSON for each row instead of the table")
	flags.BoolVar(&p.verbose, "v", false, "say on stderr how each bootstrap and its requests went")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	if base.Nodes < params.K || base.Lookups < 1 {
		return p, fmt.Errorf("at least %d nodes and one lookup are needed", params.K)
	}
	p.cells, err = product(base, *kinds, *faulty, *paths)
	return p, err
}

// product returns a cell for each combination, and one for each number of
// paths where nobody is faulty.
func product(base cell, kinds, faulty, paths string) (cells []cell, err error) {
	all, err := fault.ParseKinds(kinds)
	if err != nil {
		return nil, err
	}
	shares, err := numbers("faulty", faulty, 0, 95)
	if err != nil {
		return nil, err
	}
	widths, err := numbers("paths", paths, 1, params.MaxPaths)
	if err != nil {
		return nil, err
	}
	for _, base.Kind = range all {
		of := shares
		if base.Kind == fault.Honest {
			of = []int{0}
		}
		for _, base.Faulty = range of {
			for _, base.Paths = range widths {
				cells = append(cells, base)
			}
		}
	}
	return cells, nil
}

func numbers(name, list string, least, most int) (all []int, err error) {
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("-%s %s: numbers from %d to %d, by commas", name, list, least, most)
		}
		all = append(all, n)
	}
	return all, nil
}

// cellLimit ends a fresh node that would not end by itself, which is a defect.
const cellLimit = 10 * time.Minute

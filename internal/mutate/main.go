// Command mutate plants one defect after another in a copy of the ground floor and runs the short tests, and the simulator, against each: all must be caught.
//
// It may not touch the house itself: the copy is a temporary folder, and each defect is undone before the next.
// Start reading at [mutants], the list of defects, then [bench.judge].
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// The time that the tests of one room get; a defect that makes them hang is
// caught as well. With nothing wrong they take some seconds of a machine that has
// nothing else to do: what a busy one needs is measured, and mutants get that
// much more.
const (
	patience     = 20 * time.Second
	townPatience = time.Minute // of the simulator
	firstTry     = 5 * time.Minute
)

func main() {
	only := flag.String("only", "", "try only the mutants whose name contains this")
	root := flag.String("root", ".", "the folder of the module")
	who := flag.Bool("who", false, "run every room against every mutant, and say which kinds of test caught it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	killed, tried, err := run(ctx, *root, *only, *who)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	fmt.Printf("%d mutants, %d killed\n", tried, killed)
	if killed < tried || tried == 0 {
		os.Exit(1)
	}
}

// run tries the mutants and prints a line for each.
func run(ctx context.Context, root, only string, who bool) (killed, tried int, err error) {
	b, err := newBench(root)
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(b.dir)
	for _, room := range rooms {
		began := time.Now()
		if v := b.test(ctx, room, firstTry); v.Killer != "" {
			return 0, 0, fmt.Errorf("%s fails without any mutant:\n%s", room, v.output)
		}
		b.limits[room] = 2*time.Since(began) + patience
		if room == simulator {
			b.limits[room] += townPatience - patience
		}
	}
	for _, m := range mutants {
		if !strings.Contains(m.Name, only) {
			continue
		}
		v, err := b.judge(ctx, m, who)
		if err != nil {
			return 0, 0, err
		}
		tried++
		fate := "SURVIVED"
		switch {
		case v.Killer != "" && strings.Contains(v.Killer, m.By):
			killed++
			fate = v.Room + ": " + v.Killer
			if who {
				fate = kinds(v.Killer) + ": " + fate
			}
		case v.Killer != "":
			fate = "SURVIVED " + m.By + "; " + v.Room + ": " + v.Killer
		}
		fmt.Printf("%-44s %5.1fs  %s\n", m.Name, v.Took.Seconds(), fate)
	}
	return killed, tried, nil
}

// bench is the copy in which mutants are tried.
type bench struct {
	dir    string
	limits map[string]time.Duration // of the tests of each room
}

// verdict says which tests of which room caught a mutant, if any did.
type verdict struct {
	Room, Killer string
	Took         time.Duration
	output       string
}

// newBench copies what the ground floor's tests need.
func newBench(root string) (*bench, error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), content, 0o644)
		}
		if err != nil {
			os.RemoveAll(dir)
			return nil, err
		}
	}
	for _, name := range []string{"core", "sim", "internal/bigpages"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(root, name))); err != nil {
			os.RemoveAll(dir)
			return nil, err
		}
	}
	return &bench{dir: dir, limits: make(map[string]time.Duration)}, nil
}

// judge plants a mutant, runs the rooms that it can reach until one of them
// fails, or all of them, and undoes it.
func (b *bench) judge(ctx context.Context, m mutant, all bool) (v verdict, err error) {
	began := time.Now()
	originals := map[string][]byte{}
	defer func() {
		for path, content := range originals {
			if e := os.WriteFile(path, content, 0o644); err == nil {
				err = e
			}
		}
		v.Took = time.Since(began)
	}()
	for _, e := range m.Edits {
		path := filepath.Join(b.dir, "core", e.File)
		content, err := os.ReadFile(path)
		if err != nil {
			return v, err
		}
		if _, again := originals[path]; !again {
			originals[path] = content
		}
		planted, err := e.plant(string(content))
		if err != nil {
			return v, fmt.Errorf("%s: %w", m.Name, err)
		}
		if err := os.WriteFile(path, []byte(planted), 0o644); err != nil {
			return v, err
		}
	}
	for _, room := range m.reach() {
		got := b.test(ctx, room, b.limits[room])
		if got.Killer == "build" {
			return got, fmt.Errorf("%s does not compile, which proves nothing:\n%s", m.Name, got.output)
		}
		if got.Killer != "" {
			v.Room, v.Killer = strings.TrimSpace(v.Room+" "+room), strings.TrimSpace(v.Killer+" "+got.Killer)
		}
		if v.Killer != "" && !all || ctx.Err() != nil {
			return v, ctx.Err()
		}
	}
	return v, nil
}

// kinds says of which kinds the tests are that caught a mutant.
func kinds(killers string) string {
	var found []string
	for _, k := range []struct{ kind, tests string }{
		{"stories", `\bTestStories\b`},
		{"explorer", `\bTestEverySchedule\b`},
		{"random", `\b(TestRandomSchedules|FuzzSchedule|TestRecordsUnderAnySchedule)\b`},
		{"simulator", simulatorTests},
	} {
		if regexp.MustCompile(k.tests).MatchString(killers) {
			found = append(found, k.kind)
		}
	}
	if len(found) == 0 {
		return "others"
	}
	return strings.Join(found, ", ")
}

// simulatorTests are the tests of the simulator that run the engine through
// whole networks; what else it has tests the simulator.
const simulatorTests = `\b(TestTownsKeepTheirPromises|TestTwentySeedsOfAFaultyWorld|TestEverybodyComesInThroughFourSeeds|TestASleeperWakesAmidWhatItDid|TestTwoNetworksThatStartedApartBecomeOne)\b`

var (
	failed = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)
	hung   = regexp.MustCompile(`panic: test timed out|panic: (.*)`)
)

// test runs the short tests of a room.
func (b *bench) test(ctx context.Context, room string, limit time.Duration) verdict {
	args := []string{"test", "-short", "-vet=off", "-timeout", limit.String()}
	if room == simulator {
		args = append(args, "-run", simulatorTests, "./sim")
	} else {
		args = append(args, "./core/"+room)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.dir
	out, err := cmd.CombinedOutput()
	v := verdict{Room: room, output: string(out)}
	switch found := failed.FindAllStringSubmatch(v.output, -1); {
	case err == nil:
	case strings.Contains(v.output, "[build failed]") || strings.Contains(v.output, "[setup failed]"):
		v.Killer = "build"
	case len(found) > 0:
		var tests []string
		for _, f := range found {
			tests = append(tests, f[1])
		}
		v.Killer = strings.Join(tests, " ")
	case hung.MatchString(v.output):
		v.Killer = hung.FindString(v.output)
	default:
		v.Killer = err.Error()
	}
	return v
}

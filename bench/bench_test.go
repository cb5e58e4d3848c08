package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestMain lets the tests' own program be the fresh node too.
func TestMain(m *testing.M) {
	if os.Getenv(freshEnv) != "" {
		exit(runFresh(context.Background(), os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func TestASmallMatrix(t *testing.T) {
	var out, errs bytes.Buffer
	args := strings.Fields("-kinds honest,refused -faulty 30 -nodes 24 -lookups 3 -json")
	if err := run(t.Context(), args, &out, &errs); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	lines := json.NewDecoder(&out)
	for _, want := range []string{"honest", "refused"} {
		var f figures
		if err := lines.Decode(&f); err != nil {
			t.Fatal(err)
		}
		switch {
		case f.Kind != want || f.Lookups != 3 || f.Overdue != 0:
			t.Errorf("%s: %+v", want, f)
		case f.Outcome != "ready" || f.Ready <= 0 || f.Ready > f.Boot:
			t.Errorf("%s: bootstrap %s, ready in %v of %v ms", want, f.Outcome, f.Ready, f.Boot)
		case f.Recall <= 0.5 || f.Recall > 1 || f.Served <= 0 || f.P50 <= 0 || f.P50 > f.P95 || f.P95 > f.Max:
			t.Errorf("%s: %+v", want, f)
		}
	}
	if lines.More() {
		t.Error("more rows than were asked for")
	}
}

func TestAnIdleNodeIsCounted(t *testing.T) {
	var out, errs bytes.Buffer
	args := strings.Fields("-kinds hangup -faulty 30 -nodes 20 -idle 1ms")
	if err := run(t.Context(), args, &out, &errs); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	if !strings.Contains(out.String(), "dials, overdue 0") {
		t.Errorf("printed\n%s", out.String())
	}
}

func TestWhatTheCommandLineNames(t *testing.T) {
	for args, cells := range map[string]int{
		"":                               1 + 12*3,
		"-kinds honest -paths 1,3":       2,
		"-kinds silent,slow -faulty 10":  2,
		"-kinds all -faulty 10 -paths 2": 17,
	} {
		if p, err := parse(strings.Fields(args), new(bytes.Buffer)); err != nil || len(p.cells) != cells {
			t.Errorf("%q: %d cells, not %d; %v", args, len(p.cells), cells, err)
		}
	}
	for _, args := range []string{"-kinds lazy", "-faulty 96", "-faulty x", "-paths 0", "-nodes 3", "-lookups 0"} {
		if _, err := parse(strings.Fields(args), new(bytes.Buffer)); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

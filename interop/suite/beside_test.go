package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// strangerEnv makes the tests' own program a peer that nobody would want.
const strangerEnv = "WAYMARK_SUITE_STRANGER"

func TestMain(m *testing.M) {
	if how := os.Getenv(strangerEnv); how != "" {
		stranger(how, os.Stdin, os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// stranger is a peer that finds nobody. Its first refresh fails, its table is
// empty at the first look; a "mortal" one ends when it is asked to look up.
func stranger(how string, in io.Reader, out io.Writer) {
	fmt.Fprintln(out, `{"event":"ready","peerId":"nobody","addrs":["/ip4/127.0.0.1/tcp/1"]}`)
	looks, refreshes := 0, 0
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var r struct {
			ID int
			Op string
		}
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			return
		}
		answer := `"ok":false,"error":"there is nobody"`
		switch r.Op {
		case "refresh":
			if refreshes++; refreshes > 1 {
				answer = `"ok":true,"result":{}`
			}
		case "routingTableSize":
			answer = fmt.Sprintf(`"ok":true,"result":{"size":%d}`, looks)
			looks += 20
		case "getClosestPeers":
			if how == "mortal" {
				return
			}
		}
		fmt.Fprintf(out, "{\"id\":%d,%s}\n", r.ID, answer)
	}
}

// besidePeers are Waymark's peer, built here, and strangers.
func besidePeers(t *testing.T) (waymark kind, stranger func(how string) kind) {
	t.Helper()
	built := filepath.Join(t.TempDir(), "peer")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", built, "../peer").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return kind{"waymark", []string{built}}, func(how string) kind {
		return kind{how, []string{"env", strangerEnv + "=" + how, self}}
	}
}

// A small network with few lookups, so that the mode works whenever it is wanted.
func TestBesideASample(t *testing.T) {
	waymark, stranger := besidePeers(t)
	at := filepath.Join(t.TempDir(), "rows.json")
	p := besidePlan{
		nodes: 24, shares: []int{30}, mixes: []string{"refused,hangup"}, lookups: 3, records: 1,
		seed: 1, width: 2, never: 2 * time.Minute, json: at,
	}
	if code := p.run(t.Context(), []kind{waymark, stranger("rude"), stranger("mortal")}); code != 0 {
		t.Errorf("the run ended with %d", code)
	}
	rows := readRows(t, at)
	if len(rows) != 3 {
		t.Fatalf("%d rows, not 3: %+v", len(rows), rows)
	}
	for i, want := range []func(*testing.T, besideRow){wantGood, wantRude, wantEnded} {
		if rows[i].Faulty != 30 || rows[i].Nodes != 24 {
			t.Errorf("row %d is of %d %% of %d", i, rows[i].Faulty, rows[i].Nodes)
		}
		want(t, rows[i])
	}
	var out bytes.Buffer
	besideTables(&out, rows)
	for _, want := range []string{"refused,hangup, 30 % of 24 members, seed 1", "provide"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables lack %q:\n%s", want, &out)
		}
	}
}

func readRows(t *testing.T, name string) (rows []besideRow) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := json.NewDecoder(file); ; {
		var r besideRow
		switch err := lines.Decode(&r); {
		case errors.Is(err, io.EOF):
			return rows
		case err != nil:
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
}

func wantGood(t *testing.T, r besideRow) {
	t.Helper()
	switch {
	case !r.good() || r.Tries != 3:
		t.Errorf("waymark: %+v", r)
	case r.Recall <= 0.5 || r.Recall > 1 || r.Answers <= 0 || r.Served == 0 || r.P50 <= 0 || r.P50 > r.Max:
		t.Errorf("waymark's lookups: %+v", r)
	case r.Table < 8 || r.Joined < r.Useful:
		t.Errorf("waymark's table: %+v", r)
	case len(r.Verbs) != 4 || r.Verbs[0].Had < 1 || r.Verbs[2].Had != 1 || r.Verbs[3].Had != 1:
		t.Errorf("waymark's records: %+v", r.Verbs)
	}
}

func wantRude(t *testing.T, r besideRow) {
	t.Helper()
	if r.Broken != "" || r.Failed != 3 || r.Never != 0 || r.Recall != 0 || r.Refreshes < 2 || r.Useful == 0 {
		t.Errorf("who finds nobody: %+v", r)
	}
	if len(r.Verbs) != 4 || r.Verbs[2].Failed != 1 || r.Verbs[2].Had != 0 || r.Ratios["useful"] <= 0 {
		t.Errorf("who finds nobody: %+v %v", r.Verbs, r.Ratios)
	}
}

func wantEnded(t *testing.T, r besideRow) {
	t.Helper()
	if !strings.Contains(r.Broken, "ended") || r.good() {
		t.Errorf("who ended: %+v", r)
	}
}

func TestWhatNeverEndsIsNoFailure(t *testing.T) {
	var c tally
	silent := func(time.Duration) error { return errors.New("no answer") }
	_ = c.try(t.Context(), 0, silent)
	_ = c.try(t.Context(), time.Hour, silent)
	_ = c.try(t.Context(), time.Hour, func(time.Duration) error { return nil })
	if f := c.figures("x"); f.Tries != 3 || f.Never != 1 || f.Failed != 1 {
		t.Errorf("%+v", f)
	}
}

func TestWhatBesideTakes(t *testing.T) {
	for text, cells := range map[string]int{
		"":                            4 * 2,
		"-faulty 0":                   2,
		"-faulty 10,30 -fault silent": 4,
		"-faulty 0,30 -fault silent -fault issue": 2 + 4,
	} {
		p, err := parseBeside(text)
		if err != nil || len(p.cells(make([]kind, 2))) != cells {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
	for _, text := range []string{"-faulty 96", "-faulty x", "-fault rude"} {
		if _, err := parseBeside(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func parseBeside(text string) (p besidePlan, err error) {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	p.flags(flags)
	return p, flags.Parse(strings.Fields(text))
}

func TestTheNearestOfTooMany(t *testing.T) {
	ids := []string{
		"12D3KooWE9sY7LuhrZmxR7oKP4j3zLZRyqERjbGFYqM9FCwWmj1S", "no peer", "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5",
	}
	got := nearestOf(slices.Concat(ids, ids), "somewhere")
	if len(got) != 2 || got[0] == got[1] || slices.Contains(got, "no peer") {
		t.Errorf("%q", got)
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/waymark-dht/waymark/internal/devnet"
)

// besideRow is what was measured of one kind in one network. Times are in
// milliseconds, memory in MiB.
type besideRow struct {
	Peer   string `json:"peer"`
	Faults string `json:"faults"`
	Faulty int    `json:"faulty_percent"`
	Nodes  int    `json:"nodes"`
	Seed   uint64 `json:"seed"`

	besideJoin
	besideWalks
	Verbs []besideVerb `json:"records,omitempty"`

	JoinCPU float64            `json:"join_cpu_ms"`
	CPU     float64            `json:"lookup_cpu_ms"` // of the process, for each lookup
	Peak    float64            `json:"peak_mib"`
	Ratios  map[string]float64 `json:"ratios,omitempty"` // to the first kind, in the same network
	Broken  string             `json:"broken,omitempty"` // why there is no more
}

// besideJoin is how a fresh node came in.
type besideJoin struct {
	Useful    float64 `json:"useful_ms"` // until the table was of use; zero if it never was
	Joined    float64 `json:"joined_ms"` // until, besides, a refresh had returned; zero if none did
	Refreshes int     `json:"refreshes"`
	Trouble   string  `json:"refresh_error,omitempty"` // of the last one
	Table     int     `json:"table"`
	Served    uint64  `json:"join_answers"` // by the honest members, until then
}

// besideWalks is how it looked up.
type besideWalks struct {
	besideVerb
	Recall  float64 `json:"recall"`
	Dead    float64 `json:"dead"`               // of the 20 that a lookup returns, those that do not answer
	Answers float64 `json:"answers_per_lookup"` // by the honest members
}

// besideVerb is how one operation went.
type besideVerb struct {
	Verb   string  `json:"verb"`
	Tries  int     `json:"tries"`
	Never  int     `json:"never"`  // had not ended at the limit
	Failed int     `json:"failed"` // ended with an error
	Had    float64 `json:"had"`    // of get and find: the share that was found; of put: honest holders
	P50    float64 `json:"p50_ms"`
	P95    float64 `json:"p95_ms"`
	Max    float64 `json:"max_ms"`
}

// tally counts the tries of one operation.
type tally struct {
	took          []time.Duration
	never, failed int
	had           int
}

// try has an operation run, and notes how long it took.
func (t *tally) try(ctx context.Context, limit time.Duration, op func(time.Duration) error) error {
	began := time.Now()
	err := op(limit)
	if ctx.Err() != nil {
		return err
	}
	took := time.Since(began)
	t.took = append(t.took, took)
	switch {
	case took >= limit:
		t.never++
	case err != nil:
		t.failed++
	}
	return err
}

func (t *tally) figures(verb string) besideVerb {
	return besideVerb{
		Verb: verb, Tries: len(t.took), Never: t.never, Failed: t.failed, Had: float64(t.had) / float64(max(len(t.took), 1)),
		P50: devnet.Millis(devnet.Quantile(t.took, 50)), P95: devnet.Millis(devnet.Quantile(t.took, 95)), Max: devnet.Millis(devnet.Quantile(t.took, 100)),
	}
}

// troubled notes why a row is not whole.
func (r besideRow) troubled(err error) besideRow {
	r.Broken = orNothing(err)
	return r
}

// good reports whether every operation ended by itself and without an error.
func (r besideRow) good() bool {
	return r.Broken == "" && r.Useful > 0 && r.Joined > 0 && r.Never == 0 && r.Failed == 0
}

// line says how one row went, as soon as it is there.
func (r besideRow) line() string {
	if r.Broken != "" {
		return fmt.Sprintf("%s %s %d %%: %s", r.Peer, r.Faults, r.Faulty, r.Broken)
	}
	return fmt.Sprintf("%s %s %d %%: joined in %s ms (%d calls, %.60q), %d lookups, p50 %.1f ms, p95 %.1f ms, %d never ended",
		r.Peer, r.Faults, r.Faulty, orDash(r.Joined), r.Refreshes, r.Trouble, r.Tries, r.P50, r.P95, r.Never)
}

// sameNetwork reports whether two rows are of the same network.
func (r besideRow) sameNetwork(o besideRow) bool { return r.Faults == o.Faults && r.Faulty == o.Faulty }

// compare sets the ratios of each row to the first one of its network.
func compare(rows []besideRow) {
	var ours besideRow
	for i, r := range rows {
		if i == 0 || !r.sameNetwork(ours) {
			ours = r
			continue
		}
		rows[i].Ratios = map[string]float64{}
		for what, pair := range map[string][2]float64{
			"useful": {r.Useful, ours.Useful}, "joined": {r.Joined, ours.Joined}, "p50": {r.P50, ours.P50}, "p95": {r.P95, ours.P95},
			"answers": {r.Answers, ours.Answers}, "cpu": {r.CPU, ours.CPU}, "peak": {r.Peak, ours.Peak},
		} {
			if pair[0] > 0 && pair[1] > 0 {
				rows[i].Ratios[what] = pair[0] / pair[1]
			}
		}
	}
}

// besideTables prints a table for each network, and one for its records.
func besideTables(out io.Writer, rows []besideRow) {
	for i := 0; i < len(rows); {
		end := i
		for end < len(rows) && rows[end].sameNetwork(rows[i]) {
			end++
		}
		r := rows[i]
		fmt.Fprintf(out, "\n%s, %d %% of %d members, seed %d\n", r.Faults, r.Faulty, r.Nodes, r.Seed)
		lookupTable(out, rows[i:end])
		recordTable(out, rows[i:end])
		i = end
	}
}

func lookupTable(out io.Writer, rows []besideRow) {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "peer\tuseful\t\tjoined\t\ttable\tp50\t\tp95\t\tlongest\tnever\tfailed\trecall\tdead\tserved\t\tCPU\t\tpeak\t\t")
	fmt.Fprintln(w, "\tms\t×\tms\t×\t\tms\t×\tms\t×\tms\t\t\t\tof 20\t/walk\t×\tms/walk\t×\tMiB\t×\t")
	for _, r := range rows {
		if r.Broken != "" {
			continue // its line said so
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%.3f\t%.1f\t%.1f\t%s\t%.1f\t%s\t%.0f\t%s\t\n", r.Peer,
			orDash(r.Useful), r.ratio("useful"), orDash(r.Joined), r.ratio("joined"), r.Table,
			orDash(r.P50), r.ratio("p50"), orDash(r.P95), r.ratio("p95"), orDash(r.Max), r.Never, r.Failed,
			r.Recall, r.Dead, r.Answers, r.ratio("answers"), r.CPU, r.ratio("cpu"), r.Peak, r.ratio("peak"))
	}
	_ = w.Flush()
}

func recordTable(out io.Writer, rows []besideRow) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := false
	for _, r := range rows {
		for _, v := range r.Verbs {
			if !head {
				fmt.Fprintln(w, "peer\tverb\ttries\tfound, or held by\tp50 ms\tp95 ms\tlongest\tnever\tfailed\t")
				head = true
			}
			had := "-"
			if v.Verb != "provide" {
				had = fmt.Sprintf("%.2f", v.Had)
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%d\t%d\t\n", r.Peer, v.Verb, v.Tries, had, orDash(v.P50), orDash(v.P95), orDash(v.Max), v.Never, v.Failed)
		}
	}
	_ = w.Flush()
}

// orDash is a time in milliseconds: "-" for one that never came.
func orDash(t float64) string {
	switch {
	case t == 0:
		return "-"
	case t < 1000:
		return fmt.Sprintf("%.1f", t)
	}
	return fmt.Sprintf("%.0f", t)
}

// ratio is how often the figure of the first kind goes into this row's.
func (r besideRow) ratio(what string) string {
	x, ok := r.Ratios[what]
	switch {
	case !ok:
		return ""
	case x < 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

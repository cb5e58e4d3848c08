package main

import (
	"fmt"
	"io"
)

// table prints rows as they come, so that a long run can be watched; hence
// columns of a fixed width.
type table struct{ out io.Writer }

func newTable(out io.Writer) table { return table{out} }

const columns = "%-15s %6s %5s %8s %8s %6s %8s %8s %7s %6s %6s %7s\n"

func (t table) head() {
	fmt.Fprintf(t.out, columns, "kind", "faulty", "paths", "ready", "boot", "table", "p50", "p95", "recall", "sent", "served", "overdue")
	fmt.Fprintf(t.out, columns, "", "%", "", "ms", "ms", "", "ms", "ms", "", "/walk", "/walk", "")
}

func (t table) row(f figures) error {
	whole := func(n int) string { return fmt.Sprint(n) }
	if f.IdleFor > 0 {
		_, err := fmt.Fprintf(t.out, "%-15s %6d %5d   idle for %.0f s: %d dials, overdue %d\n",
			f.Kind, f.Faulty, f.Paths, f.IdleFor, f.IdleDials, f.Overdue)
		return err
	}
	_, err := fmt.Fprintf(t.out, columns, f.Kind, whole(f.Faulty), whole(f.Paths),
		millis(f.Ready), millis(f.Boot), whole(f.Table), millis(f.P50), millis(f.P95),
		fmt.Sprintf("%.3f", f.Recall), fmt.Sprintf("%.1f", f.Sent), fmt.Sprintf("%.1f", f.Served), whole(int(f.Overdue)))
	return err
}

// millis is a time in milliseconds: "-" for one that never came.
func millis(t float64) string {
	if t == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", t)
}

package sim

import (
	"slices"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
)

// tally is what the world counts while it runs.
type tally struct {
	requests  uint64
	ops       uint64
	overdue   int
	overBound time.Duration
	walks     uint64    // operations of one lookup: a caller's, or a bucket's refresh
	boots     uint64    // bootstraps
	part      float64   // the greatest part of its bound that any operation used
	bound     [2]Shares // how many walks and bootstraps used which part of their bound
	joined    []Point   // of each bootstrap, if there are plots

	lookups   int
	converged int
	found     int // of the true k nearest
	exist     int // how many there were
	honest    share
	asked     int
	hops      int
	end       []time.Duration
	first     []time.Duration
	most      []time.Duration // 15 of the final 20
	depths    []int
	recalls   []Point
	marks     []Mark
}

// Shares counts what lies in each of fifty equal parts of 0 to 100 %, and beyond.
type Shares [51]uint64

func (s *Shares) add(x float64) { s[max(0, min(len(s)-1, int(x*float64(len(s)-1))))]++ }

// use files which part of its bound an operation used.
func (w *World) use(f engine.OpEnded) {
	t, took := &w.tally, f.Result.Ended.Sub(f.Result.Started)
	part := ratio(int(took), int(f.Result.Bound.Sub(f.Result.Started)))
	t.part = max(t.part, part)
	switch f.Kind {
	case engine.KindBootstrap:
		t.boots++
		t.bound[1].add(part)
		if w.opt.Plots != nil {
			t.joined = append(t.joined, Point{w.now, ms(took)})
		}
	case engine.KindPing, engine.KindStore:
	default:
		t.walks++
		t.bound[0].add(part)
	}
}

// Plots are the single figures of a run, for whoever draws them.
type Plots struct {
	End, First, Most []time.Duration // of each lookup: its end, its first answer, 15 of its final 20
	Depth            []int           // of each lookup: hops of the farthest informant that helped
	Recall           []Point         // of each lookup, by when it ended
	Useful           []time.Duration // of each node: how long it took to be of use
	Marks            []Mark          // what the scenario did
	Bound            [2]Shares       // which part of their bound walks and bootstraps used
	Fill             []Level         // how full the tables are, by bucket
	Joined           []Point         // bootstraps: when each ended, and after how many milliseconds
}

// Point is a value at a moment of virtual time.
type Point struct {
	At    mono.Time
	Value float64
}

// Mark is a moment at which a scenario did something.
type Mark struct {
	At   mono.Time
	What string
}

// Result is what a run leaves, in the words of the last --json line. What only
// a real clock or the process can tell (EventsPerCPUs, BytesPerNode) is for
// the caller to fill in.
type Result struct {
	Scenario      string        `json:"scenario"`
	Nodes         int           `json:"nodes"`
	Seed          uint64        `json:"seed"`
	Dead          int           `json:"dead"`
	TraceHash     string        `json:"trace_hash"`
	Virtual       time.Duration `json:"virtual_ns"`
	Events        uint64        `json:"events"`
	EventsPerCPUs float64       `json:"events_per_cpu_s"`
	BytesPerNode  float64       `json:"bytes_per_node"`
	Operations    uint64        `json:"operations"`
	Walks         uint64        `json:"walks"`         // of them, those of one lookup, a caller's or a refresh's
	Booted        uint64        `json:"boots"`         // and the bootstraps, refreshes included
	OfBound       float64       `json:"most_of_bound"` // the greatest part of its bound that any operation used
	Lookups       int           `json:"lookups"`
	Converged     int           `json:"converged"`
	Recall        float64       `json:"recall"`
	Honest        float64       `json:"honest_recall"` // the same of those who do not lie
	P50           float64       `json:"p50_ms"`
	P95           float64       `json:"p95_ms"`
	First50       float64       `json:"first_p50_ms"`
	First95       float64       `json:"first_p95_ms"`
	Most50        float64       `json:"fifteen_p50_ms"`
	Most95        float64       `json:"fifteen_p95_ms"`
	Requests      float64       `json:"requests_per_lookup"`
	Depth         float64       `json:"depth"`
	MaxOver       float64       `json:"max_over_bound"` // milliseconds, as the next one
	MaxOverBound  float64       `json:"max_over_bound_ms"`
	Overdue       int           `json:"overdue"`
	Stalled       int           `json:"stalled"`

	Bootstraps int     `json:"bootstraps,omitempty"`
	Ready      int     `json:"ready,omitempty"`
	Boot50     float64 `json:"boot_p50_ms,omitempty"`
	Boot95     float64 `json:"boot_p95_ms,omitempty"`
	BootMax    float64 `json:"boot_max_ms,omitempty"` // join
	Fill       float64 `json:"table_fill,omitempty"`  // of what the tables could hold

	// The way back: nodes that a fault put out of use, and how long after its
	// end they were of use again.
	Back      int     `json:"back,omitempty"`
	Back50    float64 `json:"back_p50_ms,omitempty"`
	Back95    float64 `json:"back_p95_ms,omitempty"`
	BackMax   float64 `json:"back_max_ms,omitempty"`
	BackBound float64 `json:"back_bound_ms,omitempty"`

	Kept []Kept `json:"kept,omitempty"` // values, providers: over time

	Swept [2]Swept `json:"swept,omitzero"` // sweep: what was started, and then a cycle

	// What single scenarios measure beside that.
	OnePath  float64 `json:"honest_recall_one_path,omitempty"` // sybil, eclipse: with one path instead
	Target   float64 `json:"honest_recall_target,omitempty"`   // eclipse: of the lookups for the target
	Leaves   int     `json:"leaves,omitempty"`                 // churn, soak: sessions that ended
	Near     float64 `json:"neighbourhood,omitempty"`          // liveness: share of its k nearest that a member knows, the mean
	NearMin  float64 `json:"neighbourhood_min,omitempty"`      // and the least
	NearHeld float64 `json:"neighbourhood_table,omitempty"`    // and that its table holds, the mean
	Samples  int     `json:"samples,omitempty"`                // soak: of what the members keep
	Growth   float64 `json:"growth,omitempty"`                 // and by which factor the most of it grew
	Offline  int     `json:"offline_requests_per_minute_max,omitempty"`
	Stated   int     `json:"offline_requests_per_minute_stated,omitempty"`
}

// mostOf is how many of a full result make the figure "15 of 20".
const mostOf = 15

// count files one lookup of node n for target.
func (w *World) count(n uint32, target key.Key, r engine.Result) {
	t := &w.tally
	t.lookups++
	if r.Outcome == engine.Converged {
		t.converged++
	}
	truth := w.answering().nearest(target, w.opt.Engine.Lookup.K, n)
	t.exist += len(truth)
	found := 0
	for _, m := range truth {
		there := 0
		if names(r, w.info(m)) {
			there = 1
		}
		found += there
		if w.nodes[m].state == healthy {
			t.honest.add(share{there, 1})
		}
	}
	t.found += found
	t.recalls = append(t.recalls, Point{w.now, ratio(found, len(truth))})
	t.depths = append(t.depths, r.Stats.Depth)
	t.asked += r.Stats.Requests
	t.hops += r.Stats.Depth
	t.end = append(t.end, r.Ended.Sub(r.Started))
	if r.FirstAnswer != 0 {
		t.first = append(t.first, r.FirstAnswer.Sub(r.Started))
	}
	if len(r.AnsweredAt) >= mostOf {
		at := slices.Clone(r.AnsweredAt)
		slices.Sort(at)
		t.most = append(t.most, at[mostOf-1].Sub(r.Started))
	}
}

// names reports whether a result names a peer.
func names(r engine.Result, who *contact.Info) bool {
	return slices.ContainsFunc(r.Closest, func(c *contact.Info) bool { return c == who })
}

// finish measures and sums up the world when its run has ended.
func (w *World) finish(err error) (Result, error) {
	if w.opt.Measure != nil && w.events > 0 {
		w.opt.Measure(w.events)
	}
	r := w.Result()
	if p, t := w.opt.Plots, &w.tally; p != nil {
		p.End, p.First, p.Most, p.Depth, p.Recall, p.Marks = t.end, t.first, t.most, t.depths, t.recalls, t.marks
		p.Bound, p.Joined, p.Fill = t.bound, t.joined, w.levels()
	}
	if err == nil && r.Stalled > 0 {
		err = w.broken("%d operations are open though their time is over", r.Stalled)
	}
	return r, err
}

// Result sums up the run.
func (w *World) Result() Result {
	t := &w.tally
	r := Result{
		Scenario: w.opt.Scenario, Nodes: len(w.nodes), Seed: w.opt.Seed, Dead: w.opt.Dead,
		TraceHash: hex(w.trace), Virtual: w.now.Sub(0), Events: w.events, Operations: t.ops,
		Walks: t.walks, Booted: t.boots, OfBound: t.part,
		Lookups: t.lookups, Converged: t.converged, Overdue: t.overdue, Stalled: w.stalled(),
		MaxOverBound: ms(max(0, t.overBound)),
		Recall:       ratio(t.found, t.exist), Honest: t.honest.value(), Requests: ratio(t.asked, t.lookups), Depth: ratio(t.hops, t.lookups),
	}
	r.MaxOver = r.MaxOverBound
	r.P50, r.P95 = quantiles(t.end)
	r.First50, r.First95 = quantiles(t.first)
	r.Most50, r.Most95 = quantiles(t.most)
	return r
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantiles returns the median and the 95th percentile in milliseconds.
func quantiles(d []time.Duration) (p50, p95 float64) {
	if len(d) == 0 {
		return 0, 0
	}
	slices.Sort(d)
	return ms(d[len(d)/2]), ms(d[len(d)*95/100])
}

func hex(x uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[x>>(60-4*i)&15]
	}
	return string(b[:])
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/pprof"
	"time"

	"github.com/waymark-dht/waymark/internal/devnet"
	"github.com/waymark-dht/waymark/internal/fault"
)

// freshSeeds is how many healthy members a fresh node is introduced to.
const freshSeeds = 3

// cell is one measurement: one network, one fresh node.
type cell struct {
	Kind    fault.Kind
	Faulty  int // percent
	Paths   int
	Nodes   int
	Lookups int
	Seed    uint64
	Idle    time.Duration
	Profile string
}

func (c cell) String() string {
	return fmt.Sprintf("%s %d %% paths %d seed %d", c.Kind, c.Faulty, c.Paths, c.Seed)
}

// figures are what was measured. Times are in milliseconds.
type figures struct {
	Kind   string `json:"kind"`
	Faulty int    `json:"faulty_percent"`
	Paths  int    `json:"paths"`
	Nodes  int    `json:"nodes"`
	Seed   uint64 `json:"seed"`

	Ready    float64 `json:"ready_ms"`     // until the node said that it is useful; zero if it never did
	Boot     float64 `json:"bootstrap_ms"` // until the bootstrap ended
	Outcome  string  `json:"bootstrap_outcome"`
	Table    int     `json:"table"`
	BootSent int     `json:"bootstrap_requests"`
	Steps    []step  `json:"steps"`

	Lookups int            `json:"lookups"`
	P50     float64        `json:"lookup_p50_ms"`
	P95     float64        `json:"lookup_p95_ms"`
	Max     float64        `json:"lookup_max_ms"`
	Recall  float64        `json:"recall"`
	Sent    float64        `json:"requests_per_lookup"` // as the node counts
	Served  float64        `json:"answers_per_lookup"`  // as the healthy members count
	Ends    map[string]int `json:"lookup_outcomes"`
	Failed  map[string]int `json:"lookup_failures"`

	Dials     int     `json:"dials"` // peers dialled by the fresh node, in all
	IdleFor   float64 `json:"idle_seconds,omitempty"`
	IdleDials int     `json:"idle_dials,omitempty"`
	Overdue   int64   `json:"overdue"`
}

// run starts the network and has a fresh node join it.
func (c cell) run(ctx context.Context) (f figures, err error) {
	ctx, cancel := context.WithTimeout(ctx, cellLimit+c.Idle)
	defer cancel()
	cfg := devnet.Config{Nodes: c.Nodes, Faulty: c.Faulty, Seed: c.Seed, Kinds: []fault.Kind{c.Kind}}
	net, err := devnet.Start(ctx, cfg, func(int) {})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, net.Close()) }()
	j, err := c.job(net)
	if err != nil {
		return f, err
	}
	stop, err := profile(c.profileOf("network"))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return c.measure(ctx, net, j)
}

// job is what the fresh node is told.
func (c cell) job(net *devnet.Network) (job, error) {
	seeds, err := net.HonestSeeds(freshSeeds)
	if err != nil {
		return job{}, err
	}
	j := job{Paths: c.Paths, Seed: c.Seed, Idle: c.Idle}
	for _, a := range seeds {
		j.Seeds = append(j.Seeds, a.String())
	}
	j.Keys = net.Keys(c.Lookups)
	j.Profile = c.profileOf("fresh")
	return j, nil
}

// profileOf names the file for the CPU profile of one process, or none.
func (c cell) profileOf(process string) string {
	if c.Profile == "" {
		return ""
	}
	return fmt.Sprintf("%s-%s-%d-%d-%s.pprof", c.Profile, c.Kind, c.Faulty, c.Paths, process)
}

// profile writes where this process spends its time, until it is stopped.
func profile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}

// measure runs the fresh node in a process of its own: it shares neither a
// heap nor a scheduler with the members.
func (c cell) measure(ctx context.Context, net *devnet.Network, j job) (figures, error) {
	self, err := os.Executable()
	if err != nil {
		return figures{}, err
	}
	fresh := exec.CommandContext(ctx, self)
	fresh.Env = append(os.Environ(), freshEnv+"=1")
	fresh.Stderr = os.Stderr
	in, err := fresh.StdinPipe()
	if err != nil {
		return figures{}, err
	}
	out, err := fresh.StdoutPipe()
	if err != nil {
		return figures{}, err
	}
	if err := fresh.Start(); err != nil {
		return figures{}, err
	}
	f, err := c.talk(net, j, json.NewEncoder(in), json.NewDecoder(out))
	return f, errors.Join(err, in.Close(), fresh.Wait())
}

// talk leads the fresh node through its job, and reads the members' counters
// while it stands still.
func (c cell) talk(net *devnet.Network, j job, tell *json.Encoder, hear *json.Decoder) (figures, error) {
	f := figures{Kind: c.Kind.String(), Faulty: c.Faulty, Paths: c.Paths, Nodes: c.Nodes, Seed: c.Seed}
	if err := tell.Encode(j); err != nil {
		return f, err
	}
	var joined joined
	if err := hear.Decode(&joined); err != nil {
		return f, fmt.Errorf("the fresh node's bootstrap: %w", err)
	}
	f.join(joined)
	before := net.Answered()
	if err := tell.Encode(proceed{}); err != nil {
		return f, err
	}
	var walked walked
	if err := hear.Decode(&walked); err != nil {
		return f, fmt.Errorf("the fresh node's lookups: %w", err)
	}
	f.walk(walked, j, net)
	if n := len(walked.Walks); n > 0 {
		f.Served = float64(net.Answered()-before) / float64(n)
	}
	return f, nil
}

func (f *figures) join(j joined) {
	f.Ready, f.Boot, f.Outcome = devnet.Millis(j.Ready), devnet.Millis(j.Took), j.Outcome
	f.Table, f.BootSent, f.Steps = j.Table, j.Requests, j.Steps
}

func (f *figures) walk(w walked, j job, net *devnet.Network) {
	f.Lookups, f.Failed, f.Overdue = len(w.Walks), w.Failed, w.Overdue
	f.Dials, f.IdleDials, f.IdleFor = w.Dials, w.IdleDials, j.Idle.Seconds()
	f.Ends = make(map[string]int)
	took := make([]time.Duration, 0, len(w.Walks))
	for i, walk := range w.Walks {
		took = append(took, walk.Took)
		f.Ends[walk.Outcome]++
		n := float64(len(w.Walks))
		f.Sent += float64(walk.Requests) / n
		f.Recall += net.Recall(string(j.Keys[i]), walk.Peers) / n
	}
	f.P50, f.P95, f.Max = devnet.Millis(devnet.Quantile(took, 50)), devnet.Millis(devnet.Quantile(took, 95)), devnet.Millis(devnet.Quantile(took, 100))
}

// sane returns what no network may do to a node.
func (f *figures) sane() error {
	var broken []error
	if f.Overdue != 0 {
		broken = append(broken, fmt.Errorf("%s %d %%: %d operations were overdue", f.Kind, f.Faulty, f.Overdue))
	}
	if f.Boot == 0 {
		broken = append(broken, fmt.Errorf("%s %d %%: the bootstrap never ended", f.Kind, f.Faulty))
	}
	return errors.Join(broken...)
}

// explain says where the time went.
func (f *figures) explain(out io.Writer) {
	for _, s := range f.Steps {
		fmt.Fprintf(out, "   %-10s %-16s %4d of %4d answered in %7.1f ms  %v %s\n",
			s.Name, s.Outcome, s.Answered, s.Asked, devnet.Millis(s.Took), s.Failed, s.Reason)
	}
	fmt.Fprintf(out, "   table %d, %d dials, longest lookup %.1f ms, ends %v, failures %v\n",
		f.Table, f.Dials, f.Max, f.Ends, f.Failed)
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/internal/fault"
)

// freshEnv makes this program a fresh node, which is told a job on stdin and
// answers on stdout, in JSON: job, joined, proceed, walked.
const freshEnv = "WAYMARK_BENCH_FRESH"

type job struct {
	Seeds   []string
	Keys    [][]byte // to look up, one after the other
	Paths   int
	Seed    uint64
	Idle    time.Duration // stand idle for so long instead
	Profile string        // a file for the CPU profile, or empty
}

type joined struct {
	Ready    time.Duration // zero if never
	Took     time.Duration
	Outcome  string
	Table    int
	Requests int
	Steps    []step
}

type step struct {
	Name, Outcome   string
	Asked, Answered int
	Failed          map[string]int
	Reason          string
	Took            time.Duration
}

type proceed struct{}

type walked struct {
	Walks     []walk
	Failed    map[string]int
	Dials     int // since the start
	IdleDials int
	Overdue   int64
}

type walk struct {
	Took     time.Duration
	Outcome  string
	Requests int
	Peers    []string
}

// runFresh is the life of a fresh node.
func runFresh(ctx context.Context, in io.Reader, out io.Writer) error {
	hear, tell := json.NewDecoder(in), json.NewEncoder(out)
	var j job
	if err := hear.Decode(&j); err != nil {
		return err
	}
	f, err := newFresh(j)
	if err != nil {
		return err
	}
	err = f.live(ctx, hear, tell)
	return errors.Join(err, f.close())
}

// fresh is a node that knows nothing but its seeds.
type fresh struct {
	job
	dials *dialCounter
	dht   *waymark.DHT
	ends  []func() error
}

func newFresh(j job) (*fresh, error) {
	f := &fresh{job: j, dials: new(dialCounter)}
	cfg := waymark.Config{Mode: waymark.ModeClient, AllowLoopback: true, Paths: j.Paths, Seed: j.Seed}
	for _, s := range j.Seeds {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, err
		}
		cfg.Seeds = append(cfg.Seeds, a)
	}
	h, err := fault.NewHost(fault.HostOptions{QUIC: true, Extra: []libp2p.Option{libp2p.ConnectionGater(f.dials)}})
	if err != nil {
		return nil, err
	}
	f.ends = append(f.ends, h.Close)
	if f.dht, err = waymark.New(h, cfg); err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.ends = append(f.ends, f.dht.Close)
	stop, err := profile(j.Profile)
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.ends = append(f.ends, stop)
	return f, nil
}

// close ends all, the last first.
func (f *fresh) close() error {
	var errs []error
	for i := len(f.ends) - 1; i >= 0; i-- {
		errs = append(errs, f.ends[i]())
	}
	return errors.Join(errs...)
}

func (f *fresh) live(ctx context.Context, hear *json.Decoder, tell *json.Encoder) error {
	if err := tell.Encode(f.join(ctx)); err != nil {
		return err
	}
	var p proceed
	if err := hear.Decode(&p); err != nil {
		return err
	}
	w := walked{}
	if f.Idle > 0 {
		w.IdleDials = f.idle(ctx)
	} else {
		f.walk(ctx, &w)
	}
	w.Dials, w.Overdue = f.dials.count(), f.dht.Overdue()
	return tell.Encode(w)
}

// join bootstraps and notes when the node became useful.
func (f *fresh) join(ctx context.Context) joined {
	watch, stop := context.WithCancel(ctx)
	facts := f.dht.Facts(watch)
	ready := make(chan mono.Time, 1)
	go func() {
		var at mono.Time
		for fact := range facts {
			if r, ok := fact.(engine.BecameReady); ok && at == 0 {
				at = r.At
			}
		}
		ready <- at
	}()
	began := time.Now()
	report, err := f.dht.RunBootstrap(ctx)
	j := joined{
		Took: time.Since(began), Outcome: report.Outcome.String(), Table: report.Table, Requests: report.Stats.Requests,
	}
	if err != nil {
		j.Outcome += ": " + err.Error()
	}
	stop()
	if at := <-ready; at != 0 {
		j.Ready = f.dht.Time(at).Sub(began)
	}
	for _, s := range report.Steps {
		j.Steps = append(j.Steps, step{
			s.Name, s.Outcome.String(), s.Asked, s.Answered, s.Failures.Words(), s.Reason, s.Elapsed,
		})
	}
	return j
}

// walk looks every key up.
func (f *fresh) walk(ctx context.Context, w *walked) {
	var failed contact.Failures
	for _, key := range f.Keys {
		began := time.Now()
		r, err := f.dht.Lookup(ctx, string(key))
		one := walk{Took: time.Since(began), Outcome: r.Outcome.String(), Requests: r.Stats.Requests}
		if err != nil {
			one.Outcome = err.Error()
		}
		for _, p := range r.Peers {
			one.Peers = append(one.Peers, p.ID.String())
		}
		for kind, n := range r.Stats.Failures {
			failed[kind] += n
		}
		w.Walks = append(w.Walks, one)
	}
	w.Failed = failed.Words()
}

// idle does nothing and returns how many peers were dialled meanwhile.
func (f *fresh) idle(ctx context.Context) int {
	before := f.dials.count()
	timer := time.NewTimer(f.Idle)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return f.dials.count() - before
}

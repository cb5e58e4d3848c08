package fulltable_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/crawl"
	"github.com/waymark-dht/waymark/fulltable"
	"github.com/waymark-dht/waymark/internal/devnet"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// meter counts the requests of a node's operations, by its facts.
type meter struct {
	facts <-chan waymark.Fact
	node  *waymark.DHT
}

func (m *meter) read() (sent int) {
	m.node.Open() // answered by who publishes: what was noticed before is in the channel
	for {
		select {
		case f := <-m.facts:
			switch f := f.(type) {
			case engine.RequestSent:
				sent++
			case engine.Missed:
				sent += f.Count // most facts of an operation are of requests
			}
		default:
			return sent
		}
	}
}

// trial is how some operations of one kind went.
type trial struct {
	name   string
	failed int
	took   []time.Duration
	sent   int
	copies int
}

func (tr *trial) String() string {
	n := len(tr.took)
	return fmt.Sprintf("%-24s %3d of %d · %5.1f requests · p50 %7v · p95 %7v · %4.1f copies", tr.name, n-tr.failed, n,
		float64(tr.sent)/float64(n), devnet.Quantile(tr.took, 50).Round(100*time.Microsecond),
		devnet.Quantile(tr.took, 95).Round(100*time.Microsecond), float64(tr.copies)/float64(n))
}

// try runs an operation some times.
func (m *meter) try(t *testing.T, name string, n int, bound time.Duration, op func(i int) (copies int, err error)) *trial {
	t.Helper()
	tr := &trial{name: name}
	for i := range n {
		m.read()
		began := time.Now()
		copies, err := op(i)
		took := time.Since(began)
		tr.sent += m.read()
		tr.took, tr.copies = append(tr.took, took), tr.copies+copies
		if err != nil {
			tr.failed++
			t.Errorf("%s %d: %v", name, i, err)
		}
		if took > bound {
			t.Errorf("%s %d took %v, and was bound to %v", name, i, took, bound)
		}
	}
	t.Log(tr)
	return tr
}

// TestAmongAHundredOfWhomThirtyMisbehave crawls a network of real hosts on
// loopback, finds every healthy one, and compares one hop with lookups.
func TestAmongAHundredOfWhomThirtyMisbehave(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred real hosts; the stories in virtual time run")
	}
	ctx := t.Context()
	net, err := devnet.Start(ctx, devnet.Config{Nodes: 100, Faulty: 30, Seed: 1, Validators: rules}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	ends := make(map[peer.ID]string) // written by the crawl alone, and read after it
	note := func(p crawl.Peer, _ crawl.Progress) {
		ends[peer.ID(p.Info.ID)] = fmt.Sprint(p.Answered, " ", p.Failure, " ", p.Detail)
	}
	node, client, announcer := joinReal(t, net, note)
	began := time.Now()
	if err := client.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	s := client.Status()
	t.Logf("of %d members %d are healthy; crawl: %v; ready in %v; %+v; %d bytes", len(net.Members), len(net.Members)-net.Faulty(), s.Last, time.Since(began).Round(time.Millisecond), s.Progress, s.Bytes)
	if s.Progress.Answered < len(net.Members)-net.Faulty() {
		t.Errorf("%d answered the crawl", s.Progress.Answered)
	}
	for _, m := range net.Members {
		if _, known := client.Known(m.Info.ID); m.Kind == fault.Honest && !known {
			t.Errorf("%v is healthy and was not found: %v", m.Info.ID, ends[m.Info.ID])
		}
	}
	const n = 25
	m := &meter{node.Facts(ctx), node}
	name := func(who string, i int) string { return fmt.Sprintf("%s %d", who, i) }
	provide := m.try(t, "provide, one hop", n, client.Bound(waymark.OpProvide), func(i int) (int, error) {
		s, err := client.Announce(ctx, testkit.CID(name("one", i)).Hash())
		return len(s.Peers), err
	})
	ordinary := m.try(t, "provide, by lookup", n, node.Bound(waymark.OpProvide), func(i int) (int, error) {
		s, err := node.Announce(ctx, testkit.CID(name("by lookup", i)).Hash())
		return len(s.Peers), err
	})
	for i := range n {
		if err := announcer.Provide(ctx, testkit.CID(name("theirs", i)), true); err != nil {
			t.Fatal(err)
		}
	}
	find := m.try(t, "find, one hop", n, client.Bound(waymark.OpFindProviders), func(i int) (int, error) {
		got, err := client.FindProviders(ctx, testkit.CID(name("theirs", i)))
		return len(got), err
	})
	findOrdinary := m.try(t, "find, by lookup", n, node.Bound(waymark.OpFindProviders), func(i int) (int, error) {
		got, err := node.FindProviders(ctx, testkit.CID(name("theirs", i)))
		return len(got), err
	})
	if provide.sent >= ordinary.sent || find.sent > findOrdinary.sent {
		t.Error("one hop takes more requests than a lookup")
	}
	many(t, client, m)
	if node.Overdue() != 0 || client.Status().FellBack != 0 {
		t.Errorf("%d overdue, %d fell back", node.Overdue(), client.Status().FellBack)
	}
}

func many(t *testing.T, client *fulltable.Client, m *meter) {
	t.Helper()
	var keys []multihash.Multihash
	for i := range 1000 {
		keys = append(keys, testkit.CID(fmt.Sprint("many ", i)).Hash())
	}
	m.read()
	a, err := client.AnnounceMany(t.Context(), keys)
	t.Logf("1000 keys: %d stored, %.1f copies each, %d exchanges, %d one by one, in %v of %v",
		a.Stored, float64(a.Copies)/1000, a.Requests, a.FellBack, a.Elapsed.Round(time.Millisecond), a.Bound)
	if err != nil || a.Stored != len(keys) || a.Copies < len(keys)*params.K/2 {
		t.Errorf("%v: %+v", err, a)
	}
}

// joinReal is a newcomer with a client, and a member that announces.
func joinReal(t *testing.T, net *devnet.Network, note func(crawl.Peer, crawl.Progress)) (*waymark.DHT, *fulltable.Client, *waymark.DHT) {
	t.Helper()
	seeds, err := net.Seeds(5)
	if err != nil {
		t.Fatal(err)
	}
	h, err := net.Newcomer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	node, err := waymark.New(h, waymark.Config{Seeds: seeds, AllowLoopback: true, Mode: waymark.ModeClient, Validators: rules, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	client := fulltable.New(node, fulltable.Config{Crawl: crawl.Config{Heard: note}})
	t.Cleanup(func() { client.Close() })
	h2, err := fault.NewHost(fault.HostOptions{QUIC: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h2.Close() })
	other, err := waymark.New(h2, waymark.Config{Seeds: seeds, AllowLoopback: true, Mode: waymark.ModeClient, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := other.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return node, client, other
}

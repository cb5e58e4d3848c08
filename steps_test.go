package waymark_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// TestCloseAndCancelAtEveryStep interrupts a bootstrap after each of its
// facts, once by cancelling it and once by closing the node.
func TestCloseAndCancelAtEveryStep(t *testing.T) {
	for _, way := range []string{"cancel", "close"} {
		for step := range 40 {
			testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
				servers := w.Servers(4, waymark.Config{})
				d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0], servers[1])})
				w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				facts := d.Facts(t.Context())
				ended := make(chan error, 1)
				go func() { _, err := d.RunBootstrap(ctx); ended <- err }()
				for range step {
					<-facts
				}
				began := time.Now()
				if way == "cancel" {
					cancel()
				} else if err := d.Close(); err != nil {
					t.Errorf("close after %d facts: %v", step, err)
				}
				err := <-ended
				if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, waymark.ErrClosed) {
					t.Errorf("%s after %d facts: %v", way, step, err)
				}
				if took := time.Since(began); took > params.CancelGrace {
					t.Errorf("%s after %d facts took %v", way, step, took)
				}
			})
		}
	}
}

// TestACutAtEveryStepOfABootstrap is rust-libp2p #5432 at every moment: the
// connections die in the middle of a frame after so many bytes, alone and
// with all other peers silent from then on. The bootstrap ends within its
// bound, once, and the node is of use again when the network is.
func TestACutAtEveryStepOfABootstrap(t *testing.T) {
	var hit contact.Failures
	for _, mute := range []bool{false, true} {
		for after := 100; after < 4000; after += 317 { // a prime: every part of a frame
			testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
				for f, n := range bootstrapUnderCuts(t, w, after, mute) {
					hit[f] += n
				}
			})
		}
	}
	if hit[contact.Reset] == 0 || hit[contact.Silent]+hit[contact.BlackHole] == 0 {
		t.Errorf("the cuts have not hit what they should: %v", hit.Words())
	}
}

func bootstrapUnderCuts(t *testing.T, w *testkit.World, after int, mute bool) contact.Failures {
	servers := w.Servers(6, waymark.Config{})
	w.Wire.OnLink(func(l *fault.Link) {
		if ip := l.Listener.Addr().As4(); mute && ip[3]%3 > 0 { // two peers of three
			l.Stall(fault.Down)
			return
		}
		l.CutAfter(fault.Down, after)
	})
	d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0], servers[1]), Mode: waymark.ModeClient})
	facts := d.Facts(t.Context())
	began := time.Now()
	report, err := d.RunBootstrap(t.Context())
	if took := time.Since(began); took > d.Bound(waymark.OpBootstrap) || d.Overdue() != 0 {
		t.Errorf("cut after %d bytes (mute %v): it took %v, %d overdue", after, mute, took, d.Overdue())
	}
	if err != nil && len(report.Reasons()) == 0 {
		t.Errorf("cut after %d bytes (mute %v): %v without a reason: %+v", after, mute, err, report)
	}
	synctest.Wait()
	if n := endsOf(facts, engine.KindBootstrap); n != 1 {
		t.Errorf("cut after %d bytes (mute %v): %d bootstraps have ended", after, mute, n)
	}
	w.Wire.OnLink(func(*fault.Link) {})
	w.Wire.CutAll()
	comesBack(t, d)
	return report.Stats.Failures
}

// endsOf counts the ends of one kind among the facts that are there.
func endsOf(facts <-chan waymark.Fact, kind engine.Kind) (n int) {
	for {
		select {
		case f := <-facts:
			if end, ok := f.(engine.OpEnded); ok && end.Kind == kind {
				n++
			}
		default:
			return n
		}
	}
}

// TestCloseAndCancelAmidAThousandOperations interrupts them all at once, at a
// moment at which some wait for a place and others for answers.
func TestCloseAndCancelAmidAThousandOperations(t *testing.T) {
	for _, way := range []string{"cancel", "close"} {
		for _, at := range []time.Duration{0, time.Millisecond, 300 * time.Millisecond, 3 * time.Second} {
			testkit.InBubble(t, func(t *testing.T, w *testkit.World) { amidAThousand(t, w, way, at) })
		}
	}
}

func amidAThousand(t *testing.T, w *testkit.World, way string, at time.Duration) {
	d := w.Node(waymark.Config{})
	for range 12 {
		w.Check(d.Admit(addrOf(w.Peer(testkit.Silent))))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const operations = 1000
	var ended [operations]time.Time
	var all sync.WaitGroup
	for i := range operations {
		all.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = d.Lookup(ctx, keyOf(i))
			} else {
				_, err = d.FindPeer(ctx, idOf(i))
			}
			if ended[i] = time.Now(); err == nil {
				t.Errorf("%s at %v: operation %d has found somebody", way, at, i)
			}
		})
	}
	testkit.Pass(at)
	cut := time.Now()
	if way == "cancel" {
		cancel()
	} else if err := d.Close(); err != nil {
		t.Errorf("close at %v: %v", at, err)
	}
	all.Wait()
	for i, end := range ended {
		if took := end.Sub(cut); took > params.CancelGrace {
			t.Errorf("%s at %v: operation %d ended %v later", way, at, i, took)
		}
	}
	if n := len(d.Open()); n != 0 || d.Overdue() != 0 {
		t.Errorf("%s at %v: %d operations are open, %d overdue", way, at, n, d.Overdue())
	}
}

// idOf names the i-th of peers that do not exist.
func idOf(i int) peer.ID {
	id, err := peer.IDFromPrivateKey(fault.NewKey(rand.New(rand.NewPCG(uint64(i), 77))))
	if err != nil {
		panic(err) // the key is made for this
	}
	return id
}

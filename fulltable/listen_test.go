package fulltable

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

func TestWhoFellBehindTheFactsListensAgain(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		s := w.Servers(2, waymark.Config{})
		d := w.Node(waymark.Config{})
		w.Introduce(d, s...)
		c := New(d, Config{})
		w.Cleanup(func() { w.Check(c.Close()) })
		w.Check(c.WaitReady(t.Context()))
		c.mu.Lock() // it stands still at the next answer
		for range 2*params.FactBuffer + 10 {
			_, err := d.Ping(t.Context(), s[0].PeerID())
			w.Check(err)
		}
		c.mu.Unlock()
		testkit.Pass(time.Second)
		w.Check(s[0].Close())
		if _, err := d.Ping(t.Context(), s[0].PeerID()); err == nil {
			t.Error("a closed node answers")
		}
		_, err := d.Ping(t.Context(), s[1].PeerID()) // so that it is no outage of our own
		w.Check(err)
		testkit.Pass(time.Second)
		if got := c.Status(); got.Failed != 1 {
			t.Errorf("a peer is gone, and the client learnt nothing of it: %+v", got)
		}
	})
}

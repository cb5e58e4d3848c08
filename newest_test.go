package waymark_test

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// TestAPeerThatRestartedIsAskedOverItsNewConnection has a peer vanish without a
// word and come back: of its two connections the old one is dead, which nobody
// here knows for half a minute.
func TestAPeerThatRestartedIsAskedOverItsNewConnection(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		key := w.Key()
		before, err := w.Wire.Host(key)
		w.Check(err)
		w.Cleanup(func() { before.Close() })
		w.NodeOn(before, waymark.Config{Mode: waymark.ModeServer})
		d := w.Node(waymark.Config{Mode: waymark.ModeServer})
		knows(d, before)
		_, err = d.Ping(t.Context(), before.ID())
		w.Check(err)
		for _, l := range w.Wire.Links() {
			l.Stall(fault.Up)
			l.Stall(fault.Down)
		}
		testkit.Pass(time.Second)

		after, err := w.Wire.Host(key)
		w.Check(err)
		w.Cleanup(func() { after.Close() })
		w.NodeOn(after, waymark.Config{Mode: waymark.ModeServer})
		w.Check(after.Connect(t.Context(), addrOf(d.Host())))
		testkit.Pass(time.Second)
		if n := len(d.Host().Network().ConnsToPeer(after.ID())); n != 2 {
			t.Fatalf("there are %d connections to it", n)
		}
		for range 2 { // on a fresh stream, and on one that was kept
			if took, err := d.Ping(t.Context(), after.ID()); err != nil || took > 100*time.Millisecond {
				t.Errorf("it answered after %v: %v", took, err)
			}
		}
	})
}

package waymark_test

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/fault"
)

// TestAPeerThatRestartedIsAskedOverItsNewConnection has a peer vanish without a
// word and come back: of its two connections the old one is dead, which nobody
// here knows for half a minute.
func TestAPeerThatRestartedIsAskedOverItsNewConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		key := newKey(w)
		before, err := w.wire.Host(key)
		w.check(err)
		w.Cleanup(func() { before.Close() })
		w.nodeOn(before, waymark.Config{Mode: waymark.ModeServer})
		d := w.node(waymark.Config{Mode: waymark.ModeServer})
		knows(d, before)
		_, err = d.Ping(t.Context(), before.ID())
		w.check(err)
		for _, l := range w.wire.Links() {
			l.Stall(fault.Up)
			l.Stall(fault.Down)
		}
		pass(time.Second)

		after, err := w.wire.Host(key)
		w.check(err)
		w.Cleanup(func() { after.Close() })
		w.nodeOn(after, waymark.Config{Mode: waymark.ModeServer})
		w.check(after.Connect(t.Context(), addrOf(d.Host())))
		pass(time.Second)
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

package waymark

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
)

func text(letters []letter) string {
	out := ""
	for _, l := range letters {
		out += fmt.Sprintf("%T ", l.event)
	}
	return out
}

func TestNewsOfOnePeerIsToldOnce(t *testing.T) {
	m, yes, no := newMailbox(), true, false
	_ = m.insist(engine.Shutdown{})
	m.outcome(engine.Failed{})
	for range 3 {
		m.about("a", func(n *peerNews) { n.connected = &no })
		m.about("a", func(n *peerNews) { n.connected = &yes })
		m.about("a", func(n *peerNews) { n.served = contact.New("a") })
		m.networkChanged()
	}
	want := "engine.NetworkChanged engine.Connected engine.Met engine.Failed engine.Shutdown "
	if got := text(m.take()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := m.take(); len(got) != 0 {
		t.Errorf("taken twice: %s", text(got))
	}
	select {
	case <-m.wake:
	default:
		t.Error("the engine was not woken")
	}
}

func TestTheMailboxIsBoundedButForOutcomes(t *testing.T) {
	m := newMailbox()
	for i := range params.MaxPeerNews + 5 {
		m.about(contact.ID(fmt.Sprint(i)), func(*peerNews) {})
	}
	for i := range params.MaxOrders + 5 {
		if err := m.send(engine.Tick{}); (err != nil) != (i >= params.MaxOrders) {
			t.Fatalf("order %d: %v", i, err)
		}
	}
	if err := m.send(engine.Tick{}); !errors.Is(err, ErrOverloaded) {
		t.Errorf("one too many: %v", err)
	}
	m.outcome(engine.Failed{})
	_ = m.insist(engine.Shutdown{})
	if got := len(m.take()); got != params.MaxOrders+2 || m.lost != 5 {
		t.Errorf("%d letters; %d peers' news were lost", got, m.lost)
	}
	m.close()
	if err := m.send(engine.Tick{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestAReaderThatMissesAnEndIsToldByTheEndOfItsStream(t *testing.T) {
	h := newHub()
	r := h.subscribe()
	for range 3 * params.FactBuffer {
		h.publish(0, engine.OpEnded{})
	}
	ends := 0
	for range r.out {
		ends++
	}
	if ends < params.FactBuffer {
		t.Errorf("%d ends were kept", ends)
	}
	if len(h.readers) != 0 {
		t.Error("the reader is still there")
	}
}

func TestTheNumberMissedIsRight(t *testing.T) {
	h := newHub()
	r := h.subscribe()
	const sent = params.FactBuffer + 100
	for i := range sent {
		h.publish(0, engine.RequestSent{Attempt: engine.AttemptID(i)})
	}
	told := 0
	for range 10 { // it reads a little and falls behind again
		<-r.out
		told++
	}
	h.publish(0, engine.OpEnded{})
	h.close()
	missed, ended := 0, false
	for f := range r.out {
		switch f := f.(type) {
		case engine.Missed:
			missed += f.Count
		case engine.OpEnded:
			ended = true
		default:
			told++
		}
	}
	if told+missed != sent || !ended {
		t.Errorf("%d told and %d missed of %d; the end told: %v", told, missed, sent, ended)
	}
}

// What was missed last is told too, when the stream ends.
func TestWhatIsMissedLastIsTold(t *testing.T) {
	for _, full := range []bool{false, true} {
		h := newHub()
		r := h.subscribe()
		more := 100
		for range params.FactBuffer + more {
			h.publish(0, engine.RequestSent{})
		}
		if full {
			for len(h.readers) > 0 {
				h.publish(0, engine.OpEnded{})
			}
			more++ // the end with which it was given up
		}
		h.close()
		missed := 0
		for f := range r.out {
			if f, is := f.(engine.Missed); is {
				missed += f.Count
			}
		}
		if missed != more {
			t.Errorf("%d missed were told of %d; full: %v", missed, more, full)
		}
	}
}

// TestANodeLooksAfterItselfHoweverBusyItIsWhenAsked: there is always room for
// that order, as it is never given again.
func TestANodeLooksAfterItselfHoweverBusyItIsWhenAsked(t *testing.T) {
	d := &DHT{mail: newMailbox()}
	for range params.MaxOrders {
		if err := d.mail.send(engine.Tick{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Bootstrap(t.Context()); err != nil {
		t.Errorf("the first: %v", err)
	}
	told := d.mail.take()
	if err := d.Bootstrap(t.Context()); err != nil {
		t.Errorf("the second: %v", err)
	}
	n := 0
	for _, l := range append(told, d.mail.take()...) {
		if _, is := l.event.(engine.Supervise); is {
			n++
		}
	}
	if n != 1 {
		t.Errorf("it is told %d times to look after itself", n)
	}
}

// TestNoLetterIsLostAtTheEnd: what was accepted is among what came too late.
func TestNoLetterIsLostAtTheEnd(t *testing.T) {
	for range 50 {
		m := newMailbox()
		var accepted atomic.Int64
		var senders sync.WaitGroup
		for range 4 {
			senders.Go(func() {
				for m.send(engine.Tick{}) == nil {
					accepted.Add(1)
				}
			})
		}
		for accepted.Load() == 0 {
			runtime.Gosched()
		}
		got := len(m.close())
		senders.Wait()
		if n := int(accepted.Load()); n != got {
			t.Fatalf("%d letters were accepted, and %d came", n, got)
		}
	}
}

// A peer that tells of itself again is known by what it said last, however many
// others there are.
func TestWhoIsKnownMayMove(t *testing.T) {
	f := newFirstHand()
	for i := range params.MaxPeerNews + 1 {
		f.learn(contact.ID(fmt.Sprint(i)), []contact.Addr{"old"})
	}
	f.learn("0", []contact.Addr{"new"})
	if got := f.with("0", nil); len(got.Addrs) != 1 || got.Addrs[0] != "new" || len(f.of) != params.MaxPeerNews {
		t.Errorf("%v of %d", got.Addrs, len(f.of))
	}
}

func TestErrorsAreWhatTheirCallersLookFor(t *testing.T) {
	if !errors.Is(ErrDeadline, context.DeadlineExceeded) || errors.Is(ErrClosed, context.DeadlineExceeded) {
		t.Error("ErrDeadline is a context.DeadlineExceeded, and no other is")
	}
	for o := engine.Converged; o <= engine.Rejected; o++ {
		err := failure(o, 3)
		if fine := o != engine.NoPeers && o != engine.Stopped && o != engine.Rejected; fine != (err == nil) {
			t.Errorf("%v with peers: %v", o, err)
		}
	}
	if !errors.Is(failure(engine.PartialDeadline, 0), ErrDeadline) {
		t.Error("a deadline without any peer is an error")
	}
}

package conform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/waymark-dht/waymark/core/wire"
)

// loadCases take more of the target than a peer should.
var loadCases = []Case{
	{Name: "idle-streams", Group: "load", About: fmt.Sprintf("opens %d streams and asks nothing", idleStreams), run: idle},
	{Name: "unnegotiated-streams", Group: "load", About: fmt.Sprintf("opens %d streams and says nothing at all", idleStreams), run: unnegotiated},
	{Name: "half-negotiated", Group: "load", About: "begins to negotiate a stream and stops", run: halfNegotiated},
	{Name: "stream-flood", Group: "load", About: fmt.Sprintf("%d streams at once, each with a request", floodStreams), run: streamFlood},
	{Name: "request-flood", Group: "load", About: fmt.Sprintf("%d requests on one stream, as fast as it takes them", floodAsks), run: requestFlood},
	{Name: "zero-window", Group: "load", About: fmt.Sprintf("asks up to %d times and reads no answer", deafAsks), run: zeroWindow},
	{Name: "reset-within-request", Group: "load", About: fmt.Sprintf("resets %d streams within the request", abandoned), run: abandons(true)},
	{Name: "reset-before-answer", Group: "load", About: fmt.Sprintf("resets %d streams before the answer", abandoned), run: abandons(false)},
	{Name: "announcement-flood", Group: "load", About: fmt.Sprintf("%d ADD_PROVIDERs, each on a stream of its own", announced), run: announcements},
	{Name: "crowd", Group: "load", About: fmt.Sprintf("%d peers that connect and say nothing", crowd), run: crowded},
	{Name: "connect-and-go", Group: "load", About: fmt.Sprintf("%d peers that ask and are gone before the answer", crowd), run: connectAndGo},
}

// idle leaves negotiated streams open that ask nothing.
func idle(t *try) {
	c, err := t.dial()
	if err != nil {
		t.fail("%v", brief(err))
		return
	}
	open := 0
	for range idleStreams {
		s, err := c.open()
		if err == nil {
			// The negotiation is lazy: nothing is sent before the first byte.
			_, err = s.Write(nil)
		}
		if err != nil {
			t.saw("gave %d of %d streams", open, idleStreams)
			break
		}
		open++
		t.hold(Warn, "an idle stream", gone(s))
	}
	t.others()
}

// unnegotiated leaves streams open on which not a byte is sent.
func unnegotiated(t *try) {
	c, err := t.dial()
	if err != nil {
		t.fail("%v", brief(err))
		return
	}
	for range idleStreams {
		s, err := c.raw()
		if err != nil {
			break
		}
		t.holdRaw(Fail, "a stream that was never negotiated", s, nil)
	}
	t.others()
}

func halfNegotiated(t *try) {
	c, err := t.dial()
	if err != nil {
		t.fail("%v", brief(err))
		return
	}
	s, err := c.raw()
	if err != nil {
		t.fail("%v", brief(err))
		return
	}
	t.holdRaw(Fail, "a stream that was half negotiated", s, []byte("\x13/multistream/1.0.0\n"))
	t.others()
}

// holdRaw writes to a bare stream and leaves it open. A muxer may open it with
// the first byte only, so that a byte that means nothing yet is sent at least.
func (t *try) holdRaw(grave Verdict, what string, s network.Stream, b []byte) {
	if len(b) == 0 {
		b = []byte{0x13}
	}
	_ = s.SetWriteDeadline(time.Now().Add(answerLimit))
	if _, err := s.Write(b); err != nil {
		return
	}
	t.hold(grave, what, gone(newTalk(s)))
}

func streamFlood(t *try) {
	c, err := t.dial()
	if err != nil {
		t.fail("%v", brief(err))
		return
	}
	began := time.Now()
	var answered atomic.Int64
	var all sync.WaitGroup
	for range floodStreams {
		all.Go(func() {
			s, err := c.open()
			if err != nil {
				return
			}
			defer s.Reset()
			if _, err := s.ask(findNode("flood"), answerLimit); err == nil {
				answered.Add(1)
			}
		})
	}
	t.others()
	all.Wait()
	t.saw("answered %d of %d in %v", answered.Load(), floodStreams, round(time.Since(began)))
	if answered.Load() == 0 {
		t.warn("answers none of them")
	}
	t.again(c)
}

// again wants the peer that asked too much to be answered too, soon after it
// has left off. Its connection may be over.
func (t *try) again(c *client) {
	for began := time.Now(); ; pause(t.ctx, tick) {
		s, err := c.open()
		if err == nil {
			_, err = s.ask(findNode("again"), answerLimit)
		}
		switch {
		case err == nil:
			t.saw("answered again after %v", round(time.Since(began)))
			return
		case c.conn.IsClosed():
			t.saw("closed the connection")
			return
		case time.Since(began) > RecoverWithin || t.ctx.Err() != nil:
			t.fail("does not answer on this connection any more: %v", brief(err))
			return
		}
	}
}

func requestFlood(t *try) {
	_, s, ok := t.opened()
	if !ok {
		return
	}
	began := time.Now()
	frame := findNode("flood")
	t.work.Go(func() {
		for range floodAsks {
			if s.send(frame) != nil {
				return
			}
		}
	})
	answered := 0
	for range floodAsks {
		got, _ := s.react(answerLimit)
		if got != answers {
			t.saw("%v", got)
			break
		}
		answered++
	}
	t.saw("answered %d of %d in %v", answered, floodAsks, round(time.Since(began)))
	t.others()
	_ = s.Reset()
}

// zeroWindow asks until the target cannot write its answers any more, and so
// reads no more either.
func zeroWindow(t *try) {
	c, s, ok := t.opened()
	if !ok {
		return
	}
	key := append([]byte("/pk/"), bytes.Repeat([]byte{1}, deafKey)...)
	frame := message(wire.Message{Type: wire.GetValue, Key: key})
	n, err := 0, error(nil)
	for ; n < deafAsks && err == nil; n++ {
		_ = s.SetWriteDeadline(time.Now().Add(deafPause))
		_, err = s.Write(frame)
	}
	switch {
	case err == nil:
		t.saw("took %d requests", n)
	case reactionOf(err) == waits:
		t.saw("took %d requests, then no more", n-1)
	default:
		t.saw("reset the stream after %d requests", n-1)
	}
	if err == nil || reactionOf(err) == waits {
		t.hold(Fail, "a stream whose answers nobody reads", func() string { return t.deaf(s) })
	}
	t.others()
	t.again(c)
}

// deaf waits until the target has ended a stream of which nothing is read.
func (t *try) deaf(s *talk) string {
	every := time.NewTicker(byteEvery)
	defer every.Stop()
	for {
		_ = s.SetWriteDeadline(time.Now().Add(tick))
		if _, err := s.Write([]byte{0x80}); err != nil && reactionOf(err) != waits {
			return ""
		}
		select {
		case <-every.C:
		case <-t.closing:
			return ""
		}
	}
}

// abandons leaves requests behind, more than a peer may have at a time. What
// they occupied has to be free again.
func abandons(within bool) func(*try) {
	return func(t *try) {
		c, err := t.dial()
		if err != nil {
			t.fail("%v", brief(err))
			return
		}
		frame := findNode("abandoned")
		if within {
			frame = frame[:len(frame)-4]
		}
		left := 0
		for range abandoned {
			s, err := c.open()
			if err != nil {
				break
			}
			if s.send(frame) == nil {
				left++
			}
			_ = s.Reset()
		}
		t.saw("took %d of %d", left, abandoned)
		t.again(c)
	}
}

// announcements are rows 5 and 6 of the survey: each occupies a stream that
// nothing but its end frees.
func announcements(t *try) {
	c, err := t.dial()
	if err != nil {
		t.fail("%v", brief(err))
		return
	}
	taken := 0
	for i := range announced {
		s, err := c.open()
		if err != nil {
			break
		}
		if s.send(t.announcement(c, fmt.Sprint("announced ", i))) == nil {
			taken++
		}
		_ = s.Close()
	}
	t.saw("took %d of %d", taken, announced)
	t.again(c)
}

// announcement is an ADD_PROVIDER in which a client announces itself.
func (t *try) announcement(c *client, content string) []byte {
	me := infoOf(c.host, t.nowhere())
	return message(wire.Message{Type: wire.AddProvider, Key: multihash(content), Providers: []wire.Peer{{Contact: me}}})
}

func crowded(t *try) {
	var refused atomic.Int64
	var all sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.ctx, connectLimit)
	defer cancel()
	for range crowd {
		h, err := t.newHost(false)
		if err != nil {
			t.skip("this machine: %v", err)
			return
		}
		all.Go(func() {
			if err := t.connect(ctx, h); err != nil {
				refused.Add(1)
				return
			}
			for _, conn := range h.Network().ConnsToPeer(t.target) {
				t.hold(Pass, "an idle connection", func() string { t.closed(conn); return "" })
			}
		})
	}
	all.Wait()
	t.saw("took %d of %d connections", crowd-int(refused.Load()), crowd)
	t.others()
}

// closed waits until a connection has ended.
func (t *try) closed(c network.Conn) {
	every := time.NewTicker(tick)
	defer every.Stop()
	for !c.IsClosed() {
		select {
		case <-every.C:
		case <-t.closing:
			return
		}
	}
}

func connectAndGo(t *try) {
	went := 0
	for range crowd {
		h, err := t.newHost(false)
		if err != nil {
			t.skip("this machine: %v", err)
			return
		}
		if err := t.goAfterAsking(h.Close, func() (*client, error) { return t.join(h) }); err == nil {
			went++
		}
		if t.ctx.Err() != nil {
			break
		}
	}
	t.saw("took %d of %d", went, crowd)
}

// goAfterAsking connects, asks, and is gone at once.
func (t *try) goAfterAsking(leave func() error, join func() (*client, error)) error {
	c, err := join()
	if err != nil {
		return errors.Join(err, leave())
	}
	s, err := c.open()
	if err == nil {
		err = s.send(findNode("gone"))
	}
	return errors.Join(err, leave())
}

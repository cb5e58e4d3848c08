package conform

import (
	"bytes"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waymark-dht/waymark/core/wire"
)

// frameCases write to a stream of the target what is no request, or a request
// in an unusual form.
var frameCases = []Case{
	{Name: "oversize-prefix", Group: "frames", About: "announces 2 GiB and sends one byte", run: sends(append(prefix(2<<30), 0), refuses, waits)},
	{Name: "endless-varint", Group: "frames", About: "a length prefix that does not end", run: sends(bytes.Repeat([]byte{0x80}, endlessBytes), refuses, waits)},
	{Name: "empty-frame", Group: "frames", About: "a frame of no bytes", run: sends([]byte{0}, refuses, waits|answers)},
	{Name: "half-request", Group: "frames", About: "half of a FIND_NODE, then nothing", run: halfRequest},
	{Name: "byte-a-second", Group: "frames", About: "a FIND_NODE, one byte a second", run: byteASecond},
	{Name: "garbage", Group: "frames", About: "a frame of noise", run: sends(framed(noise(64)), refuses, waits)},
	{Name: "not-framed", Group: "frames", About: "a request of HTTP", run: sends([]byte("GET / HTTP/1.1\r\nHost: waymark\r\nAccept: */*\r\nConnection: close\r\nUser-Agent: conform\r\n\r\n"), refuses, waits)},
	{Name: "nested-groups", Group: "frames", About: "a message of 4096 groups within each other", run: sends(framed(groups(nested)), refuses, answers|waits)},
	{Name: "wrong-type", Group: "frames", About: "a message of type 42", run: sends(framed(protowire.AppendVarint([]byte{0x08}, 42)), refuses, answers|waits)},
	{Name: "no-type", Group: "frames", About: "a key and no type, which makes it a PUT_VALUE without a record", run: sends(message(wire.Message{Key: []byte("/v/none")}), refuses, answers|waits)},
	{Name: "missing-key", Group: "frames", About: "a FIND_NODE without a key", run: sends(message(wire.Message{Type: wire.FindNode}), refuses, answers|waits)},
	{Name: "oversize-key", Group: "frames", About: "a FIND_NODE with a key of 32 KiB", run: sends(message(wire.Message{Type: wire.FindNode, Key: make([]byte, longKey)}), refuses|answers, waits)},
	{Name: "long-provider-key", Group: "frames", About: "a GET_PROVIDERS with a key of 81 bytes", run: sends(message(wire.Message{Type: wire.GetProviders, Key: make([]byte, 81)}), refuses, answers|waits)},
	{Name: "an-answer-unasked", Group: "frames", About: "a FIND_NODE that names 20 peers itself", run: answersUnasked},
	{Name: "unknown-fields", Group: "frames", About: "a FIND_NODE with fields of tomorrow", run: sends(unknownFields(), answers, 0)},
	{Name: "half-closed", Group: "frames", About: "closes its side when it has asked", run: halfClosed},
	{Name: "pipelined", Group: "frames", About: "asks twice before the first answer", run: asks(2, true)},
	{Name: "one-after-the-other", Group: "frames", About: "asks three times on one stream", run: asks(3, false)},
	{Name: "two-in-one-segment", Group: "frames", About: "a request, and half of the next with it", run: oneAndAHalf},
	{Name: "ping", Group: "frames", About: "a PING, which is deprecated", run: sends(message(wire.Message{Type: wire.Ping}), answers|refuses, waits)},
	{Name: "find-self", Group: "frames", About: "asks the target for itself", run: findSelf},
}

func prefix(n uint64) []byte { return protowire.AppendVarint(nil, n) }

func framed(body []byte) []byte { return append(prefix(uint64(len(body))), body...) }

func message(m wire.Message) []byte { return wire.AppendFrame(nil, &m) }

// noise is no protobuf: its first tag is of field 0.
func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(7 + 151*i)
	}
	return b
}

// groups are start-group tags of field 15: each opens a group within the one before.
func groups(n int) []byte { return bytes.Repeat([]byte{0x7b}, n) }

func unknownFields() []byte {
	body := wire.Append(nil, &wire.Message{Type: wire.FindNode, Key: []byte("tomorrow")})
	body = protowire.AppendBytes(protowire.AppendTag(body, 99, protowire.BytesType), []byte("of tomorrow"))
	return framed(protowire.AppendVarint(protowire.AppendTag(body, 11, protowire.VarintType), 1))
}

// sends writes bytes to a stream of a fresh peer. The target should do one of
// the first reactions; the second are manners.
func sends(b []byte, should, may reaction) func(*try) {
	return func(t *try) {
		_, s, ok := t.opened()
		if !ok {
			return
		}
		began := time.Now()
		if err := s.send(b); err != nil && reactionOf(err) == waits {
			t.fail("did not take %d bytes within %v", len(b), answerLimit)
			return
		}
		t.judge(s, began, should, may)
	}
}

// judge notes the target's reaction, and leaves the stream open if it waits.
func (t *try) judge(s *talk, began time.Time, should, may reaction) {
	limit := reactLimit
	if should == answers {
		limit = answerLimit
	}
	got, m := s.react(limit)
	text := fmt.Sprintf("%v after %v", got, round(time.Since(began)))
	switch {
	case got == answers:
		text += fmt.Sprintf(" with %d peers", len(m.Closer))
	case got == waits:
		text = fmt.Sprintf("waits after %v", limit)
	}
	t.saw("%s", text)
	switch {
	case got&should != 0:
	case got&may != 0:
		t.warn("%v where it is to %s", got, wanted(should))
	default:
		t.fail("%v where it is to %s", got, wanted(should))
	}
	if got == waits {
		t.hold(Fail, "a stream with what is no request", gone(s))
	}
}

func wanted(r reaction) string {
	switch {
	case r == answers:
		return "answer"
	case r&answers != 0:
		return "answer or end the stream"
	}
	return "end the stream"
}

func round(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

func halfRequest(t *try) {
	_, s, ok := t.opened()
	if !ok {
		return
	}
	frame := findNode("half of this is missing")
	if err := s.send(frame[:len(frame)/2]); err != nil {
		t.fail("took no half of a request: %v", err)
		return
	}
	t.hold(Fail, "a stream with half of a request", gone(s))
	t.others()
}

// others wants an honest peer to be answered meanwhile. Across a network that is
// at the same address as the peer that takes too much, and a target may well
// limit what one address takes; on loopback nobody can mean that.
func (t *try) others() {
	began := time.Now()
	if err := t.honest(); err != nil {
		if !t.local.IsLoopback() {
			t.warn("others at the same address get no answer meanwhile: %v", brief(err))
			return
		}
		t.fail("others get no answer meanwhile: %v", brief(err))
		return
	}
	t.saw("answered others in %v", round(time.Since(began)))
}

func byteASecond(t *try) {
	_, s, ok := t.opened()
	if !ok {
		return
	}
	frame := findNode("a request that takes longer than anybody waits for one")
	t.hold(Fail, "a stream with a request of a byte a second", func() string { return t.trickle(s, frame) })
}

// trickle writes a byte a second until it is done or refused.
func (t *try) trickle(s *talk, frame []byte) string {
	began, every := time.Now(), time.NewTicker(byteEvery)
	defer every.Stop()
	s.until = time.Time{} // it outlives its case
	for i := range frame {
		if err := s.send(frame[i : i+1]); err != nil {
			return fmt.Sprintf("%v after %d of %d bytes, %v", resets, i, len(frame), time.Since(began).Round(time.Second))
		}
		select {
		case <-every.C:
		case <-t.closing:
			return ""
		}
	}
	got, _ := s.react(answerLimit)
	if got == waits {
		<-t.closing
		return ""
	}
	return fmt.Sprintf("%v after %v", got, time.Since(began).Round(time.Second))
}

func answersUnasked(t *try) {
	_, s, ok := t.opened()
	if !ok {
		return
	}
	m := &wire.Message{Type: wire.FindNode, Key: []byte("unasked"), Closer: t.forged("unasked", 20)}
	began := time.Now()
	if err := s.send(wire.AppendFrame(nil, m)); err != nil {
		t.fail("took no request: %v", err)
		return
	}
	got, answer := s.react(answerLimit)
	t.saw("%v after %v", got, round(time.Since(began)))
	for _, p := range m.Closer {
		for _, q := range answer.Closer {
			if p.Contact.ID == q.Contact.ID {
				t.fail("names a peer that it knows from nobody but the asker's request")
				return
			}
		}
	}
	if got&(answers|refuses) == 0 {
		t.warn("%v where it is to answer or end the stream", got)
	}
}

func halfClosed(t *try) {
	_, s, ok := t.opened()
	if !ok {
		return
	}
	began := time.Now()
	err := s.send(findNode("half-closed"))
	if err == nil {
		err = s.CloseWrite()
	}
	if err != nil {
		t.fail("took no request: %v", err)
		return
	}
	t.judge(s, began, answers, 0)
}

// asks asks several times on one stream, all at once or one after the other.
func asks(n int, atOnce bool) func(*try) {
	return func(t *try) {
		_, s, ok := t.opened()
		if !ok {
			return
		}
		began := time.Now()
		for i := range n {
			if !atOnce || i == 0 {
				batch := 1
				if atOnce {
					batch = n
				}
				if err := s.send(bytes.Repeat(findNode("again"), batch)); err != nil {
					t.warn("ended the stream after %d answers", i)
					return
				}
			}
			if got, _ := s.react(answerLimit); got != answers {
				t.saw("%v after %d answers", got, i)
				t.warn("answers %d of %d requests on one stream", i, n)
				return
			}
		}
		t.saw("answered %d in %v", n, round(time.Since(began)))
	}
}

// oneAndAHalf wants the whole request answered though more has come with it.
func oneAndAHalf(t *try) {
	_, s, ok := t.opened()
	if !ok {
		return
	}
	whole, half := findNode("whole"), findNode("half")
	began := time.Now()
	if err := s.send(append(whole, half[:len(half)/2]...)); err != nil {
		t.fail("took no request: %v", err)
		return
	}
	t.judge(s, began, answers, 0)
	t.hold(Fail, "a stream with half of a request", gone(s))
}

// findSelf wants somebody named: go-libp2p-kad-dht asks a server for itself,
// and admits none that names nobody (its issue 966).
func findSelf(t *try) {
	_, s, ok := t.opened()
	if !ok {
		return
	}
	m, err := s.ask(findNode(string(t.target)), answerLimit)
	switch {
	case err != nil:
		t.fail("asked for itself it does not answer: %v", err)
	case len(m.Closer) == 0:
		t.warn("names nobody: go-libp2p-kad-dht admits no server that answers so")
	default:
		t.saw("names %d peers, itself among them: %v", len(m.Closer), names(m, t.target))
	}
}

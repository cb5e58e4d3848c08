package conform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/wire"
)

// server is a peer of the kit that serves the target's protocol in its manner.
type server struct {
	t      *try
	host   host.Host
	manner manner

	mu    sync.Mutex
	asked int
	first chan struct{} // closed when it was asked
}

// manner does with one request what it will. It returns false if the stream
// is not to be read any more; whether it ends is the manner's own.
type manner func(*server, *talk, wire.Message) bool

// serve starts a server.
func (t *try) serve(m manner) (*server, error) {
	h, err := t.newHost(true)
	if err != nil {
		return nil, err
	}
	v := &server{t: t, host: h, manner: m, first: make(chan struct{})}
	h.SetStreamHandler(t.o.Protocol, v.handle)
	return v, nil
}

// handle answers the requests of a stream in the server's manner.
func (v *server) handle(s network.Stream) {
	k := newTalk(s)
	for {
		_ = s.SetReadDeadline(time.Now().Add(params.IdleStream))
		body, err := wire.ReadFrame(k.in, nil, params.MaxMessage)
		if err == nil {
			var q wire.Message
			if q, err = wire.Decode(body, wire.RecordLimits()); err == nil {
				v.note()
				if !v.manner(v, k, q) {
					return
				}
				continue
			}
		}
		if errors.Is(err, io.EOF) {
			_ = s.Close()
		} else {
			_ = s.Reset()
		}
		return
	}
}

func (v *server) note() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.asked++; v.asked == 1 {
		close(v.first)
	}
}

func (v *server) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked
}

// truth is the answer of a server that knows itself and the target alone.
func (v *server) truth(q wire.Message) []byte {
	return answerTo(q, infoOf(v.host, v.host.Addrs()...))
}

// chance is a source of chance for one answer.
func (k *kit) chance() *rand.Rand {
	k.mu.Lock()
	defer k.mu.Unlock()
	return rand.New(rand.NewPCG(k.rng.Uint64(), 1))
}

// pending watches a request that is not answered until the target gives it up.
func (v *server) pending(k *talk) {
	v.t.hold(Fail, "a request without an answer", func() string {
		began := time.Now()
		k.givenUp(v.t)
		select {
		case <-v.t.closing:
			return ""
		default:
			return fmt.Sprintf("gave the request up after %v", round(time.Since(began)))
		}
	})
}

// givenUp waits until the target has ended a stream on which it waits for an
// answer. Where it has closed its side already, a byte that begins an endless
// prefix tells whether it still listens.
func (k *talk) givenUp(t *try) {
	_ = k.SetReadDeadline(time.Time{})
	if _, err := io.Copy(io.Discard, k.in); err != nil {
		return
	}
	every := time.NewTimer(probeAfter)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-t.closing:
			return
		}
		_ = k.SetWriteDeadline(time.Now().Add(answerLimit))
		if _, err := k.Write([]byte{0x80}); err != nil || k.Conn().IsClosed() {
			return
		}
		every.Reset(probeAfter)
	}
}

// meets connects servers to the target, and sees what comes of it: with a
// driver, in a lookup that goes through the last of them; else if the target
// asks by itself. It reports whether the target asked any.
//
// The companion knows them meanwhile: whom the target asks hears of them, even
// if it did not admit them.
func (t *try) meets(all ...*server) bool {
	var infos []peer.AddrInfo
	for _, v := range all {
		infos = append(infos, peer.AddrInfo{ID: v.host.ID(), Addrs: v.host.Addrs()})
	}
	t.tells(infos)
	for _, v := range all {
		if err := t.connect(t.ctx, v.host); err != nil {
			t.fail("no connection: %v", brief(err))
			return false
		}
	}
	limit := askLimit
	if t.o.Driver != nil {
		limit = drivenAsk
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-all[0].first:
		if t.o.Driver == nil { // what follows the first request
			pause(t.ctx, drivenAsk)
		}
	case <-timer.C:
	}
	if t.o.Driver != nil {
		t.looksUp([]byte(all[len(all)-1].host.ID()))
	}
	return t.wasAsked(all)
}

// wasAsked notes how often the target asked.
func (t *try) wasAsked(all []*server) bool {
	asked := 0
	for _, v := range all {
		asked += v.count()
	}
	switch {
	case asked > 0:
		t.saw("asked %d times", asked)
	case t.o.Driver == nil:
		t.skip("the target did not ask within %v; --drive makes it", askLimit)
	default:
		t.saw("asked nobody of them")
	}
	return asked > 0
}

// looksUp has the target look a key up, and wants that to end, with the honest
// peer that it knows in the result.
func (t *try) looksUp(key []byte) {
	t.operates("lookup", func(ctx context.Context) (string, error) {
		ids, err := t.o.Driver.Closest(ctx, key)
		if err == nil && t.listed && !slices.Contains(ids, string(t.companion.ID())) {
			t.warn("the lookup missed an honest peer that it knew")
		}
		return fmt.Sprintf("%d peers", len(ids)), err
	})
}

// operates has the target carry out an operation, and wants it to end, however.
func (t *try) operates(what string, op func(context.Context) (string, error)) {
	ctx, cancel := context.WithTimeout(t.ctx, lookupLimit)
	defer cancel()
	began := time.Now()
	text, err := op(ctx)
	took := time.Since(began)
	t.mu.Lock()
	t.res.Lookup = max(t.res.Lookup, took)
	t.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		t.fail("the %s did not end within %v", what, lookupLimit)
	case err != nil:
		t.saw("the %s ended in %v: %v", what, round(took), brief(err))
	default:
		t.saw("the %s ended in %v with %s", what, round(took), text)
	}
}

// metBy is a case in which the target meets one server of a manner.
func metBy(m manner) func(*try) {
	return func(t *try) {
		v, err := t.serve(m)
		if err != nil {
			t.skip("this machine: %v", err)
			return
		}
		t.meets(v)
	}
}

// answerCases are servers that answer badly, or not at all.
var answerCases = []Case{
	{Name: "silent", Group: "answers", About: "never answers", slow: true, run: metBy(silent)},
	{Name: "deaf", Group: "answers", About: "takes the stream and does not even read", slow: true, run: deafServer},
	{Name: "slow", Group: "answers", About: "answers one byte per 100 ms", slow: true, run: metBy(spoilt("slow"))},
	{Name: "late-answer", Group: "answers", About: "answers after 11 s, when it has been given up", slow: true, run: metBy(late)},
	{Name: "garbage-answer", Group: "answers", About: "answers with noise", slow: true, run: metBy(spoilt("garbage"))},
	{Name: "oversize-answer", Group: "answers", About: "announces an answer of 2 GiB", slow: true, run: metBy(spoilt("oversize"))},
	{Name: "no-answer", Group: "answers", About: "closes the stream in place of an answer", slow: true, run: metBy(closing)},
	{Name: "reset-after-nothing", Group: "answers", About: "resets the stream in place of an answer", slow: true, run: metBy(resetAfter(func(int) int { return 0 }))},
	{Name: "reset-after-a-byte", Group: "answers", About: "resets it after the first byte of the answer", slow: true, run: metBy(resetAfter(func(int) int { return 1 }))},
	{Name: "reset-after-half", Group: "answers", About: "resets it after half of the answer", slow: true, run: metBy(resetAfter(func(n int) int { return n / 2 }))},
	{Name: "reset-before-the-last", Group: "answers", About: "resets it before the last byte of the answer", slow: true, run: metBy(resetAfter(func(n int) int { return n - 1 }))},
	{Name: "hangup", Group: "answers", About: "closes the connection in place of an answer", slow: true, run: metBy(spoilt("hangup"))},
	{Name: "two-answers", Group: "answers", About: "answers twice", slow: true, run: metBy(twice)},
	{Name: "another-answer", Group: "answers", About: "answers as if it had been asked something else", slow: true, run: metBy(another)},
	{Name: "one-connection-of-two", Group: "answers", About: "has two connections, and closes the one that it was asked on", slow: true, run: oneOfTwo},
	{Name: "na-half-open", Group: "answers", About: "refuses every protocol and leaves the streams half open", slow: true, run: naHalfOpen},
	{Name: "withdraws", Group: "answers", About: "becomes a client after it was met", slow: true, run: withdraws},
	{Name: "poisoned-get", Group: "answers", About: "answers a get with somebody else's public key", slow: true, run: poisonedGet},
}

func silent(v *server, k *talk, _ wire.Message) bool {
	v.pending(k)
	return false
}

// deafServer takes streams off the handler before a byte is read.
func deafServer(t *try) {
	v, err := t.serve(nil)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	v.host.SetStreamHandler(t.o.Protocol, func(s network.Stream) {
		v.note()
		t.hold(Fail, "a request without an answer", func() string {
			if pause(t.untilClosing(), probeAfter) { // and then whether it is still there
				newTalk(s).givenUp(t)
			}
			return ""
		})
	})
	t.meets(v)
}

// untilClosing is a context that ends with the kit.
func (k *kit) untilClosing() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	k.work.Go(func() {
		<-k.closing
		cancel()
	})
	return ctx
}

// late answers rightly when nobody waits any more.
func late(v *server, k *talk, q wire.Message) bool {
	v.t.work.Go(func() {
		if pause(v.t.untilClosing(), lateBy) {
			_ = k.send(v.truth(q))
		}
	})
	return false // the end of the target's side is not the end of the stream
}

func closing(_ *server, k *talk, _ wire.Message) bool {
	_ = k.Close()
	return false
}

// resetAfter sends part of the answer.
func resetAfter(part func(int) int) manner {
	return func(v *server, k *talk, q wire.Message) bool {
		b := v.truth(q)
		_ = k.send(b[:part(len(b))])
		pause(v.t.ctx, settle) // a reset overtakes what is not sent yet
		_ = k.Reset()
		return false
	}
}

func twice(v *server, k *talk, q wire.Message) bool {
	b := v.truth(q)
	return k.send(append(slices.Clone(b), b...)) == nil
}

// another answers a FIND_NODE as a GET_VALUE, and the reverse.
func another(v *server, k *talk, q wire.Message) bool {
	m := wire.Message{Type: wire.GetValue, Key: []byte("/pk/another")}
	if q.Type != wire.FindNode {
		m = wire.Message{Type: wire.FindNode}
	}
	return k.send(answerTo(m, infoOf(v.host, v.host.Addrs()...))) == nil
}

// naHalfOpen is nim-libp2p's issue 2800: who waits for the other side's end of
// a refused stream waits for ever.
func naHalfOpen(t *try) {
	if t.o.Driver == nil {
		t.skip("the target has to be made to ask; --drive makes it")
		return
	}
	v, err := t.serve(nil)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	v.host.Network().SetStreamHandler(func(s network.Stream) {
		_, _ = s.Write([]byte("\x13/multistream/1.0.0\n\x03na\n"))
	})
	t.tells([]peer.AddrInfo{{ID: v.host.ID(), Addrs: v.host.Addrs()}})
	t.looksUp([]byte(v.host.ID()))
}

// withdraws wants a server that serves no more to be forgotten.
func withdraws(t *try) {
	v, err := t.serve(honestly)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	if !t.meets(v) {
		return
	}
	v.host.RemoveStreamHandler(t.o.Protocol)
	for end := time.Now().Add(withdrawWait); ; {
		named, err := t.namedNear(v.host.ID())
		switch {
		case err != nil:
			t.fail("%v", brief(err))
			return
		case !named:
			t.saw("does not name it any more")
			return
		case time.Now().After(end):
			t.warn("still names it to others after %v", withdrawWait)
			return
		}
		pause(t.ctx, tick)
	}
}

func honestly(v *server, k *talk, q wire.Message) bool { return k.send(v.truth(q)) == nil }

// poisonedGet wants a get to return nothing rather than a lie.
func poisonedGet(t *try) {
	if t.o.Driver == nil {
		t.skip("the target has to be made to get; --drive makes it")
		return
	}
	truth, err := t.pk(3)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	lie := &record.Record{Key: truth.Key, Value: t.keys.pub[0]}
	v, err := t.serve(func(v *server, k *talk, q wire.Message) bool {
		if q.Type != wire.GetValue {
			return k.send(v.truth(q)) == nil
		}
		return k.send(message(wire.Message{Type: q.Type, Key: q.Key, Record: lie})) == nil
	})
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	t.meets(v)
	t.operates("get", func(ctx context.Context) (string, error) {
		value, err := t.o.Driver.Get(ctx, lie.Key)
		if err == nil && string(value) == string(lie.Value) {
			t.fail("believes a record that is not valid")
		}
		return fmt.Sprintf("%d bytes", len(value)), err
	})
}

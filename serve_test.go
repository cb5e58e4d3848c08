package waymark_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/wire"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// asking opens a stream to a server.
func asking(w *testkit.World, from host.Host, d *waymark.DHT) network.Stream {
	w.Helper()
	w.Check(from.Connect(w.Context(), addrOf(d.Host())))
	s, err := from.NewStream(w.Context(), d.PeerID(), waymark.DefaultProtocol)
	w.Check(err)
	return s
}

func findNode(key string) []byte {
	return wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: []byte(key)})
}

func readAnswer(s network.Stream) (wire.Message, error) {
	body, err := wire.ReadFrame(s, nil, params.MaxAnswer)
	if err != nil {
		return wire.Message{}, err
	}
	return wire.Decode(body, wire.AnswerLimits())
}

func TestAServerAnswersManyRequestsOnOneStream(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Servers(5, waymark.Config{})[0]
		from := w.Host()
		s := asking(w, from, d)
		for _, key := range []string{"some key", string(d.PeerID())} {
			if _, err := s.Write(findNode(key)); err != nil {
				t.Fatal(err)
			}
			m, err := readAnswer(s)
			if err != nil || m.Type != wire.FindNode || len(m.Closer) < 4 {
				t.Fatalf("%q: %v, %+v", key, err, m)
			}
			for _, p := range m.Closer {
				if string(p.Contact.ID) == string(from.ID()) {
					t.Error("the asker was named")
				}
			}
		}
		s.CloseWrite()
		if _, err := s.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the last request: %v", err)
		}
		synctest.Wait()
		if h := d.Health(); h.Server.Answered != 2 || h.Server.Reset != 0 || h.Streams != 0 {
			t.Errorf("%#v", h)
		}
	})
}

func putOf(key, recordKey string) []byte {
	return wire.AppendFrame(nil, &wire.Message{
		Type: wire.PutValue, Key: []byte(key), Record: &record.Record{Key: []byte(recordKey), Value: []byte("1:one")},
	})
}

func addOf(who *contact.Info) []byte {
	return wire.AppendFrame(nil, &wire.Message{Type: wire.AddProvider, Key: []byte("k"), Providers: []wire.Peer{{Contact: who}}})
}

func TestABadRequestIsAnsweredByAReset(t *testing.T) {
	for name, request := range map[string][]byte{
		"garbage":         {3, 0xff, 0xff, 0xff},
		"2 GiB announced": {0xff, 0xff, 0xff, 0xff, 7},
		"endless varint":  {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80},
		"no key":          wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode}),
		"no namespace":    putOf("/v/a", "/v/a"),
		"another key":     putOf("/pk/a", "/pk/b"),
		"not itself":      addOf(contact.New("\x00\x02ab", "\x04\x7f\x00\x00\x01\x06\x00\x01")),
		"cut short":       findNode("some key")[:5],
		"never begun":     {},
		"only begun":      {40},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
				d := w.Servers(1, waymark.Config{})[0]
				s := asking(w, w.Host(), d)
				if _, err := s.Write(request); err != nil {
					t.Fatal(err)
				}
				_, err := readAnswer(s) // the deadlines of the server, not ours
				if !errors.Is(err, network.ErrReset) {
					t.Errorf("%v", err)
				}
				synctest.Wait()
				bad := uint64(min(1, len(request))) // an idle stream is no fault
				if h := d.Health(); h.Server.Reset != bad || h.Server.Answered != 0 || h.Streams != 0 {
					t.Errorf("%#v", h)
				}
			})
		})
	}
}

func TestOnePeerGetsOnlySoManyStreams(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Servers(1, waymark.Config{})[0]
		from := w.Host()
		for range params.StreamsPerPeer {
			s := asking(w, from, d)
			s.Write(findNode("key"))
		}
		synctest.Wait()
		over := asking(w, from, d)
		over.Write(findNode("key"))
		if _, err := readAnswer(over); !errors.Is(err, network.ErrReset) {
			t.Errorf("one stream too many: %v", err)
		}
		other := asking(w, w.Host(), d)
		other.Write(findNode("key"))
		if _, err := readAnswer(other); err != nil {
			t.Errorf("somebody else: %v", err)
		}
		if h := d.Health(); h.Server.Refused != 1 || h.Streams != params.StreamsPerPeer+1 {
			t.Errorf("%#v", h)
		}
	})
}

func TestANodeServesOnceItIsReachable(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		h := w.Host()
		d := w.NodeOn(h, waymark.Config{})
		tell, err := h.EventBus().Emitter(new(event.EvtLocalReachabilityChanged))
		w.Check(err)
		defer tell.Close()
		for _, c := range []struct {
			is   network.Reachability
			want waymark.Mode
		}{
			{network.ReachabilityPublic, waymark.ModeServer},
			{network.ReachabilityPrivate, waymark.ModeClient},
			{network.ReachabilityPublic, waymark.ModeServer},
		} {
			w.Check(tell.Emit(event.EvtLocalReachabilityChanged{Reachability: c.is}))
			synctest.Wait()
			if got := d.Mode(); got != c.want {
				t.Errorf("reachability %v: %v", c.is, got)
			}
			from := w.Host()
			w.Check(from.Connect(t.Context(), addrOf(h)))
			_, err := from.NewStream(t.Context(), h.ID(), waymark.DefaultProtocol)
			if (err == nil) != (c.want == waymark.ModeServer) {
				t.Errorf("reachability %v: a stream ended in %v", c.is, err)
			}
		}
	})
}

// TestAStreamThatWasPutAwayIsNoFailure: others reset streams that were idle
// for a while; that says nothing about the peer.
func TestAStreamThatWasPutAwayIsNoFailure(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		answered := 0
		h := w.Peer(func(s network.Stream) { // one answer per stream, then a reset
			readSome(s)
			answered++
			s.Write(wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode}))
			time.AfterFunc(time.Second, func() { s.Reset() })
		})
		d := w.Node(waymark.Config{Mode: waymark.ModeClient})
		knows(d, h)
		for i := range 3 {
			if _, err := d.Ping(t.Context(), h.ID()); err != nil {
				t.Errorf("ping %d: %v", i, err)
			}
			testkit.Pass(2 * time.Second)
		}
		if answered < 3 {
			t.Errorf("%d streams were opened; the story wants three", answered)
		}
	})
}

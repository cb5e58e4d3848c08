package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/wire"
)

// tap is a host that a stranger takes for a server. It keeps the first request
// of each type, and answers with itself as the closest peer.
type tap struct {
	self wire.Peer
	mu   sync.Mutex
	got  map[wire.Type][]byte
}

// vector is one captured message.
type vector struct {
	title, limits string
	body          []byte
}

// capture writes what each stranger sends, as annotated vectors for the tests
// of core/wire: interop/run -capture DIR. The last lines of each vector, what
// our decoder makes of it, are written by go test ./core/wire -rewrite and then
// read by whoever commits them.
func (s *suite) capture(ctx context.Context, dir string) error {
	for _, k := range s.kinds[1:] {
		asked, err := s.tapped(ctx, k)
		if err != nil {
			return fmt.Errorf("%s as a client: %w", k.Name, err)
		}
		answered, err := s.answers(ctx, k)
		if err != nil {
			return fmt.Errorf("%s as a server: %w", k.Name, err)
		}
		name := filepath.Join(dir, "sent_by_"+strings.NewReplacer("-", "_", ".", "_").Replace(k.Name)+".txt")
		text := fmt.Sprintf("# Captured from %s, interop/run -capture, %s.\n", k.Name, time.Now().UTC().Format(time.DateOnly))
		for _, v := range append(asked, answered...) {
			text += fmt.Sprintf("\n# %s\ndecode limits=%s\n%s----\n", v.title, v.limits, annotated(v.body, message, 0))
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
		fmt.Println(name)
	}
	return nil
}

// tapped has a stranger ask a tap for everything that it can ask for.
func (s *suite) tapped(ctx context.Context, k kind) ([]vector, error) {
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		return nil, err
	}
	defer h.Close()
	t := &tap{self: wire.Peer{Contact: contactOf(h.ID(), h.Addrs())}, got: map[wire.Type][]byte{}}
	h.SetStreamHandler(waymark.DefaultProtocol, t.serve)
	p, err := spawn(ctx, k)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	at := &proc{ID: h.ID().String(), Addrs: []string{h.Addrs()[0].String() + "/p2p/" + h.ID().String()}}
	if err := p.connect(at); err != nil {
		return nil, err
	}
	if err := p.knows(at, 10*time.Second); err != nil {
		return nil, err
	}
	// What comes of these is of no interest, but for what was asked.
	_ = p.do("getClosestPeers", args{"key": "captured"}, nil)
	_ = p.do("put", args{"key": "/v/captured", "value": "1:one"}, nil)
	_ = p.do("get", args{"key": "/v/captured"}, nil)
	_ = p.do("provide", args{"key": "captured"}, nil)
	_ = p.do("findProviders", args{"key": "captured"}, nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []vector
	for _, typ := range []wire.Type{wire.PutValue, wire.GetValue, wire.AddProvider, wire.GetProviders, wire.FindNode, wire.Ping} {
		if body, ok := t.got[typ]; ok {
			all = append(all, vector{"The request " + typ.String(), "request", body})
		}
	}
	return all, nil
}

// serve answers a stranger's requests on one stream.
func (t *tap) serve(s network.Stream) {
	defer s.Close()
	in := bufio.NewReader(s)
	for {
		body, err := wire.ReadFrame(in, nil, params.MaxMessage)
		if err != nil {
			return
		}
		q, err := wire.Decode(body, wire.RecordLimits())
		if err != nil {
			_ = s.Reset()
			return
		}
		t.mu.Lock()
		if t.got[q.Type] == nil {
			t.got[q.Type] = body
		}
		t.mu.Unlock()
		if q.Type == wire.AddProvider {
			continue
		}
		a := wire.Message{Type: q.Type, Key: q.Key, Closer: []wire.Peer{t.self}}
		if q.Type == wire.PutValue {
			a.Record, a.Closer = q.Record, nil
		}
		if _, err := s.Write(wire.AppendFrame(nil, &a)); err != nil {
			return
		}
	}
}

// answers asks a stranger for everything that it can be asked for.
func (s *suite) answers(ctx context.Context, k kind) (all []vector, err error) {
	err2 := s.withProbe(ctx, k, func(p probe) {
		self := wire.Peer{Contact: contactOf(p.host.ID(), []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/4001")})}
		add := wire.Message{Type: wire.AddProvider, Key: contentKey(), Providers: []wire.Peer{self}}
		_ = p.on(func(s network.Stream, in *bufio.Reader) error {
			_, _ = s.Write(wire.AppendFrame(nil, &add))
			_ = s.CloseWrite()
			_, err := in.ReadByte() // there is no answer: the end of the stream says that it was read
			return err
		})
		put := wire.Message{Type: wire.PutValue, Key: []byte("/v/answer"), Record: &record.Record{Key: []byte("/v/answer"), Value: []byte("1:one")}}
		for _, q := range []struct {
			title, limits string
			m             wire.Message
		}{
			{"The answer to a FIND_NODE for a key", "answer", wire.Message{Type: wire.FindNode, Key: []byte("somewhere")}},
			{"The answer to a FIND_NODE for the server itself", "answer", wire.Message{Type: wire.FindNode, Key: []byte(p.to)}},
			{"The answer to a PUT_VALUE", "record", put},
			{"The answer to a GET_VALUE", "record", wire.Message{Type: wire.GetValue, Key: put.Key}},
			{"The answer to a GET_PROVIDERS", "record", wire.Message{Type: wire.GetProviders, Key: contentKey()}},
			{"The answer to a PING", "answer", wire.Message{Type: wire.Ping}},
		} {
			again := p.on(func(s network.Stream, in *bufio.Reader) error {
				if _, err := s.Write(wire.AppendFrame(nil, &q.m)); err != nil {
					return err
				}
				body, err := wire.ReadFrame(in, nil, params.MaxMessage)
				if err == nil {
					all = append(all, vector{q.title, q.limits, body})
				}
				return err
			})
			if again != nil {
				fmt.Printf("%s: %s: %v\n", k.Name, q.title, again)
			}
		}
	})
	return all, err2
}

// layout names the fields of a message, and what is within them.
type layout map[protowire.Number]struct {
	name   string
	within layout
}

var (
	peerFields   = layout{1: {"id", nil}, 2: {"addrs", nil}, 3: {"connection", nil}}
	recordFields = layout{
		1: {"key", nil}, 2: {"value", nil}, 5: {"timeReceived", nil}, 666: {"publisher", nil}, 777: {"ttl", nil},
	}
	message = layout{
		1: {"type", nil}, 2: {"key", nil}, 3: {"record", recordFields}, 8: {"closerPeers", peerFields},
		9: {"providerPeers", peerFields}, 10: {"clusterLevelRaw", nil},
	}
)

// annotated prints a message as the golden vectors are written: a line for each
// field, with its name.
func annotated(body []byte, fields layout, depth int) string {
	var b strings.Builder
	indent := strings.Repeat("   ", depth)
	for len(body) > 0 {
		num, typ, n := protowire.ConsumeTag(body)
		value := protowire.ConsumeFieldValue(num, typ, body[max(n, 0):])
		if n < 0 || value < 0 {
			fmt.Fprintf(&b, "%s%x # no field\n", indent, body)
			break
		}
		f, known := fields[num]
		name := fmt.Sprintf("%s (%d)", f.name, num)
		if !known {
			name = fmt.Sprintf("an unknown field (%d)", num)
		}
		whole := body[:n+value]
		inner, prefix := protowire.ConsumeBytes(body[n:])
		switch {
		case typ != protowire.BytesType:
			fmt.Fprintf(&b, "%s%-24x # %s\n", indent, whole, name)
		case f.within != nil:
			head := whole[:n+prefix-len(inner)]
			fmt.Fprintf(&b, "%s%-24x # %s, %d bytes\n%s", indent, head, name, len(inner), annotated(inner, f.within, depth+1))
		default:
			head := whole[:n+prefix-len(inner)]
			fmt.Fprintf(&b, "%s%x %x # %s%s\n", indent, head, inner, name, readable(inner))
		}
		body = body[n+value:]
	}
	return b.String()
}

// readable adds a value that is text.
func readable(value []byte) string {
	for _, c := range value {
		if c < ' ' || c > '~' {
			return ""
		}
	}
	return ": " + string(value)
}

// contentKey is a multihash, sha2-256: what js-libp2p takes for the key of a provider.
func contentKey() []byte {
	key, err := multihash.Sum([]byte("captured"), multihash.SHA2_256, -1)
	if err != nil {
		panic(err) // never: the function is built in
	}
	return key
}

func contactOf(id peer.ID, addrs []ma.Multiaddr) *contact.Info {
	var raw []contact.Addr
	for _, a := range addrs {
		raw = append(raw, contact.Addr(a.Bytes()))
	}
	return contact.New(contact.ID(id), raw...)
}

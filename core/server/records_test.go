package server

import (
	"errors"
	"slices"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/wire"
)

// shelf is the fake store.
type shelf struct {
	values    map[string]*record.Record
	providers map[string][]*contact.Info
	from      []contact.ID
	err       error
}

func newShelf() *shelf {
	return &shelf{values: map[string]*record.Record{}, providers: map[string][]*contact.Info{}}
}

func (s *shelf) Value(key []byte) (*record.Record, error) { return s.values[string(key)], s.err }

func (s *shelf) PutValue(r *record.Record, from contact.ID) error {
	s.from = append(s.from, from)
	s.values[string(r.Key)] = r
	return s.err
}

func (s *shelf) Providers(key []byte) ([]*contact.Info, error) {
	return s.providers[string(key)], s.err
}

func (s *shelf) AddProvider(key []byte, p *contact.Info) error {
	s.providers[string(key)] = append(s.providers[string(key)], p)
	return s.err
}

// storing is a node that stores.
func storing(contacts int) (*node, *Node, *shelf) {
	n, s := newNode(contacts), newShelf()
	server := n.with(n.view)
	server.Values, server.Providers = s, s
	return n, server, s
}

func ask(t *testing.T, n *Node, asker contact.ID, q *wire.Message) wire.Message {
	t.Helper()
	frame, err := n.Answer(nil, q, asker)
	if err != nil {
		t.Fatalf("%s: %v", q.Type, err)
	}
	return decode(t, frame)
}

func TestAValueIsServedWithTheNearestPeers(t *testing.T) {
	n, server, s := storing(50)
	s.values["/v/a"] = &record.Record{Key: []byte("/v/a"), Value: []byte("1"), TimeReceived: "then"}
	m := ask(t, server, n.asker.ID, &wire.Message{Type: wire.GetValue, Key: []byte("/v/a")})
	if string(m.Key) != "/v/a" || m.Record == nil || string(m.Record.Value) != "1" || m.Record.TimeReceived != "then" {
		t.Fatalf("%+v", m)
	}
	expect(t, named(m), ids(n.view.Nearest(nil, key.OfString("/v/a"), params.K)))
	m = ask(t, server, n.asker.ID, &wire.Message{Type: wire.GetValue, Key: []byte("/v/b")})
	if m.Record != nil || len(m.Closer) != params.K {
		t.Fatalf("of nothing: %+v", m)
	}
}

func TestAPutIsRepeatedOnceItIsStored(t *testing.T) {
	n, server, s := storing(5)
	r := &record.Record{Key: []byte("/v/a"), Value: []byte("1")}
	m := ask(t, server, n.asker.ID, &wire.Message{Type: wire.PutValue, Key: r.Key, Record: r})
	if m.Record == nil || string(m.Record.Value) != "1" || len(m.Closer) > 0 || !slices.Equal(s.from, []contact.ID{n.asker.ID}) {
		t.Fatalf("%+v from %v", m, s.from)
	}
}

func TestABadPutIsRefused(t *testing.T) {
	n, server, s := storing(5)
	good := &record.Record{Key: []byte("/v/a"), Value: []byte("1")}
	for name, c := range map[string]struct {
		q    wire.Message
		want error
	}{
		"no key":      {wire.Message{Record: good}, ErrNoKey},
		"no record":   {wire.Message{Key: []byte("/v/a")}, ErrNoRecord},
		"another key": {wire.Message{Key: []byte("/v/b"), Record: good}, ErrNoRecord},
	} {
		if dst, err := server.Answer(nil, &c.q, n.asker.ID); !errors.Is(err, c.want) || dst != nil {
			t.Errorf("%s: %x, %v", name, dst, err)
		}
	}
	s.err = errors.New("no room")
	if dst, err := server.Answer(nil, &wire.Message{Key: good.Key, Record: good}, n.asker.ID); !errors.Is(err, s.err) || dst != nil {
		t.Errorf("a store that is full: %x, %v", dst, err)
	}
}

func TestOnlyItselfCanBeAnnounced(t *testing.T) {
	n, server, s := storing(5)
	q := &wire.Message{Type: wire.AddProvider, Key: []byte("content"), Providers: []wire.Peer{
		{Contact: n.view[0]}, {Contact: contact.New(n.asker.ID)}, {Contact: n.asker},
	}}
	dst, err := server.Answer(nil, q, n.asker.ID)
	if err != nil || len(dst) > 0 {
		t.Fatalf("%x, %v: there is no answer to it", dst, err)
	}
	if got := s.providers["content"]; len(got) != 1 || got[0].ID != n.asker.ID || len(got[0].Addrs) == 0 {
		t.Fatalf("%v", got)
	}
	if _, err := server.Answer(nil, q, n.view[1].ID); !errors.Is(err, ErrNotProvider) {
		t.Errorf("for others: %v", err)
	}
	bare := &wire.Message{Type: wire.AddProvider, Key: []byte("bare"), Providers: []wire.Peer{{Contact: contact.New(n.asker.ID)}}}
	if _, err := server.Answer(nil, bare, n.asker.ID); !errors.Is(err, ErrNotProvider) {
		t.Errorf("without an address: %v", err)
	}
	n.others = table{n.asker}
	if _, err := server.Answer(nil, bare, n.asker.ID); err != nil || len(s.providers["bare"]) != 1 {
		t.Errorf("without an address, where one is known: %v", err)
	}
	q.Key = make([]byte, params.MaxProviderKey+1)
	if _, err := server.Answer(nil, q, n.asker.ID); !errors.Is(err, ErrNoKey) {
		t.Errorf("a long key: %v", err)
	}
}

func TestProvidersAreServedAsManyAsFit(t *testing.T) {
	n, server, s := storing(50)
	s.providers["content"] = peers(1000, 6000, 4)
	m := ask(t, server, n.asker.ID, &wire.Message{Type: wire.GetProviders, Key: []byte("content")})
	if string(m.Key) != "content" || len(m.Closer) != params.K || len(m.Providers) != 0 {
		t.Fatalf("%q, %d closer, %d providers: AnswerLimits read none", m.Key, len(m.Closer), len(m.Providers))
	}
	frame, err := server.Answer(nil, &wire.Message{Type: wire.GetProviders, Key: []byte("content")}, n.asker.ID)
	if err != nil || len(frame) > params.MaxAnswer+8 || len(frame) < params.MaxAnswer/2 {
		t.Fatalf("%d bytes, %v", len(frame), err)
	}
	if _, err := server.Answer(nil, &wire.Message{Type: wire.GetProviders}, n.asker.ID); !errors.Is(err, ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
}

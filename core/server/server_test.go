package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/wire"
)

// table is the fake View: all contacts, sorted anew for every question.
type table []*contact.Info

func (v table) Nearest(dst []*contact.Info, target key.Key, n int) []*contact.Info {
	all := slices.SortedFunc(slices.Values(v), func(a, b *contact.Info) int {
		return target.Closer(a.Key, b.Key)
	})
	return append(dst, all[:min(n, len(all))]...)
}

// peer returns the n-th of a set of peers with valid IDs.
func peer(n, addrs int) *contact.Info {
	digest := sha256.Sum256(binary.AppendUvarint(nil, uint64(n)))
	var list []contact.Addr
	for i := range addrs {
		list = append(list, contact.Addr([]byte{4, 127, 0, byte(n), byte(i), 6, 0x0f, 0xa1}))
	}
	return contact.New(contact.ID("\x12\x20"+string(digest[:])), list...)
}

func peers(from, to, addrs int) (all table) {
	for n := from; n < to; n++ {
		all = append(all, peer(n, addrs))
	}
	return all
}

// node is one server with what it knows, and the asker of every test.
type node struct {
	self, asker *contact.Info
	view        table
	others      table // known, but not in the table
}

func newNode(contacts int) *node {
	return &node{self: peer(-1, 2), asker: peer(-2, 1), view: peers(0, contacts, 2)}
}

func (n *node) find(id contact.ID) *contact.Info {
	for _, known := range []table{n.view, n.others} {
		for _, c := range known {
			if c.ID == id {
				return c
			}
		}
	}
	return nil
}

// with is the node as a server that stores nothing.
func (n *node) with(view View) *Node { return &Node{Self: n.self, View: view, Find: n.find} }

func (n *node) answer(t failer, q *wire.Message) wire.Message {
	t.Helper()
	frame, err := n.with(n.view).Answer(nil, q, n.asker.ID)
	if err != nil {
		t.Fatalf("%s: %v", q.Type, err)
	}
	return decode(t, frame)
}

func decode(t failer, frame []byte) wire.Message {
	t.Helper()
	size, prefix, err := wire.FrameLen(frame, params.MaxAnswer)
	if err != nil || prefix+size != len(frame) {
		t.Fatalf("%x is not one frame: %v", frame, err)
	}
	m, err := wire.Decode(frame[prefix:], wire.AnswerLimits())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// closer asks FIND_NODE and returns the IDs of the answer.
func (n *node) closer(t failer, preimage string) []contact.ID {
	t.Helper()
	m := n.answer(t, &wire.Message{Type: wire.FindNode, Key: []byte(preimage)})
	if m.Type != wire.FindNode || len(m.Key) > 0 || len(m.Providers) > 0 || m.Record != nil {
		t.Fatalf("an answer to FIND_NODE holds a type and peers, nothing else: %+v", m)
	}
	return named(m)
}

func named(m wire.Message) (ids []contact.ID) {
	for _, p := range m.Closer {
		ids = append(ids, p.Contact.ID)
	}
	return ids
}

func ids(list []*contact.Info) (all []contact.ID) {
	for _, c := range list {
		all = append(all, c.ID)
	}
	return all
}

type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func expect(t failer, got, want []contact.ID) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("answer of %d\n%x\nwant %d\n%x", len(got), got, len(want), want)
	}
}

func TestFindNodeNamesTheNearest(t *testing.T) {
	n := newNode(50)
	nearest := ids(n.view.Nearest(nil, key.OfString("anything"), params.K))
	expect(t, n.closer(t, "anything"), nearest)
}

func TestFindNodeWithoutAKeyIsRefused(t *testing.T) {
	n := newNode(3)
	dst, err := n.with(n.view).Answer([]byte("kept"), &wire.Message{Type: wire.FindNode}, n.asker.ID)
	if !errors.Is(err, ErrNoKey) || string(dst) != "kept" {
		t.Fatalf("%q, %v", dst, err)
	}
}

func TestFindNodeLeavesOutTheServerAndTheAsker(t *testing.T) {
	n := newNode(50)
	target := n.view[7]
	want := ids(n.view.Nearest(nil, target.Key, params.K))
	n.view = append(n.view, n.self, n.asker) // among the nearest or not: try all targets
	expect(t, n.closer(t, string(target.ID)), want)
	for i := range 50 {
		got := n.closer(t, string([]byte{byte(i), 1}))
		if len(got) != params.K || slices.Contains(got, n.self.ID) || slices.Contains(got, n.asker.ID) {
			t.Fatalf("key %d: %d peers: %x", i, len(got), got)
		}
	}
}

func TestFindNodeForTheServerNamesItFirst(t *testing.T) {
	// go-libp2p-kad-dht#966: an empty answer keeps a server out of others' tables.
	n := newNode(50)
	near := ids(n.view.Nearest(nil, n.self.Key, params.K))
	expect(t, n.closer(t, string(n.self.ID)), append([]contact.ID{n.self.ID}, near...))
	n.view = nil
	expect(t, n.closer(t, string(n.self.ID)), []contact.ID{n.self.ID})
}

func TestFindNodeForTheServerSendsItsCurrentAddresses(t *testing.T) {
	n := newNode(0)
	stale := peer(-1, 1)
	n.view = table{stale}
	m := n.answer(t, &wire.Message{Type: wire.FindNode, Key: []byte(n.self.ID)})
	if len(m.Closer) != 1 || !slices.Equal(m.Closer[0].Contact.Addrs, n.self.Addrs) {
		t.Fatalf("%+v", m.Closer)
	}
}

func TestFindNodeNamesTheTargetOnce(t *testing.T) {
	n := newNode(50)
	for _, target := range n.view[:10] {
		expect(t, n.closer(t, string(target.ID)), ids(n.view.Nearest(nil, target.Key, params.K)))
	}
}

func TestFindNodeNamesATargetThatIsNoServer(t *testing.T) {
	n := newNode(50)
	client := peer(1000, 1)
	near := ids(n.view.Nearest(nil, client.Key, params.K))
	expect(t, n.closer(t, string(client.ID)), near)
	n.others = table{client}
	expect(t, n.closer(t, string(client.ID)), append([]contact.ID{client.ID}, near...))
}

func TestFindNodeNamesTheAskerToItself(t *testing.T) {
	for _, known := range []string{"in the table", "elsewhere"} {
		n := newNode(50)
		want := append([]contact.ID{n.asker.ID}, ids(n.view.Nearest(nil, n.asker.Key, params.K))...)
		if known == "in the table" {
			n.view = append(n.view, n.asker)
		} else {
			n.others = table{n.asker}
		}
		expect(t, n.closer(t, string(n.asker.ID)), want)
	}
}

func TestFindNodeDropsPeersWithoutAddresses(t *testing.T) {
	n := newNode(0)
	n.self = contact.New(n.self.ID)
	n.view = append(peers(0, 5, 0), peers(5, 10, 1)...)
	n.others = table{peer(1000, 0)}
	for _, target := range []contact.ID{n.self.ID, n.view[0].ID, n.others[0].ID, "anything"} {
		got := n.closer(t, string(target))
		expect(t, got, ids(n.view[5:].Nearest(nil, key.OfString(string(target)), params.K)))
	}
}

func TestFindNodeFindsAddressesElsewhere(t *testing.T) {
	n := newNode(0)
	n.view, n.others = table{peer(1, 1)}, table{peer(2, 1)}
	bare := append(slices.Clone(n.view), peer(2, 0))
	q := &wire.Message{Type: wire.FindNode, Key: []byte(n.others[0].ID)}
	frame, err := n.with(bare).Answer(nil, q, n.asker.ID)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, named(decode(t, frame)), []contact.ID{n.others[0].ID, n.view[0].ID})
}

func TestPingAnswersWithTheQuestion(t *testing.T) {
	n := newNode(30)
	m := n.answer(t, &wire.Message{
		Type: wire.Ping, Key: []byte("key"), Record: &record.Record{Key: []byte("k"), Value: []byte("v")},
		Closer: []wire.Peer{{Contact: n.asker}}, Providers: []wire.Peer{{Contact: n.asker}},
	})
	if m.Type != wire.Ping || string(m.Key) != "key" || m.Record == nil || string(m.Record.Value) != "v" || len(m.Closer) > 0 {
		t.Fatalf("%+v", m)
	}
	if m = n.answer(t, &wire.Message{Type: wire.Ping}); m.Record != nil {
		t.Fatalf("a record out of nothing: %+v", m)
	}
}

func TestOtherTypesAreRefused(t *testing.T) {
	n := newNode(3)
	for _, typ := range []wire.Type{wire.PutValue, wire.GetValue, wire.AddProvider, wire.GetProviders, 77} {
		dst, err := n.with(n.view).Answer(nil, &wire.Message{Type: typ, Key: []byte("key")}, n.asker.ID)
		var unsupported UnsupportedError
		if !errors.As(err, &unsupported) || unsupported.Type != typ || len(dst) > 0 {
			t.Errorf("%s: %x, %v", typ, dst, err)
		}
	}
}

func TestAnswersFollowWhatIsInTheBufferAlready(t *testing.T) {
	n := newNode(30)
	q := &wire.Message{Type: wire.FindNode, Key: []byte("key")}
	first, _ := n.with(n.view).Answer(nil, q, n.asker.ID)
	both, err := n.with(n.view).Answer(bytes.Clone(first), q, n.asker.ID)
	if err != nil || !bytes.Equal(both, append(bytes.Clone(first), first...)) {
		t.Fatalf("%x, %v", both, err)
	}
}

// TestFindNodeAgainstItsRules draws a network and checks the whole answer
// against a plain reading of the rules.
func TestFindNodeAgainstItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNode(0)
		for i := range rapid.IntRange(0, 60).Draw(t, "contacts") {
			n.view = append(n.view, peer(i, rapid.IntRange(0, 3).Draw(t, "addresses")))
		}
		if rapid.Bool().Draw(t, "self in table") {
			n.view = append(n.view, n.self)
		}
		if rapid.Bool().Draw(t, "asker in table") {
			n.view = append(n.view, n.asker)
		}
		n.others = table{peer(1000, 1), peer(1001, 0)}
		everybody := append(slices.Concat(n.view, n.others), n.self, n.asker)
		target := rapid.SampledFrom(everybody).Draw(t, "target")
		got := n.closer(t, string(target.ID))
		checkRules(t, n, target, got)
	})
}

func checkRules(t *rapid.T, n *node, target *contact.Info, got []contact.ID) {
	known := n.find(target.ID)
	if target.ID == n.self.ID {
		known = n.self
	}
	rest := got
	if dialable(known) {
		if len(got) == 0 || got[0] != target.ID {
			t.Fatalf("the target is not first: %x", got)
		}
		rest = got[1:]
	}
	var want []contact.ID
	for _, c := range n.view.Nearest(nil, target.Key, params.K+2) {
		if c.ID != n.self.ID && c.ID != n.asker.ID && len(c.Addrs) > 0 {
			want = append(want, c.ID)
		}
	}
	want = want[:min(len(want), params.K)]
	want = slices.DeleteFunc(want, func(id contact.ID) bool { return id == target.ID })
	if !slices.Equal(rest, want) {
		t.Fatalf("besides the target:\n%x\nwant\n%x", rest, want)
	}
}

func TestManyStreamsAskAtOnce(t *testing.T) {
	n := newNode(100)
	q := &wire.Message{Type: wire.FindNode, Key: []byte(n.self.ID)}
	want, err := n.with(n.view).Answer(nil, q, n.asker.ID)
	if err != nil {
		t.Fatal(err)
	}
	var streams sync.WaitGroup
	for range 8 {
		streams.Go(func() {
			for range 50 {
				if got, err := n.with(n.view).Answer(nil, q, n.asker.ID); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%x, %v", got, err)
				}
			}
		})
	}
	streams.Wait()
}

// sorted is a View that costs nothing, so that the figures are the server's.
type sorted []*contact.Info

func (v sorted) Nearest(dst []*contact.Info, _ key.Key, n int) []*contact.Info {
	return append(dst, v[:min(n, len(v))]...)
}

// loaded returns k+2 peers with four addresses, nearest to target first.
func loaded(target key.Key, encoded bool) View {
	v := sorted(peers(0, nearby, 4))
	slices.SortFunc(v, func(a, b *contact.Info) int { return target.Closer(a.Key, b.Key) })
	for _, c := range v {
		if encoded {
			c.Wire = wire.EncodeContact(c)
		}
	}
	return v
}

func TestAllocationsOfOneAnswer(t *testing.T) {
	self, unknown := peer(-1, 4), peer(-3, 1)
	nobody := func(contact.ID) *contact.Info { return nil }
	for _, c := range []struct {
		name   string
		target *contact.Info
		most   float64
	}{{"for ourselves", self, 1}, {"for a peer that is not known", unknown, 2}} {
		view := loaded(c.target.Key, true)
		q := &wire.Message{Type: wire.FindNode, Key: []byte(c.target.ID)}
		dst := make([]byte, 0, params.MaxRequest)
		if got := testing.AllocsPerRun(200, func() {
			_, _ = (&Node{Self: self, View: view, Find: nobody}).Answer(dst, q, "")
		}); got > c.most {
			t.Errorf("FIND_NODE %s: %v allocations, at most %v allowed", c.name, got, c.most)
		}
	}
}

func BenchmarkFindNode(b *testing.B) {
	self := peer(-1, 4)
	nobody := func(contact.ID) *contact.Info { return nil }
	for _, c := range []struct {
		name    string
		encoded bool
	}{{"kept", true}, {"fresh", false}} {
		b.Run(c.name, func(b *testing.B) {
			target := peer(-3, 1)
			view := loaded(target.Key, c.encoded)
			q := &wire.Message{Type: wire.FindNode, Key: []byte(target.ID)}
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = (&Node{Self: self, View: view, Find: nobody}).Answer(dst[:0], q, "")
			}
		})
	}
}

package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// testPeer returns the n-th of a set of peers with valid IDs and addresses.
func testPeer(n, addrs int) *contact.Info {
	digest := sha256.Sum256(binary.AppendUvarint(nil, uint64(n)))
	var list []contact.Addr
	for i := range addrs {
		list = append(list, contact.Addr([]byte{4, 127, 0, byte(n), byte(i), 0x91, 2, 0x0f, 0xa1, 0xcc, 3}))
	}
	return contact.New(contact.ID("\x12\x20"+string(digest[:])), list...)
}

// testAnswer is an answer to FIND_NODE.
func testAnswer(peers, addrs int) *Message {
	m := &Message{Type: FindNode}
	for n := range peers {
		m.Closer = append(m.Closer, Peer{Contact: testPeer(n, addrs)})
	}
	return m
}

func TestPeersHaveTheirKey(t *testing.T) {
	want := testPeer(1, 2)
	m, err := Decode(Append(nil, &Message{Closer: []Peer{{Contact: want}}}), AnswerLimits())
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Closer[0].Contact; got.Key != key.OfString(string(want.ID)) || got.Wire != nil {
		t.Fatalf("key %s, wire %x", got.Key, got.Wire)
	}
}

func TestPeersOutliveTheirMessage(t *testing.T) {
	body := Append(nil, testAnswer(3, 3))
	m, err := Decode(body, AnswerLimits())
	if err != nil {
		t.Fatal(err)
	}
	before := dump(&m)
	clear(body)
	if after := dump(&m); after != before {
		t.Fatalf("peers share the memory of the message:\n%s", after)
	}
}

func TestAppendingToAKeyLeavesTheMessageAlone(t *testing.T) {
	body := Append(nil, &Message{Type: FindNode, Key: []byte("key")})
	whole := bytes.Clone(body)
	m, err := Decode(body, RequestLimits())
	if err != nil {
		t.Fatal(err)
	}
	_ = append(m.Key, 'x')
	if !bytes.Equal(body, whole) {
		t.Fatal("the key's spare capacity is the rest of the message")
	}
}

func TestOnlyWhatOthersReadIsSent(t *testing.T) {
	addrs := []contact.Addr{"", contact.Addr(strings.Repeat("\x04", params.MaxAddrLen+1))}
	for i := range 2 * params.MaxAddrs {
		addrs = append(addrs, contact.Addr([]byte{4, 127, 0, 0, byte(i)}))
	}
	info := contact.New(testPeer(1, 0).ID, addrs...)
	want := contact.New(info.ID, addrs[2:2+params.MaxAddrs]...)
	if got := EncodeContact(info); !bytes.Equal(got, EncodeContact(want)) {
		t.Fatalf("sent %x", got)
	}
	if got := EncodeContact(info); cap(got) != len(got) {
		t.Fatalf("%d bytes kept for %d", cap(got), len(got))
	}
}

func TestAKeptEncodingIsSentAsItIs(t *testing.T) {
	info := testPeer(1, 4)
	fresh := Append(nil, &Message{Closer: []Peer{{Contact: info, Connection: Connected}}})
	kept := *info
	kept.Wire, kept.Addrs = EncodeContact(info), nil
	if got := Append(nil, &Message{Closer: []Peer{{Contact: &kept, Connection: Connected}}}); !bytes.Equal(got, fresh) {
		t.Fatalf("kept %x\nfresh %x", got, fresh)
	}
}

func TestTheGreatestAnswerOfEveryDeployedServerIsRead(t *testing.T) {
	// go-libp2p-kad-dht: k+1 peers with 8 KiB of addresses each.
	peer := appendBytes(nil, tagPeerID, testPeer(1, 0).ID)
	peer = append(peer, repeated(appendBytes(nil, tagPeerAddr, "\x04\x7f\x00\x00\x01"), params.MaxPeerAddrs/5)...)
	var body []byte
	for range params.K + 1 {
		body = appendBytes(body, tagCloser, peer)
	}
	m, err := Decode(body, AnswerLimits())
	if err != nil || len(m.Closer) != params.K+1 {
		t.Fatalf("%d bytes, %d peers, %v", len(body), len(m.Closer), err)
	}
}

// hostile are messages made to cost their reader more than their sender.
func hostile() map[string][]byte {
	tiny := appendBytes(nil, tagPeerID, "\x00\x01a")
	addrs := bytes.Clone(tiny)
	for i := range 1000 {
		addrs = appendBytes(addrs, tagPeerAddr, string([]byte{4, byte(i), byte(i >> 8)}))
	}
	return map[string][]byte{
		"tiny peers":     repeated(appendBytes(nil, tagCloser, tiny), 9000),
		"tiny providers": repeated(appendBytes(nil, tagProviders, tiny), 9000),
		"tiny addresses": appendBytes(nil, tagCloser, addrs),
		"one tiny peer":  appendBytes(nil, tagCloser, tiny),
		"empty records":  repeated([]byte{byte(tagRecord), 0}, 30000),
		"empty peers":    repeated([]byte{byte(tagCloser), 0}, 30000),
		"empty keys":     repeated([]byte{byte(tagKey), 0}, 30000),
		"groups":         repeated([]byte{15<<3 | 3}, 60000),
		"dates":          repeated([]byte{byte(tagRecord), 3, byte(tagRecordTime), 1, 'x'}, 13000),
		"/p2p at will":   appendBytes(nil, tagCloser, append(bytes.Clone(tiny), appendBytes(nil, tagPeerAddr, repeated(codeP2P, 255))...)),
	}
}

// memoryBound is what Decode may allocate: its lists and structs for 2·42
// peers if it is given as many, each of at least 7 bytes, and a multiple of
// the bytes that came.
func memoryBound(body []byte) uint64 { return 2048 + 32*uint64(len(body)) }

func TestMemoryFollowsTheBytesReceived(t *testing.T) {
	for name, body := range hostile() {
		if got := allocated(body, RecordLimits()); got > memoryBound(body) || got > 64<<10 {
			t.Errorf("%s: %d bytes allocated for %d", name, got, len(body))
		}
	}
}

// allocated returns the bytes that decoding allocates: the least of a few
// runs, since the runtime allocates at times too.
func allocated(body []byte, lim Limits) uint64 {
	least := ^uint64(0)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, _ := Decode(body, lim)
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(m)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= memoryBound(body) {
			break
		}
	}
	return least
}

func FuzzDecode(f *testing.F) {
	for _, body := range goldenVectors(f) {
		f.Add(body)
	}
	for _, body := range hostile() {
		f.Add(body[:min(len(body), 200)])
	}
	f.Add(Append(nil, testAnswer(2, 9)))
	f.Fuzz(func(t *testing.T, body []byte) {
		agree(t, body)
		m, err := Decode(body, RecordLimits())
		if used := allocated(body, RecordLimits()); used > memoryBound(body) {
			t.Fatalf("%d bytes allocated for %d", used, len(body))
		}
		if err != nil {
			return
		}
		if err := withinLimits(&m); err != nil {
			t.Fatalf("%x: %v", body, err)
		}
		once := Append(nil, &m)
		again, err := Decode(once, RecordLimits())
		if err != nil || dump(&again) != dump(&m) {
			t.Fatalf("%x: read\n%swrote %x, read again (%v)\n%s", body, dump(&m), once, err, dump(&again))
		}
		if twice := Append(nil, &again); !bytes.Equal(once, twice) || len(once) != Size(&m) {
			t.Fatalf("wrote %x, then %x; size %d", once, twice, Size(&m))
		}
	})
}

// goldenVectors returns the golden messages without the very long ones.
func goldenVectors(f *testing.F) (all [][]byte) {
	paths, err := filepath.Glob("testdata/golden/[!l]*.txt")
	if err != nil || len(paths) == 0 {
		f.Fatal("no golden vectors", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range strings.Split(string(text), "\ndecode ")[1:] {
			_, part, _ = strings.Cut(part, "\n")
			vector, _, _ := strings.Cut(part, "----")
			all = append(all, unannotated(f, vector))
		}
	}
	return all
}

func withinLimits(m *Message) error {
	if len(m.Key) > params.MaxKey || m.Record != nil && len(m.Record.Key) > params.MaxKey {
		return errors.New("key")
	}
	for _, list := range [][]Peer{m.Closer, m.Providers} {
		if len(list) > params.MaxPeersRead {
			return fmt.Errorf("%d peers", len(list))
		}
		for _, p := range list {
			if !validID([]byte(p.Contact.ID)) || len(p.Contact.Addrs) > params.MaxAddrs {
				return fmt.Errorf("id %x, %d addresses", p.Contact.ID, len(p.Contact.Addrs))
			}
			for _, a := range p.Contact.Addrs {
				if len(a) == 0 || len(a) > params.MaxAddrLen {
					return fmt.Errorf("address of %d bytes", len(a))
				}
			}
		}
	}
	return nil
}

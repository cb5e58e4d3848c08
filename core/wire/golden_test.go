package wire

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The vectors in testdata/golden are derived by hand from the schema. When one
// differs, the code is wrong or the schema was misread: -rewrite, which would
// take the code's word, is for adding the last line of a new one at most.
func TestGoldenVectors(t *testing.T) { decodeAll(t, "testdata/golden") }

// What other implementations were seen to send, word for word: captured by
// interop/run -capture, and read before it was committed.
func TestWhatStrangersSend(t *testing.T) { decodeAll(t, "testdata/strangers") }

func decodeAll(t *testing.T, dir string) {
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var limits, show string
			d.ScanArgs(t, "limits", &limits)
			d.MaybeScanArgs(t, "show", &show)
			body := unannotated(t, d.Input)
			m, err := Decode(body, limitsByName(t, limits))
			if err != nil {
				return "error: " + err.Error() + "\n"
			}
			if show == "sizes" {
				return sizes(&m)
			}
			judge(t, body, m, limitsByName(t, limits))
			return dump(&m) + again(body, Append(nil, &m))
		})
	})
}

func limitsByName(t *testing.T, name string) Limits {
	switch name {
	case "request":
		return RequestLimits()
	case "answer":
		return AnswerLimits()
	case "record":
		return RecordLimits()
	}
	t.Fatalf("limits=%s: want request, answer or record", name)
	return Limits{}
}

// unannotated turns annotated hex into bytes: "#" begins a comment, "aa*3" is
// three times aa, and the lines from "repeat=3" to "end" stand three times.
func unannotated(t failer, text string) (out []byte) {
	times, from := 1, 0
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if n, ok := strings.CutPrefix(line, "repeat="); ok {
			times, from = number10(t, n), len(out)
			continue
		}
		if line == "end" {
			block := out[from:]
			out = append(out[:from:from], repeated(block, times)...)
			continue
		}
		for _, word := range strings.Fields(line) {
			digits, n, many := strings.Cut(word, "*")
			b, err := hex.DecodeString(digits)
			if err != nil {
				t.Fatalf("%q: %v", word, err)
			}
			if many {
				b = repeated(b, number10(t, n))
			}
			out = append(out, b...)
		}
	}
	return out
}

func repeated(b []byte, n int) []byte { return []byte(strings.Repeat(string(b), n)) }

func number10(t failer, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func dump(m *Message) string {
	var b strings.Builder
	fmt.Fprintln(&b, m.Type)
	if len(m.Key) > 0 {
		fmt.Fprintf(&b, "key %x\n", m.Key)
	}
	if r := m.Record; r != nil {
		fmt.Fprintf(&b, "record key=%x value=%x time=%q\n", r.Key, r.Value, r.TimeReceived)
		if r.Publisher != "" || r.TTL != 0 {
			fmt.Fprintf(&b, "  publisher=%x ttl=%d\n", string(r.Publisher), r.TTL)
		}
	}
	dumpPeers(&b, "closer", m.Closer)
	dumpPeers(&b, "provider", m.Providers)
	return b.String()
}

func dumpPeers(b *strings.Builder, list string, peers []Peer) {
	words := [connections]string{"", " connected", " can-connect", " cannot-connect"}
	for _, p := range peers {
		fmt.Fprintf(b, "%s %x%s\n", list, string(p.Contact.ID), words[p.Connection])
		for _, a := range p.Contact.Addrs {
			fmt.Fprintf(b, "  addr %x\n", string(a))
		}
	}
}

func sizes(m *Message) string {
	value, addrs := 0, 0
	if m.Record != nil {
		value = len(m.Record.Value)
	}
	for _, list := range [][]Peer{m.Closer, m.Providers} {
		for _, p := range list {
			addrs += len(p.Contact.Addrs)
		}
	}
	return fmt.Sprintf("%s key=%d record=%d closer=%d providers=%d addrs=%d\n",
		m.Type, len(m.Key), value, len(m.Closer), len(m.Providers), addrs)
}

func again(before, after []byte) string {
	if string(before) == string(after) {
		return "again the same\n"
	}
	return fmt.Sprintf("again %x\n", after)
}

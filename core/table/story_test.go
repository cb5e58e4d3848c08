package table

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
)

// story is one file of testdata. Self has the key zero; a contact's name
// begins with the first bits of its key (101.a, 101.b), and the rest of the
// key numbers the contacts, so that a reader sees who is near whom.
type story struct {
	book  *contact.Book
	table *Table
	now   mono.Time
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &story{book: contact.NewBook()}
		s.table = New(key.Key{}, s.book, Config{})
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return s.run(t, d)
		})
	})
}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	s.clock(t, d)
	switch d.Cmd {
	case "table":
		return s.begin(d)
	case "offer":
		return s.offer(t, d)
	case "fail":
		left, probe := s.table.Fail(s.peer(t, d.CmdArgs[0].Key), s.now)
		return fmt.Sprintf("left: %v, probe: %s\n", left, s.name(probe))
	case "restore":
		return fmt.Sprintf("back: %v\n", s.table.Restore(s.peer(t, d.CmdArgs[0].Key), Entry{RTT: 30 * time.Millisecond, Useful: s.now}))
	case "remove":
		return fmt.Sprintf("left: %v\n", s.table.Remove(s.peer(t, d.CmdArgs[0].Key)))
	case "move":
		return s.move(t, d)
	case "population":
		var n int
		d.ScanArgs(t, "n", &n)
		s.table.SetPopulation(n)
		return ""
	case "nearest":
		return s.nearest(t, d)
	case "probes":
		return s.names(s.table.Probes(nil))
	case "show":
		return s.show()
	}
	d.Fatalf(t, "unknown command %s", d.Cmd)
	return ""
}

// clock reads at=…, the moment of a command.
func (s *story) clock(t *testing.T, d *datadriven.TestData) {
	if d.HasArg("at") {
		var at string
		d.ScanArgs(t, "at", &at)
		s.now = mono.Time(duration(t, d, at))
	}
}

func duration(t *testing.T, d *datadriven.TestData, text string) time.Duration {
	v, err := time.ParseDuration(text)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return v
}

func (s *story) begin(d *datadriven.TestData) string {
	cfg := Config{NoDiversity: d.HasArg("no-diversity"), ExemptLoopback: d.HasArg("exempt-loopback")}
	if arg, ok := d.Arg("sizes"); ok {
		for _, v := range arg.Vals {
			var n int
			fmt.Sscan(v, &n)
			cfg.Sizes = append(cfg.Sizes, n)
		}
	}
	s.table = New(key.Key{}, s.book, cfg)
	return ""
}

// peer returns the handle of a name, which may give its address: 10.a@9.1.0.1.
func (s *story) peer(t *testing.T, spec string) contact.Handle {
	name, at, _ := strings.Cut(spec, "@")
	if h := s.book.Find(contact.ID(name)); h != 0 {
		return h
	}
	info := &contact.Info{ID: contact.ID(name), Addrs: parseAddr(t, at)}
	head, _, _ := strings.Cut(name, ".")
	for i, bit := range head {
		if bit == '1' {
			info.Key = info.Key.FlipBit(i)
		}
	}
	info.Key[3] = uint64(s.book.Len() + 1)
	h, _ := s.book.Intern(info)
	return h
}

func parseAddr(t *testing.T, text string) []contact.Addr {
	if text == "" {
		return nil
	}
	var a, b, c, d byte
	if _, err := fmt.Sscanf(text, "%d.%d.%d.%d", &a, &b, &c, &d); err != nil {
		t.Fatalf("address %q: %v", text, err)
	}
	return []contact.Addr{address(a, b, c, d)}
}

// offer has one contact a line, with a round-trip time or without.
func (s *story) offer(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		fields, rtt := strings.Fields(line), time.Duration(0)
		if len(fields) > 1 {
			rtt = duration(t, d, fields[1])
		}
		h := s.peer(t, fields[0])
		v := s.table.Offer(h, s.now, rtt)
		fmt.Fprintf(&out, "%s: %s", s.name(h), v.Kind)
		if v.Left != 0 {
			fmt.Fprintf(&out, ", %s left", s.name(v.Left))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// move gives a contact another address: move 10.a to=9.2.0.1.
func (s *story) move(t *testing.T, d *datadriven.TestData) string {
	var to string
	d.ScanArgs(t, "to", &to)
	h := s.peer(t, d.CmdArgs[0].Key)
	old := s.book.Info(h)
	s.book.Replace(h, &contact.Info{ID: old.ID, Key: old.Key, Addrs: parseAddr(t, to)})
	return ""
}

// nearest takes the first bits of the target: nearest 1011 n=3.
func (s *story) nearest(t *testing.T, d *datadriven.TestData) string {
	var target key.Key
	for i, bit := range d.CmdArgs[0].Key {
		if bit == '1' {
			target = target.FlipBit(i)
		}
	}
	var n int
	d.ScanArgs(t, "n", &n)
	return s.names(s.table.Nearest(nil, target, n))
}

func (s *story) name(h contact.Handle) string {
	if h == 0 {
		return "nobody"
	}
	return string(s.book.Info(h).ID)
}

func (s *story) names(hs []contact.Handle) string {
	if len(hs) == 0 {
		return "nobody\n"
	}
	var out strings.Builder
	for _, h := range hs {
		out.WriteString(s.name(h) + "\n")
	}
	return out.String()
}

// show prints each bucket with its members, the nearest to self first, and its
// replacements, the best first; ! marks those that failed.
func (s *story) show() string {
	var out strings.Builder
	for _, b := range s.table.Buckets(nil) {
		fmt.Fprintf(&out, "bucket %d: %d of %d", b.Index, b.Size, b.Capacity)
		if b.Oldest != mono.Never {
			fmt.Fprintf(&out, ", oldest %v", time.Duration(b.Oldest))
		}
		out.WriteString("\n  members:")
		for h, e := range s.table.All {
			if e.Bucket == b.Index {
				out.WriteString(" " + s.name(h))
			}
		}
		if b.Replacements > 0 {
			out.WriteString("\n  replacements:")
		}
		for i, hi := s.table.waiting(b.Index); i < hi; i++ {
			out.WriteString(" " + s.name(s.table.spares.cells[i].handle))
			if s.table.spares.cells[i].mark.failed() {
				out.WriteByte('!')
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

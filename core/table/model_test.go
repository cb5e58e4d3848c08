package table

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// model is the table again, told plainly: a slice for each bucket and each
// cache, nothing sorted, nothing packed.
type model struct {
	self       key.Key
	book       *contact.Book
	cfg        Config
	members    [params.Buckets][]modelRow
	spares     [params.Buckets][]modelRow
	population int
}

type modelRow struct {
	h      contact.Handle
	group  string // "" is limited like any other, "free" is not limited
	rtt    time.Duration
	failed bool
}

func (m *model) bucketOf(h contact.Handle) int {
	return min(m.self.CommonPrefix(m.book.Info(h).Key), params.Buckets-1)
}

func (m *model) capacity(b int) int {
	if b < len(m.cfg.Sizes) {
		return m.cfg.Sizes[b]
	}
	return params.K
}

func (m *model) group(h contact.Handle) string {
	addrs := m.book.Info(h).Addrs
	switch {
	case m.cfg.NoDiversity:
		return "free"
	case len(addrs) == 0:
		return ""
	case m.cfg.ExemptLoopback && addrs[0].Loopback():
		return "free"
	}
	return fmt.Sprintf("%x", addrs[0].Group())
}

func find(rows []modelRow, h contact.Handle) int {
	return slices.IndexFunc(rows, func(r modelRow) bool { return r.h == h })
}

func count(rows []modelRow, group string) (n int) {
	for _, r := range rows {
		if r.group == group {
			n++
		}
	}
	return n
}

func (m *model) crowded(b int, group string) bool {
	if group == "free" {
		return false
	}
	class := 0
	for other, rows := range m.members {
		if (m.capacity(other) > params.K) == (m.capacity(b) > params.K) {
			class += count(rows, group)
		}
	}
	return count(m.members[b], group) >= params.MaxPerGroupBucket || class >= params.MaxPerGroup
}

func (m *model) offer(h contact.Handle, rtt time.Duration) Verdict {
	if m.book.Info(h).Key == m.self {
		return Verdict{Kind: Refused}
	}
	b, r := m.bucketOf(h), modelRow{h: h, group: m.group(h), rtt: rtt}
	if i := find(m.members[b], h); i >= 0 {
		return m.refresh(b, i, r)
	}
	if i := find(m.spares[b], h); i >= 0 {
		if rtt == 0 {
			r.rtt = m.spares[b][i].rtt
		}
		m.spares[b] = slices.Delete(m.spares[b], i, i+1)
	}
	switch slow := m.displaced(b, r.rtt); {
	case m.crowded(b, r.group):
		return Verdict{Kind: Crowded}
	case len(m.members[b]) < m.capacity(b):
		m.members[b] = append(m.members[b], r)
		return Verdict{Kind: Added}
	case slow != 0:
		i := find(m.members[b], slow)
		out := m.members[b][i]
		m.members[b][i] = r
		m.keep(b, out)
		return Verdict{Kind: Added, Left: slow}
	case !m.keep(b, r):
		return Verdict{Kind: Crowded}
	}
	return Verdict{Kind: Kept}
}

func (m *model) refresh(b, i int, r modelRow) Verdict {
	if r.rtt == 0 {
		r.rtt = m.members[b][i].rtt
	}
	moved := m.members[b][i].group != r.group
	m.members[b] = slices.Delete(m.members[b], i, i+1)
	if moved && m.crowded(b, r.group) {
		return Verdict{Kind: Crowded, Left: r.h}
	}
	m.members[b] = append(m.members[b], r)
	return Verdict{Kind: Refreshed}
}

// displaced returns the slowest member if a contact with the given round-trip
// time takes its place. The model draws distinct times, so there is one.
func (m *model) displaced(b int, rtt time.Duration) contact.Handle {
	var slow modelRow
	for _, r := range m.members[b] {
		if r.rtt > slow.rtt {
			slow = r
		}
	}
	if rtt == 0 || m.population>>(b+1) < 8*m.capacity(b) || 4*rtt > 3*slow.rtt {
		return 0
	}
	return slow.h
}

func (m *model) keep(b int, r modelRow) bool {
	if r.group != "free" && count(m.spares[b], r.group) >= params.MaxPerGroupBucket {
		return false
	}
	at := 0
	if r.failed {
		if at = slices.IndexFunc(m.spares[b], func(s modelRow) bool { return s.failed }); at < 0 {
			at = len(m.spares[b])
		}
	}
	m.spares[b] = slices.Insert(m.spares[b], at, r)
	m.spares[b] = m.spares[b][:min(len(m.spares[b]), params.Replacements)]
	return true
}

func (m *model) fail(h contact.Handle) (left bool, probe contact.Handle) {
	b := m.bucketOf(h)
	if i := find(m.members[b], h); i >= 0 {
		r := m.members[b][i]
		m.members[b] = slices.Delete(m.members[b], i, i+1)
		r.failed = true
		m.keep(b, r)
		return true, m.probe(b)
	}
	i := find(m.spares[b], h)
	if i < 0 {
		return false, 0
	}
	r := m.spares[b][i]
	m.spares[b] = slices.Delete(m.spares[b], i, i+1)
	if !r.failed {
		r.failed = true
		m.keep(b, r)
	}
	return false, m.probe(b)
}

func (m *model) restore(h contact.Handle, rtt time.Duration) bool {
	b := m.bucketOf(h)
	if find(m.members[b], h) >= 0 {
		return false
	}
	if i := find(m.spares[b], h); i >= 0 {
		m.spares[b] = slices.Delete(m.spares[b], i, i+1)
	}
	r := modelRow{h: h, group: m.group(h), rtt: rtt}
	if len(m.members[b]) < m.capacity(b) && !m.crowded(b, r.group) {
		m.members[b] = append(m.members[b], r)
		return true
	}
	m.keep(b, r)
	return false
}

func (m *model) candidates(b int) (hs []contact.Handle) {
	for _, r := range m.spares[b] {
		if !r.failed && !m.crowded(b, r.group) {
			hs = append(hs, r.h)
		}
	}
	return hs
}

func (m *model) probe(b int) contact.Handle {
	room, hs := m.capacity(b)-len(m.members[b]), m.candidates(b)
	if room < 1 || room > len(hs) {
		return 0
	}
	return hs[room-1]
}

func (m *model) probes() (hs []contact.Handle) {
	for b := range m.members {
		c := m.candidates(b)
		hs = append(hs, c[:min(len(c), m.capacity(b)-len(m.members[b]))]...)
	}
	return hs
}

func (m *model) remove(h contact.Handle) bool {
	b := m.bucketOf(h)
	i, j := find(m.members[b], h), find(m.spares[b], h)
	if i >= 0 {
		m.members[b] = slices.Delete(m.members[b], i, i+1)
	}
	if j >= 0 {
		m.spares[b] = slices.Delete(m.spares[b], j, j+1)
	}
	return i >= 0
}

func (m *model) nearest(target key.Key, n int) (hs []contact.Handle) {
	for _, rows := range m.members {
		for _, r := range rows {
			hs = append(hs, r.h)
		}
	}
	slices.SortFunc(hs, func(a, b contact.Handle) int {
		return target.Closer(m.book.Info(a).Key, m.book.Info(b).Key)
	})
	return hs[:min(n, len(hs))]
}

// drawKey returns a key at a drawn depth below self, so that deep buckets, the
// tail and keys that agree in their whole first word all occur.
func drawKey(t *rapid.T, self key.Key) key.Key {
	depth := rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 3, 22, 23, 24, 40, 63, 64, 65, 200}).Draw(t, "depth")
	k := self.FlipBit(depth)
	low := rapid.Uint8().Draw(t, "low")
	for bit := range 8 { // eight bits just below, and eight at the very end
		if low>>bit&1 == 1 {
			k = k.FlipBit(depth + 1 + bit).FlipBit(key.Bits - 1 - bit)
		}
	}
	return k
}

// drawAddrs returns no address, or one in one of a few groups, some loopback.
func drawAddrs(t *rapid.T) []contact.Addr {
	switch g := rapid.IntRange(0, 19).Draw(t, "group"); {
	case g == 0:
		return nil
	case g < 3:
		return []contact.Addr{address(127, byte(g), 0, 1)}
	default:
		return []contact.Addr{address(9, byte(g), 0, 1)}
	}
}

type pair struct {
	table *Table
	model *model
	all   []contact.Handle
	step  int
}

func drawPair(t *rapid.T) *pair {
	self := key.Of([]byte("self"))
	cfg := Config{
		Sizes:          rapid.SampledFrom([][]int{{3, 2, 1}, {24, 22, 3, 2}, {9, 2, 1, 1}}).Draw(t, "sizes"),
		NoDiversity:    rapid.Bool().Draw(t, "no diversity"),
		ExemptLoopback: rapid.Bool().Draw(t, "exempt loopback"),
	}
	book := contact.NewBook()
	p := &pair{table: New(self, book, cfg), model: &model{self: self, book: book, cfg: cfg}}
	seen := map[key.Key]bool{}
	for i := range 90 {
		k := drawKey(t, self)
		if i == 0 {
			k = self // the node itself is offered too
		}
		if !seen[k] {
			seen[k] = true
			h, _ := book.Intern(&contact.Info{ID: contact.ID(fmt.Sprint(i)), Key: k, Addrs: drawAddrs(t)})
			p.all = append(p.all, h)
		}
	}
	return p
}

// rtt draws a time of which none is like another: the low digits count steps.
func (p *pair) rtt(t *rapid.T) time.Duration {
	if rapid.IntRange(0, 4).Draw(t, "rtt known") == 0 {
		return 0
	}
	ms := rapid.IntRange(1, 60).Draw(t, "rtt")
	return time.Duration(ms)*100*time.Millisecond + time.Duration(p.step)*params.RTTUnit
}

func (p *pair) act(t *rapid.T) {
	p.step++
	h := rapid.SampledFrom(p.all).Draw(t, "who")
	now := mono.Time(p.step) * mono.Time(time.Second)
	switch action := rapid.IntRange(0, 20).Draw(t, "action"); {
	case action < 13:
		rtt := p.rtt(t)
		if got, want := p.table.Offer(h, now, rtt), p.model.offer(h, rtt); got != want {
			t.Fatalf("offer %d: %v, want %v", h, got, want)
		}
	case action < 17:
		left, probe := p.table.Fail(h, now)
		if wantLeft, wantProbe := p.model.fail(h); left != wantLeft || probe != wantProbe {
			t.Fatalf("fail %d: %v %d, want %v %d", h, left, probe, wantLeft, wantProbe)
		}
	case action == 17:
		if got, want := p.table.Remove(h), p.model.remove(h); got != want {
			t.Fatalf("remove %d: %v, want %v", h, got, want)
		}
	case action == 18:
		if p.model.book.Info(h).Key == p.model.self {
			return // it is never a member, and only members are restored
		}
		rtt := p.rtt(t)
		if got, want := p.table.Restore(h, Entry{RTT: rtt, Useful: now}), p.model.restore(h, rtt); got != want {
			t.Fatalf("restore %d: %v, want %v", h, got, want)
		}
	case action == 19:
		old := p.table.book.Info(h)
		p.table.book.Replace(h, &contact.Info{ID: old.ID, Key: old.Key, Addrs: drawAddrs(t)})
	default:
		n := rapid.SampledFrom([]int{0, 100, 1000, 1 << 20}).Draw(t, "population")
		p.table.SetPopulation(n)
		p.model.population = n
	}
}

func (p *pair) check(t *rapid.T) {
	target := drawKey(t, p.model.self)
	n := rapid.IntRange(0, 30).Draw(t, "n")
	want := p.model.nearest(target, n)
	if got := p.table.Nearest(nil, target, n); !slices.Equal(got, want) {
		t.Fatalf("nearest %d to %s: %v, want %v", n, target, got, want)
	}
	for i, info := range p.table.Snapshot().Nearest(nil, target, n) {
		if info != p.table.book.Info(want[i]) {
			t.Fatalf("snapshot: %d is %q, want handle %d", i, info.ID, want[i])
		}
	}
	if got, want := p.table.Probes(nil), p.model.probes(); !slices.Equal(got, want) {
		t.Fatalf("probes %v, want %v", got, want)
	}
	p.checkRows(t)
	p.checkBuckets(t)
}

// checkRows compares every contact's place, and its holds: a sweep must leave
// those in the table and the cache, and forget all others.
func (p *pair) checkRows(t *rapid.T) {
	held := 0
	for _, h := range p.all {
		b := p.model.bucketOf(h)
		i, j := find(p.model.members[b], h), find(p.model.spares[b], h)
		if p.table.Has(h) != (i >= 0) || (p.table.spare(h) >= 0) != (j >= 0) {
			t.Fatalf("%d: member %v spare %d, want places %d and %d", h, p.table.Has(h), p.table.spare(h), i, j)
		}
		want := time.Duration(0)
		if i >= 0 {
			want, held = p.model.members[b][i].rtt, held+1
		} else if j >= 0 {
			want, held = p.model.spares[b][j].rtt, held+1
		}
		if got, ok := p.table.RTT(h); got != want || ok != (want != 0) {
			t.Fatalf("%d: round-trip time %v %v, want %v", h, got, ok, want)
		}
	}
	swept := p.table.book.Clone()
	swept.Sweep(0)
	if swept.Len() != held {
		t.Fatalf("%d contacts are held, want %d", swept.Len(), held)
	}
}

func (p *pair) checkBuckets(t *rapid.T) {
	members := 0
	for _, b := range p.table.Buckets(nil) {
		members += b.Size
		if b.Size != len(p.model.members[b.Index]) || b.Replacements != len(p.model.spares[b.Index]) {
			t.Fatalf("bucket %+v, want %d and %d", b, len(p.model.members[b.Index]), len(p.model.spares[b.Index]))
		}
		if b.Size > b.Capacity || b.Capacity != p.model.capacity(b.Index) || b.Replacements > params.Replacements {
			t.Fatalf("bucket %+v is over its size", b)
		}
	}
	if members != p.table.Len() || members != len(p.model.nearest(p.model.self, 1<<20)) {
		t.Fatalf("%d in buckets, %d in the table", members, p.table.Len())
	}
}

func TestTableAgreesWithItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPair(t)
		for range rapid.IntRange(1, 30).Draw(t, "rounds") {
			for range 10 {
				p.act(t)
			}
			p.check(t)
		}
		p.releaseAll(t)
	})
}

// releaseAll empties the table; nothing may be held after that, or too often.
func (p *pair) releaseAll(t *rapid.T) {
	for _, h := range p.all {
		p.table.Remove(h)
	}
	p.table.book.Sweep(0)
	if p.table.book.Len() != 0 {
		t.Fatalf("an empty table holds %d contacts", p.table.book.Len())
	}
}

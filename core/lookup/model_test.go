package lookup

import (
	"fmt"
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
)

// model says what a lookup must and must not do, in the words of the guarantee
// and not of the code. It sees the events and the actions; it decides nothing
// that the guarantee leaves open, and objects to whatever it forbids.
type model struct {
	setting
	guests  []guest // by name; 0 is nobody
	paths   []path
	air     []wing
	reserve []int
	last    Attempt
	grant   int
	ended   int // how many steps brought an end
	end     End
	due     []Attempt // whose hard deadline came in this step
	broken  string
}

// guest is a peer as the whole lookup knows it: its outcome.
type guest struct {
	state    state
	asker    int8 // the path that asked it, -1 for none
	attempts int8
	fresh    bool // owed a second attempt, if the first fails
	first    bool // a seed
}

// path is what one path may know.
type path struct {
	depth []int8 // by name; 0 for a peer of which this path has not heard
	sent  int
}

// wing is one attempt in the air.
type wing struct {
	attempt    Attempt
	peer, path int
	probe      bool
	late       bool
	soft, hard mono.Time
}

func newModel(s setting) *model {
	m := &model{setting: s, guests: make([]guest, s.n+1), reserve: s.reserve, grant: s.grant}
	if m.grant == 0 {
		m.grant = s.cfg.MaxPeers
	}
	for i := range m.guests {
		m.guests[i].asker = -1
	}
	m.paths = make([]path, s.cfg.Paths)
	for i := range m.paths {
		m.paths[i].depth = make([]int8, s.n+1)
	}
	dealt := 0
	for _, n := range s.seeds {
		if n != s.self && !m.guests[n].first {
			m.guests[n].first = true
			m.paths[dealt%s.cfg.Paths].depth[n] = 1
			dealt++
		}
	}
	return m
}

func (m *model) clone() *model {
	c := *m
	c.guests, c.air, c.due = slices.Clone(m.guests), slices.Clone(m.air), nil
	c.reserve = slices.Clone(m.reserve)
	c.paths = slices.Clone(m.paths)
	for i := range c.paths {
		c.paths[i].depth = slices.Clone(m.paths[i].depth)
	}
	return &c
}

func (m *model) wrong(format string, args ...any) {
	if m.broken == "" {
		m.broken = fmt.Sprintf(format, args...)
	}
}

// attemptAt returns the attempt at a peer that is in the air, or one that
// never was.
func (m *model) attemptAt(peer int) Attempt {
	for _, f := range m.air {
		if f.peer == peer {
			return f.attempt
		}
	}
	return 0
}

// rank is the ranking function of the guarantee: each accepted event lowers
// it, so there are finitely many.
func (m *model) rank() int {
	left := m.cfg.MaxPeers
	for i := range m.paths {
		left -= m.paths[i].sent
	}
	rank := 3 * left
	for _, f := range m.air {
		rank += 2
		if f.late {
			rank--
		}
	}
	return rank
}

// happened tells the model of an event; it reports whether the event counts.
func (m *model) happened(now mono.Time, ev Event) bool {
	m.due = m.due[:0]
	if m.end != Running {
		return false
	}
	if ev.What == Cancel {
		m.end = Cancelled
		return true
	}
	counts := false
	if ev.What == Answered || ev.What == Failed {
		counts = m.landed(ev)
	}
	counts = m.expired(now) || counts
	if m.deadline.Due(now) {
		m.end, counts = Deadline, true
	}
	return counts
}

func (m *model) landed(ev Event) bool {
	i := slices.IndexFunc(m.air, func(f wing) bool { return f.attempt == ev.Attempt })
	if i < 0 {
		return false
	}
	f := m.air[i]
	m.air = slices.Delete(m.air, i, i+1)
	g := &m.guests[f.peer]
	switch {
	case ev.What == Answered:
		if !f.probe {
			g.state = answered
		}
		for _, n := range ev.Named {
			m.learns(f.path, int(n.Handle), m.paths[f.path].depth[f.peer]+1, f.peer, n.Fresh)
		}
	case !f.probe:
		g.state = failed
	}
	return true
}

// learns is the rule of what a path knows: what its own informants named, at
// the least depth; but a second attempt, owed to news, is as deep as the news.
func (m *model) learns(p, peer int, depth int8, by int, fresh bool) {
	if peer == m.self || peer == by {
		return
	}
	g, d := &m.guests[peer], &m.paths[p].depth[peer]
	switch {
	case *d == 0:
		*d = depth
	case fresh && int(g.asker) == p:
		*d = max(*d, depth)
	case g.attempts <= 1 && !g.fresh:
		*d = min(*d, depth)
	}
	if fresh && int(g.asker) == p {
		g.fresh = true
	}
}

// expired applies the deadlines that are due: all of them, whatever else waits (D3).
func (m *model) expired(now mono.Time) (counts bool) {
	for i := 0; i < len(m.air); {
		f := &m.air[i]
		switch {
		case f.hard.Due(now):
			counts = true
			m.due = append(m.due, f.attempt)
			if !f.probe {
				m.guests[f.peer].state = failed
			}
			m.air = slices.Delete(m.air, i, i+1)
			continue
		case f.soft.Due(now) && !f.late:
			f.late, counts = true, true
		}
		i++
	}
	return counts
}

// act judges one action.
func (m *model) act(now mono.Time, a Action, env Env) {
	if a.Kind == Drop {
		m.dropped(a)
		return
	}
	peer, p := int(a.Peer), a.Path
	switch {
	case m.end != Running:
		m.wrong("asks %d after the end", peer)
	case a.Attempt <= m.last:
		m.wrong("attempt %d has a name that was used", a.Attempt)
	case peer < 1 || peer > m.n || peer == m.self:
		m.wrong("asks %d, who is itself or nobody", peer)
	case m.attemptAt(peer) != 0:
		m.wrong("asks %d twice at a time", peer)
	case !m.slot(p):
		m.wrong("path %d has no slot or budget for %d", p, peer)
	case a.Bits != key.Bits:
		m.probes(p, peer)
	default:
		m.asks(p, peer, a)
	}
	soft, hard := env.Patience(a.Peer)
	f := wing{
		attempt: a.Attempt, peer: peer, path: p, probe: a.Bits != key.Bits,
		soft: now.Add(min(soft, hard)), hard: now.Add(hard),
	}
	if a.Deadline != min(f.hard, m.deadline) || a.Cut != m.deadline.Before(f.hard) {
		m.wrong("attempt %d has the deadline %d (cut: %v), not %d", a.Attempt, a.Deadline, a.Cut, f.hard)
	}
	m.last = a.Attempt
	m.air = append(m.air, f)
	m.paths[p].sent++
}

// asks judges a request for the target.
func (m *model) asks(p, peer int, a Action) {
	g := &m.guests[peer]
	if m.paths[p].depth[peer] == 0 {
		m.refilled(p, peer)
	}
	switch {
	case g.asker >= 0 && int(g.asker) != p:
		m.wrong("paths %d and %d both ask %d", g.asker, p, peer)
	case !m.eligible(p, peer):
		m.wrong("path %d asks %d, who is not eligible", p, peer)
	case m.cfg.Liars == 0 && len(m.town.doubtful) == 0 && peer != m.nearest(p):
		m.wrong("path %d asks %d before %d", p, peer, m.nearest(p))
	case a.Depth != int(m.paths[p].depth[peer]):
		m.wrong("path %d asks %d at depth %d, not %d", p, peer, a.Depth, m.paths[p].depth[peer])
	}
	g.state, g.asker, g.fresh = flying, int8(p), false
	g.attempts++
}

// refilled judges a request to a peer of which the path has not heard: a
// reserve seed, for a path of which nobody has answered, or a leak.
func (m *model) refilled(p, peer int) {
	i := slices.Index(m.reserve, peer)
	if i < 0 {
		m.wrong("path %d asks %d, of whom none of its informants told", p, peer)
		return
	}
	m.reserve = m.reserve[i+1:]
	for n, d := range m.paths[p].depth {
		if d > 0 && m.guests[n].state == answered {
			m.wrong("path %d takes a reserve seed though %d answered", p, n)
		}
	}
	if m.nearest(p) != 0 {
		m.wrong("path %d takes a reserve seed before its own", p)
	}
	m.paths[p].depth[peer] = 1
}

// probes judges a region probe: it goes to who answered the same path, when
// that path has nobody else to ask.
func (m *model) probes(p, peer int) {
	switch g := m.guests[peer]; {
	case g.state != answered || int(g.asker) != p:
		m.wrong("path %d probes %d, who did not answer it", p, peer)
	case m.nearest(p) != 0:
		m.wrong("path %d probes a region while %d waits", p, m.nearest(p))
	case m.cfg.ProbeRounds == 0:
		m.wrong("path %d probes though it must not", p)
	}
}

func (m *model) dropped(a Action) {
	if i := slices.Index(m.due, a.Attempt); i >= 0 && a.Expired {
		m.due = slices.Delete(m.due, i, i+1)
		return
	}
	i := slices.IndexFunc(m.air, func(f wing) bool { return f.attempt == a.Attempt })
	if i < 0 || a.Expired {
		m.wrong("drops attempt %d, which is not in the air, or before its time", a.Attempt)
		return
	}
	m.air = slices.Delete(m.air, i, i+1)
}

// eligible is the rule of the guarantee: not asked yet (or allowed again), not
// deeper than H, and fewer than k that answered are nearer, as far as the
// path's own informants told.
func (m *model) eligible(p, peer int) bool {
	return m.askable(p, peer) && m.inSight(p, peer)
}

func (m *model) askable(p, peer int) bool {
	g := &m.guests[peer]
	again := g.state == failed && g.fresh && int(g.attempts) < m.cfg.AttemptsFresh && int(g.asker) == p
	d := m.paths[p].depth[peer]
	return d > 0 && int(d) <= m.cfg.MaxDepth && (g.state == known || again)
}

// inSight reports whether fewer than k peers nearer than one have answered.
func (m *model) inSight(p, peer int) bool {
	nearer := 0
	for n := 1; n < peer; n++ {
		if m.paths[p].depth[n] > 0 && m.guests[n].state == answered {
			nearer++
		}
	}
	return nearer < m.cfg.K
}

// nearest returns a path's nearest eligible peer, or 0.
func (m *model) nearest(p int) int {
	nearer := 0
	for n := 1; n <= m.n && nearer < m.cfg.K; n++ {
		if m.askable(p, n) {
			return n
		}
		if m.paths[p].depth[n] > 0 && m.guests[n].state == answered {
			nearer++
		}
	}
	return 0
}

// slot reports whether a path may have one more request in the air.
func (m *model) slot(p int) bool {
	alpha, spare := part(m.cfg.Alpha, m.cfg.Paths, p), part(m.cfg.Spare, m.cfg.Paths, p)
	if m.lastRound(p) {
		alpha, spare = part(m.cfg.AlphaLast, m.cfg.Paths, p), part(m.cfg.SpareLast, m.cfg.Paths, p)
	}
	firm, late := 0, 0
	for _, f := range m.air {
		switch {
		case f.path != p:
		case f.late:
			late++
		default:
			firm++
		}
	}
	return firm < alpha && firm+late < alpha+spare && len(m.air) < m.grant &&
		m.paths[p].sent < part(m.cfg.MaxPeers, m.cfg.Paths, p)
}

// part is the i-th of d parts of n, the larger ones first.
func part(n, d, i int) int { return (n + d - 1 - i) / d }

func (m *model) lastRound(p int) bool {
	for n := 1; n <= m.n; n++ {
		if m.paths[p].depth[n] > 0 && m.guests[n].state != failed {
			return m.guests[n].state == answered
		}
	}
	return false
}

// waits reports whether a path has a reason to go on.
func (m *model) waits(p int) bool {
	if m.nearest(p) != 0 && m.paths[p].sent < part(m.cfg.MaxPeers, m.cfg.Paths, p) {
		return true
	}
	for _, f := range m.air {
		if f.path == p && (f.probe || m.inSight(p, f.peer)) {
			return true
		}
	}
	return false
}

// compare checks what must hold after every step.
func (m *model) compare(now mono.Time, l *Lookup) {
	if len(m.due) > 0 {
		m.wrong("attempt %d outlives its deadline", m.due[0])
	}
	if l.End() != Running {
		m.over(l)
		return
	}
	if m.end != Running {
		m.wrong("it goes on after %s", endWords[m.end])
		return
	}
	m.alive(now, l)
	m.lingers(l)
	m.agree(l)
}

// lingers checks that the lookup says whether it only waits for the late. What
// region probes wait for a slot the model does not know.
func (m *model) lingers(l *Lookup) {
	calm := slices.ContainsFunc(m.guests, func(g guest) bool { return g.state == answered })
	for _, f := range m.air {
		calm = calm && f.late
	}
	for p := range m.paths {
		calm = calm && (m.nearest(p) == 0 || m.paths[p].sent == part(m.cfg.MaxPeers, m.cfg.Paths, p))
	}
	if said := l.Lingers(); said && !calm || calm && !said && m.cfg.ProbeRounds == 0 {
		m.wrong("it says that it lingers: %v, and does: %v", said, calm)
	}
}

// alive checks a lookup that goes on: I1, I2 and the timer.
func (m *model) alive(now mono.Time, l *Lookup) {
	wake, waits := l.Wake()
	want, reason := m.deadline, m.cfg.ProbeRounds > 0
	for _, f := range m.air {
		want = mono.Earlier(want, f.hard)
		if !f.late {
			want = mono.Earlier(want, f.soft)
		}
	}
	for p := range m.paths {
		reason = reason || m.waits(p)
		if n := m.nearest(p); n != 0 && m.slot(p) {
			m.wrong("I2: path %d has a free slot and does not ask %d", p, n)
		}
	}
	switch {
	case len(m.air) == 0:
		m.wrong("I1: it is not done, and waits for nothing")
	case l.InFlight() != len(m.air):
		m.wrong("%d attempts in the air, the lookup counts %d", len(m.air), l.InFlight())
	case !waits || wake != want:
		m.wrong("D1: it wakes at %d, and should at %d", wake, want)
	case wake.Due(now):
		m.wrong("D1: it would be woken without end")
	case !reason:
		m.wrong("D2: it is not done, and nothing that it waits for can matter")
	}
}

// agree compares the lookup's table with the model's, so that two lookups that
// look alike to the explorer are alike to the model.
func (m *model) agree(l *Lookup) {
	for i := range l.peers {
		p := &l.peers[i]
		g := m.guests[int(p.handle)]
		if p.state != g.state || p.asker != g.asker || int8(p.attempts) != g.attempts || p.fresh != g.fresh {
			m.wrong("peer %d is %+v, and should be %+v", p.handle, *p, g)
		}
	}
	for i := range l.walks {
		w := &l.walks[i]
		names := 0
		for _, d := range m.paths[i].depth {
			if d > 0 {
				names++
			}
		}
		if names != len(w.names) || w.budget != part(m.cfg.MaxPeers, m.cfg.Paths, i)-m.paths[i].sent {
			m.wrong("path %d knows %d peers with %d requests left, and should %d", i, len(w.names), w.budget, names)
		}
		for _, n := range w.names {
			if h := l.peers[n.peer].handle; int8(n.depth) != m.paths[i].depth[h] {
				m.wrong("path %d knows %d at depth %d, not %d", i, h, n.depth, m.paths[i].depth[h])
			}
		}
	}
}

// over checks a lookup that has ended: once, for a reason, with nothing left.
func (m *model) over(l *Lookup) {
	if _, waits := l.Wake(); waits || l.InFlight() != 0 || len(m.air) != 0 {
		m.wrong("it has ended, and %d attempts are left", len(m.air))
	}
	if m.ended++; m.ended > 1 {
		if l.End() != m.end {
			m.wrong("it ended %s and now says %s", endWords[m.end], endWords[l.End()])
		}
		return
	}
	m.reason(l)
	m.end = l.End()
	var want []contact.Handle
	for n := 1; n <= m.n && len(want) < m.cfg.K; n++ {
		if m.guests[n].state == answered {
			want = append(want, contact.Handle(n))
		}
	}
	if got := l.Closest(nil); !slices.Equal(got, want) {
		m.wrong("the result is %v, and should be %v", got, want)
	}
}

// reason checks why it ended.
func (m *model) reason(l *Lookup) {
	if m.end == Cancelled || m.end == Deadline {
		if l.End() != m.end && (l.End() != Nobody || m.end == Cancelled) {
			m.wrong("it ended %s, and should %s", endWords[l.End()], endWords[m.end])
		}
		return
	}
	capped, some := false, false
	for p := range m.paths {
		if n := m.nearest(p); n != 0 {
			capped = true
			if m.paths[p].sent < part(m.cfg.MaxPeers, m.cfg.Paths, p) {
				m.wrong("it ended %s, and %d was never asked", endWords[l.End()], n)
			}
		}
	}
	for _, g := range m.guests {
		some = some || g.state == answered
	}
	want := Converged
	switch {
	case !some:
		want = Nobody
	case capped && (m.cfg.Liars == 0 || l.End() != Converged): // names of liars only are left: converged
		want = Capped
	}
	if l.End() != want {
		m.wrong("it ended %s, and should %s", endWords[l.End()], endWords[want])
	}
}

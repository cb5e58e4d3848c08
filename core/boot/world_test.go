package boot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// world is one real planner with a ledger beside it: whatever a test does goes
// through do, and the ledger checks the guarantee after it. Contacts are
// numbers, names are words, walks go by the names of their steps.
type world struct {
	p   *Planner
	env town
	now mono.Time
	setting

	open    []entry
	probed  []contact.Handle
	begun   []string // walks
	ended   []string // walks
	met     []contact.Handle
	answers int // probes that were answered
	names   int // resolutions that ended
	selfEnd End
	events  int  // that counted
	over    int  // steps that brought an end
	amid    bool // an outcome was told, and the step that has to follow was not made
	last    Attempt

	said   []string
	broken string
}

// setting is how a world begins.
type setting struct {
	plan    Plan
	hard    time.Duration
	deepest int  // of the table, once somebody is in it
	full    bool // so is it then
	known   bool // somebody is in it from the start
}

// town is the rest of the node as a planner sees it.
type town struct {
	hard    time.Duration
	deepest int
	full    bool
}

func (t *town) Patience(contact.Handle) (soft, hard time.Duration) { return t.hard, t.hard }
func (t *town) Deepest() int                                       { return t.deepest }
func (t *town) Full() bool                                         { return t.full }

// entry is one thing under way.
type entry struct {
	id   Attempt
	kind ActionKind
	what string // the contact, the name, or the walk
	hard mono.Time
	late bool // a walk that lingers
}

func begin(s setting) *world {
	w := &world{setting: s, p: New(s.plan), env: town{hard: s.hard, deepest: -1}}
	if s.known {
		w.fill()
	}
	w.met = slices.Concat(s.plan.Seeds, s.plan.Remembered)
	return w
}

// fill puts somebody into the table.
func (w *world) fill() { w.env.deepest, w.env.full = w.deepest, w.full }

func (w *world) clone() *world {
	c := *w
	c.p, c.said = w.p.Clone(), nil
	c.open, c.probed, c.met = slices.Clone(w.open), slices.Clone(w.probed), slices.Clone(w.met)
	c.begun, c.ended = slices.Clone(w.begun), slices.Clone(w.ended)
	return &c
}

// move is one thing that the environment does, after a while: to what is under
// way by the name what.
type move struct {
	does  What
	what  string
	after time.Duration
	peers []contact.Handle
	end   End
	more  bool // it is told together with the next move
}

// String writes a move as a story has it.
func (m move) String() string {
	var b strings.Builder
	b.WriteString([...]string{"wait", "answer", "fail", "resolve", "walked", "linger", "cancel"}[m.does])
	if m.what != "" {
		fmt.Fprintf(&b, " %s", strings.ReplaceAll(m.what, " ", "-"))
	}
	if len(m.peers) > 0 {
		fmt.Fprintf(&b, " to=(%s)", strings.ReplaceAll(strings.Trim(fmt.Sprint(m.peers), "[]"), " ", ","))
	}
	if m.does == Walked {
		fmt.Fprintf(&b, " end=%s", endWords[m.end])
	}
	if m.after > 0 {
		fmt.Fprintf(&b, " after=%s", m.after)
	}
	if m.more {
		b.WriteString(" more")
	}
	return b.String()
}

var endWords = [...]string{"running", "done", "nobody", "late", "cut"}

// do makes a move.
func (w *world) do(mv move) {
	w.now = w.now.Add(mv.after)
	ev := Event{What: mv.does, Peers: mv.peers, Failure: contact.Refused, Reason: "refused"}
	if e := w.find(mv.what); e != nil {
		ev.Attempt = e.id
	}
	if mv.does == Walked {
		ev.Step = Step{End: mv.end, Asked: 1}
	}
	if mv.more {
		w.hear(ev)
		return
	}
	w.tell(ev)
}

// hear tells the planner of an outcome that others follow in the same step:
// nothing comes of it before that.
func (w *world) hear(ev Event) {
	w.said, w.amid = w.said[:0], true
	counts := w.happened(ev)
	if hit := w.p.Tell(w.now, ev, &w.env); hit != counts {
		w.wrong("an outcome that is told counts: %v, and should: %v", hit, counts)
	}
	if _, acts := w.p.Next(); acts || w.p.End() != Running {
		w.wrong("it acts before all is told")
	}
}

func (w *world) find(what string) *entry {
	for i := range w.open {
		if w.open[i].what == what && what != "" {
			return &w.open[i]
		}
	}
	return nil
}

// tell hands an event to the planner and checks what follows.
func (w *world) tell(ev Event) {
	w.said, w.amid = w.said[:0], false
	over := w.p.End() != Running
	counts := !over && w.happened(ev)
	due := w.expired(over || ev.What == Cancel)
	hit := w.p.Step(w.now, ev, &w.env)
	acted := false
	for a, ok := w.p.Next(); ok; a, ok = w.p.Next() {
		acted = true
		w.act(a, &due)
	}
	switch {
	case over && (hit || acted):
		w.wrong("an event after the end is not ignored")
	case ev.What != Tick && ev.What != Cancel && hit != counts:
		w.wrong("an event counts: %v, and should: %v", hit, counts)
	case len(due) > 0:
		w.wrong("D3: attempt %d outlives its deadline", due[0])
	}
	if w.p.End() != Running {
		w.done(over)
		return
	}
	w.alive()
}

func (w *world) wrong(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
	}
}

// happened tells the ledger of an outcome; it reports whether it is one.
func (w *world) happened(ev Event) bool {
	if ev.What == Lingers {
		return w.lingers(ev.Attempt)
	}
	i := slices.IndexFunc(w.open, func(e entry) bool {
		return e.id == ev.Attempt && slices.Contains(map[ActionKind][]What{
			Probe: {Answered, Failed}, Resolve: {Resolved, Failed}, Walk: {Walked},
		}[e.kind], ev.What)
	})
	if i < 0 {
		return false
	}
	e := w.open[i]
	w.open = slices.Delete(w.open, i, i+1)
	w.ends(e, ev)
	w.events++
	return true
}

// lingers notes that a walk lingers, which it does once.
func (w *world) lingers(id Attempt) bool {
	i := slices.IndexFunc(w.open, func(e entry) bool { return e.id == id && e.kind == Walk && !e.late })
	if i < 0 {
		return false
	}
	w.open[i].late = true
	return true
}

// settled reports whether a walk has ended or lingers, so that what comes after
// it may begin.
func (w *world) settled(what string) bool {
	e := w.find(what)
	return slices.Contains(w.ended, what) || e != nil && e.late
}

// busy counts the walks under way that do not linger.
func (w *world) busy() (n int) {
	for _, e := range w.open {
		if e.kind == Walk && !e.late {
			n++
		}
	}
	return n
}

// ends files what has ended.
func (w *world) ends(e entry, ev Event) {
	switch {
	case e.kind == Walk:
		w.ended = append(w.ended, e.what)
		if e.what == "self" {
			w.selfEnd = ev.Step.End
		}
	case e.kind == Resolve:
		w.names++
		w.met = append(w.met, ev.Peers...)
	case ev.What == Answered:
		w.answers++
		w.fill()
	}
}

// expired files what is due: all of it, whatever else waits.
func (w *world) expired(no bool) (due []Attempt) {
	for i := 0; i < len(w.open) && !no; {
		if e := w.open[i]; e.hard.Due(w.now) {
			due = append(due, e.id)
			w.open = slices.Delete(w.open, i, i+1)
			w.ends(e, Event{What: Failed})
			w.events++
			continue
		}
		i++
	}
	return due
}

// act judges one action.
func (w *world) act(a Action, due *[]Attempt) {
	if a.Kind == Drop {
		w.dropped(a, due)
		return
	}
	e := entry{id: a.Attempt, kind: a.Kind, hard: mono.Never}
	switch a.Kind {
	case Probe:
		e.what, e.hard = fmt.Sprint(a.Peer), w.now.Add(w.hard)
		if slices.Contains(w.probed, a.Peer) || !slices.Contains(w.met, a.Peer) {
			w.wrong("probes %d, twice or unasked", a.Peer)
		}
		w.probed = append(w.probed, a.Peer)
	case Resolve:
		e.what, e.hard = a.Name, w.now.Add(params.DNSDeadline)
	case Walk:
		e.what = walkName(a.Bucket)
		w.walks(e.what)
	}
	if a.Deadline != min(e.hard, w.plan.Deadline) || a.Cut != (a.Kind == Probe && w.plan.Deadline < e.hard) {
		w.wrong("%s has the deadline %d, cut: %v", e.what, a.Deadline, a.Cut)
	}
	if a.Attempt <= w.last || w.p.End() != Running && w.find(e.what) != nil {
		w.wrong("attempt %d has a name that was used", a.Attempt)
	}
	w.last = a.Attempt
	w.open = append(w.open, e)
	w.said = append(w.said, fmt.Sprintf("%s %s", [...]string{"probe", "resolve", "walk to"}[a.Kind], e.what))
}

func walkName(bucket int) string {
	switch bucket {
	case Self:
		return "self"
	case Verify:
		return "verify"
	}
	return fmt.Sprintf("bucket %d", bucket)
}

// walks judges the order of walks: the node itself first, when somebody has
// answered or nobody is left to ask; then each bucket; then the verification.
// Whoever lingers holds up nobody.
func (w *world) walks(what string) {
	selfDone := w.settled("self")
	buckets := 0
	for _, b := range w.begun {
		if strings.HasPrefix(b, "bucket") && w.settled(b) {
			buckets++
		}
	}
	switch {
	case slices.Contains(w.begun, what):
		w.wrong("walks to %s twice", what)
	case what == "self" && w.answers == 0 && (w.count(Probe)+w.count(Resolve) > 0 || len(w.probed) < w.contacts()):
		w.wrong("walks to itself before anybody answered")
	case what != "self" && !selfDone:
		w.wrong("walks to %s before itself", what)
	case what == "verify" && buckets != w.buckets():
		w.wrong("verifies after %d of %d buckets", buckets, w.buckets())
	}
	w.begun = append(w.begun, what)
}

// buckets is how many there are to refresh.
func (w *world) buckets() int { return w.env.deepest + 1 }

// contacts is how many different ones may be probed.
func (w *world) contacts() int {
	met := slices.Clone(w.met)
	slices.Sort(met)
	return len(slices.Compact(met))
}

func (w *world) count(kind ActionKind) (n int) {
	for _, e := range w.open {
		if e.kind == kind {
			n++
		}
	}
	return n
}

func (w *world) dropped(a Action, due *[]Attempt) {
	w.said = append(w.said, fmt.Sprintf("%s attempt %d", map[bool]string{true: "give up", false: "withdraw"}[a.Expired], a.Attempt))
	if i := slices.Index(*due, a.Attempt); i >= 0 && a.Expired {
		*due = slices.Delete(*due, i, i+1)
		return
	}
	i := slices.IndexFunc(w.open, func(e entry) bool { return e.id == a.Attempt })
	if i < 0 || a.Expired {
		w.wrong("drops attempt %d, which is not under way, or before its time", a.Attempt)
		return
	}
	w.open = slices.Delete(w.open, i, i+1)
}

// alive checks a bootstrap that goes on.
func (w *world) alive() {
	want := w.plan.Deadline
	for _, e := range w.open {
		want = mono.Earlier(want, e.hard)
	}
	wake, waits := w.p.Wake()
	walked := slices.Contains(w.begun, "self")
	switch {
	case len(w.open) == 0:
		w.wrong("I1: it is not done, and waits for nothing")
	case !waits || wake != want || wake.Due(w.now):
		w.wrong("D1: it wakes at %d, and should at %d", wake, want)
	case w.count(Probe) > params.ProbeWidth || w.busy() > params.RefreshWidth || w.count(Walk) > params.RefreshMost:
		w.wrong("%d probes and %d walks at a time, %d of them busy", w.count(Probe), w.count(Walk), w.busy())
	case !walked && w.answers > 0:
		w.wrong("somebody has answered, and it does not walk")
	case !walked && len(w.probed) < w.contacts() && w.count(Probe) < params.ProbeWidth:
		w.wrong("I2: contacts wait beside free slots: it tries them in sequence")
	case w.settled("self") && w.busy() < params.RefreshWidth && w.count(Walk) < params.RefreshMost && w.refreshes() < w.buckets():
		w.wrong("I2: buckets wait beside free slots")
	case w.settled("self") && w.busy() == 0 && w.count(Walk) < params.RefreshMost && w.refreshes() == w.buckets() && !slices.Contains(w.begun, "verify"):
		w.wrong("I2: the verification waits for the late")
	}
	w.report(false)
}

// refreshes counts the buckets begun.
func (w *world) refreshes() (n int) {
	for _, b := range w.begun {
		if strings.HasPrefix(b, "bucket") {
			n++
		}
	}
	return n
}

// done checks a bootstrap that has ended: once, for a reason, nothing left.
func (w *world) done(before bool) {
	if !before {
		if w.over++; w.over > 1 {
			w.wrong("it ended twice")
		}
	}
	_, waits := w.p.Wake()
	walked := slices.Contains(w.begun, "self")
	verified := slices.Contains(w.ended, "verify")
	late := w.plan.Deadline.Due(w.now)
	switch end := w.p.End(); {
	case waits || len(w.open) > 0:
		w.wrong("it has ended, and %d attempts are left", len(w.open))
	case end == Done && !verified, end == Nobody && walked, end == Late && !late:
		w.wrong("it ended %s, which it is not", endWords[end])
	case w.p.Ready() != (w.selfEnd == Done && w.full):
		w.wrong("ready: %v", w.p.Ready())
	case w.events > len(w.plan.Names)+w.contacts()+2+w.deepest+1:
		w.wrong("%d events counted", w.events)
	}
	w.report(true)
}

// report checks the steps: each that has ended stands in it once.
func (w *world) report(over bool) {
	steps, remaining := w.p.Steps()
	seen := map[string]bool{}
	for _, s := range steps {
		if seen[s.Name] || s.End == Running {
			w.wrong("step %s ended %s, or twice", s.Name, endWords[s.End])
		}
		seen[s.Name] = true
		if s.Name == "seeds" && s.Asked != s.Answered+s.Failures.Total() {
			w.wrong("%d seeds asked, %d answered, %d failed", s.Asked, s.Answered, s.Failures.Total())
		}
	}
	for _, what := range w.begun {
		if done := over || slices.Contains(w.ended, what); seen[what] != done {
			w.wrong("step %s is in the report: %v", what, seen[what])
		}
	}
	if over && (remaining != 0 || seen["names"] != (len(w.plan.Names) > 0) || len(w.probed) > 0 && !seen["seeds"]) {
		w.wrong("the report is not whole: %d steps remain, seen %v", remaining, seen)
	}
}

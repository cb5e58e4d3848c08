package main

import (
	"fmt"
	"slices"
	"strings"
)

// mutant is one planted defect.
type mutant struct {
	Name  string
	Edits []edit
	By    string // a test that must be among those that catch it; empty if any will do
}

// edit replaces a text that stands in a file of core/ exactly once.
type edit struct{ File, Old, New string }

// plant applies an edit.
func (e edit) plant(content string) (string, error) {
	if n := strings.Count(content, e.Old); n != 1 {
		return "", fmt.Errorf("its text stands %d times in core/%s, and must once:\n%s", n, e.File, e.Old)
	}
	return strings.Replace(content, e.Old, e.New, 1), nil
}

// rooms are those whose tests are run, those that know least first.
var rooms = []string{"contact", "siege", "republish", "lookup", "boot", "engine", simulator}

// simulator drives whole networks of engines; what it needs to know of a room
// it sees through the engine.
const simulator = "sim"

// reach returns the rooms whose tests a mutant can fail: its own, and those that use it.
func (m mutant) reach() []string {
	own, _, _ := strings.Cut(m.Edits[0].File, "/")
	switch own {
	case "republish":
		return []string{own}
	case "siege":
		return []string{own, "republish", "engine", simulator}
	case "contact":
		return []string{own, "lookup", "boot", "engine", simulator}
	case "boot":
		return []string{own, "engine", simulator}
	}
	return rooms[slices.Index(rooms, own):]
}

func one(name, file, old, planted string) mutant {
	return mutant{Name: name, Edits: []edit{{file, old, planted}}}
}

// told wants a mutant to be caught by a story too, which a person can read.
func told(m mutant) mutant {
	m.By = "TestStories"
	return m
}

// inTowns wants a mutant to be caught by whole networks, as nothing smaller
// sees it.
func inTowns(m mutant) mutant {
	m.By = "TestTownsKeepTheirPromises"
	return m
}

// mutants are the planted defects. The first ones are those of the report that
// the house was built to answer; the rest are what one might get wrong.
var mutants = slices.Concat(reported, slots, clocks, paths, caps, outcomes, memories, bootstraps, nodes, schedules, records)

// The four defects of rust-libp2p #5432.
var reported = []mutant{
	told(one("D1 lost timer", "lookup/lookup.go",
		"		wake = mono.Earlier(wake, l.flights[i].due())\n", "		_ = i\n")),
	told(mutant{Name: "D2 orphan wait", Edits: []edit{
		{
			"lookup/lookup.go", "	p := &l.peers[f.peer]\n	p.state, p.late = failed, f.overdue\n",
			"	p := &l.peers[f.peer]\n	if !l.waits(&l.walks[f.walk]) {\n		return\n	}\n	p.state, p.late = failed, f.overdue\n",
		},
		{"lookup/walk.go", "if p.state == flying && int(p.asker) == w.path {", "if p.state == flying {"},
	}}),
	told(one("D3 starvation", "lookup/flight.go", "func (l *Lookup) expire(now mono.Time) {\n",
		"func (l *Lookup) expire(now mono.Time) {\n	if w := &l.walks[0]; l.best(w) >= 0 && !l.room(w) {\n		return\n	}\n")),
	told(one("D4 vanished outcome", "lookup/flight.go", "			l.fail(gone, contact.Silent)\n", "")),
	told(one("D4 request without a deadline", "lookup/flight.go", "		hard: now.Add(hard),\n", "		hard: mono.Never,\n")),
}

var slots = []mutant{
	one("slot leak", "lookup/walk.go",
		"	if f.overdue {\n		w.late--\n	} else {\n		w.firm--\n	}\n", "	if f.overdue {\n		w.late--\n	}\n"),
	one("spare slot leak", "lookup/walk.go",
		"	if f.overdue {\n		w.late--\n	} else {\n		w.firm--\n	}\n", "	if !f.overdue {\n		w.firm--\n	}\n"),
	one("spare slots overdrawn", "lookup/walk.go", "w.firm+w.late < alpha+spare && ", "spare >= 0 && "),
	one("the last round no wider", "lookup/walk.go", "		alpha, spare = w.last, w.rest\n", ""),
	one("grant ignored", "lookup/walk.go", " && len(l.flights) < l.limit", ""),
	one("grant starves a path", "lookup/walk.go",
		"(least == nil || w.firm+w.late < least.firm+least.late)", "least == nil"),
	one("eligible only when the nearer have failed", "lookup/walk.go",
		"		if p.state == answered {\n			if closer++; closer == l.cfg.K {\n				break\n			}\n			continue\n		}",
		"		if p.state == answered || p.state == flying {\n			if closer++; closer == l.cfg.K {\n				break\n			}\n			continue\n		}"),
	one("one request a step", "lookup/walk.go",
		"		content[w.path] = !l.issueOne(now, w, env)\n", "		l.issueOne(now, w, env)\n		content[w.path] = true\n"),
	one("a peer asked twice at a time", "lookup/region.go", "		if l.busy(p.peer) {\n			continue\n		}\n", ""),
}

var clocks = []mutant{
	one("timer not re-armed for soft deadlines", "lookup/flight.go",
		"	return mono.Earlier(f.soft, f.hard)\n", "	return f.hard\n"),
	one("forgotten soft state", "lookup/flight.go", "			f.overdue = true\n", ""),
	one("soft deadline fails the attempt", "lookup/flight.go", "		case f.hard.Due(now):\n", "		case f.soft.Due(now):\n"),
	one("deadline not subtracted", "lookup/flight.go", "Deadline: mono.Earlier(f.hard, l.deadline), Cut", "Deadline: f.hard, Cut"),
	one("absolute deadline ignored", "lookup/lookup.go", "	if l.deadline.Due(now) {\n		l.finish(Deadline)", "	if false {\n		l.finish(Deadline)"),
	one("expired before outcomes are applied", "lookup/lookup.go",
		"	hit := l.Tell(now, ev)\n", "	l.expire(now)\n	hit := l.Tell(now, ev)\n"),
	one("attempts cut short count as expired", "lookup/lookup.go",
		"		l.actions = append(l.actions, Action{Kind: Drop, Attempt: f.attempt})\n",
		"		l.actions = append(l.actions, Action{Kind: Drop, Attempt: f.attempt, Expired: true})\n"),
}

var paths = []mutant{
	one("path sharing: all learn of every name", "lookup/lookup.go",
		"		l.learn(w, n, depth, f.peer)\n",
		"		for i := range l.walks {\n			l.learn(&l.walks[i], n, depth, f.peer)\n		}\n"),
	one("path sharing: seeds not split", "lookup/walk.go", "&l.walks[len(l.peers)%len(l.walks)]", "&l.walks[0]"),
	told(one("path sharing: news crosses over", "lookup/walk.go", "n.Fresh && int(l.peers[i].asker) == w.path", "n.Fresh")),
	one("two paths ask one peer", "lookup/walk.go", " && int(p.asker) == w.path\n	default", " || p.asker >= 0\n	default"),
	one("a path waits for another's request", "lookup/walk.go", "if p.state == flying && int(p.asker) == w.path {", "if p.state == flying {"),
	one("seeds of the reserve tried in sequence", "lookup/disjoint.go",
		"	if len(l.reserve) == 0 {\n", "	if w.firm > 0 || len(l.reserve) == 0 {\n"),
	one("a path that has answers takes reserves", "lookup/disjoint.go",
		"p.state == answered {\n			return false\n", "p.state == answered {\n			break\n"),
	one("budget not split", "lookup/walk.go", "budget: share(cfg.MaxPeers, cfg.Paths, path)", "budget: cfg.MaxPeers"),
}

var caps = []mutant{
	one("off-by-one k", "lookup/walk.go",
		"			if closer++; closer == l.cfg.K {\n				break\n			}\n			continue\n",
		"			if closer++; closer > l.cfg.K {\n				break\n			}\n			continue\n"),
	one("off-by-one k in the result", "lookup/lookup.go",
		"	left := l.cfg.K\n	for _, r := range l.order {\n		if left == 0 {", "	left := l.cfg.K + 1\n	for _, r := range l.order {\n		if left == 0 {"),
	one("cap P ignored", "lookup/walk.go", "w.budget > 0 && len(l.flights)", "len(l.flights)"),
	one("cap H ignored", "lookup/walk.go", " || int(n.depth) > l.cfg.MaxDepth", ""),
	one("a second attempt begins a new chain", "lookup/walk.go", "max(n.depth, int16(depth))", "min(n.depth, int16(depth))"),
	one("a third attempt", "lookup/walk.go", "int(p.attempts) < l.cfg.AttemptsFresh", "int(p.attempts) <= l.cfg.AttemptsFresh"),
	one("region probed without end", "lookup/region.go", "w.rounds >= l.cfg.ProbeRounds || ", ""),
	one("it asks itself", "lookup/walk.go", "	if n.Key == l.self {\n		return\n	}\n	at, i := l.row(n)", "	at, i := l.row(n)"),
}

var outcomes = []mutant{
	one("double completion", "lookup/lookup.go", "	if l.end != Running {\n		return false\n	}\n	hit", "	hit"),
	one("cancel leaves requests", "lookup/lookup.go", "	l.flights = l.flights[:0]\n", ""),
	one("any outcome ends the oldest attempt", "lookup/flight.go", "f.attempt == at {", "f.attempt == at || at == 0 {"),
	one("a failure counts as an answer", "lookup/lookup.go",
		"	p.state, p.late = failed, f.overdue\n", "	p.state, p.late = answered, f.overdue\n"),
	one("a probe's failure takes an answer back", "lookup/lookup.go",
		"	l.stats.Failures[how]++\n	if f.probe {\n		return\n	}\n", "	l.stats.Failures[how]++\n"),
	one("late answers do not count", "lookup/lookup.go",
		"	if !f.probe {\n		p.state, p.answered = answered, now\n", "	if !f.probe && !f.overdue {\n		p.state, p.answered = answered, now\n"),
	one("doubtful peers asked first", "lookup/walk.go", "!p.doubtful && env.Doubtful(p.handle)", "false"),
	one("liars vouch for ever", "lookup/trust.go", "return int(p.mute)+int(p.trial) >= l.cfg.Liars*(int(p.good)+1)", "return p == nil"),
	one("a late answer leaves the informant doubted", "lookup/trust.go",
		"informant.mute, informant.good = down(informant.mute), up(informant.good)", "informant.good = up(informant.good) * 0"),
}

var memories = []mutant{
	one("failure memory does not double", "lookup/memory.go", "		f.strikes++\n", ""),
	one("success does not clear", "lookup/memory.go", "		m.ring[n].strikes, m.ring[n].until = 0, 0 // it keeps its place in the ring\n", "		_ = n\n"),
	one("new addresses do not revive", "lookup/memory.go", "		if !slices.Contains(f.addrs[:f.known], digest(a)) {\n			return false\n		}\n", "		_, _ = a, f\n"),
	one("memory without a cap", "lookup/memory.go", "	if n < params.MemoryEntries {\n", "	if true {\n"),
	one("our own outage blames others", "lookup/memory.go", "	return !o.ours\n", "	return true\n"),
	one("one network that fails is an outage", "lookup/memory.go", "len(o.groups) >= params.OutageGroups && ", ""),
	one("a town in one place has no outage", "lookup/memory.go", " || o.everybody(loss)", ""),
	one("names of nobody are an outage", "lookup/memory.go", "	if !loss.Member {\n		return false\n	}\n", ""),
	one("one place of several is an outage", "lookup/memory.go", "!slices.Contains(o.groups, g) {\n			return false", "g == 0 {\n			return false"),
	one("variance forgotten", "lookup/patience.go", "	e.rttvar += (delta - e.rttvar) / max(4, min(e.samples, params.PatienceMemory/2))\n", ""),
	one("mean before variance", "lookup/patience.go",
		"	delta := e.srtt - r\n", "	e.srtt += (r - e.srtt) / 8\n	delta := e.srtt - r\n	e.srtt -= (r - e.srtt) / 8\n"),
	one("the last answers alone decide", "lookup/patience.go", "/ max(4, min(e.samples, params.PatienceMemory/2))\n", "/ 4\n"),
	one("a connection is no reason to be brief", "lookup/patience.go", "		rto = p.known(false, 0)\n", "		rto = 0\n"),
	one("who has a slot lingers", "lookup/flight.go", "w.firm > 0 || w.budget > 0 && ", "w.budget > 0 && "),
	one("it lingers beside peers to ask", "lookup/flight.go", "l.best(w) >= 0 || l.mayProbe(w)", "l.mayProbe(w)"),
	one("to wait for everybody is to linger", "lookup/flight.go", "l.end != Running || l.stats.Successes == 0", "l.end != Running"),
}

var bootstraps = []mutant{
	told(one("seeds tried in sequence", "boot/planner.go", "p.count(Probe) < params.ProbeWidth", "p.count(Probe) < 1")),
	one("it waits for every seed", "boot/planner.go", "	if p.seedStep.Answered > 0 {\n		return true\n	}\n	return len", "	return len"),
	one("buckets wait for a good walk", "boot/planner.go", "		p.ready = (how.End == Done || enough) && env.Full()\n		p.survey(env)\n",
		"		p.ready = (how.End == Done || enough) && env.Full()\n		if how.End == Done {\n			p.survey(env)\n		}\n"),
	one("buckets refreshed in sequence", "boot/planner.go", "p.busy() < params.RefreshWidth &&", "p.busy() < 1 &&"),
	told(one("who lingers holds up the next step", "boot/planner.go", "a.kind == Walk && !a.late {", "a.kind == Walk {")),
	one("any number of walks linger", "boot/planner.go", "p.busy() < params.RefreshWidth && p.count(Walk) < params.RefreshMost", "p.busy() < params.RefreshWidth"),
	one("whoever lingers is taken for ready", "boot/planner.go", "			p.survey(env)\n		}\n		return true\n", "			p.survey(env)\n			p.ready = env.Full()\n		}\n		return true\n"),
	told(one("planner's timer lost", "boot/planner.go", "		wake = mono.Earlier(wake, a.hard)\n", "		_ = a\n")),
	told(one("planner waits in order", "boot/planner.go", "		if !a.hard.Due(now) {\n			i++\n			continue\n		}\n", "		if !a.hard.Due(now) {\n			break\n		}\n")),
	told(one("stale phase applied", "boot/planner.go", "a.id == ev.Attempt && slices.Contains(fits[a.kind], ev.What)", "a.id == ev.Attempt")),
	one("a step reported twice", "boot/planner.go", "	if p.seedStep.End == Running && sought", "	if p.seedStep.Ended == 0 && sought"),
	one("planner's double completion", "boot/planner.go", "	if p.end != Running {\n		return false\n	}\n	hit", "	hit"),
	one("names stand for any number", "boot/planner.go", "if len(fresh) < share && ", "if "),
	one("one name takes the room of all", "boot/planner.go", "p.room / (1 + p.count(Resolve))", "p.room"),
	one("the jitter of a long pause overflows", "boot/supervisor.go", "	part, _ := bits.Mul64(uint64(spread), uint64(dice)<<32)", "	part, _ := bits.Mul64(uint64(spread)*uint64(dice)>>32, 1<<63)"),
	one("back-off reset", "boot/supervisor.go", "		s.fails++\n", ""),
	one("back-off without a cap", "boot/supervisor.go", "min(params.RetryFirst<<s.fails, params.RetryMax)", "params.RetryFirst << s.fails"),
	one("a change of network ignored", "boot/supervisor.go", "	s.fails, s.again = 0, s.running\n	s.plan(now, 0, true)\n", "	s.fails, s.again = 0, s.running\n"),
	one("a low table ignored", "boot/supervisor.go", "	case v.Table < s.enough:\n", "	case v.Table < 0:\n"),
	one("a flapping network is tried as fast as it flaps", "boot/supervisor.go", "max(now.Add(after), s.soonest)", "now.Add(after)"),
	one("pauses count from the end of a try", "boot/supervisor.go", "rest := s.began.Add(", "rest := now.Add("),
	one("false alarms stay as frequent", "boot/supervisor.go", "	s.alarms++\n", ""),
	one("lost seeds are never tried", "boot/supervisor.go", "	if s.watchesSeeds() {\n		return mono.Earlier(s.Next(), s.seeds)\n	}\n", ""),
	one("who has been found goes on waiting", "boot/supervisor.go", "	s.introduced(now, v)\n", ""),
	one("an alarm asks no seeds", "boot/supervisor.go", "s.next, s.full, s.alone = next, true, true", "s.next, s.alone = next, true"),
}

var nodes = []mutant{
	one("the last connection goes unnoticed", "engine/warm.go", "	}\n	e.lonely()\n", "	}\n"),
	one("an outage of our own refreshes every bucket", "engine/walk.go", "&& e.memory.Ours() {\n		near = nil", "&& false {\n		near = nil"),
	one("who failed and calls is let alone", "engine/admission.go", "wanted = ev.Called", "wanted = false"),
	one("others are told the old addresses", "engine/outcome.go", "		e.changed = e.changed || !same && e.tab.Has(h)\n", ""),
	one("hearsay is passed on", "contact/contact.go", "	if i.sure == 0 || int(i.sure) == len(i.Addrs) {\n", "	if true {\n"),
	one("who names a peer first has all its addresses", "contact/contact.go", "	half := max(int(i.sure), limit/2)\n", "	half := limit\n"),
	one("who gave a value is forgotten", "engine/get.go", "	e.keep(o, from)\n", ""),
	one("seeds of the reserve are forgotten", "engine/walk.go", "			e.keep(o, h)\n", ""),
	one("remembered contacts are forgotten", "engine/bootstrap.go", "	e.keep(o, plan.Remembered...)\n", ""),
	one("a bootstrap begins after the end", "engine/engine.go", "		if e.apply(ev); e.closed {\n", "		if e.apply(ev); false {\n"),
	one("a further comparison has the timer of the last", "engine/op.go", "			o.wake = mono.Earlier(o.get.due, o.bound)\n", ""),
	one("a comparison outlives its get", "engine/get.go", "	if o.bound.Due(e.now.Mono) {\n		return // this step", "	if false {\n		return // this step"),
	one("a get keeps its places while its validator works", "engine/get.go", "		e.uncommit(o)", "		_ = o"),
	one("who is connected already is given up sooner", "engine/walk.go", "	if e.warm(h) {\n		return 0\n	}\n	rtt", "	rtt"),
	one("a dial is allowed for after it", "engine/walk.go", "e.patience.Timers(true, rtt)\n	return hard", "e.patience.Timers(false, rtt)\n	return hard"),
	one("a slow link is hurried", "engine/walk.go", "dial > params.HardMax {", "dial > params.HardMax && dial == 0 {"),
	one("outcomes expire each other", "engine/engine.go", "		if e.apply(ev); e.closed {\n", "		if e.apply(ev); e.closed || func() bool { e.expire(); return false }() {\n"),
	one("places that become free wait", "engine/engine.go", "	e.spread()\n", ""),
	one("seeds stand in line with strangers", "engine/naming.go", "		e.wantSoon(h)\n", "		e.wantProbe(h)\n"),
	one("pings wait for no place", "engine/places.go", "		n = 1\n", "		n = 0\n"),
	one("after a sleep connections count as open", "engine/supervise.go", "	e.chill()\n", ""),
	one("who joins waits as long as the other", "engine/join.go", "mono.Earlier(e.until(ev.Deadline, params.BootDeadline), o.bound)", "o.bound + 0*mono.Time(params.BootDeadline)"),
	one("an outcome of any kind counts", "engine/attempt.go", "	return ok && a.sort == s\n", "	_ = a\n	return ok\n"),
	one("an operation may have any deadline", "engine/op.go", "	return max(e.now.Mono, mono.Earlier(wanted, e.now.Mono.Add(params.MaxDeadline)))\n", "	return wanted\n"),
	one("a step that found no place ends in silence", "engine/op.go", "	e.close(o, r)\n	if o.up != nil {\n		e.stepEnded", "	e.close(o, r)\n	if false {\n		e.stepEnded"),
	one("names take no place of what they stood for", "engine/seeds.go", "(params.MaxSeeds-s.given)/2)", "(params.MaxSeeds-s.given))"),
	one("whom we meet is never checked", "engine/admission.go", "	wanted := !e.asking(h)\n", "	wanted := false\n"),
	inTowns(one("what slept is not withdrawn", "engine/outcome.go",
		"				e.effects = append(e.effects, Abort{Attempt: id})\n				e.failed(Failed{Attempt: id, Failure: contact.Suspended", "				e.failed(Failed{Attempt: id, Failure: contact.Suspended")),
	one("checks of before a sleep are waited for", "engine/outcome.go", "	e.dropProbes()\n}", "}"),
	one("who fails stays in the table", "engine/outcome.go", "	left, probe := e.tab.Fail(a.peer, now)\n", "	left, probe := false, contact.Handle(0)\n"),
	one("who left in our own outage stays away", "engine/lost.go", "e.welcome(l.peer) && e.tab.Restore(l.peer, l.was)", "false"),
	one("who is called in an outage goes on waiting", "engine/admission.go", "back := ev.Called && e.memory.Ours()", "back := false"),
	one("who was pardoned is asked twice", "engine/lost.go", "			e.remembered.remove(l.peer, e.book)", "			//"),
	one("an answer pardons those who were silent beside it", "engine/outcome.go", "	e.forgetLost()\n", ""),
	one("nobody looks when an outage is long enough", "engine/engine.go", "e.now.Mono.Before(at) {", "e.now.Mono.Before(at) && at == 0 {"),
	one("a ready node never looks a name up", "engine/naming.go", "	for _, name := range e.names() {\n", "	for _, name := range e.names()[:0] {\n"),
	one("what a seed told once keeps out its new addresses", "engine/naming.go", "h != 0 && !e.warm(h)", "false && h != 0"),
	one("a name that fails is no seed that fails", "engine/outcome.go", "		e.seedFailed(0)\n", ""),
	one("a name's timer lost", "engine/admission.go", "	wake := e.namesWake()\n", "	wake := mono.Never\n"),
	one("an outcome settles nothing", "engine/attempt.go", "	a, ok := e.attempts.take(id)\n", "	a, ok := e.attempts.find(id)\n"),
	one("a plan is not told who lingers", "engine/walk.go", "		e.drivePlan(o.up, boot.Event{What: boot.Lingers, Attempt: o.step})\n", ""),
	one("whom the first seed names is forgotten", "engine/outcome.go", "		e.seedTold(o, named)\n", ""),
	one("places leak", "engine/op.go", "	e.uncommit(o)\n	if r.Report", "	if r.Report"),
	one("a full queue refuses a bootstrap's steps", "engine/op.go", " && !always", ""),
	one("our own deadline blames others", "engine/outcome.go", "a.cut != 0 && ev.Failure.RanOut() && ", "false && "),
	one("the end of a put's walk blames others", "engine/outcome.go", "a.cut.Sub(e.now.Mono) <= params.DriverLead", "a.op.bound.Sub(e.now.Mono) <= params.DriverLead"),
	one("a caller who joined is never told", "engine/op.go", "append([]joiner{{o.id, o.started, o.bound}}, o.joined...)", "[]joiner{{o.id, o.started, o.bound}}"),
	one("the engine's timer lost", "engine/engine.go", "		wake = mono.Earlier(wake, mono.Earlier(o.wake, o.dog.Wake()))\n", "		_ = o\n"),
	one("a queued operation has no deadline", "engine/op.go", "o.started, o.wake = e.now.Mono, o.bound", "o.started, o.wake = e.now.Mono, mono.Never"),
}

var schedules = []mutant{
	one("a paced region's timer lost", "republish/republish.go", "			wake = mono.Earlier(wake, r.pace)\n", "			_ = r\n"),
	one("coverage one bit too wide", "republish/explore.go", "min(shared+1, headBits-1)", "min(shared, headBits-1)"),
	one("a lookup that did not converge is believed", "republish/explore.go", "	if ev.Converged {\n", "	if true {\n"),
	one("fewer than k are the whole network", "republish/explore.go", "r.doubted == doubting && slices.Equal(found, r.few)", "len(closest) < params.K"),
	one("a region that is too large is swept all the same", "republish/explore.go", "r.served > 0 && m.misfits() && ", "false && "),
	one("no pause when nobody is there", "republish/explore.go", "m.now.Mono.Add(min(pause, params.SweepRetry))", "m.now.Mono.Add(min(pause, 0))"),
	one("what was added meanwhile waits", "republish/explore.go", "(g.more || r.cut) && ", "r.cut && "),
	one("what did not fit waits", "republish/explore.go", "(g.more || r.cut) && ", "g.more && "),
	one("who fails is never replaced", "republish/tell.go", "t.strikes >= params.SweepStrikes", "false"),
	one("who fails is told no more", "republish/tell.go", "r.round < params.SweepRounds && ", "false && "),
	one("a batch without a limit", "republish/tell.go", "count[t] >= params.SweepBatch", "false"),
	one("one peer is enough", "republish/tell.go", "max(1, min(len(near), params.SweepEnough))", "1"),
	one("nobody is enough", "republish/tell.go", "max(1, min(len(near), params.SweepEnough))", "0"),
	one("a date that has not come is believed", "republish/schedule.go", "			i.last = now\n", ""),
	one("a restart believes any date", "republish/kept.go", "min(max(i.last, was.last), seconds(m.now.Wall))", "max(i.last, was.last)"),
	one("a restart forgets the queue", "republish/kept.go", ", i.queued || was.queued\n", ", i.queued\n"),
	one("regions are never made anew", "republish/schedule.go", "len(m.runs) == 0 && m.misfits()", "false"),
	one("work never stops for new regions", "republish/republish.go", "!m.misfits() && m.hold.Due", "m.hold.Due"),
	one("a sleep goes unnoticed", "republish/republish.go", "drift.Abs() > params.ClockGap", "drift.Abs() > params.ClockGap && false"),
	one("all regions have one time", "republish/schedule.go", "m.epoch + mono.Wall(share)*second", "m.epoch + mono.Wall(share*0)*second"),
	one("the least overdue first", "republish/schedule.go", "g.due < first.due", "g.due > first.due"),
}

// What is stored, and on whom.
var records = []mutant{
	one("a crowd around a key is never noticed", "siege/siege.go",
		"params.CrowdSigmas*sigma) {\n\t\t\treturn true\n", "params.CrowdSigmas*sigma) {\n\t\t\treturn false\n"),
	one("one group is enough for an early end", "engine/eclipse.go",
		"return contact.Places(s.stored, e.cfg.Table.ExemptLoopback) >= min(s.enough, params.EarlyGroups)", "return true"),
	one("whoever stores a value stores it again", "engine/replicate.go",
		"e.self.Key) < 0 {\n\t\treturn nil\n", "e.self.Key) < 0 {\n\t\treturn near\n"),
}

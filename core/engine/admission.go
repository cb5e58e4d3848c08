package engine

import (
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// admission checks servers that somebody met, and replacements that a failure
// called up, before they count: nobody is in the table who has not answered.
type admission struct {
	waiting []contact.Handle // held
	open    []probing
	later   []second
}

// probing is one check under way.
type probing struct {
	attempt AttemptID
	hard    mono.Time
}

func (a *admission) clone() admission {
	return admission{waiting: slices.Clone(a.waiting), open: slices.Clone(a.open), later: slices.Clone(a.later)}
}

// second is a chance that somebody is given later.
type second struct {
	peer contact.Handle // held
	at   mono.Time
}

// recheck gives a contact that failed and is still connected a second chance:
// if the connection outlives what made it fail, nothing else tells that the
// peer is back. One chance at a time: who fails and answers by turns must not take
// those of others. KAD-8.3.
func (e *Engine) recheck(h contact.Handle) {
	again := slices.ContainsFunc(e.admit.later, func(s second) bool { return s.peer == h })
	if !again && e.warm(h) && len(e.admit.later) < params.AdmissionQueue {
		e.book.Hold(h)
		e.admit.later = append(e.admit.later, second{h, e.now.Mono.Add(params.MemoryFirst)})
	}
}

// startRechecks puts those whose time has come in line. They stand in its order.
func (e *Engine) startRechecks() {
	for len(e.admit.later) > 0 && e.admit.later[0].at.Due(e.now.Mono) {
		h := e.admit.later[0].peer
		e.admit.later = e.admit.later[1:]
		if e.warm(h) && !e.tab.Has(h) {
			e.wantProbe(h)
		}
		e.book.Drop(h)
	}
}

// met hears of a server that is connected to us. One that failed lately is let
// alone if it was us who dialled, for else those who hang up on whoever asks
// would be dialled for ever. But one that has dialled us is there, whatever is
// remembered of it and whatever an earlier connection has to wait for; and if it
// does so while nobody answers us, it may be the end of that. KAD-8.3.
func (e *Engine) met(ev *Met) {
	if ev.Peer.ID == e.self.ID {
		return
	}
	h, _ := e.book.Intern(ev.Peer)
	e.verified(h, ev.Peer)
	wanted := !e.asking(h)
	if e.memory.Doubtful(e.book.Info(h), e.now.Mono) {
		wanted = ev.Called
	}
	back := ev.Called && e.memory.Ours()
	if (wanted || back) && e.welcome(h) && (back || !e.tab.Has(h)) {
		e.wantProbe(h)
	}
}

// asking reports whether a request to a contact is under way: its outcome says
// what a check would. Mostly it is what made the peer known to identify.
func (e *Engine) asking(h contact.Handle) bool {
	for i := range e.attempts {
		if e.attempts[i].peer == h {
			return true
		}
	}
	return false
}

// wantProbe puts a contact in line for a check, unless the line is full.
func (e *Engine) wantProbe(h contact.Handle) {
	if len(e.admit.waiting) < params.AdmissionQueue && !slices.Contains(e.admit.waiting, h) {
		e.book.Hold(h)
		e.admit.waiting = append(e.admit.waiting, h)
	}
}

// wantSoon puts one whom the node itself has reason to ask, a seed or a
// replacement, at the head of the line: strangers can fill it, and must not keep
// out those who lead back.
func (e *Engine) wantSoon(h contact.Handle) {
	switch i := slices.Index(e.admit.waiting, h); {
	case i >= 0:
		e.admit.waiting = slices.Insert(slices.Delete(e.admit.waiting, i, i+1), 0, h)
	case len(e.admit.waiting) < params.AdmissionQueue+params.MaxSeeds:
		e.book.Hold(h)
		e.admit.waiting = slices.Insert(e.admit.waiting, 0, h)
	}
}

// startProbes begins checks while fewer than AdmissionProbes are under way.
func (e *Engine) startProbes() {
	e.startRechecks()
	if len(e.admit.open)+len(e.admit.waiting) == 0 {
		return
	}
	e.admit.open = slices.DeleteFunc(e.admit.open, func(p probing) bool {
		return !e.attempts.has(p.attempt)
	})
	for len(e.admit.waiting) > 0 && len(e.admit.open) < params.AdmissionProbes {
		h := e.admit.waiting[0]
		e.admit.waiting = e.admit.waiting[1:]
		_, hard := (*env)(e).Patience(h)
		deadline := e.now.Mono.Add(hard)
		id := e.dispatch(attempt{peer: h})
		e.admit.open = append(e.admit.open, probing{id, deadline})
		e.send(Send{
			Attempt: id, To: e.book.Info(h), Key: []byte(e.self.ID), Target: e.self.Key, Deadline: e.lead(deadline),
			Seed: e.seeds.has(h),
		})
		e.book.Drop(h) // the attempt holds it now
	}
}

// expireProbes ends checks whose deadline is due.
func (e *Engine) expireProbes() {
	for _, p := range e.admit.open {
		if p.hard.Due(e.now.Mono) {
			e.dropped(p.attempt, true)
		}
	}
	e.expireNames()
}

// probesWake returns the earliest deadline of a check under way.
func (e *Engine) probesWake() mono.Time {
	wake := e.namesWake()
	if len(e.admit.later) > 0 {
		wake = e.admit.later[0].at
	}
	for _, p := range e.admit.open {
		if e.attempts.has(p.attempt) {
			wake = mono.Earlier(wake, p.hard)
		}
	}
	return wake
}

// dropProbes forgets all checks.
func (e *Engine) dropProbes() {
	for _, p := range e.admit.open {
		e.withdraw(p.attempt, contact.Cancelled)
	}
	for _, h := range e.admit.waiting {
		e.book.Drop(h)
	}
	for _, s := range e.admit.later {
		e.book.Drop(s.peer)
	}
	e.admit = admission{}
	e.dropNames()
}

// withdrawn hears that a peer no longer serves this DHT.
func (e *Engine) withdrawn(id contact.ID) {
	h := e.book.Find(id)
	if e.unlose(h); h == 0 || !e.tab.Has(h) {
		return
	}
	e.book.Hold(h)
	e.tab.Remove(h)
	e.tableChanged(h, false, "withdrawn")
	e.book.Drop(h)
}

// vouched puts a contact into the table unasked.
func (e *Engine) vouched(info *contact.Info) {
	if info.ID != e.self.ID {
		h, _ := e.book.Intern(info)
		e.verified(h, info)
		if e.cfg.Manual && len(e.vouchedFor) < params.MaxVouched {
			e.vouchedFor[info.ID] = true
		}
		e.offer(h, 0, "vouched")
	}
}

// welcome reports whether a contact may be in the table: anybody, or who was
// vouched for if the table is kept by hand. Who leaves it for a failure may
// come back.
func (e *Engine) welcome(h contact.Handle) bool {
	return !e.cfg.Manual || e.vouchedFor[e.book.Info(h).ID]
}

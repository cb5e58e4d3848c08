package boot

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// State says how the node is.
type State uint8

// The states of a node.
const (
	Starting State = iota // the first bootstrap has not ended
	Ready                 // its walk for itself converged and the table holds enough
	Degraded              // it reaches somebody, but less than it should
	Offline               // nobody answers
)

var stateWords = [...]string{"starting", "ready", "degraded", "offline"}

// String returns the state's word.
func (s State) String() string { return stateWords[s] }

// View is what a supervisor is shown of the node, at every step.
type View struct {
	Table int    // contacts in the table
	Down  bool   // every recent attempt failed
	Dice  uint32 // chance, for the jitter
}

// Outcome is how a bootstrap came out, as far as a supervisor minds.
type Outcome struct {
	Ready   bool // it left a useful table
	Reached bool // somebody answered
	Reason  string
}

// Supervisor decides when to bootstrap (again): at the start, when the table
// runs low, when nobody answers, after a change of network or a sleep, and
// every now and then. It never gives up and never hot-loops: pauses double
// from RetryFirst to RetryMax, jittered, and start over after a change. The
// zero value is asleep until Enable.
type Supervisor struct {
	state   State
	since   mono.Time
	reason  string
	enabled bool
	running bool // a bootstrap is under way
	again   bool // the world changed under it: begin another when it ends
	fails   int  // bootstraps in a row that did not end ready
	alarms  int  // false ones in a row: no connection was left, and all was well
	alone   bool // the bootstrap to come, or under way, follows such an alarm
	began   mono.Time
	soonest mono.Time // the next one begins then at the earliest
	enough  int       // contacts below which the node is degraded
	next    mono.Time
	full    bool // the next one asks seeds too; a periodic refresh does not

	heard    mono.Time // when somebody on the local network counts again
	found    mono.Time // when somebody who finds a node that reaches nobody counts again
	cut      bool      // the last one left nobody in the table, or nobody who answers
	stranded bool      // a seed has failed, and none answered since or is in the table
	seeds    mono.Time // when they are tried next, if stranded
}

// Enable makes the supervisor work: it wants a bootstrap at once.
func (s *Supervisor) Enable(now mono.Time) {
	if !s.enabled {
		s.enabled, s.next, s.full = true, now, true
		s.enter(now, Starting, "the first bootstrap has not ended")
	}
}

// Began tells that a bootstrap is under way, whoever asked for it.
func (s *Supervisor) Began(now mono.Time) {
	s.running, s.again, s.began, s.soonest = true, false, now, now.Add(params.RetryFirst)
}

// Ended tells how it came out.
func (s *Supervisor) Ended(now mono.Time, o Outcome, v View) {
	s.running = false
	if o.Ready {
		s.fails = 0
		s.cleared()
		s.enough = min(params.LowTable, (v.Table+1)/2)
		s.plan(now, jittered(params.RefreshEvery, v.Dice), false)
		s.enter(now, Ready, fmt.Sprintf("%d contacts", v.Table))
	} else {
		s.fail(now, o, v)
	}
	if s.again {
		s.plan(now, 0, true)
	}
}

// fail plans the next try after a bootstrap that did not end ready. The pause
// counts from the beginning of that one, which in an outage may take as long
// as the pause: the longest time in which nobody looks is what the way back
// allows for. KAD-5.4.
func (s *Supervisor) fail(now mono.Time, o Outcome, v View) {
	s.alarms, s.alone = 0, false
	s.cut = v.Table == 0 || v.Down
	pause := params.RetryMax
	if s.fails < 8 { // one second doubled eight times is beyond any RetryMax in use
		pause = min(params.RetryFirst<<s.fails, params.RetryMax)
		s.fails++
	}
	rest := s.began.Add(jittered(pause, v.Dice)).Sub(now)
	s.plan(now, max(rest, jittered(params.RetryFirst, v.Dice)), true)
	if o.Reached {
		s.enter(now, Degraded, o.Reason)
	} else {
		s.enter(now, Offline, o.Reason)
	}
}

// Changed tells that the network changed or the machine slept: whatever was
// learnt about failing no longer holds.
func (s *Supervisor) Changed(now mono.Time, what string) {
	s.fails, s.again = 0, s.running
	s.plan(now, 0, true)
	if s.state == Ready {
		s.enter(now, Degraded, what)
	}
}

// Alone tells that no connection is left. An idle node would learn only by its
// next refresh that this was an outage, or that all it knew are dead; so it
// looks within the longest pause between tries. It may as well be that its
// peers keep no idle connection: with each alarm that turns out to be false the
// time to the next is four times as long, until it is that of a refresh. KAD-5.8.
func (s *Supervisor) Alone(now mono.Time, dice uint32) {
	if !s.enabled || s.running || s.state != Ready {
		return // a bootstrap is near in any case
	}
	pause := params.RefreshEvery
	if s.alarms < 4 { // as in fail
		pause = min(params.RetryMax<<(2*s.alarms), params.RefreshEvery)
	}
	next := max(s.began.Add(jittered(pause, dice)), now.Add(jittered(params.RetryFirst, dice)))
	if next < s.next {
		s.next, s.full, s.alone = next, true, true
	}
}

// Stranded tells that a seed failed and that no other is known to be there. A node that
// knows others is of use, and may yet be in one part of a network that was
// split, or know nobody of those who join by the seeds; so these are tried
// every RetryMax, which costs as much as it would offline, until one answers.
// KAD-5.11.
func (s *Supervisor) Stranded(now mono.Time, dice uint32) {
	if !s.stranded {
		s.stranded, s.seeds = true, now.Add(jittered(params.RetryMax, dice))
	}
}

// Reached tells that a seed has answered: if none did before, what it knows may
// be another part of the network.
func (s *Supervisor) Reached(now mono.Time) {
	if s.watchesSeeds() {
		s.plan(now, 0, true)
	}
	s.stranded = false
}

// watchesSeeds reports whether seeds are tried between bootstraps.
func (s *Supervisor) watchesSeeds() bool {
	return s.enabled && s.stranded && !s.running && s.state == Ready
}

// SeedsDue reports whether the seeds should be tried now, and plans the next time.
func (s *Supervisor) SeedsDue(now mono.Time, dice func() uint32) bool {
	if !s.watchesSeeds() || !s.seeds.Due(now) {
		return false
	}
	s.seeds = now.Add(jittered(params.RetryMax, dice()))
	return true
}

// cleared counts an alarm that was false. Any other bootstrap that came out
// ready starts the count over.
func (s *Supervisor) cleared() {
	if !s.alone {
		s.alarms = 0
		return
	}
	s.alone = false
	s.alarms++
}

// Look shows the supervisor how the node is between bootstraps.
func (s *Supervisor) Look(now mono.Time, v View) {
	s.introduced(now, v)
	if !s.enabled || s.running || s.state != Ready {
		return
	}
	switch {
	case v.Down:
		s.enter(now, Offline, "every recent attempt failed")
	case v.Table < s.enough:
		s.enter(now, Degraded, fmt.Sprintf("%d contacts, %d are enough", v.Table, s.enough))
	default:
		return
	}
	s.plan(now, 0, true)
}

// introduced does not wait for the next try when a node that reached nobody has
// been found by somebody; but at most once in RetryMax, for who comes and goes
// must not have it dial all its seeds each time.
func (s *Supervisor) introduced(now mono.Time, v View) {
	if !s.enabled || s.running || !s.cut || v.Table == 0 || v.Down || now.Before(s.found) {
		return
	}
	s.cut, s.found = false, now.Add(params.RetryMax)
	if soon := now.Add(params.RetryFirst); soon.Before(s.next) {
		s.plan(now, params.RetryFirst, true)
	}
}

// Heard tells of somebody on the local network who was not known before. A
// node that is of no use does not wait for its next try to ask them; but at most
// once in RetryMax, for who is on that network may invent as many as they like.
func (s *Supervisor) Heard(now mono.Time) {
	if !s.enabled || s.running || s.state == Ready || now.Before(s.heard) {
		return
	}
	s.heard = now.Add(params.RetryMax)
	if soon := now.Add(params.RetryFirst); soon.Before(s.next) {
		s.plan(now, params.RetryFirst, true)
	}
}

// plan sets when the next bootstrap begins: never within RetryFirst of the
// beginning of the one before, for a network may change all the time.
func (s *Supervisor) plan(now mono.Time, after time.Duration, full bool) {
	s.next, s.full = max(now.Add(after), s.soonest), full
}

// enter changes the state.
func (s *Supervisor) enter(now mono.Time, to State, why string) {
	if to != s.state || s.since == 0 {
		s.since = now
	}
	s.state, s.reason = to, why
}

// Due reports whether a bootstrap should begin now, and whether it should ask
// seeds and remembered contacts or only refresh.
func (s *Supervisor) Due(now mono.Time) (due, full bool) {
	return s.enabled && !s.running && s.next.Due(now), s.full
}

// Wake returns when the next bootstrap, or try of the seeds, is due, or Never.
func (s *Supervisor) Wake() mono.Time {
	if s.watchesSeeds() {
		return mono.Earlier(s.Next(), s.seeds)
	}
	return s.Next()
}

// Next returns when the next bootstrap is due, or Never.
func (s *Supervisor) Next() mono.Time {
	if !s.enabled || s.running {
		return mono.Never
	}
	return s.next
}

// Health is how a node is, why, and when it will do something about it.
type Health struct {
	State   State
	Since   mono.Time
	Reason  string
	Running bool      // a bootstrap is under way
	Next    mono.Time // when the next begins; Never if none is planned
	Fails   int       // bootstraps in a row that did not end ready
}

// Health returns the supervisor's view of the node.
func (s *Supervisor) Health() Health {
	return Health{State: s.state, Since: s.since, Reason: s.reason, Running: s.running, Next: s.Next(), Fails: s.fails}
}

// jittered spreads a pause by up to RetryJitterPercent, so that nodes that
// lost the network together do not come back together.
func jittered(d time.Duration, dice uint32) time.Duration {
	spread := d * params.RetryJitterPercent / 100
	part, _ := bits.Mul64(uint64(spread), uint64(dice)<<32) // the product of both takes more than 64 bits
	return d + time.Duration(part)
}

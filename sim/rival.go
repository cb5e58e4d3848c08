package sim

import (
	"slices"
	"sort"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// Policy is by whose rules lookups are made.
type Policy uint8

// The policies. The two others are models of published rules, not the code of
// anybody: docs/TESTING.md says what they take from whom, and what they leave out.
const (
	Waymark  Policy = iota // the engine that ships
	GoLike                 // the query of go-libp2p-kad-dht
	RustLike               // the iterator of rust-libp2p's kad
)

// Policies are the words of the policies, in their order.
var Policies = [...]string{"waymark", "go-like", "rust-like"}

// String returns the policy's word.
func (p Policy) String() string { return Policies[p] }

// Rules are the numbers of a policy that is not the engine's. Zero takes the
// policy's own.
type Rules struct {
	Alpha   int           // requests in flight
	Beta    int           // go-like: nearest peers that must have answered for the walk to end
	Dial    time.Duration // a dial that nobody answers is given up after that
	Request time.Duration // and a request on an open connection
}

// The rules of the two, in the releases of 2026: go-libp2p-kad-dht's α and β,
// go-libp2p's time to connect and the DHT's to read an answer; rust-libp2p's
// parallelism and its time for a peer, which covers the dial, and for a query.
var (
	goRules   = Rules{Alpha: 10, Beta: 3, Dial: 5 * time.Second, Request: 10 * time.Second}
	rustRules = Rules{Alpha: 3, Request: 10 * time.Second}
)

const (
	rustQuery = 60 * time.Second // after which rust-like ends a query
	rivalSize = params.K         // buckets of both have this size, the first ones too
)

// rules returns what a rival plays by.
func (o *Options) rules() Rules {
	r := goRules
	if o.Policy == RustLike {
		r = rustRules
	}
	if o.Alpha > 0 {
		r.Alpha = o.Alpha
	}
	if o.Rules.Beta > 0 {
		r.Beta = o.Rules.Beta
	}
	if o.Rules.Dial > 0 {
		r.Dial = o.Rules.Dial
	}
	if o.Rules.Request > 0 {
		r.Request = o.Rules.Request
	}
	if r.Dial == 0 || o.Policy == RustLike {
		r.Dial = r.Request
	}
	return r
}

// rival is one lookup by other rules.
type rival struct {
	w       *World
	rules   Rules
	n       uint32
	target  key.Key
	warm    map[uint32]bool // whom the asker is connected with
	ended   func(engine.Result)
	began   mono.Time
	all     []candidate // nearest first
	waiting int
	idle    int  // rust-like: answers in a row that were no progress
	follow  bool // go-like: the walk is over, and the rest of the result is asked
	over    bool
	result  []uint32
	stats   engine.Stats
}

// candidate is a peer that a rival has heard of.
type candidate struct {
	key   key.Key
	peer  uint32
	state candidacy
	depth int
	at    mono.Time // when it answered
}

type candidacy uint8

const (
	heard candidacy = iota
	asked
	answers
	gaveUp
)

// walkAs makes a lookup for a node by other rules.
func (w *World) walkAs(n uint32, target key.Key, warm map[uint32]bool, ended func(engine.Result)) {
	x := &rival{w: w, rules: w.opt.rules(), n: n, target: target, warm: warm, ended: ended, began: w.now}
	for _, h := range w.nodes[n].tab.Nearest(nil, target, w.opt.Engine.Lookup.K) {
		x.hear(uint32(h)-1, 1)
	}
	if w.opt.Policy == RustLike {
		w.After(rustQuery, func() {
			if !x.over {
				x.end(x.nearest(answers))
			}
		})
	}
	x.advance()
}

// hear adds a peer, unless it is known.
func (x *rival) hear(peer uint32, depth int) {
	k := x.w.key(peer)
	at := sort.Search(len(x.all), func(i int) bool { return x.target.Closer(x.all[i].key, k) >= 0 })
	if peer == x.n || at < len(x.all) && x.all[at].peer == peer {
		return
	}
	x.all = append(x.all, candidate{})
	copy(x.all[at+1:], x.all[at:])
	x.all[at] = candidate{key: k, peer: peer, depth: depth}
}

// of returns where a peer stands.
func (x *rival) of(peer uint32) *candidate {
	k := x.w.key(peer)
	return &x.all[sort.Search(len(x.all), func(i int) bool { return x.target.Closer(x.all[i].key, k) >= 0 })]
}

// nearest returns the k nearest peers in any of some states.
func (x *rival) nearest(states ...candidacy) (near []uint32) {
	for i := range x.all {
		for _, s := range states {
			if x.all[i].state == s && len(near) < x.w.opt.Engine.Lookup.K {
				near = append(near, x.all[i].peer)
			}
		}
	}
	return near
}

// advance does what the rules say is to be done now.
func (x *rival) advance() {
	switch {
	case x.over:
	case x.follow:
		if x.waiting == 0 {
			x.end(x.result)
		}
	case x.w.opt.Policy == GoLike:
		x.advanceGo()
	default:
		x.advanceRust()
	}
}

// advanceGo ends the walk when the β nearest that have not failed have
// answered, or nobody is left; else α of those that were heard of, the nearest
// first, are being asked.
func (x *rival) advanceGo() {
	closest, done, fresh := 0, true, 0
	for i := range x.all {
		c := &x.all[i]
		if c.state == heard {
			fresh++
		}
		if c.state != gaveUp && closest < x.rules.Beta {
			closest++
			done = done && c.state == answers
		}
	}
	if done || fresh == 0 && x.waiting == 0 {
		x.followUp()
		return
	}
	for i := 0; i < len(x.all) && x.waiting < x.rules.Alpha; i++ {
		if x.all[i].state == heard {
			x.ask(x.all[i].peer)
		}
	}
}

// followUp fixes the result, which is the k nearest that have not failed yet,
// and asks all of them that were not asked. Whoever fails now stays in the
// result, and nobody comes in its place; others that were asked are forgotten.
func (x *rival) followUp() {
	x.follow, x.waiting = true, 0
	x.result = x.nearest(heard, asked, answers)
	for i := range x.all {
		c := &x.all[i]
		switch wanted := slices.Contains(x.result, c.peer); {
		case wanted && c.state == heard:
			x.ask(c.peer)
		case wanted && c.state == asked:
			x.waiting++
		case c.state == asked:
			c.state = gaveUp
		}
	}
	x.advance()
}

// advanceRust goes through the peers by distance. The first that was not asked
// is asked if a slot is free, and is waited for if none is. The lookup is over
// when the k nearest that have not failed have answered. While the last α
// answers were no progress, there are k slots.
func (x *rival) advanceRust() {
	slots := x.rules.Alpha
	if x.idle >= x.rules.Alpha {
		slots = max(slots, x.w.opt.Engine.Lookup.K)
	}
	have, open := 0, false
	for i := 0; i < len(x.all); i++ {
		switch c := &x.all[i]; c.state {
		case asked:
			if x.waiting >= slots {
				return
			}
			open = true
		case answers:
			if have++; !open && have >= x.w.opt.Engine.Lookup.K {
				x.end(x.nearest(answers))
				return
			}
		case heard:
			if x.waiting >= slots {
				return
			}
			x.ask(c.peer)
			open = true
		}
	}
	if x.waiting == 0 {
		x.end(x.nearest(answers))
	}
}

// ask sends a request and plans its outcome.
func (x *rival) ask(peer uint32) {
	w, p, c := x.w, &x.w.nodes[peer], x.of(peer)
	c.state = asked
	x.waiting++
	x.stats.Requests++
	trip := jittered(w.rnd.latency, rtt(w.nodes[x.n].place, p.place))
	connect := time.Duration(0)
	if !x.warm[peer] {
		connect = time.Duration(w.opt.Transport.handshake() * float64(trip))
	}
	lost := func(after time.Duration) { w.After(after, func() { x.outcome(peer, nil, false) }) }
	switch {
	case p.state == blackHole:
		lost(x.rules.Dial)
	case p.state == refusing:
		lost(trip)
	case !p.state.answers():
		lost(min(connect, x.rules.Dial) + x.rules.Request)
	default:
		there := thinking(w.rnd.latency, p.slow) + trip
		if there > x.rules.Request {
			lost(connect + x.rules.Request)
			return
		}
		w.After(connect+there, func() { x.outcome(peer, x.names(peer), true) })
	}
}

// names is what a peer answers: the k nearest of its table.
func (x *rival) names(peer uint32) []contact.Handle {
	if x.w.nodes[peer].state == sybil {
		return x.w.accomplices(nil, x.target)
	}
	return x.w.nodes[peer].tab.Nearest(nil, x.target, params.K)
}

// outcome files the end of a request, unless nobody waits for it any more.
func (x *rival) outcome(peer uint32, names []contact.Handle, ok bool) {
	c := x.of(peer)
	x.w.record(uint64(x.n)<<32|uint64(peer), uint64(x.waiting))
	if x.over || c.state != asked {
		return
	}
	x.waiting--
	c.state = gaveUp
	if ok {
		c.state, c.at = answers, x.w.now
		x.warm[peer] = true
		x.stats.Successes++
		x.stats.Depth = max(x.stats.Depth, c.depth)
		x.learn(c.depth+1, names)
	}
	x.advance()
}

// learn takes the names of an answer. It was progress, to rust-like, if there
// were fewer than k peers before or if it names whoever is the nearest now: to
// name once more whom all know to be the nearest is progress too.
func (x *rival) learn(depth int, names []contact.Handle) {
	if x.follow {
		return // the result is fixed
	}
	progress := len(x.all) < x.w.opt.Engine.Lookup.K
	for _, h := range names {
		x.hear(uint32(h)-1, depth)
	}
	x.idle++
	if progress || slices.Contains(names, handle(x.all[0].peer)) {
		x.idle = 0
	}
}

// end tells the result.
func (x *rival) end(near []uint32) {
	x.over = true
	r := engine.Result{Outcome: engine.Converged, Stats: x.stats, Started: x.began, Ended: x.w.now}
	for _, peer := range near {
		r.Closest = append(r.Closest, x.w.info(peer))
		if c := x.of(peer); c.state == answers {
			r.AnsweredAt = append(r.AnsweredAt, c.at)
		}
	}
	for i := range x.all {
		if c := &x.all[i]; c.state == answers && (r.FirstAnswer == 0 || c.at < r.FirstAnswer) {
			r.FirstAnswer = c.at
		}
	}
	x.w.tally.ops++
	x.ended(r)
}

package engine

import (
	"iter"
	"math/rand/v2"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// Config is what an engine may be told. The zero value works.
type Config struct {
	Seeds []Seed // whom to ask when nobody is known
	Paths int    // disjoint paths of a lookup; default 1
}

// Seed is one bootstrap peer: a contact, or a name that resolves to some.
type Seed struct {
	Peer *contact.Info
	Name string // a DNS multiaddr, used if Peer is nil
}

// Engine is the whole node. Not safe for concurrent use; its driver owns it.
type Engine struct{}

// New returns an engine for the node with the given ID.
func New(cfg Config, self *contact.Info, book *contact.Book, rng *rand.Rand) *Engine {
	return &Engine{}
}

// Step tells the engine what happened, and when. It never blocks.
func (e *Engine) Step(now mono.Now, ev Event) {}

// Next returns what must be carried out next, in order, until there is nothing.
func (e *Engine) Next() (Effect, bool) { return nil, false }

// Wake returns when the engine wants a Tick at the latest, and false if it
// waits for nothing.
func (e *Engine) Wake() (mono.Time, bool) { return 0, false }

// Facts returns what was noticed since the last call, in order.
func (e *Engine) Facts() iter.Seq[Fact] { return func(func(Fact) bool) {} }

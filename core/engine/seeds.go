package engine

import (
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// seeds are whom to ask when nobody is known: the contacts that the node was
// given, and what the names stand for that it was given, params.MaxSeeds in all.
type seeds struct {
	list  []contact.Handle // held: the given ones, then what names stand for, the latest first
	given int
}

// takeSeeds takes the seeds of the configuration: contacts now, names with
// every bootstrap.
func (e *Engine) takeSeeds() {
	e.cfg.Seeds = e.cfg.Seeds[:min(len(e.cfg.Seeds), params.MaxSeeds)]
	for _, s := range e.cfg.Seeds {
		if s.Peer == nil || s.Peer.ID == e.self.ID {
			continue
		}
		if h, _ := e.book.Intern(s.Peer); !e.seeds.has(h) {
			e.book.Hold(h)
			e.seeds.list = append(e.seeds.list, h)
		}
	}
	e.seeds.given = len(e.seeds.list)
}

func (s *seeds) has(h contact.Handle) bool { return slices.Contains(s.list, h) }

func (s *seeds) clone() seeds { return seeds{slices.Clone(s.list), s.given} }

// resolvedTo notes what a name stands for, before what names stood for earlier:
// who is pushed out by it was told of least lately. Those who were given stay.
// KAD-5.14.
func (e *Engine) resolvedTo(hs []contact.Handle) {
	s := &e.seeds
	for _, h := range slices.Backward(hs) {
		switch i := slices.Index(s.list, h); {
		case i < 0:
			e.book.Hold(h)
			s.list = slices.Insert(s.list, s.given, h)
		case i >= s.given:
			s.list = slices.Insert(slices.Delete(s.list, i, i+1), s.given, h)
		}
	}
	for n := len(s.list); n > params.MaxSeeds; n-- {
		if e.greeted.seed == s.list[n-1] {
			e.greeted = greeting{}
		}
		e.book.Drop(s.list[n-1])
		s.list = s.list[:n-1]
	}
}

// toAsk is whom a bootstrap begins with. If there are names, it leaves half of
// the room that the given ones leave for what those stand for by now, which
// need not be what they stood for before.
func (s *seeds) toAsk(names []string) []contact.Handle {
	if len(names) == 0 {
		return s.list
	}
	return s.list[:min(len(s.list), s.given+(params.MaxSeeds-s.given)/2)]
}

package engine

import (
	"slices"

	"github.com/waymark-dht/waymark/core/lookup"
)

// Scratch is what an engine needs from the beginning of a step until its owner
// has read what came of it. An engine makes its own, unless Config has one:
// then it shares that with others, and an owner of many engines keeps one in
// the cache instead of a hundred thousand out of it. Such an owner reads all
// effects of one engine before it steps another.
type Scratch struct {
	effects []Effect
	nextEff int
	sends   []Send // which effects of engines that share point to
	facts   []Fact
	heard   []lookup.Named // the peers of the answer that is being told
}

func (s *Scratch) clone() *Scratch {
	return &Scratch{effects: slices.Clone(s.effects), nextEff: s.nextEff, facts: slices.Clone(s.facts)}
}

// send puts a Send among the effects.
func (e *Engine) send(s Send) {
	if !e.shares {
		e.effects = append(e.effects, s)
		return
	}
	e.sends = append(e.sends, s)
	e.effects = append(e.effects, &e.sends[len(e.sends)-1])
}

package lookup

// Trust in informants. Who answers with invented names would otherwise decide
// whom the lookup asks: a hundred liars with twenty forged peers each eat P.

// vouched reports whether a name is a seed's or has an informant that is
// believed.
func (l *Lookup) vouched(n *name) bool {
	if n.by[0] < 0 || l.cfg.Liars == 0 {
		return true
	}
	for _, i := range n.by {
		if i >= 0 && !l.discredited(&l.peers[i]) {
			return true
		}
	}
	return false
}

// discredited reports whether an informant's names stayed unanswered so much
// more often than not that it vouches for nobody. Its names are asked last,
// not never: in a network that is mostly dead, honest informants look so too.
// Names that are being asked count as unanswered until they answer, for a liar
// names twenty at once, and all would be asked before the first was silent.
// KAD-2.5.
func (l *Lookup) discredited(p *peer) bool {
	return int(p.mute)+int(p.trial) >= l.cfg.Liars*(int(p.good)+1)
}

// tried and proved count the names of informants that are being asked and have
// not used up their time.
func (l *Lookup) tried(by [3]int32) {
	for _, i := range by {
		if i >= 0 {
			l.peers[i].trial = up(l.peers[i].trial)
		}
	}
}

func (l *Lookup) proved(by [3]int32) {
	for _, i := range by {
		if i >= 0 {
			l.peers[i].trial = down(l.peers[i].trial)
		}
	}
}

// credit tells the informants of a peer, in the walk that asked it, how their
// name turned out. A late answer takes back what the delay had cost.
func (l *Lookup) credit(peer int32, wasLate, ok bool) {
	p := &l.peers[peer]
	w := &l.walks[p.asker]
	at := w.find(l, p.key)
	for _, i := range w.names[at].by {
		if i < 0 {
			continue
		}
		informant := &l.peers[i]
		switch {
		case !ok:
			informant.mute = up(informant.mute)
		case wasLate:
			informant.mute, informant.good = down(informant.mute), up(informant.good)
		default:
			informant.good = up(informant.good)
		}
	}
}

func up(n uint8) uint8 {
	if n == 255 {
		return n
	}
	return n + 1
}

func down(n uint8) uint8 {
	if n == 0 {
		return n
	}
	return n - 1
}

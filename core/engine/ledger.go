package engine

import "slices"

// ledger is all that is under way, in the order in which it was begun: some
// tens of attempts, never more than params.MaxInFlight and the DNS lookups.
type ledger []attempt

// at returns where an attempt is, or -1. Names count up, so the list is sorted.
func (l ledger) at(id AttemptID) int {
	lo, hi := 0, len(l)
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); l[mid].id < id {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(l) && l[lo].id == id {
		return lo
	}
	return -1
}

// find returns an attempt, or the zero attempt and false.
func (l ledger) find(id AttemptID) (attempt, bool) {
	if i := l.at(id); i >= 0 {
		return l[i], true
	}
	return attempt{}, false
}

// has reports whether an attempt is under way.
func (l ledger) has(id AttemptID) bool { return l.at(id) >= 0 }

// take is find, and takes it off the list.
func (l *ledger) take(id AttemptID) (attempt, bool) {
	i := l.at(id)
	if i < 0 {
		return attempt{}, false
	}
	a := (*l)[i]
	*l = slices.Delete(*l, i, i+1)
	return a, true
}

package table

import (
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// unlimited is the group of whoever no limit applies to. It is no IPv4 /16 and
// no IPv6 /32.
const unlimited = ^contact.Group(0)

// group returns the group that a contact counts in. Contacts whose addresses
// name no IP (group zero) are limited like any other group: a free pass for
// names would be a way round every limit.
func (t *Table) group(info *contact.Info) contact.Group {
	if t.cfg.NoDiversity {
		return unlimited
	}
	for _, a := range info.Addrs {
		if g := a.Group(); g != 0 {
			if t.cfg.ExemptLoopback && a.Loopback() {
				return unlimited
			}
			return g
		}
	}
	return 0
}

// crowded reports whether the members of a group have all the places that
// they may have in bucket b: MaxPerGroupBucket there, and MaxPerGroup in all
// buckets of its class, the wide or the others. KAD-8.5.
func (t *Table) crowded(b int, g contact.Group) bool {
	if g == unlimited {
		return false
	}
	here, class := 0, 0
	for i, other := range t.members.groups {
		if other != g {
			continue
		}
		at := t.bucket(t.members.words[i])
		if at == b {
			here++
		}
		if t.wide(at) == t.wide(b) {
			class++
		}
	}
	return here >= t.cfg.MaxPerGroupBucket || class >= t.cfg.MaxPerGroup
}

// wide reports whether bucket b is one of the big top buckets.
func (t *Table) wide(b int) bool { return t.capacity(b) > params.K }

// sparesCrowded reports whether a group has its share of the replacements of
// one bucket, which are spares lo to hi.
func (t *Table) sparesCrowded(lo, hi int, g contact.Group) bool {
	if g == unlimited {
		return false
	}
	n := 0
	for _, other := range t.spares.groups[lo:hi] {
		if other == g {
			n++
		}
	}
	return n >= t.cfg.MaxPerGroupBucket
}

package engine

import (
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/siege"
)

// network is how many peers the network has, by what lookups have shown or, at
// first, by the table alone.
func (e *Engine) network() siege.Network {
	if n := e.spacing.Network(); n.Peers > 0 {
		return n
	}
	if n, ok := e.tab.NetworkSize(); ok {
		return siege.Estimated(n)
	}
	return siege.Network{}
}

// distances returns how far some peers are from a key.
func (e *Engine) distances(target key.Key, peers []contact.Handle) []siege.Distance {
	far := make([]siege.Distance, len(peers))
	for i, h := range peers {
		far[i] = target.Xor(e.book.Info(h).Key)[0]
	}
	return far
}

// suspect looks at whom a walk has found. If they are crowded, the operation is
// marked, and it is told; and true is returned if it has to ask the whole region.
// What is not crowded is one more sample of how far apart peers are.
func (e *Engine) suspect(o *op, closest []contact.Handle, end lookup.End) (again bool) {
	agreed := end == lookup.Cancelled && o.get != nil && o.get.met // on the word of those it has found
	switch {
	case o.want > 0 || o.stopped || end != lookup.Converged && end != lookup.Capped && !agreed:
		return false
	case o.kind == KindRefresh && o.target == e.self.Key:
		return false // our own neighbours are what the table is judged by
	}
	network, far := e.network(), e.distances(o.target, closest)
	switch {
	case !network.Crowded(far):
		if end == lookup.Converged && len(closest) == params.K {
			e.spacing.Add(far[params.K-1])
		}
		return false
	case o.kind == KindRefresh:
		return false
	}
	nearest := make([]*contact.Info, 0, len(closest))
	for _, h := range closest {
		nearest = append(nearest, e.book.Info(h))
	}
	o.eclipse = true
	e.facts = append(e.facts, Eclipsed{
		At: e.now.Mono, Op: o.id, Kind: o.kind, Target: o.target, Closest: nearest,
		Peers: int(network.Peers), Crowd: network.Expected(far[len(far)-1]),
	})
	return o.get != nil || o.put != nil || o.find != nil
}

// askRegion has an operation walk again, to many more than k peers: to all who
// would be among the k closest if those were not there who should not be.
func (e *Engine) askRegion(o *op) {
	o.want, o.near = params.MaxWanted, nil
	if o.get != nil {
		o.get.quorum, o.get.met = 0, false // those who agree may be one
	}
	if o.put != nil {
		o.put.enough = 0
	}
	e.beginWalk(o)
}

// region cuts what a walk to a whole region has found to those who are in it:
// within the distance in which twice k peers are to be expected, or the k
// closest if that is more.
func (e *Engine) region(target key.Key, closest []contact.Handle) []contact.Handle {
	return closest[:e.network().Region(e.distances(target, closest))]
}

// early reports whether a storing may end for its caller: enough peers have
// acknowledged, of enough IP groups that they are not one. KAD-13.4.
func (e *Engine) early(s *storing) bool {
	if s.enough == 0 || len(s.stored) < s.enough {
		return false
	}
	if e.cfg.Table.NoDiversity {
		return true
	}
	return contact.Places(s.stored, e.cfg.Table.ExemptLoopback) >= min(s.enough, params.EarlyGroups)
}

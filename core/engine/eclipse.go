package engine

import (
	"math"
	"slices"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/params"
)

// spacing is what the node's own lookups have shown of how far apart the
// network's peers are: how far the k-th nearest was from each of the last
// targets, as a part of the key space.
type spacing struct {
	farthest [params.SpacingSamples]float64
	count    int // ever
}

// add takes the result of one more lookup.
func (s *spacing) add(farthest float64) {
	s.farthest[s.count%len(s.farthest)] = farthest
	s.count++
}

// density estimates how many peers there are, from the median, which who sits
// close to some targets does not move; and the standard deviation of its
// logarithm. It is zero while too little is known.
func (s *spacing) density() (peers, deviation float64) {
	n := min(s.count, len(s.farthest))
	if n < params.SpacingLeast {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(s.farthest[:n]))
	median := (sorted[(n-1)/2] + sorted[n/2]) / 2
	// The k-th of random distances has the gamma distribution, whose median is
	// near k − 1/3; that of a median of n is wider than that of a mean by √(π/2).
	return (params.K - 1./3) / median, math.Sqrt(math.Pi / 2 / (params.K * float64(n)))
}

// density is how many peers the network has, by what lookups have shown or, at
// first, by the table alone.
func (e *Engine) density() (peers, deviation float64) {
	if n, dev := e.spacing.density(); n > 0 {
		return n, dev
	}
	if n, ok := e.tab.NetworkSize(); ok {
		return float64(n), 1 / math.Sqrt(params.K)
	}
	return 0, 0
}

// crowded reports whether peers are nearer to a key than chance can explain:
// whether somebody has placed them there to be all that is found. In a network
// of random keys the i-th nearest is i/N away, and the logarithm of that has a
// standard deviation of 1/√i. KAD-13.7.
func (e *Engine) crowded(target key.Key, closest []contact.Handle) bool {
	peers, dev := e.density()
	if peers < 2*params.K || len(closest) < params.CrowdLeast {
		return false // everybody is among the closest
	}
	for i := params.CrowdLeast; i <= min(len(closest), params.K); i++ {
		sigma := math.Sqrt(1/float64(i) + dev*dev)
		at := part(target, e.book.Info(closest[i-1]).Key)
		if at*peers < float64(i)*math.Exp(-params.CrowdSigmas*sigma) {
			return true
		}
	}
	return false
}

// part is the distance of two keys as a part of the key space.
func part(a, b key.Key) float64 { return float64(a.Xor(b)[0]) / (1 << 64) }

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
	case !e.crowded(o.target, closest):
		if end == lookup.Converged && len(closest) == params.K {
			e.spacing.add(part(o.target, e.book.Info(closest[params.K-1]).Key))
		}
		return false
	case o.kind == KindRefresh:
		return false
	}
	peers, _ := e.density()
	nearest := make([]*contact.Info, 0, len(closest))
	for _, h := range closest {
		nearest = append(nearest, e.book.Info(h))
	}
	o.eclipse = true
	e.facts = append(e.facts, Eclipsed{
		At: e.now.Mono, Op: o.id, Kind: o.kind, Target: o.target, Closest: nearest,
		Peers: int(peers), Crowd: part(o.target, e.book.Info(closest[len(closest)-1]).Key) * peers,
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
	peers, _ := e.density()
	for i, h := range closest {
		if i >= params.K && part(target, e.book.Info(h).Key)*peers > params.CrowdRegion*params.K {
			return closest[:i]
		}
	}
	return closest
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
	var groups []contact.Group
	alone := 0 // loopback, where that is exempt: as many places as peers
	for _, c := range s.stored {
		switch g := c.Group(); {
		case e.cfg.Table.ExemptLoopback && len(c.Addrs) > 0 && c.Addrs[0].Loopback():
			alone++
		case !slices.Contains(groups, g):
			groups = append(groups, g)
		}
	}
	return len(groups)+alone >= min(s.enough, params.EarlyGroups)
}

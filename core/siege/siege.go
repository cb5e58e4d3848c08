// Package siege is whether the peers closest to a key sit so near to it that chance does not explain it: as if they had been placed there to swallow what is stored, and to hide what is looked for.
//
// It may not know who the peers are, nor what is done about them; all it is told
// is how far they are from a key.
// Start reading at [Network.Crowded].
package siege

import (
	"math"
	"slices"

	"github.com/waymark-dht/waymark/core/params"
)

// Network is what is known of how many peers a network has. The zero value is
// that nothing is known, and then nobody is suspected.
type Network struct {
	Peers     float64
	Deviation float64 // the standard deviation of its logarithm
}

// Distance is how far two keys are apart: the first word of their XOR, which is
// all that a network of fewer than 2^32 peers can tell apart.
type Distance = uint64

// part is a distance as a part of the key space.
func part(d Distance) float64 { return float64(d) / (1 << 64) }

// Crowded reports whether peers at these distances from a key, nearest first, are
// nearer to it than chance can explain. In a network of random keys the i-th
// nearest is i/N away, and the logarithm of that has a standard deviation of
// 1/√i. KAD-13.7.
func (n Network) Crowded(near []Distance) bool {
	if n.Peers < 2*params.K {
		return false // everybody is among the closest
	}
	for i := params.CrowdLeast; i <= min(len(near), params.K); i++ {
		sigma := math.Sqrt(1/float64(i) + n.Deviation*n.Deviation)
		if n.Expected(near[i-1]) < float64(i)*math.Exp(-params.CrowdSigmas*sigma) {
			return true
		}
	}
	return false
}

// Region returns how many of the peers at these distances, nearest first, a
// record goes to whose key is besieged: those within the distance in which
// CrowdRegion times k peers are to be expected, or k if that is more.
func (n Network) Region(near []Distance) int {
	for i := params.K; i < len(near); i++ {
		if n.Beyond(near[i]) {
			return i
		}
	}
	return len(near)
}

// Beyond reports whether a distance leads out of the region around a key.
func (n Network) Beyond(d Distance) bool { return n.Expected(d) > params.CrowdRegion*params.K }

// Expected is how many peers are to be expected within a distance.
func (n Network) Expected(d Distance) float64 { return part(d) * n.Peers }

// Spacing is what lookups have shown of how far apart peers are: how far the
// k-th nearest was from each of the last targets. The zero value is ready.
type Spacing struct {
	farthest [params.SpacingSamples]float64
	count    int // ever
}

// Add takes the result of one more lookup: how far the k-th nearest was.
func (s *Spacing) Add(farthest Distance) {
	s.farthest[s.count%len(s.farthest)] = part(farthest)
	s.count++
}

// Network estimates how many peers there are, from the median, which who sits
// close to some targets does not move. Nothing is known while too few lookups
// have said something.
func (s *Spacing) Network() Network {
	n := min(s.count, len(s.farthest))
	if n < params.SpacingLeast {
		return Network{}
	}
	sorted := s.farthest
	slices.Sort(sorted[:n])
	median := (sorted[(n-1)/2] + sorted[n/2]) / 2
	// The k-th of random distances has the gamma distribution, whose median is
	// near k − 1/3; that of a median of n is wider than that of a mean by √(π/2).
	return Network{(params.K - 1./3) / median, math.Sqrt(math.Pi / 2 / (params.K * float64(n)))}
}

// Estimated is a network of which somebody else has estimated the size, by how
// far the k nearest to one key are.
func Estimated(peers int) Network { return Network{float64(peers), 1 / math.Sqrt(params.K)} }

package boot

import (
	"time"

	"github.com/waymark-dht/waymark/core/params"
)

// Extent is what the bound of a bootstrap depends on.
type Extent struct {
	Contacts int // seeds, what their names stand for, and remembered contacts
	Names    int // to be resolved
	Buckets  int // to be refreshed
}

// Largest is the extent that no bootstrap exceeds.
var Largest = Extent{Contacts: params.MaxSeeds + params.MaxRemembered, Names: params.MaxSeeds, Buckets: params.Buckets}

// Bound returns how long a bootstrap can take at most when no probe takes
// longer than hard, no walk longer than walk, and the whole no longer than
// deadline: the closed form of the guarantee, without the running time
// (params.Epsilon). Names are resolved together; contacts are probed in waves;
// then follow the walk to the node itself, waves of buckets, and the
// verification.
func Bound(x Extent, hard, walk, deadline time.Duration) time.Duration {
	spent := waves(x.Contacts, params.ProbeWidth)*hard + (2+waves(x.Buckets, params.RefreshWidth))*walk
	if x.Names > 0 {
		spent += params.DNSDeadline
	}
	return min(spent, deadline)
}

// waves is how many rounds n things take, width of them at a time.
func waves(n, width int) time.Duration { return time.Duration((n + width - 1) / width) }

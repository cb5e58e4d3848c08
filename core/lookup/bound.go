package lookup

import (
	"math"
	"time"

	"github.com/waymark-dht/waymark/core/params"
)

// Bound returns how long a lookup can take at most when no attempt takes longer
// than hard and the lookup itself no longer than deadline: the closed form of
// the guarantee, without the running time (params.Epsilon). It holds from the
// moment in which the lookup has its slots; what it waits for them counts
// against its deadline only.
//
// The argument is Graham's for list scheduling. While some eligible peer waits,
// α attempts are under way, which is the case for P/α·hard at most. At any
// other moment the end of an attempt would lead one step further along a chain
// of informants, and no chain is longer than chain.
func Bound(cfg Config, hard, deadline time.Duration) time.Duration {
	cfg = cfg.Sound()
	hard = max(hard, 0)
	longest := time.Duration(0)
	for i := range cfg.Paths {
		alpha := min(share(cfg.Alpha, cfg.Paths, i), share(cfg.AlphaLast, cfg.Paths, i))
		attempts := share(cfg.MaxPeers, cfg.Paths, i) + chain(cfg)*(alpha-1)
		if float64(attempts)*float64(hard) > math.MaxInt64 {
			return deadline // beyond what can be counted in nanoseconds
		}
		longest = max(longest, time.Duration(attempts)*hard/time.Duration(alpha))
	}
	return min(longest, deadline)
}

// chain is the length of the longest chain of attempts of which each began
// because the one before it ended: H informants, each asked as often as may be,
// and once more as many after each round of region probes, which takes the time
// of two requests to the same peer.
func chain(cfg Config) int {
	informants := cfg.AttemptsFresh * cfg.MaxDepth
	return informants + cfg.ProbeRounds*(informants+params.ProbesPerPeer)
}

// StoreBound is Bound for a lookup whose k closest are then sent one request
// each: a put or a provide.
func StoreBound(cfg Config, hard, deadline time.Duration) time.Duration {
	return min(Bound(cfg, hard, deadline)+StoreTime(cfg, cfg.Alpha, hard), deadline)
}

// StoreTime is how long one request to each of the k closest can take, so many
// at a time.
func StoreTime(cfg Config, slots int, hard time.Duration) time.Duration {
	slots = max(1, slots)
	return time.Duration((cfg.K+slots-1)/slots) * hard
}

package waymark

import (
	"sync"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// refreshed knows when a walk into each part of the key space converged last:
// whoever is there was met then.
type refreshed struct {
	mu    sync.Mutex
	walks map[engine.OpID]int // under way, and the bucket that each is into
	ended [params.Buckets + 1]walkEnd
}

// walkEnd is when the last walk into a bucket converged, if any has.
type walkEnd struct {
	at  mono.Time
	has bool
}

// home is the place of the walk for the node itself.
const home = params.Buckets

func bucketOf(self, target key.Key) int {
	if self == target {
		return home
	}
	return min(self.CommonPrefix(target), home-1)
}

// notice hears of every operation.
func (r *refreshed) notice(f engine.Fact, self key.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch f := f.(type) {
	case engine.OpStarted:
		if f.Kind == engine.KindBootstrap || f.Kind == engine.KindPing {
			return // no walks
		}
		if r.walks == nil {
			r.walks = make(map[engine.OpID]int)
		}
		r.walks[f.Op] = bucketOf(self, f.Target)
	case engine.OpEnded:
		if at, is := r.walks[f.Op]; is && f.Result.Outcome == engine.Converged {
			r.ended[at] = walkEnd{f.At, true}
		}
		delete(r.walks, f.Op)
	}
}

// dates returns when each of the first n buckets was refreshed last. Those from
// deep on are refreshed by the walk for the node itself. KAD-5.6.
func (r *refreshed) dates(n, deep int, date func(mono.Time) time.Time) []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	dates := make([]time.Time, n)
	for i := range dates {
		last := r.ended[min(i, home-1)]
		if own := r.ended[home]; i >= deep && own.has && (!last.has || own.at > last.at) {
			last = own
		}
		if last.has {
			dates[i] = date(last.at)
		}
	}
	return dates
}

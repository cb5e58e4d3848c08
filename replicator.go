package waymark

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/replicate"
)

// replicator has values that this node stores for others stored again with the
// others of those closest to them, so that they outlive the peers that they
// were put on. When is the schedule's to say, with whom the engine's. KAD-15.
type replicator struct {
	*DHT
	every time.Duration // 0: nothing is ever stored again
	wake  chan struct{}
	halt  chan struct{}
	ended chan struct{}

	mu       sync.Mutex
	schedule *replicate.Schedule
}

func newReplicator(d *DHT) *replicator {
	r := &replicator{
		DHT: d, every: max(0, d.cfg.ReplicateEvery),
		wake: make(chan struct{}, 1), halt: make(chan struct{}), ended: make(chan struct{}),
	}
	r.schedule = replicate.New(max(1, r.every), rand.New(rand.NewPCG(chance(d.cfg.Seed), 2)))
	return r
}

// taken hears of a value that was stored here for the network.
func (r *replicator) taken(key []byte) {
	if r.every == 0 {
		return
	}
	r.mu.Lock()
	r.schedule.Stored(string(key), r.wall())
	first := r.schedule.Len() == 1
	r.mu.Unlock()
	if first {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

func (r *replicator) wall() mono.Wall { return r.time.now().Wall }

// loop runs until stop.
func (r *replicator) loop() {
	defer close(r.ended)
	if r.every == 0 {
		return
	}
	r.recall()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-r.wake:
		case <-r.halt:
			return
		}
		if key, due := r.next(); due {
			r.again([]byte(key))
		}
		timer.Reset(r.pause())
	}
}

// next takes a value that is due.
func (r *replicator) next() (key string, due bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.schedule.Take(r.wall())
}

// pause is how long nothing is due, within limits: the machine may sleep
// meanwhile, and a store that was full when the node started must not have
// everything stored again at once.
func (r *replicator) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	due, any := r.schedule.Next()
	if !any {
		return r.every
	}
	return min(max(time.Duration(due-r.wall()), params.ReplicatePause), r.every)
}

// again has the engine store a value again, if it still counts. A client leaves
// that to those who serve: nobody would ask it for the value.
func (r *replicator) again(key []byte) {
	rec, err := r.shelf.valid(r.shelf.base, key)
	if err != nil {
		return // the store is busy: it is tried again in a period
	}
	if rec == nil {
		r.mu.Lock()
		r.schedule.Forget(string(key))
		r.mu.Unlock()
		return
	}
	if r.server.serving() {
		_ = r.mail.send(engine.StartReplicate{Record: *rec}) // a node that is closing, or has no room for it, need not
	}
}

// recall finds what an earlier node on the same store has stored for others.
// What that one put itself is for its owner to put again.
func (r *replicator) recall() {
	_, err := guardFor(r.shelf, context.Background(), params.ReplicateRecall, func(ctx context.Context) (struct{}, error) {
		for rec, err := range r.shelf.store.AllValues(ctx) {
			if err != nil || ctx.Err() != nil {
				return struct{}{}, err
			}
			if rec.From != "" {
				r.mu.Lock()
				r.schedule.Found(string(rec.Key), rec.Received(), r.wall())
				r.mu.Unlock()
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		r.logs.line("the values that were kept could not be listed; they are not stored with others again", "error", err.Error())
	}
}

// stop has the loop end.
func (r *replicator) stop() <-chan struct{} {
	close(r.halt)
	return r.ended
}

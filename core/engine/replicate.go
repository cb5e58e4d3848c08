package engine

import (
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
)

// startReplicate stores a value again with the others of the k closest to its
// key, if this node is one of them. It needs no walk: whoever is nearer to the
// key than we are is in the bucket that the key belongs to, and if they are
// fewer than k, that bucket has room for all of them. KAD-15.2.
func (e *Engine) startReplicate(ev StartReplicate) {
	r := ev.Record
	others := e.others(key.Of(r.Key))
	if len(others) == 0 {
		return
	}
	o := e.newOp(e.child(), KindStore, r.Key, 0, 0)
	if e.enqueue(o) {
		e.load(o, &storing{ask: AskStore, key: r.Key, record: &r, todo: others})
	}
}

// others returns the contacts that are closest to a key together with this
// node, k in all; nobody if this node is not one of the k.
func (e *Engine) others(target key.Key) []contact.Handle {
	near := e.tab.Nearest(nil, target, params.K)
	if len(near) < params.K {
		return near
	}
	if target.Closer(e.book.Info(near[params.K-1]).Key, e.self.Key) < 0 {
		return nil
	}
	return near[:params.K-1]
}

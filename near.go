package waymark

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// What whoever knows the network better than the routing table needs of the
// node: such as a client that keeps a table of everybody.

// nearKey is under what a context carries what WithNear was told.
type nearKey struct{}

// WithNear returns a context with which a Lookup, GetClosestPeers, FindPeer,
// Get, SearchValue or search for providers is one hop: it asks the given peers,
// which are believed to be the closest to its key, and nobody whom they name. If
// no more than half of K answer, an ordinary lookup follows, within the same
// bound. At most params.MaxNear are taken.
func WithNear(ctx context.Context, peers []peer.AddrInfo) context.Context {
	near := make([]*contact.Info, 0, min(len(peers), params.MaxNear))
	for _, p := range peers[:min(len(peers), params.MaxNear)] {
		near = append(near, contactOf(p))
	}
	return context.WithValue(ctx, nearKey{}, near)
}

// nearOf is what WithNear was told, or nil.
func nearOf(ctx context.Context) []*contact.Info {
	near, _ := ctx.Value(nearKey{}).([]*contact.Info)
	return near
}

// AnnounceTo tells certain peers, instead of the closest, that this node
// provides some keys: all of them to each, at most params.FullBatch. It does
// not store that here. Nobody is an error: ErrNotStored.
func (d *DHT) AnnounceTo(ctx context.Context, keys []multihash.Multihash, peers []peer.AddrInfo) (Stored, error) {
	if len(keys) == 0 || len(keys) > params.FullBatch || len(peers) == 0 {
		return Stored{}, badConfig("%d keys to %d peers; from 1 to %d keys are possible, to at least one peer", len(keys), len(peers), params.FullBatch)
	}
	if err := checkKeys(keys); err != nil {
		return Stored{}, err
	}
	what := engine.StartProvide{Paths: d.cfg.Paths, Key: keys[0], More: bytesOf(keys[1:])}
	to, err := contactsOf(peers)
	if err != nil {
		return Stored{}, err
	}
	what.To = to
	return d.storing(ctx, OpProvide, func(op engine.OpID, deadline mono.Time) engine.Event {
		what.Op, what.Deadline = op, deadline
		return what
	})
}

// Spread reports whether some peers live in so many IP groups, at least
// params.EarlyGroups, that who controls a few of them is not all of them. In a
// network that lives in few IP networks (Config.OneSite) any peers are.
func (d *DHT) Spread(peers []peer.AddrInfo) bool {
	list := make([]*contact.Info, len(peers))
	for i, p := range peers {
		list[i] = contactOf(p)
	}
	return d.cfg.OneSite || contact.Places(list, d.cfg.AllowLoopback) >= params.EarlyGroups
}

// Surveyed is what one peer answered to one request of a survey.
type Surveyed struct {
	Closer  []*contact.Info
	From    *contact.Info   // who answered, with the addresses that are verified
	Failure contact.Failure // None if it answered
	Detail  string          // one line of evidence for a failure
}

// Survey asks one peer FIND_NODE for the key of a preimage, as a crawl does that
// asks everybody: a failure is not held against the peer, nor taken for an
// outage of this node, and the dial budget of its neighbourhood applies. It ends
// within Bound(OpPing); the error is about this node or ctx, never the peer.
func (d *DHT) Survey(ctx context.Context, to *contact.Info, preimage []byte) (Surveyed, error) {
	if to == nil || to.ID == contact.ID(d.host.ID()) {
		return Surveyed{}, badConfig("a survey of nobody or ourselves")
	}
	if err := keyed(preimage); err != nil {
		return Surveyed{}, err
	}
	var s Surveyed
	hear := func(f engine.Fact) {
		if end, is := f.(engine.RequestEnded); is {
			s.Failure, s.Detail = end.Failure, end.Detail
		}
	}
	r, err := d.runHeard(ctx, OpPing, hear, func(op engine.OpID, deadline mono.Time) engine.Event {
		return engine.StartPing{Op: op, Peer: to, Ask: engine.AskPeers, Key: preimage, Deadline: deadline, Apart: true}
	})
	switch {
	case err != nil:
		return Surveyed{Failure: contact.NotSent, Detail: err.Error()}, err
	case r.Stats.Successes > 0:
		return Surveyed{Closer: r.Closest, From: r.Found}, nil
	case r.Outcome == engine.Rejected || r.Outcome == engine.Stopped:
		return Surveyed{Failure: contact.NotSent, Detail: r.Outcome.String()}, failure(r.Outcome, 0)
	case s.Failure == contact.None || s.Failure == contact.Cancelled: // its time ran out in the engine
		s.Failure, s.Detail = contact.Silent, "no answer in time"
	}
	return s, nil
}

// Knows reports whether a peer is in the routing table.
func (d *DHT) Knows(id peer.ID) bool {
	s := d.snapshot.Load()
	return s != nil && s.Find(contact.ID(id)) != nil
}

// contactsOf returns peers as the engine has them, or what is wrong with one.
func contactsOf(peers []peer.AddrInfo) ([]*contact.Info, error) {
	list := make([]*contact.Info, len(peers))
	for i, p := range peers {
		if err := named(p.ID); err != nil {
			return nil, err
		}
		list[i] = contactOf(p)
	}
	return list, nil
}

// InfoOf returns a contact of the engine's as go-libp2p has it.
func InfoOf(c *contact.Info) peer.AddrInfo { return infoOf(c) }

// ContactOf returns a peer of go-libp2p's as the engine has it.
func ContactOf(p peer.AddrInfo) (*contact.Info, error) {
	if err := named(p.ID); err != nil {
		return nil, err
	}
	return contactOf(p), nil
}

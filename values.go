package waymark

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// Stored is what a put or a provide leaves: who acknowledged the record, and
// why others did not.
type Stored struct {
	Outcome Outcome         // engine.Stored if anybody did
	Peers   []peer.AddrInfo // who acknowledged it, in that order
	Refused []Refusal       // who was asked and did not, with the reason
	Pending int             // who is still being told, as enough have acknowledged
	// Eclipse says that the peers closest to the key are nearer to it than
	// chance explains, as if they had been placed there to swallow the record:
	// it was stored on the whole region around the key, so that it is where
	// honest peers will look.
	Eclipse bool
	Stats   Stats
	Elapsed time.Duration
	Bound   time.Duration // what Elapsed could have been at most
}

// Refusal is a peer that did not acknowledge a record.
type Refusal struct {
	Peer   peer.ID
	How    contact.Failure
	Detail string // one line of evidence
}

// Value is what a get leaves.
type Value struct {
	Outcome Outcome
	Bytes   []byte // the best value, nil if there is none
	Agree   int    // how many peers gave it, this node included
	// Left is for how much longer its givers keep it, and Publisher who put it
	// first, if they say so: peers of this kind and rust-libp2p's do. Both are
	// claims.
	Left      time.Duration
	Publisher peer.ID
	// Eclipse says that the peers closest to the key are nearer to it than
	// chance explains: the whole region around it was asked.
	Eclipse bool
	Stats   Stats
	Elapsed time.Duration
	Bound   time.Duration
}

// PutValue stores a value on the peers closest to its key, and on this node.
// It is [DHT.Put] for go-libp2p's routing.Routing.
func (d *DHT) PutValue(ctx context.Context, key string, value []byte, opts ...routing.Option) error {
	_, err := d.Put(ctx, key, value, opts...)
	return err
}

// Put stores a value on the peers closest to its key, and on this node, and
// says who took it. Nobody is an error: ErrNotStored, or ErrNoPeers if nobody
// was found. The value must be valid under the key (Config.Validators), no
// longer than params.MaxValue, and no worse than one that this node has seen
// (ErrOlder). With routing.Offline it is stored on this node alone; KeepFor and
// AsPublisher are further options.
func (d *DHT) Put(ctx context.Context, key string, value []byte, opts ...routing.Option) (Stored, error) {
	return d.PutTo(ctx, key, value, nil, opts...)
}

// PutTo is Put with the peers to store it on, instead of the closest; at least one.
func (d *DHT) PutTo(ctx context.Context, key string, value []byte, peers []peer.AddrInfo, opts ...routing.Option) (Stored, error) {
	o, err := optionsOf(opts)
	if err != nil {
		return Stored{}, err
	}
	if len(value) > params.MaxValue {
		return Stored{}, fmt.Errorf("%w: it has %d bytes; at most %d are possible", ErrInvalid, len(value), params.MaxValue)
	}
	if peers != nil && len(peers) == 0 {
		return Stored{}, badConfig("there are no peers to store it on; nil means those closest to the key")
	}
	to, err := contactsOf(peers)
	if err != nil {
		return Stored{}, err
	}
	r := record.Record{Key: []byte(key), Value: slices.Clone(value), TTL: o.ttl}
	if o.publish {
		r.Publisher = contact.ID(d.host.ID())
	}
	ctx = begun(ctx, 0)
	if err := d.shelf.put(ctx, r); err != nil {
		return Stored{}, err
	}
	if o.offline {
		return Stored{Outcome: engine.Stored}, nil
	}
	d.shelf.taken(r.Key)
	r.TimeReceived = d.time.now().Wall.Time().Format(time.RFC3339Nano)
	return d.storing(ctx, OpPut, func(op engine.OpID, deadline mono.Time) engine.Event {
		return engine.StartPut{Op: op, Record: r, To: to, Deadline: deadline, Paths: d.cfg.Paths}
	})
}

// storing runs a put or a provide.
func (d *DHT) storing(ctx context.Context, op Op, event func(engine.OpID, mono.Time) engine.Event) (Stored, error) {
	publish, done := d.queryEvents(ctx)
	defer done()
	r, err := d.runHeard(ctx, op, publish, event)
	s := storedOf(r)
	if err == nil {
		err = failure(r.Outcome, len(s.Peers))
	}
	if err == nil && len(s.Peers) == 0 {
		err = notStored(s)
	}
	return s, err
}

func storedOf(r engine.Result) Stored {
	s := Stored{
		Outcome: r.Outcome, Peers: infosOf(r.Stored), Stats: r.Stats,
		Pending: r.Pending, Eclipse: r.Eclipse,
		Elapsed: r.Ended.Sub(r.Started), Bound: r.Bound.Sub(r.Started),
	}
	for _, u := range r.Unstored {
		s.Refused = append(s.Refused, Refusal{Peer: peer.ID(u.Peer.ID), How: u.Failure, Detail: u.Detail})
	}
	return s
}

// notStored says why nobody took a record: how often each reason came.
func notStored(s Stored) error {
	var f contact.Failures
	for _, r := range s.Refused {
		f[r.How]++
	}
	var words []string
	for w, n := range f.Words() {
		words = append(words, fmt.Sprintf("%d %s", n, w))
	}
	slices.Sort(words)
	return fmt.Errorf("%w: %d were asked (%s)", ErrNotStored, len(s.Refused), strings.Join(words, ", "))
}

// GetValue returns the best value under a key. If the context ends first it
// returns the best until then, together with the context's error.
func (d *DHT) GetValue(ctx context.Context, key string, opts ...routing.Option) ([]byte, error) {
	v, err := d.Get(ctx, key, opts...)
	return v.Bytes, err
}

// Get returns the best value under a key, and how many peers gave it. It ends
// once the quorum has given the same best value, or when the peers closest to
// the key were asked; ErrNotFound means that they were and that none has one.
// Peers among the closest that lacked the best value are sent it afterwards.
// With routing.Offline only this node is asked.
func (d *DHT) Get(ctx context.Context, key string, opts ...routing.Option) (Value, error) {
	return d.get(ctx, key, func([]byte) {}, opts)
}

// SearchValue streams the values under a key: first what is at hand, then each
// better one, as soon as it is known to be valid and better. The channel is
// closed when the search has ended, by itself or with the context; it has room
// for all of them, so that nobody waits for who does not read.
func (d *DHT) SearchValue(ctx context.Context, key string, opts ...routing.Option) (<-chan []byte, error) {
	if _, err := d.shelf.rules.of([]byte(key)); err != nil {
		return nil, err
	}
	if _, err := optionsOf(opts); err != nil {
		return nil, err
	}
	out := make(chan []byte, params.MaxCandidates)
	go func() {
		defer close(out)
		_, _ = d.get(ctx, key, func(v []byte) { out <- v }, opts) // the channel's end says all there is to say
	}()
	return out, nil
}

// get runs a get and hands on each better value. Found runs on the engine's
// goroutine, or on this one.
func (d *DHT) get(ctx context.Context, key string, found func([]byte), opts []routing.Option) (Value, error) {
	o, err := optionsOf(opts)
	if err != nil {
		return Value{}, err
	}
	if _, err := d.shelf.rules.of([]byte(key)); err != nil {
		return Value{}, err
	}
	ctx = begun(ctx, 0)
	local := d.localValue(ctx, []byte(key))
	if o.offline {
		if local == nil {
			return Value{Outcome: engine.NotFound}, ErrNotFound
		}
		found(local.Value)
		return Value{Outcome: engine.Found, Bytes: local.Value, Agree: 1}, nil
	}
	publish, done := d.queryEvents(ctx)
	defer done()
	hear := func(f engine.Fact) {
		if v, is := f.(engine.ValueFound); is {
			found(v.Record.Value)
		}
		publish(f)
	}
	r, err := d.runHeard(ctx, OpGet, hear, func(op engine.OpID, deadline mono.Time) engine.Event {
		return engine.StartGet{
			Op: op, Key: []byte(key), Quorum: o.quorum, Local: local, Deadline: deadline, Paths: d.cfg.Paths, Near: nearOf(ctx),
		}
	})
	return valueOf(r, err)
}

func valueOf(r engine.Result, err error) (Value, error) {
	v := Value{
		Outcome: r.Outcome, Agree: r.Agree, Eclipse: r.Eclipse, Stats: r.Stats,
		Elapsed: r.Ended.Sub(r.Started), Bound: r.Bound.Sub(r.Started),
	}
	if r.Value != nil {
		v.Bytes, v.Publisher = r.Value.Value, peer.ID(r.Value.Publisher)
		v.Left = min(time.Duration(r.Value.TTL)*time.Second, params.ValueAge)
	}
	switch {
	case err != nil:
	case r.Outcome == engine.NotFound:
		err = ErrNotFound
	case r.Value == nil:
		err = failure(r.Outcome, 0)
	}
	return v, err
}

// localValue is what this node stores under a key, if it is still valid. A
// store that fails or blocks is as good as empty: the network is asked anyway.
func (d *DHT) localValue(ctx context.Context, key []byte) *record.Record {
	r, _ := d.shelf.valid(ctx, key)
	return r
}

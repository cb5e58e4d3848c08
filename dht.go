package waymark

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/lookup"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/table"
)

// DHT is one node. It is safe for concurrent use.
type DHT struct {
	host   host.Host
	cfg    Config
	time   *timeline
	policy policy

	self     atomic.Pointer[contact.Info]   // who we are, with our addresses of the moment
	snapshot atomic.Pointer[table.Snapshot] // what the server answers from

	known      *firstHand
	mail       *mailbox
	facts      *hub
	ready      *readiness
	refreshed  refreshed
	waiters    *waiters
	workers    *workers
	server     *server
	shelf      *shelf
	keeper     *keeper
	replicator *replicator
	schedule   *schedule
	lan        *lan
	watch      *watcher
	tags       *tags
	logs       *logs

	tended  atomic.Bool // the engine supervises the node
	lastOp  atomic.Uint64
	overdue atomic.Int64

	stopped chan struct{} // closed when the driver's loop has ended
	closing sync.Once
	closed  error
}

// New starts a node on a host. The host stays the caller's: close the node
// first, then the host. New asks nobody anything; see Bootstrap.
//
// It waits for the host's event bus and its subscribers no longer than
// params.HostDeadline: a bus that is stuck before that is an error, one that does
// not take the news that the node serves, or a peerstore that does not say who is
// connected, is not.
func New(h host.Host, cfg Config) (*DHT, error) {
	if h == nil {
		return nil, badConfig("there is no host")
	}
	lasting := cfg.Store != nil
	if lasting {
		cfg.remember()
	}
	cfg, ecfg, err := cfg.checked(h.ID())
	if err != nil {
		return nil, err
	}
	d := &DHT{
		host: h, cfg: cfg, time: newTimeline(cfg.Clock), policy: policy{cfg.AllowLoopback, cfg.OneSite, cfg.Addrs},
		known: newFirstHand(), mail: newMailbox(), facts: newHub(), ready: newReadiness(), waiters: newWaiters(),
		logs: newLogs(cfg.Logger), stopped: make(chan struct{}),
	}
	d.self.Store(d.ourselves())
	d.shelf = newShelf(d)
	d.keeper = newKeeper(d, lasting)
	d.replicator = newReplicator(d)
	d.schedule = newSchedule(d, lasting)
	d.workers = newWorkers(d)
	d.server = newServer(d)
	if d.watch, err = newWatcher(d); err != nil {
		d.logs.close()
		return nil, fmt.Errorf("subscribe to the host's events: %w", err)
	}
	d.tags = newTags(d)
	// A refresh asks for a preimage, and the table of them is found at first
	// use: 50 ms, or half a second on a busy machine. Within a step of the
	// loop that would come out of the deadlines of requests just issued.
	key.Preimage(key.Key{}, 0, 0)
	go newDriver(d, ecfg).loop()
	d.watch.start()
	go d.keeper.loop()
	go d.replicator.loop()
	go d.schedule.loop()
	d.lan = startLAN(d)
	return d, nil
}

// Bound returns the time within which a call of the given kind ends, if it is
// made now and its context does not end it earlier.
func (d *DHT) Bound(op Op) time.Duration {
	switch op {
	case OpLookup, OpFindPeer, OpGet, OpFindProviders:
		return walkBound() + params.Epsilon
	case OpPut, OpProvide:
		return storeBound() + params.Epsilon
	case OpPing:
		return params.HardSlow + 2*params.Epsilon // the one attempt, and a moment to say how it failed
	case OpBootstrap:
		return boot.Bound(boot.Largest, params.HardSlow, walkBound(), params.BootDeadline) + params.Epsilon
	case OpClose:
		return params.CloseDeadline + params.Epsilon
	}
	return 0
}

// walkBound is the bound of a lookup that has the least share of the node's
// places. What it waits for them counts against the deadline, which is the
// lesser of the two with the numbers of params.
func walkBound() time.Duration {
	cfg := lookup.Defaults(1)
	cfg.Alpha, cfg.AlphaLast = params.MinShare, params.MinShare
	return lookup.Bound(cfg, params.HardSlow, params.OpDeadline)
}

// storeBound is the bound of a put or provide: of its lookup and what it sends
// to the k closest.
func storeBound() time.Duration {
	cfg := lookup.Defaults(1)
	cfg.Alpha, cfg.AlphaLast = params.MinShare, params.MinShare
	return lookup.StoreBound(cfg, params.HardSlow, params.OpDeadline)
}

// RunBootstrap fills the routing table and returns one report when that is
// done. While one is running, others join it. The error is nil if the table
// is of use; the report says how good it is.
func (d *DHT) RunBootstrap(ctx context.Context) (Report, error) {
	r, err := d.run(ctx, OpBootstrap, func(op engine.OpID, deadline mono.Time) engine.Event {
		return engine.StartBootstrap{Op: op, Deadline: deadline}
	})
	rep := reportOf(r)
	if err == nil {
		err = failure(r.Outcome, rep.Table)
	}
	return rep, err
}

// Bootstrap starts to fill the routing table and returns at once, as
// go-libp2p's routing.Routing wants it; it goes on when ctx has ended.
// WaitReady waits for the result, RunBootstrap does both. After the first call
// of any of the three the node looks after itself: it bootstraps again
// whenever its table runs low, its network changes or its machine has slept.
func (d *DHT) Bootstrap(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.tended.Load() {
		return d.mail.send(engine.StartBootstrap{Op: d.nextOp()})
	}
	return d.tend() // which begins with a bootstrap
}

// tend makes the node look after itself from now on.
func (d *DHT) tend() error {
	if d.tended.Swap(true) {
		return nil
	}
	return d.mail.insist(engine.Supervise{})
}

// WaitReady returns nil once the node has a useful table, and bootstraps if it
// has none. It waits until ctx ends, and params.ReadyDeadline if that is
// endless; the error is then ErrNotReady with the reasons.
func (d *DHT) WaitReady(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, params.ReadyDeadline)
		defer cancel()
	}
	if !d.ready.is() {
		if err := d.Bootstrap(ctx); err != nil {
			return err
		}
	}
	return d.ready.wait(ctx, d.stopped)
}

// Ready reports whether WaitReady would return at once.
func (d *DHT) Ready() bool { return d.ready.is() }

// GetClosestPeers returns the peers nearest to a key, nearest first, at most
// k. The key is hashed: for a peer it is string(id), for content the multihash.
func (d *DHT) GetClosestPeers(ctx context.Context, key string) ([]peer.ID, error) {
	r, err := d.Lookup(ctx, key)
	ids := make([]peer.ID, len(r.Peers))
	for i, p := range r.Peers {
		ids[i] = p.ID
	}
	return ids, err
}

// Lookup is GetClosestPeers with addresses, the reason why it ended and what
// it did. An end at the deadline that has peers is no error: Outcome says so.
func (d *DHT) Lookup(ctx context.Context, key string) (Result, error) {
	if err := keyed([]byte(key)); err != nil {
		return Result{}, err
	}
	return d.lookup(ctx, OpLookup, engine.StartLookup{Kind: engine.KindLookup, Preimage: []byte(key)})
}

func (d *DHT) lookup(ctx context.Context, op Op, what engine.StartLookup) (Result, error) {
	r, err := d.runLookup(ctx, op, what)
	if err == nil {
		err = failure(r.Outcome, len(r.Closest))
	}
	return resultOf(r), err
}

func (d *DHT) runLookup(ctx context.Context, op Op, what engine.StartLookup) (engine.Result, error) {
	publish, done := d.queryEvents(ctx)
	defer done()
	return d.runHeard(ctx, op, publish, func(id engine.OpID, deadline mono.Time) engine.Event {
		what.Op, what.Deadline, what.Paths, what.Near = id, deadline, d.cfg.Paths, nearOf(ctx)
		return what
	})
}

// FindPeer returns the addresses of a peer: those it is connected by, or what
// the network says. ErrNotFound means that the network does not know it.
func (d *DHT) FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	if err := named(id); err != nil {
		return peer.AddrInfo{}, err
	}
	ctx = begun(ctx, 0)
	if info, known := d.atHand(ctx, id); known {
		return info, nil
	}
	r, err := d.runLookup(ctx, OpFindPeer, engine.StartLookup{Kind: engine.KindFindPeer, Preimage: []byte(id)})
	switch {
	case r.Found != nil:
		return infoOf(r.Found), nil
	case err != nil:
		return peer.AddrInfo{}, err
	}
	if err := failure(r.Outcome, len(r.Closest)); err != nil {
		return peer.AddrInfo{}, err
	}
	return peer.AddrInfo{}, ErrNotFound
}

// Ping asks a peer once whether it serves this DHT, dialling it if need be,
// and returns how long the answer took. It dials what the host's peerstore
// knows of the peer.
func (d *DHT) Ping(ctx context.Context, id peer.ID) (time.Duration, error) {
	r, err := d.askOne(ctx, id, engine.AskPeers, nil)
	if err != nil {
		return 0, err
	}
	return r.Ended.Sub(r.Started), nil
}

// askOne sends one peer one request; the key nil is our own.
func (d *DHT) askOne(ctx context.Context, id peer.ID, what engine.Ask, key []byte) (engine.Result, error) {
	if err := named(id); err != nil {
		return engine.Result{}, err
	}
	if id == d.host.ID() {
		return engine.Result{}, badConfig("a node cannot ask itself")
	}
	ctx = begun(ctx, 0)
	to := d.contactAt(ctx, id)
	r, err := d.run(ctx, OpPing, func(op engine.OpID, deadline mono.Time) engine.Event {
		return engine.StartPing{Op: op, Peer: to, Ask: what, Key: key, Deadline: deadline}
	})
	if err == nil && r.Stats.Successes == 0 {
		if err = failure(r.Outcome, 1); err == nil || errors.Is(err, ErrNoPeers) {
			err = noAnswer(r.Stats.Failures)
		}
	}
	return r, err
}

// Reply is what one peer answered to one request.
type Reply struct {
	Closer    []peer.AddrInfo // peers nearer to the key
	Providers []peer.AddrInfo // AskProviders: who provides it
	Value     []byte          // AskValue: what it has, if that is valid
	Elapsed   time.Duration
}

// Ask sends one peer one request and returns its answer: engine.AskPeers,
// AskValue or AskProviders, for a key as GetClosestPeers takes it. Nobody else
// is asked. It dials what the host's peerstore knows of the peer.
func (d *DHT) Ask(ctx context.Context, id peer.ID, what engine.Ask, key string) (Reply, error) {
	if what > engine.AskProviders {
		return Reply{}, badConfig("%v cannot be asked of one peer", what)
	}
	if err := keyed([]byte(key)); err != nil {
		return Reply{}, err
	}
	r, err := d.askOne(ctx, id, what, []byte(key))
	rep := Reply{Closer: infosOf(r.Closest), Providers: infosOf(r.Named), Elapsed: r.Ended.Sub(r.Started)}
	if r.Value != nil {
		rep.Value = r.Value.Value
	}
	return rep, err
}

// NetworkSize estimates how many servers the network has, from how near the
// k nearest are: within some 24 %. It fails while fewer than k are known.
func (d *DHT) NetworkSize() (int, error) {
	got := make(chan int, 1)
	if err := d.mail.ask(func(e *engine.Engine) {
		n, _ := e.Table().NetworkSize()
		got <- n
	}); err != nil {
		return 0, err
	}
	timer := time.NewTimer(params.Epsilon)
	defer timer.Stop()
	select {
	case n := <-got:
		if n == 0 {
			return 0, fmt.Errorf("%w: fewer than %d peers are known", ErrNotReady, params.K)
		}
		return n, nil
	case <-d.stopped:
		return 0, ErrClosed
	case <-timer.C:
		return 0, ErrDeadline
	}
}

// Admit vouches for a server: it enters the routing table without being asked,
// if there is room for it. For tables that are known to be true, and for those
// that are kept by hand (Config.ManualAdmission).
func (d *DHT) Admit(info peer.AddrInfo) error {
	if err := named(info.ID); err != nil {
		return err
	}
	return d.mail.send(engine.Vouched{Peer: contactOf(info)})
}

// RoutingTable returns the routing table as it is now.
func (d *DHT) RoutingTable() Table {
	s := d.snapshot.Load()
	if s == nil {
		return Table{}
	}
	self := d.self.Load()
	all := s.Nearest(make([]*contact.Info, 0, s.Len()), self.Key, s.Len())
	t := Table{Size: len(all)}
	for i := len(all) - 1; i >= 0; i-- { // the farthest first
		prefix := self.Key.CommonPrefix(all[i].Key)
		if n := len(t.Buckets); n == 0 || t.Buckets[n-1].Prefix != prefix {
			t.Buckets = append(t.Buckets, Bucket{Prefix: prefix, Capacity: capacity(prefix)})
		}
		b := &t.Buckets[len(t.Buckets)-1]
		b.Contacts = append(b.Contacts, infoOf(all[i]))
	}
	if len(all) > 0 {
		deep := self.Key.CommonPrefix(all[min(len(all), params.K)-1].Key)
		t.Refreshed = d.refreshed.dates(self.Key.CommonPrefix(all[0].Key)+1, deep, d.time.date)
	}
	return t
}

func capacity(prefix int) int {
	if prefix < len(params.TopBuckets) {
		return params.TopBuckets[prefix]
	}
	return params.K
}

// Open returns what is running now: how old each operation is, what it waits
// for and when it must end. It returns nil once the node is closed.
func (d *DHT) Open() []OpenOp {
	got := make(chan []OpenOp, 1)
	if d.mail.ask(func(e *engine.Engine) { got <- e.Open() }) != nil {
		return nil
	}
	timer := time.NewTimer(params.Epsilon)
	defer timer.Stop()
	select {
	case open := <-got:
		return open
	case <-d.stopped:
	case <-timer.C:
	}
	return nil
}

// Overdue returns how many operations did not end within their bound, ever.
// It is a defect if this is not zero.
func (d *DHT) Overdue() int64 { return d.overdue.Load() }

// Time converts a moment of a Fact or of Open to a date.
func (d *DHT) Time(at mono.Time) time.Time { return d.time.date(at) }

// Mode returns what the node is now: ModeClient or ModeServer.
func (d *DHT) Mode() Mode {
	if d.server.serving() {
		return ModeServer
	}
	return ModeClient
}

// Host returns the host that the node runs on.
func (d *DHT) Host() host.Host { return d.host }

// PeerID returns the node's own ID.
func (d *DHT) PeerID() peer.ID { return d.host.ID() }

// Health returns how the node is.
func (d *DHT) Health() Health {
	h := Health{Mode: d.Mode(), Overdue: d.Overdue(), Server: d.server.counters()}
	d.ready.fill(&h, d.time.mono())
	h.InFlight, h.Zombies, h.ZombiesPeak = d.workers.counts()
	h.Streams = d.server.streams()
	if s := d.snapshot.Load(); s != nil {
		h.Table = s.Len()
	}
	return h
}

// Close ends every operation with what it has, stops serving and cuts what is
// under way. It returns within its bound, with ErrLeftover if something would
// not end. Later calls return the same.
func (d *DHT) Close() error {
	d.closing.Do(func() { d.closed = d.shut() })
	return d.closed
}

func (d *DHT) shut() error {
	limit := time.NewTimer(params.CloseDeadline)
	defer limit.Stop()
	var left []error
	for _, saved := range []<-chan struct{}{d.schedule.stop(), d.keeper.stop()} { // while there is an engine to ask
		select {
		case <-saved:
		case <-limit.C:
			limit.Reset(0)
			left = append(left, errors.New("the store"))
		}
	}
	_ = d.mail.insist(engine.Shutdown{})
	d.shelf.halt()
	for _, part := range []struct {
		name string
		stop func() <-chan struct{}
	}{
		{"the engine's loop", func() <-chan struct{} { return d.stopped }},
		{"the subscription to events", d.watch.stop},
		{"inbound streams", d.server.stop},
		{"calls into libp2p", d.workers.stop},
		{"the replicator", d.replicator.stop},
		{"the local network", d.lan.stop},
		{"the connection manager", func() <-chan struct{} { return d.tags.ended }},
		{"the logger", func() <-chan struct{} { return d.logs.ended }},
	} {
		select {
		case <-part.stop():
		case <-limit.C:
			limit.Reset(0) // the others are told to stop too, and not waited for
			left = append(left, errors.New(part.name))
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("%w: %w", ErrLeftover, errors.Join(left...))
	}
	return nil
}

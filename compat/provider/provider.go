// Package provider is a node's schedule of what it provides, with the names of go-libp2p-kad-dht/provider.
//
// It may not announce anything: the schedule is the node's own, which keeps it in
// its store and sweeps the key space by itself.
// Start reading at [New].
package provider

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/compat/provider/keystore"
	"github.com/waymark-dht/waymark/compat/provider/stats"
	"github.com/waymark-dht/waymark/core/params"
)

// DefaultLoggerName is the name of a logger that Waymark does not have.
const DefaultLoggerName = "dht/provider"

// ErrClosed: the provider was closed.
var ErrClosed = errors.New("provider: closed")

// KadClosestPeersRouter is what WithRouter takes: a node of package compat or a
// client of compat/fullrt, or what has one of them in it.
type KadClosestPeersRouter interface {
	GetClosestPeers(ctx context.Context, key string) ([]peer.ID, error)
}

type config struct {
	router KadClosestPeersRouter
	keys   *keystore.ResettableKeystore
	every  time.Duration // 0: once
}

// Option is one thing that New is told.
type Option func(*config) error

// WithRouter is the node whose schedule it is. It is required.
func WithRouter(r KadClosestPeersRouter) Option {
	return func(c *config) error { c.router = r; return nil }
}

// WithKeystore has a reset of a keystore become the schedule.
func WithKeystore(k *keystore.ResettableKeystore) Option {
	return func(c *config) error { c.keys = k; return nil }
}

// WithReprovideInterval says how often keys are announced again: at least every
// params.ProvideEvery, which a longer interval has no effect on, and at most every
// params.ProvideLeast. With 0 nothing is announced again. Default:
// params.ProvideEvery.
func WithReprovideInterval(every time.Duration) Option {
	return func(c *config) error {
		if every < 0 {
			return fmt.Errorf("%w: a reprovide interval of %v", waymark.ErrBadConfig, every)
		}
		if c.every = every; every > 0 {
			c.every = min(max(every, params.ProvideLeast), params.ProvideEvery)
		}
		return nil
	}
}

func ignored() Option { return func(*config) error { return nil } }

// Options without effect: the host, the store, the addresses and the numbers are
// the node's.

// WithHost has no effect.
func WithHost(host.Host) Option { return ignored() }

// WithPeerID has no effect.
func WithPeerID(peer.ID) Option { return ignored() }

// WithSelfAddrs has no effect.
func WithSelfAddrs(func() []ma.Multiaddr) Option { return ignored() }

// WithAddLocalRecord has no effect: the node stores what it announces. It takes
// a function of a multihash, as the incumbent did up to v0.42.1, or one of a
// context and a multihash.
func WithAddLocalRecord[F func(multihash.Multihash) error | func(context.Context, multihash.Multihash) error](F) Option {
	return ignored()
}

// WithDatastore has no effect: the schedule is in the node's store.
func WithDatastore(ds.Batching) Option { return ignored() }

// WithResumeCycle has no effect: a schedule that was kept is gone on with.
func WithResumeCycle(bool) Option { return ignored() }

// WithSkipBootstrapReprovide has no effect: what is due is announced.
func WithSkipBootstrapReprovide(bool) Option { return ignored() }

// WithReplicationFactor has no effect: it is params.K.
func WithReplicationFactor(int) Option { return ignored() }

// WithMaxReprovideDelay has no effect.
func WithMaxReprovideDelay(time.Duration) Option { return ignored() }

// WithOfflineDelay has no effect: while nobody is found, what is due waits.
func WithOfflineDelay(time.Duration) Option { return ignored() }

// WithConnectivityCheckOnlineInterval has no effect.
func WithConnectivityCheckOnlineInterval(time.Duration) Option { return ignored() }

// WithSendProviderRecordTimeout has no effect.
func WithSendProviderRecordTimeout(time.Duration) Option { return ignored() }

// WithMaxWorkers has no effect: it is params.SweepWidth.
func WithMaxWorkers(int) Option { return ignored() }

// WithDedicatedPeriodicWorkers has no effect.
func WithDedicatedPeriodicWorkers(int) Option { return ignored() }

// WithDedicatedBurstWorkers has no effect.
func WithDedicatedBurstWorkers(int) Option { return ignored() }

// WithMaxProvideConnsPerWorker has no effect.
func WithMaxProvideConnsPerWorker(int) Option { return ignored() }

// WithLoggerName has no effect: the node logs.
func WithLoggerName(string) Option { return ignored() }

// SweepingProvider is the schedule of one node.
type SweepingProvider struct {
	node   *waymark.DHT
	once   bool
	began  time.Time
	closed atomic.Bool

	resetting sync.RWMutex // held by a reset while it stops keys, and shared by who starts some
	mu        sync.Mutex
	fresh     map[string]bool // what was started since a reset began; nil while there is none
}

// New takes the schedule of a node.
func New(opts ...Option) (*SweepingProvider, error) {
	c := config{every: params.ProvideEvery}
	for i, o := range opts {
		if err := o(&c); err != nil {
			return nil, fmt.Errorf("provider option %d failed: %w", i, err)
		}
	}
	r, is := c.router.(interface{ Waymark() *waymark.DHT })
	if !is {
		return nil, fmt.Errorf("%w: provider.WithRouter takes a node of package compat, and not %T", waymark.ErrBadConfig, c.router)
	}
	p := &SweepingProvider{node: r.Waymark(), once: c.every == 0, began: time.Now()}
	if p.once {
		return p, nil
	}
	if c.keys != nil {
		c.keys.OnReset(resets{p})
	}
	return p, p.node.SetProvideEvery(c.every)
}

// StartProviding announces keys, and again in each interval; see waymark.DHT.
func (p *SweepingProvider) StartProviding(force bool, keys ...multihash.Multihash) error {
	switch {
	case p.closed.Load():
		return ErrClosed
	case p.once:
		return p.node.ProvideOnce(keys...)
	}
	p.resetting.RLock()
	defer p.resetting.RUnlock()
	p.spare(keys)
	return p.node.StartProviding(force, keys...)
}

// spare notes what a reset that is under way must not stop: it may have passed by
// the place where the keys are listed. Beyond what a schedule holds none is noted.
func (p *SweepingProvider) spare(keys []multihash.Multihash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		if p.fresh != nil && len(p.fresh) < params.ScheduleKeys {
			p.fresh[string(k)] = true
		}
	}
}

// AddToSchedule is StartProviding: what was never announced is, at once.
func (p *SweepingProvider) AddToSchedule(keys ...multihash.Multihash) error {
	return p.StartProviding(false, keys...)
}

// ProvideOnce announces keys once; see waymark.DHT.
func (p *SweepingProvider) ProvideOnce(keys ...multihash.Multihash) error {
	if p.closed.Load() {
		return ErrClosed
	}
	return p.node.ProvideOnce(keys...)
}

// StopProviding announces keys no more; see waymark.DHT.
func (p *SweepingProvider) StopProviding(keys ...multihash.Multihash) error {
	if p.closed.Load() {
		return ErrClosed
	}
	return p.node.StopProviding(keys...)
}

// Clear empties the queue of what is to be announced at once.
func (p *SweepingProvider) Clear() int {
	if p.closed.Load() {
		return 0
	}
	return p.node.Clear()
}

// RefreshSchedule tries again now whatever failed or is overdue.
func (p *SweepingProvider) RefreshSchedule() error {
	if p.closed.Load() {
		return ErrClosed
	}
	return p.node.RefreshSchedule()
}

// Stats returns how the schedule stands, as far as Waymark knows it in these
// words; waymark.DHT.Schedule has its own.
func (p *SweepingProvider) Stats(ctx context.Context) (stats.Stats, error) {
	s := p.node.Schedule()
	out := stats.Stats{
		Closed:       p.closed.Load(),
		Connectivity: stats.Connectivity{Status: "offline"},
		Queues:       stats.Queues{PendingKeyProvides: int64(s.Queued), PendingRegionReprovides: int64(s.Due)},
		Schedule: stats.Schedule{
			Keys: int64(s.Keys), Regions: int64(s.Regions), AvgPrefixLength: float64(s.Bits),
			NextReprovideAt: s.Next, NextReprovidePrefix: s.Prefix,
		},
		Workers: stats.Workers{
			Max: params.SweepWidth, Active: s.Running, ActivePeriodic: s.Running, QueuedPeriodic: s.Due,
		},
		Timing:     stats.Timing{Uptime: time.Since(p.began)},
		Operations: operations(&s),
		Network: stats.Network{
			Peers: s.Cycle.Peers, Reachable: s.Cycle.Reached, ReplicationFactor: params.K,
			AvgRegionSize: over(s.Cycle.Peers, s.Cycle.Regions), AvgHolders: over(s.Cycle.Records, s.Cycle.Stored),
		},
	}
	if !p.once {
		out.Timing.ReprovidesInterval, out.Timing.CycleStart = s.Every, s.Began
		out.Timing.CurrentTimeOffset = time.Since(s.Began)
	}
	if p.node.Ready() {
		out.Connectivity.Status = "online"
	}
	return out, ctx.Err()
}

// operations is what goes on and what was done. What is announced for the first
// time is in the same regions as what is announced again.
func operations(s *waymark.Schedule) stats.Operations {
	past := stats.PastOperations{
		RecordsProvided: int64(s.Records), KeysProvided: int64(s.Announced), KeysFailed: int64(s.Failed),
		AvgKeysPerReprovide:       over(s.Cycle.Keys, s.Cycle.Regions),
		RegionReprovidedLastCycle: int64(s.Cycle.Regions),
	}
	if s.Cycle.Regions > 0 {
		past.RegionReprovideDuration = s.Cycle.Took / time.Duration(s.Cycle.Regions)
	}
	if s.Cycle.Took > 0 {
		past.KeysReprovidedPerMinute = float64(s.Cycle.Stored) / s.Cycle.Took.Minutes()
	}
	return stats.Operations{Ongoing: stats.OngoingOperations{RegionReprovides: s.Running}, Past: past}
}

// over is a mean, of which there is none of nothing.
func over(sum, n int) float64 {
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n)
}

// Close takes no more keys. The schedule goes on until the node closes.
func (p *SweepingProvider) Close() error {
	p.closed.Store(true)
	return nil
}

// resets is a provider as its keystore knows it.
type resets struct{ *SweepingProvider }

// ResetBegins implements keystore.Taker.
func (p resets) ResetBegins() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fresh = make(map[string]bool)
}

// ResetEnds implements keystore.Taker.
func (p resets) ResetEnds() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fresh = nil
}

// Reset makes the schedule that of these keys and of what was started since the
// reset began.
func (p resets) Reset(keys []multihash.Multihash) error {
	if p.closed.Load() {
		return ErrClosed
	}
	wanted := make(map[string]bool, len(keys))
	for _, k := range keys {
		wanted[string(k)] = true
	}
	if err := p.stopOthers(wanted); err != nil {
		return err
	}
	return p.node.StartProviding(false, keys...)
}

// stopOthers stops what is neither wanted nor was started since the reset began.
func (p resets) stopOthers(wanted map[string]bool) error {
	p.resetting.Lock()
	defer p.resetting.Unlock()
	var gone []multihash.Multihash
	for k, err := range p.node.Scheduled() {
		if err != nil {
			return err
		}
		if !wanted[string(k)] && !p.isFresh(k) {
			gone = append(gone, k)
		}
	}
	return p.node.StopProviding(gone...)
}

func (p resets) isFresh(k multihash.Multihash) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fresh[string(k)]
}

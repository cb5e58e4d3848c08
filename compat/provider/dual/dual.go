// Package dual is the schedules of a node on two networks, with the names of go-libp2p-kad-dht/provider/dual.
//
// It may not announce anything; see package provider beside it.
// Start reading at [New].
package dual

import (
	"errors"

	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark/compat/dual"
	"github.com/waymark-dht/waymark/compat/provider"
)

// Option is one thing that New is told. What is for one of the two networks alone
// is not there.
type Option = provider.Option

// Options, as package provider has them.
var (
	WithKeystore                        = provider.WithKeystore
	WithReprovideInterval               = provider.WithReprovideInterval
	WithDatastore                       = provider.WithDatastore
	WithResumeCycle                     = provider.WithResumeCycle
	WithMaxReprovideDelay               = provider.WithMaxReprovideDelay
	WithOfflineDelay                    = provider.WithOfflineDelay
	WithConnectivityCheckOnlineInterval = provider.WithConnectivityCheckOnlineInterval
	WithSendProviderRecordTimeout       = provider.WithSendProviderRecordTimeout
	WithMaxWorkers                      = provider.WithMaxWorkers
	WithDedicatedPeriodicWorkers        = provider.WithDedicatedPeriodicWorkers
	WithDedicatedBurstWorkers           = provider.WithDedicatedBurstWorkers
	WithMaxProvideConnsPerWorker        = provider.WithMaxProvideConnsPerWorker
	WithLoggerName                      = provider.WithLoggerName
)

// SweepingProvider is the schedules of both networks: each key is in both. Where
// nobody is known it waits until somebody is.
type SweepingProvider struct{ LAN, WAN *provider.SweepingProvider }

// New takes the schedules of a node on two networks.
func New(d *dual.DHT, opts ...Option) (*SweepingProvider, error) {
	wan, err := provider.New(append([]Option{provider.WithRouter(d.WAN)}, opts...)...)
	if err != nil {
		return nil, err
	}
	lan, err := provider.New(append([]Option{provider.WithRouter(d.LAN)}, opts...)...)
	if err != nil {
		return nil, err
	}
	return &SweepingProvider{LAN: lan, WAN: wan}, nil
}

// both does the same with both schedules.
func (p *SweepingProvider) both(do func(*provider.SweepingProvider) error) error {
	return errors.Join(do(p.WAN), do(p.LAN))
}

// StartProviding announces keys in both networks, and again and again.
func (p *SweepingProvider) StartProviding(force bool, keys ...multihash.Multihash) error {
	return p.both(func(one *provider.SweepingProvider) error { return one.StartProviding(force, keys...) })
}

// ProvideOnce announces keys in both networks, once.
func (p *SweepingProvider) ProvideOnce(keys ...multihash.Multihash) error {
	return p.both(func(one *provider.SweepingProvider) error { return one.ProvideOnce(keys...) })
}

// StopProviding announces keys in neither network any more.
func (p *SweepingProvider) StopProviding(keys ...multihash.Multihash) error {
	return p.both(func(one *provider.SweepingProvider) error { return one.StopProviding(keys...) })
}

// Clear empties both queues of what is to be announced at once, and returns how
// many keys were in them.
func (p *SweepingProvider) Clear() int { return p.WAN.Clear() + p.LAN.Clear() }

// RefreshSchedule tries again now whatever failed or is overdue.
func (p *SweepingProvider) RefreshSchedule() error {
	return p.both((*provider.SweepingProvider).RefreshSchedule)
}

// Close takes no more keys. The schedules go on until the node closes.
func (p *SweepingProvider) Close() error { return p.both((*provider.SweepingProvider).Close) }

package dht

import (
	"errors"
	"fmt"
	"maps"
	"time"

	ds "github.com/ipfs/go-datastore"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/validate/ipns"
)

// Option is one thing that New is told.
type Option func(*config) error

// ModeOpt says whether a node serves others.
type ModeOpt int

// The modes of a node.
const (
	ModeAuto       ModeOpt = iota // a server while AutoNAT finds the host reachable
	ModeClient                    // never a server
	ModeServer                    // always a server
	ModeAutoServer                // a server unless AutoNAT finds the host unreachable
)

// QueryFilterFunc says whether a peer that others named may be asked.
type QueryFilterFunc = func(dht any, ai peer.AddrInfo) bool

// RouteTableFilterFunc says whether a peer may enter the routing table.
type RouteTableFilterFunc = func(dht any, p peer.ID) bool

// config is what the options have said.
type config struct {
	mode                             ModeOpt
	prefix, extension, whole         protocol.ID
	validator                        record.Validator
	ownValidator                     bool
	datastore, valueDS, providerDS   ds.Batching
	seeds                            []peer.AddrInfo
	seedsNow                         func() []peer.AddrInfo
	queryFilter                      QueryFilterFunc
	tableFilter                      RouteTableFilterFunc
	addrFilter                       func([]ma.Multiaddr) []ma.Multiaddr
	noRefresh, noValues, noProviders bool
	below                            ds.Key
	diversity                        *bool // nil: as the network wants it
	bucketSize                       int
	maxAge, refresh                  time.Duration
}

func defaults(h host.Host) config {
	return config{
		prefix: DefaultPrefix, bucketSize: params.K, maxAge: params.ValueAge, refresh: params.RefreshEvery,
		validator: record.NamespacedValidator{
			"pk": record.PublicKeyValidator{}, ipns.Namespace: ipns.New(h.Peerstore()),
		},
	}
}

// complete checks what only all options together say.
func (c *config) complete() error {
	if c.bucketSize != params.K {
		return fmt.Errorf("%w: bucket size %d; Waymark has %d, as all deployed networks do", waymark.ErrBadConfig, c.bucketSize, params.K)
	}
	if c.prefix+c.extension != DefaultPrefix || c.whole != "" {
		return nil
	}
	spaces, named := c.validator.(record.NamespacedValidator)
	switch {
	case c.noValues || c.noProviders:
		return fmt.Errorf("%w: a node of %s has values and providers; set a ProtocolPrefix of your own", waymark.ErrBadConfig, DefaultPrefix)
	case !named || len(spaces) != 2 || spaces["pk"] == nil || spaces[ipns.Namespace] == nil:
		return fmt.Errorf("%w: a node of %s has the namespaces pk and ipns and no other; set a ProtocolPrefix of your own", waymark.ErrBadConfig, DefaultPrefix)
	}
	return nil
}

// protocol is the name under which the DHT is spoken.
func (c *config) protocol() protocol.ID {
	if c.whole != "" {
		return c.whole
	}
	return c.prefix + c.extension + "/kad/1.0.0"
}

// Options that have an effect, as the incumbent's do.

// Mode says whether the node serves others. Default: ModeAuto.
func Mode(m ModeOpt) Option {
	return func(c *config) error {
		if m < ModeAuto || m > ModeAutoServer {
			return fmt.Errorf("%w: there is no mode %d", waymark.ErrBadConfig, m)
		}
		c.mode = m
		return nil
	}
}

// ProtocolPrefix names a network of one's own, as "/myapp", whose protocol is
// then /myapp/kad/1.0.0. Default: DefaultPrefix.
func ProtocolPrefix(prefix protocol.ID) Option {
	return func(c *config) error { c.prefix = prefix; return nil }
}

// ProtocolExtension names a part of a network, as "/lan", which comes after the
// prefix.
func ProtocolExtension(ext protocol.ID) Option {
	return func(c *config) error { c.extension += ext; return nil }
}

// V1ProtocolOverride names the whole protocol.
func V1ProtocolOverride(proto protocol.ID) Option {
	return func(c *config) error { c.whole = proto; return nil }
}

// BootstrapPeers are whom to ask when nobody else is known. Default: nobody.
func BootstrapPeers(peers ...peer.AddrInfo) Option {
	return func(c *config) error { c.seeds, c.seedsNow = peers, nil; return nil }
}

// BootstrapPeersFunc is asked for bootstrap peers each time that they are
// needed. It has params.DNSDeadline to answer.
func BootstrapPeersFunc(get func() []peer.AddrInfo) Option {
	return func(c *config) error { c.seeds, c.seedsNow = nil, get; return nil }
}

// Validator decides which values may be stored. One that is not a
// record.NamespacedValidator decides for every key. Default: /pk and /ipns.
func Validator(v record.Validator) Option {
	return func(c *config) error {
		if v == nil {
			return fmt.Errorf("%w: the validator is nil", waymark.ErrBadConfig)
		}
		if spaces, named := v.(record.NamespacedValidator); named {
			v = record.NamespacedValidator(maps.Clone(spaces))
		}
		c.validator, c.ownValidator = v, true
		return nil
	}
}

// NamespacedValidator adds a validator for the keys /ns/….
func NamespacedValidator(ns string, v record.Validator) Option {
	return func(c *config) error {
		spaces, named := c.validator.(record.NamespacedValidator)
		if !named {
			return errors.New("can only add namespaced validators to a NamespacedValidator")
		}
		spaces[ns] = v
		return nil
	}
}

// Datastore is where values and provider records are kept, in the layout that
// the incumbent has. It stays open when the node closes. Default: memory.
func Datastore(d ds.Batching) Option {
	return func(c *config) error { c.datastore = d; return nil }
}

// ValueDatastore keeps values apart.
func ValueDatastore(d ds.Batching) Option {
	return func(c *config) error { c.valueDS = d; return nil }
}

// ProviderDatastore keeps provider records apart.
func ProviderDatastore(d ds.Batching) Option {
	return func(c *config) error { c.providerDS = d; return nil }
}

// DatastoreBelow keeps all that this node stores below a key of its own, in
// whatever datastore it was handed. Two nodes on one datastore need it, as each
// keeps its records and its routing table by itself: the incumbent has no such
// option, and lets them share. Default: the datastore's root.
func DatastoreBelow(at ds.Key) Option {
	return func(c *config) error { c.below = at; return nil }
}

// QueryFilter says whether a peer that others named may be asked. It must
// return at once.
func QueryFilter(filter QueryFilterFunc) Option {
	return func(c *config) error { c.queryFilter = filter; return nil }
}

// RoutingTableFilter says whether a peer may enter the routing table. It must
// return at once.
func RoutingTableFilter(filter RouteTableFilterFunc) Option {
	return func(c *config) error { c.tableFilter = filter; return nil }
}

// AddressFilter says which addresses are dialled, kept and passed on. It is
// asked of one address at a time, and must return at once. Default: all.
func AddressFilter(f func([]ma.Multiaddr) []ma.Multiaddr) Option {
	return func(c *config) error { c.addrFilter = f; return nil }
}

// PeerIPGroupFilter stands for limits on how many peers of one IP group the
// routing table takes.
type PeerIPGroupFilter struct{}

// NewRTPeerDiversityFilter makes a filter for RoutingTablePeerDiversityFilter.
// Its numbers have no effect: params.MaxPerGroupBucket and params.MaxPerGroup
// hold, which are what the incumbent has by default.
func NewRTPeerDiversityFilter(host.Host, int, int) *PeerIPGroupFilter { return &PeerIPGroupFilter{} }

// RoutingTablePeerDiversityFilter has the routing table take few peers of one IP
// group, or any number of them if the filter is nil. Default: few in the public
// network, any number in others.
func RoutingTablePeerDiversityFilter(f *PeerIPGroupFilter) Option {
	return func(c *config) error { c.diversity = new(f != nil); return nil }
}

// DisableAutoRefresh leaves the routing table alone until Bootstrap or
// RefreshRoutingTable is called.
func DisableAutoRefresh() Option {
	return func(c *config) error { c.noRefresh = true; return nil }
}

// RoutingTableRefreshPeriod is how often the routing table is refreshed.
// Waymark does so every params.RefreshEvery; a longer period has no effect.
func RoutingTableRefreshPeriod(period time.Duration) Option {
	return func(c *config) error {
		if period <= 0 {
			return fmt.Errorf("%w: a refresh period of %v; to have none: DisableAutoRefresh", waymark.ErrBadConfig, period)
		}
		c.refresh = period
		return nil
	}
}

// MaxRecordAge is how long a value is served after it came. Default: 48 hours.
func MaxRecordAge(age time.Duration) Option {
	return func(c *config) error { c.maxAge = age; return nil }
}

// DisableProviders neither stores nor finds provider records.
func DisableProviders() Option {
	return func(c *config) error { c.noProviders = true; return nil }
}

// DisableValues neither stores nor finds values.
func DisableValues() Option {
	return func(c *config) error { c.noValues = true; return nil }
}

// BucketSize is an error for any other size than 20, which is Waymark's.
func BucketSize(k int) Option {
	return func(c *config) error { c.bucketSize = k; return nil }
}

// Quorum ends a get once so many peers have given the same best value; 0 asks
// all that are close.
func Quorum(n int) routing.Option { return waymark.Quorum(n) }

// Options that are accepted and have no effect: Waymark's own rules decide
// these things, or always do what the option asks for.

func ignored() Option { return func(*config) error { return nil } }

// Concurrency has no effect: how many requests are in flight follows from what
// the node carries at the time (params.Alpha of one lookup at most, and as many
// overdue ones).
func Concurrency(int) Option { return ignored() }

// Resiliency has no effect: a lookup ends when the 20 nearest have answered.
func Resiliency(int) Option { return ignored() }

// LookupCheckConcurrency has no effect: params.AdmissionProbes are checked at a
// time, and nobody is dropped who can wait.
func LookupCheckConcurrency(int) Option { return ignored() }

// RoutingTableLatencyTolerance has no effect: who does not answer in time is
// not in the table.
func RoutingTableLatencyTolerance(time.Duration) Option { return ignored() }

// RoutingTableRefreshQueryTimeout has no effect: the bound of a refresh is
// Bound(waymark.OpBootstrap).
func RoutingTableRefreshQueryTimeout(time.Duration) Option { return ignored() }

// ValueGCInterval has no effect: what has expired is removed every
// params.ExpireEvery.
func ValueGCInterval(time.Duration) Option { return ignored() }

// EnableOptimisticProvide has no effect: Waymark's own rule says when a provide
// has done enough.
func EnableOptimisticProvide() Option { return ignored() }

// OptimisticProvideJobsPoolSize has no effect: requests in flight are limited
// for all operations together.
func OptimisticProvideJobsPoolSize(int) Option { return ignored() }

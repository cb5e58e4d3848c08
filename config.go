package waymark

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/table"
	"github.com/waymark-dht/waymark/store"
	"github.com/waymark-dht/waymark/store/memory"
)

// DefaultProtocol is the protocol of the public IPFS network.
const DefaultProtocol protocol.ID = "/ipfs/kad/1.0.0"

// Config is what a node may be told. The zero value is a node of the public
// IPFS network that knows nobody: it works, and waits to be introduced.
type Config struct {
	// Required: nothing.

	// Protocol is the name under which the DHT is spoken, and so the network
	// that the node joins, for example "/subspace/kad/0.1.0". It begins with a
	// slash. Default: DefaultProtocol.
	Protocol protocol.ID

	// Mode says whether the node serves others. Default: ModeAuto, which
	// serves once AutoNAT has found the host to be reachable.
	Mode Mode

	// Seeds are the peers to ask when nobody else is known: addresses with
	// /p2p, or DNS names (/dnsaddr/…, /dns…/…/p2p/…) that lead to such. The
	// node itself and duplicates are skipped. Default: none. Limit:
	// params.MaxSeeds peers and names, however many addresses a peer has; a name
	// may stand for any number, of which each bootstrap asks so many by chance.
	Seeds []ma.Multiaddr

	// Remembered are contacts of an earlier life, the most useful first: they
	// are asked together with the seeds. Default: none. Limit:
	// params.MaxRemembered; more are left out.
	Remembered []peer.AddrInfo

	// Paths is how many disjoint paths a lookup takes: more of them resist
	// more hostile peers, and cost as many times the requests. Default: 1.
	// Limit: params.MaxPaths.
	Paths int

	// AllowLoopback accepts loopback and private addresses from anybody and
	// exempts loopback from the limits on peers of one IP group: for tests,
	// demonstrations and networks on one machine. Default: false.
	AllowLoopback bool

	// Addrs decides which addresses are believed enough to be dialled, kept and
	// passed on, this host's own among them. It must return at once. Names and
	// addresses through relays are never taken, whatever it says. Default:
	// public addresses, and any with AllowLoopback.
	Addrs func(ma.Multiaddr) bool

	// OneSite says that the whole network lives in a few IP networks, as on a
	// LAN or in a data centre: it lifts the limits on peers of one IP group in
	// the table and on dials to one, and counts what is asked of it by IPv6
	// address, and not by /64. A stranger with a single network can then
	// fill the table: for networks that let no stranger in. The host has limits
	// of its own: libp2p's resource manager allows 8 connections per IPv6 /56,
	// and one in five seconds after 16 per IPv4 address. Default: false.
	OneSite bool

	// ManualAdmission keeps everybody out of the routing table who was not
	// admitted by Admit, at most params.MaxVouched peers. Lookups ask others all
	// the same, as they hear of them. Default: whoever answers may enter.
	ManualAdmission bool

	// LAN finds peers on the local network, see package lan. They are asked
	// together with the remembered contacts, and soon if the node knows nobody:
	// so it comes back without any seed. It stays the caller's to make, and is
	// started and closed with the node. Default: none, and nothing is sent there.
	LAN LAN

	// Resolver resolves the names in Seeds. Default: DNS of the system. It
	// gets params.DNSDeadline and is abandoned if it takes longer.
	Resolver Resolver

	// DialWatch says more about dials that came to nothing; see there.
	// Default: none, and a mute handshake counts as a black hole.
	DialWatch *DialWatch

	// BlackHoles are the counters that the host was made with
	// (libp2p.UDPBlackHoleSuccessCounter, libp2p.IPv6BlackHoleSuccessCounter).
	// After a hundred dials that failed, as an outage brings them, they let
	// one dial in a hundred pass; the node resets them when it dials a seed.
	// Default: none, and after an outage a host may be back over TCP first.
	BlackHoles []*swarm.BlackHoleSuccessCounter

	// Validators say which values may be stored, by the namespace of their
	// key: the v of /v/name. "pk" is built in; for "ipns" see validate/ipns.
	// One under the empty name is for every other key, whatever its form; if
	// there is none, such keys are refused. Default: "pk" alone.
	Validators map[string]Validator

	// ValueAge is how long a value is served after it came, whatever it says
	// itself. Default and limit: params.ValueAge, 48 hours, as all deployed
	// servers have it.
	ValueAge time.Duration

	// Store keeps values and provider records, and what the node remembers of
	// its network over a restart. It stays the caller's: close the node first,
	// then the store. Default: one in memory, with the limits of core/params.
	Store store.Store

	// ReplicateEvery is how long a value that this node stores for others waits
	// without a new copy until it is stored again with those closest to its
	// key, so that it outlives the peers that it was put on; whoever is first
	// does it for all. Negative turns it off. Default: params.ReplicateEvery.
	ReplicateEvery time.Duration

	// Approve may refuse what strangers want of the node. Default: nothing is
	// refused that the protocol allows.
	Approve Approve

	// Logger gets one line for each change of state and each anomaly; what
	// happens in detail is in Facts. Default: nothing is logged.
	Logger *slog.Logger

	// For tests.

	// Seed is the origin of all chance in the node. Default: 0, which takes a
	// random one. The same seed and the same events give the same decisions.
	Seed uint64

	// Clock tells the time. Default: the system's clocks. Timers are always
	// those of package time.
	Clock Clock
}

// Approve are the hooks by which an owner refuses what strangers want. Each may
// be nil, runs on the goroutine of the stream that the request came on, never
// on the engine's, and must return within params.ServeDeadline. It must keep no
// key or value longer than that. One that panics refuses.
type Approve struct {
	// Record decides on a value that a peer wants stored. It is valid.
	Record func(from peer.ID, key string, value []byte) error
	// Provider decides on a peer that wants to be stored as a provider.
	Provider func(from peer.ID, key []byte) error
	// Request decides whether a peer's request is answered at all. What is its
	// kind, as "FIND_NODE".
	Request func(from peer.ID, what string, key []byte) error
	// Admit decides whether a server that was met, or that answered, may enter
	// the routing table. It must return at once.
	Admit func(peer.AddrInfo) bool
	// Query decides whether a peer that others named may be asked at all. It
	// must return at once.
	Query func(peer.AddrInfo) bool
}

// Mode says whether a node answers others' requests.
type Mode int

// The modes of a node.
const (
	ModeAuto   Mode = iota // server while AutoNAT finds the host reachable, else client
	ModeClient             // never serve
	ModeServer             // always serve
)

// String returns the mode's word.
func (m Mode) String() string {
	switch m {
	case ModeAuto:
		return "auto"
	case ModeClient:
		return "client"
	case ModeServer:
		return "server"
	}
	return fmt.Sprintf("mode %d", int(m))
}

// Resolver turns an address that begins with a DNS name into addresses; it is
// what *madns.Resolver of go-multiaddr-dns does.
type Resolver interface {
	Resolve(ctx context.Context, name ma.Multiaddr) ([]ma.Multiaddr, error)
}

// LAN finds peers on the local network, as multicast DNS does.
type LAN interface {
	// Start begins to announce this host and to look for others; found is
	// called for each, any number of times, and returns at once.
	Start(found func(peer.AddrInfo)) error
	// Close ends both. Found is not called after it.
	Close() error
}

// Clock tells the time. Mono never goes back and may stop while the machine
// sleeps; Wall may be set by people and by NTP. A difference between the two
// is how a node notices that it slept.
type Clock interface {
	Mono() time.Duration // since an arbitrary origin
	Wall() time.Time
}

// checked returns the Config with its defaults, and its seeds in the engine's
// terms, or what is wrong with it.
func (c Config) checked(self peer.ID) (Config, engine.Config, error) {
	if c.Protocol == "" {
		c.Protocol = DefaultProtocol
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Resolver == nil {
		c.Resolver = madns.DefaultResolver
	}
	if c.Clock == nil {
		c.Clock = newSystemClock()
	}
	if c.Store == nil {
		c.Store = memory.New(memory.Config{})
	}
	if c.ReplicateEvery == 0 {
		c.ReplicateEvery = params.ReplicateEvery
	}
	if c.ValueAge == 0 {
		c.ValueAge = params.ValueAge
	}
	calm := &careful{logger: c.Logger}
	c.Validators, c.Approve = withBuiltIn(c.Validators, calm), calm.hooks(c.Approve)
	switch {
	case c.Protocol[0] != '/':
		return c, engine.Config{}, badConfig("protocol %q does not begin with a slash", c.Protocol)
	case c.Mode < ModeAuto || c.Mode > ModeServer:
		return c, engine.Config{}, badConfig("%v is none of ModeAuto, ModeClient, ModeServer", c.Mode)
	case c.Paths < 0 || c.Paths > params.MaxPaths:
		return c, engine.Config{}, badConfig("%d paths; from 1 to %d are possible", c.Paths, params.MaxPaths)
	case c.ReplicateEvery > 0 && c.ReplicateEvery < params.ReplicateLeast:
		return c, engine.Config{}, badConfig("values stored again every %v; from %v on are possible, or a negative time for never", c.ReplicateEvery, params.ReplicateLeast)
	case c.ValueAge < 0 || c.ValueAge > params.ValueAge:
		return c, engine.Config{}, badConfig("values are served for %v; up to %v are possible", c.ValueAge, params.ValueAge)
	}
	seeds, err := seedsOf(c.Seeds, self)
	if err == nil && len(seeds) > params.MaxSeeds {
		err = badConfig("%d seeds; at most %d peers and names are possible", len(seeds), params.MaxSeeds)
	}
	remembered := make([]*contact.Info, 0, params.MaxRemembered)
	for _, info := range c.Remembered {
		if info.ID.Validate() == nil && len(remembered) < params.MaxRemembered {
			remembered = append(remembered, contactOf(info))
		}
	}
	return c, engine.Config{
		Seeds: seeds, Remembered: remembered, Paths: max(1, c.Paths), Manual: c.ManualAdmission,
		Table: table.Config{ExemptLoopback: c.AllowLoopback, NoDiversity: c.OneSite},
	}, err
}

// remember adds whom an earlier node on the same store knew.
func (c *Config) remember() {
	known := remembered(c.Store, func(err error) {
		if c.Logger != nil {
			c.Logger.Info("the routing table that was kept cannot be read", "error", err)
		}
	})
	c.Remembered = append(slices.Clone(c.Remembered), known...)
}

// seedsOf sorts addresses into peers, each with all its addresses, and names.
func seedsOf(addrs []ma.Multiaddr, self peer.ID) (seeds []engine.Seed, err error) {
	at := make(map[contact.ID]int)
	for _, a := range addrs {
		if isName(a) {
			seeds = append(seeds, engine.Seed{Name: a.String()})
			continue
		}
		info, err := peer.AddrInfoFromP2pAddr(a)
		if err != nil {
			return nil, badConfig("seed %s: %v; a seed is an address that ends in /p2p/PEER", a, err)
		}
		c := contactOf(*info)
		i, known := at[c.ID]
		switch {
		case info.ID == self:
		case known:
			seeds[i].Peer = contact.New(c.ID, append(seeds[i].Peer.Addrs, c.Addrs...)...)
		default:
			at[c.ID] = len(seeds)
			seeds = append(seeds, engine.Seed{Peer: c})
		}
	}
	return seeds, nil
}

package dht

import (
	"context"
	"errors"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/mount"
	"github.com/ipfs/go-datastore/namespace"
	dssync "github.com/ipfs/go-datastore/sync"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/store/datastore"
)

// translated is the options as a waymark.Config. Networks of one's own have no limits per IP
// group, as the incumbent has none by default: who wants them uses package
// waymark. The public network keeps them.
func (d *IpfsDHT) translated(ctx context.Context, h host.Host) (waymark.Config, error) {
	c := &d.cfg
	w := waymark.Config{
		Protocol: c.protocol(), Mode: c.mode.waymark(), Validators: c.validators(), ValueAge: c.maxAge,
		AllowLoopback: true, Addrs: c.addrs, OneSite: !c.diverse(),
		Approve: waymark.Approve{Request: c.request},
	}
	if c.queryFilter != nil {
		w.Approve.Query = func(p peer.AddrInfo) bool {
			<-d.made // it is given this node, and there is one as soon as anybody is asked
			return c.queryFilter(d, p)
		}
	}
	if c.tableFilter != nil {
		w.Approve.Admit = d.admit
	}
	if c.seedsNow != nil {
		w.Seeds, w.Resolver = []ma.Multiaddr{seedsName}, seedsOf{c.seedsNow}
	}
	places := 0
	for _, p := range c.seeds {
		if p.ID == h.ID() {
			continue
		}
		addrs, err := peer.AddrInfoToP2pAddrs(&p)
		if err != nil {
			return w, err
		}
		places += seedsIn(addrs)
		w.Seeds = append(w.Seeds, addrs...)
	}
	if places > params.MaxSeeds { // others of them at each bootstrap
		w.Seeds, w.Resolver = []ma.Multiaddr{seedsName}, seedsOf{func() []peer.AddrInfo { return c.seeds }}
	}
	return w, d.open(ctx, h, &w)
}

// diverse reports whether the table takes few peers of one IP group.
func (c *config) diverse() bool {
	if c.diversity != nil {
		return *c.diversity
	}
	return c.protocol() == ProtocolDHT
}

// seedsIn is as how many seeds the addresses of one peer count: each name is
// one, and all the others together are.
func seedsIn(addrs []ma.Multiaddr) (n int) {
	plain := false
	for _, a := range addrs {
		if madns.Matches(a) {
			n++
		} else {
			plain = true
		}
	}
	if plain {
		n++
	}
	return n
}

func (m ModeOpt) waymark() waymark.Mode {
	switch m {
	case ModeClient:
		return waymark.ModeClient
	case ModeServer, ModeAutoServer:
		return waymark.ModeServer
	}
	return waymark.ModeAuto
}

// validators splits a validator into those of its namespaces.
func (c *config) validators() map[string]waymark.Validator {
	all := make(map[string]waymark.Validator)
	spaces, named := c.validator.(record.NamespacedValidator)
	if !named {
		return map[string]waymark.Validator{"": c.validator, "pk": c.validator}
	}
	for ns, v := range spaces {
		all[ns] = v
	}
	return all
}

// addrs asks the address filter of one address.
func (c *config) addrs(a ma.Multiaddr) bool {
	return c.addrFilter == nil || len(c.addrFilter([]ma.Multiaddr{a})) > 0
}

var errSwitchedOff = errors.New("switched off by an option")

// request refuses what is switched off.
func (c *config) request(_ peer.ID, what string, _ []byte) error {
	switch what {
	case "PUT_VALUE", "GET_VALUE":
		if c.noValues {
			return errSwitchedOff
		}
	case "ADD_PROVIDER", "GET_PROVIDERS":
		if c.noProviders {
			return errSwitchedOff
		}
	}
	return nil
}

// admit asks the routing table's filter, which is given this node and so must
// wait until there is one.
func (d *IpfsDHT) admit(p peer.AddrInfo) bool {
	select {
	case <-d.made:
		return d.cfg.tableFilter(d, p.ID)
	default:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.before) < params.AdmissionQueue {
		d.before = append(d.before, p.ID)
	}
	return false
}

// open opens the store over the datastores that were handed over, if any.
func (d *IpfsDHT) open(ctx context.Context, h host.Host, w *waymark.Config) error {
	c := &d.cfg
	values, providers := c.datastore, c.datastore
	if c.valueDS != nil {
		values = c.valueDS
	}
	if c.providerDS != nil {
		providers = c.providerDS
	}
	if values == nil && providers == nil {
		return nil
	}
	values, providers = c.under(values), c.under(providers)
	names := []string{"pk"} // which every node has rules for
	for ns := range w.Validators {
		if ns != "" && ns != "pk" {
			names = append(names, ns)
		}
	}
	accepts := w.Accepts // the peerstore has those of all networks that the host is on, and nobody else's business
	s, err := datastore.Open(ctx, joined(values, providers), datastore.Config{
		Namespaces: names,
		Addrs: func(id contact.ID) (addrs []contact.Addr) {
			for _, a := range h.Peerstore().Addrs(peer.ID(id)) {
				if accepts(a) {
					addrs = append(addrs, contact.Addr(a.Bytes()))
				}
			}
			return addrs
		},
	})
	if err != nil {
		return err
	}
	w.Store, d.store = s, s
	return nil
}

// under is the part of a datastore that is the node's.
func (c *config) under(d ds.Batching) ds.Batching {
	if d == nil || c.below.String() == "" || c.below.String() == "/" {
		return d
	}
	return namespace.Wrap(d, c.below)
}

// joined is two datastores as one; what one of them lacks is in memory.
func joined(values, providers ds.Batching) ds.Datastore {
	if values == providers {
		return values
	}
	if values == nil {
		values = dssync.MutexWrap(ds.NewMapDatastore())
	}
	if providers == nil {
		providers = dssync.MutexWrap(ds.NewMapDatastore())
	}
	// A mount takes the prefix off; with it back, the layout stays the same.
	at := ds.NewKey("/providers")
	return mount.New([]mount.Mount{
		{Prefix: at, Datastore: namespace.Wrap(providers, at)},
		{Prefix: ds.NewKey("/"), Datastore: values},
	})
}

// start begins what goes on in the background, until the node closes.
func (d *IpfsDHT) start(ctx context.Context) error {
	ctx, d.background = context.WithCancel(ctx)
	d.lifetime = ctx
	context.AfterFunc(ctx, func() { d.Close() })
	if d.cfg.mode == ModeAutoServer {
		sub, err := d.Host().EventBus().Subscribe(new(event.EvtLocalReachabilityChanged))
		if err != nil {
			return err
		}
		d.tasks.Go(func() { d.followReachability(ctx, sub) })
	}
	d.mu.Lock()
	before := d.before
	d.mu.Unlock()
	if len(before) > 0 {
		d.tasks.Go(func() {
			for _, id := range before {
				_ = d.Ping(ctx, id) // who answers is offered to the table again
			}
		})
	}
	if d.cfg.noRefresh {
		return nil
	}
	if d.cfg.refresh < params.RefreshEvery {
		d.tasks.Go(func() { d.refreshOften(ctx) })
	}
	return d.Bootstrap(ctx)
}

// followReachability serves unless nobody can reach us.
func (d *IpfsDHT) followReachability(ctx context.Context, sub event.Subscription) {
	defer sub.Close()
	for {
		select {
		case ev, open := <-sub.Out():
			if !open {
				return
			}
			m := waymark.ModeServer
			if ev.(event.EvtLocalReachabilityChanged).Reachability == network.ReachabilityPrivate {
				m = waymark.ModeClient
			}
			_ = d.SetMode(m) // both are modes
		case <-ctx.Done():
			return
		}
	}
}

// refreshOften refreshes more often than Waymark does by itself.
func (d *IpfsDHT) refreshOften(ctx context.Context) {
	tick := time.NewTicker(d.cfg.refresh)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_, _ = d.RunBootstrap(ctx) // Health says how the node is
		case <-ctx.Done():
			return
		}
	}
}

// seedsName stands for whatever a BootstrapPeersFunc returns: names are looked
// up each time that they are needed, and no name server knows this one.
var seedsName = ma.StringCast("/dnsaddr/bootstrap-peers-func.invalid")

// seedsOf resolves seedsName by asking the function.
type seedsOf struct{ get func() []peer.AddrInfo }

// Resolve implements waymark.Resolver.
func (s seedsOf) Resolve(ctx context.Context, name ma.Multiaddr) (addrs []ma.Multiaddr, err error) {
	if !name.Equal(seedsName) {
		return madns.DefaultResolver.Resolve(ctx, name)
	}
	for _, p := range s.get() {
		got, err := peer.AddrInfoToP2pAddrs(&p)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, got...)
	}
	return addrs, nil
}

package devnet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
)

// Config says what network to make.
type Config struct {
	Nodes  int    // members, faulty ones included
	Faulty int    // of a hundred members
	Seed   uint64 // the origin of all that is drawn
	// Kinds are the faults that occur, in turn. None means every one.
	Kinds []fault.Kind
	// TCP has every member listen on TCP alone, for newcomers that know no
	// QUIC and would pass over a fault behind it.
	TCP bool
	// Validators are the members' rules of values, beside those that every
	// node has.
	Validators map[string]waymark.Validator
}

// Network is a network that runs.
type Network struct {
	Members []*Member
	chance  func(stream uint64) *rand.Rand
	oracle  *fault.Oracle // knows everybody
	cfg     Config
}

// Member is one node of the network.
type Member struct {
	Info    peer.AddrInfo
	Kind    fault.Kind // how it misbehaves, or fault.Honest
	Answers bool       // FIND_NODE, truly or not: it belongs to the truth

	dht  *waymark.DHT
	host host.Host
	bad  *fault.Peer
}

// The streams of chance: what is drawn for one purpose does not shift what is
// drawn for another.
const (
	forKeys = iota
	forDeal
	forTables
	forSeeds
	forFresh
)

// Start makes a network: first every node, then the servers' tables, filled
// with everybody; members turn faulty after the tables have filled. It calls
// up with the number of members that run. If ctx ends it stops and leaves
// nothing behind.
func Start(ctx context.Context, cfg Config, up func(int)) (*Network, error) {
	n := &Network{
		chance: func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(cfg.Seed, stream)) },
		oracle: fault.NewOracle(nil), cfg: cfg,
	}
	kinds := deal(n.chance(forDeal), cfg)
	keys := n.chance(forKeys)
	for i := range cfg.Nodes {
		err := ctx.Err()
		if err == nil {
			err = n.add(keys, kinds[i])
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("member %d of %d: %w", i+1, cfg.Nodes, err), n.Close())
		}
		up(i + 1)
	}
	if err := n.fill(n.chance(forTables)); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// deal says how each member misbehaves: the share is exact, and every kind
// comes up about equally often.
func deal(rng *rand.Rand, cfg Config) []fault.Kind {
	dealt, all := make([]fault.Kind, cfg.Nodes), slices.Clone(cfg.Kinds)
	if len(all) == 0 {
		all = fault.Kinds()
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	faulty := (cfg.Nodes*cfg.Faulty + 50) / 100
	for i, member := range rng.Perm(cfg.Nodes)[:faulty] {
		dealt[member] = all[i%len(all)]
	}
	return dealt
}

// add starts one member.
func (n *Network) add(rng *rand.Rand, kind fault.Kind) error {
	m := &Member{Kind: kind, Answers: kind.Failure() == contact.None}
	n.Members = append(n.Members, m)
	if kind != fault.Honest {
		return m.misbehave(rng, n.oracle, n.cfg.TCP)
	}
	return m.serve(rng, n.cfg)
}

// misbehave starts a faulty member. Behind a fault of the wire stands a server
// that knows everybody, as it did before it turned faulty.
func (m *Member) misbehave(rng *rand.Rand, knows *fault.Oracle, tcp bool) (err error) {
	quic := rng.IntN(2) == 0 && m.Kind.QUIC() && !tcp
	m.bad, err = fault.Start(m.Kind, fault.Options{Rand: rng, QUIC: quic, Serve: knows.Serve})
	if err == nil {
		m.Info = m.bad.AddrInfo()
	}
	return err
}

func (m *Member) serve(rng *rand.Rand, cfg Config) (err error) {
	if m.host, err = fault.NewHost(fault.HostOptions{Rand: rng, QUIC: !cfg.TCP, Extra: named}); err != nil {
		return err
	}
	m.Info = peer.AddrInfo{ID: m.host.ID(), Addrs: m.host.Addrs()}
	m.dht, err = waymark.New(m.host, waymark.Config{
		Mode: waymark.ModeServer, AllowLoopback: true, Validators: cfg.Validators, Seed: rng.Uint64() | 1,
	})
	return err
}

// fill puts everybody into everybody's table, in an order of its own for each,
// as if they had met over the years. Growing a network by connecting everybody
// would cost minutes.
func (n *Network) fill(rng *rand.Rand) error {
	var everybody []peer.AddrInfo
	for _, m := range n.Members {
		everybody = append(everybody, m.Info)
	}
	n.oracle.SetMembers(everybody)
	for _, m := range n.Members {
		if m.dht == nil {
			continue
		}
		for _, i := range rng.Perm(len(n.Members)) {
			if other := n.Members[i]; other != m {
				if err := m.dht.Admit(other.Info); err != nil {
					return err
				}
			}
		}
		m.dht.Open() // it answers when it has dealt with what came before
	}
	return nil
}

// Faulty returns how many members misbehave.
func (n *Network) Faulty() (faulty int) {
	for _, m := range n.Members {
		if m.Kind != fault.Honest {
			faulty++
		}
	}
	return faulty
}

// Kinds counts the faulty members by what they do.
func (n *Network) Kinds() map[string]int {
	kinds := make(map[string]int)
	for _, m := range n.Members {
		if m.Kind != fault.Honest {
			kinds[m.Kind.String()]++
		}
	}
	return kinds
}

// Seeds draws members for a newcomer to begin with. Faulty ones are among
// them, as anywhere; one at least answers, if there is any: a node is promised
// to come in by one reachable seed, and by none nobody can.
func (n *Network) Seeds(count int) (addrs []ma.Multiaddr, err error) {
	order := n.chance(forSeeds).Perm(len(n.Members))
	count = min(count, len(order))
	if at := slices.IndexFunc(order, n.honest); at >= count {
		order[0], order[at] = order[at], order[0]
	}
	return n.addrs(order[:count])
}

// HonestSeeds draws members that answer, and truly.
func (n *Network) HonestSeeds(count int) ([]ma.Multiaddr, error) {
	order := n.chance(forSeeds).Perm(len(n.Members))
	order = slices.DeleteFunc(order, func(i int) bool { return !n.honest(i) })
	return n.addrs(order[:min(count, len(order))])
}

func (n *Network) honest(i int) bool { return n.Members[i].Kind == fault.Honest }

// addrs returns the addresses of some members, by which they can be dialled.
func (n *Network) addrs(members []int) (addrs []ma.Multiaddr, err error) {
	for _, i := range members {
		p2p, err := peer.AddrInfoToP2pAddrs(&n.Members[i].Info)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, p2p...)
	}
	return addrs, nil
}

// named is what the hosts call themselves to others.
var named = []libp2p.Option{libp2p.UserAgent("waymark/devnet")}

// Newcomer makes the host of a node that is not a member yet.
func (n *Network) Newcomer() (host.Host, error) {
	return fault.NewHost(fault.HostOptions{Rand: n.chance(forFresh), QUIC: true, Extra: named})
}

// Truth returns the k members nearest to the key of a preimage, of those that
// answer FIND_NODE.
func (n *Network) Truth(preimage string, k int) []peer.ID {
	target := key.OfString(preimage)
	var ids []peer.ID
	for _, m := range n.Members {
		if m.Answers {
			ids = append(ids, m.Info.ID)
		}
	}
	slices.SortFunc(ids, func(a, b peer.ID) int {
		return target.Closer(key.OfString(string(a)), key.OfString(string(b)))
	})
	return ids[:min(k, len(ids))]
}

// Keys draws random keys of 32 bytes to look up, the same for networks of the
// same size and seed.
func (n *Network) Keys(count int) [][]byte {
	rng := n.chance(uint64(len(n.Members)))
	keys := make([][]byte, count)
	for i := range keys {
		keys[i] = make([]byte, 32)
		for b := range keys[i] {
			keys[i][b] = byte(rng.Uint32())
		}
	}
	return keys
}

// Recall is the share of the truth about a preimage that is among the peers
// found.
func (n *Network) Recall(preimage string, found []string) float64 {
	return share(found, n.Truth(preimage, params.K))
}

// share returns how much of the truth is among what was found; all if there is
// none.
func share(found []string, truth []peer.ID) float64 {
	if len(truth) == 0 {
		return 1
	}
	hits := 0
	for _, id := range truth {
		if slices.Contains(found, id.String()) {
			hits++
		}
	}
	return float64(hits) / float64(len(truth))
}

// Answered returns how many requests the honest members have answered.
func (n *Network) Answered() (total uint64) {
	for _, m := range n.Members {
		if m.dht != nil {
			total += m.dht.Health().Server.Answered
		}
	}
	return total
}

// Close ends every member, and waits for it.
func (n *Network) Close() error {
	var wg sync.WaitGroup
	errs := make([]error, len(n.Members))
	for i, m := range n.Members {
		wg.Go(func() { errs[i] = m.close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (m *Member) close() (err error) {
	if m.dht != nil {
		err = m.dht.Close()
	}
	if m.host != nil {
		err = errors.Join(err, m.host.Close())
	}
	if m.bad != nil {
		err = errors.Join(err, m.bad.Close())
	}
	return err
}

// Holds returns which honest members store a value under a key.
func (n *Network) Holds(ctx context.Context, key string) (holders []peer.ID) {
	for _, m := range n.Members {
		if m.dht != nil {
			if _, err := m.dht.GetValue(ctx, key, routing.Offline); err == nil {
				holders = append(holders, m.Info.ID)
			}
		}
	}
	return holders
}

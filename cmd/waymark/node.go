package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/spf13/pflag"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/cli"
)

// nodeFlags say what a temporary node is.
type nodeFlags struct {
	via      []string
	listen   []string
	protocol string
	network  string
	// reachable says that others must be able to dial the node: it listens
	// somewhere even if it is not told where.
	reachable bool
}

func (n *nodeFlags) add(flags *pflag.FlagSet, withVia bool) {
	flags.SortFlags = false
	if withVia {
		flags.StringSliceVar(&n.via, "via", nil, "a peer of the network to begin with; may be repeated")
	}
	flags.StringVar(&n.network, "network", "", "the network: amino (public IPFS), dev, or a TOML `FILE`")
	flags.StringVar(&n.protocol, "protocol", "", "the DHT's `PROTOCOL` ("+string(waymark.DefaultProtocol)+")")
	flags.StringSliceVar(&n.listen, "listen", nil, "listen on this address; without it the node only dials")
}

// plan is what the flags come to, before anything is started.
type plan struct {
	seeds  []ma.Multiaddr
	listen []ma.Multiaddr
	config waymark.Config
}

// read checks every flag, so that bad input is found before anything is sent.
func (n *nodeFlags) read() (p plan, err error) {
	net, err := readNetwork(n.network)
	if err != nil {
		return p, err
	}
	p.config = waymark.Config{Protocol: net.Protocol, Mode: net.Mode, Validators: net.validators()}
	if n.protocol != "" {
		p.config.Protocol = protocol.ID(n.protocol)
	}
	if p.config.Protocol != "" && p.config.Protocol[0] != '/' {
		return p, trouble("WM-U003", fmt.Sprintf("--protocol cannot be %q", n.protocol),
			[]string{"a protocol begins with a slash, as " + string(waymark.DefaultProtocol)}, []string{"--protocol /" + n.protocol})
	}
	if p.listen, err = parseListens(n.listen); err != nil {
		return p, err
	}
	if p.seeds, err = parsePeers(n.via); err != nil {
		return p, err
	}
	if len(p.seeds) == 0 {
		p.seeds = net.Seeds
	}
	p.config.Seeds = p.seeds
	p.config.AllowLoopback = allPrivate(p.seeds)
	if n.reachable && len(p.listen) == 0 {
		p.listen = []ma.Multiaddr{ma.StringCast("/ip4/0.0.0.0/tcp/0")}
		if p.config.AllowLoopback {
			p.listen = []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}
		}
	}
	return p, nil
}

// knows refuses a key of whose namespace the network knows nothing, before
// anything is sent.
func (n *nodeFlags) knows(name string) error {
	net, err := readNetwork(n.network)
	if err != nil {
		return err
	}
	space, _, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if _, known := net.validators()[space]; known || space == "pk" {
		return nil
	}
	has := append(slices.Sorted(maps.Keys(net.validators())), "pk")
	return trouble("WM-R001", fmt.Sprintf("no validator for the namespace %q", space),
		[]string{"the network has " + strings.Join(has, ", ") + ": nobody could tell a value of another from a forged one"},
		[]string{"a private network: waymark serve --dev 5, then --network dev", "or name it in a network file: namespaces = [\"" + space + "\"]"})
}

// needSeeds refuses to start a node that would have nobody to ask.
func (p plan) needSeeds(other, next string) error {
	if len(p.seeds) > 0 {
		return nil
	}
	return trouble("WM-B001", "no seeds: a new node knows nobody to ask",
		[]string{"neither " + other + " nor --network was given; nothing was sent"},
		[]string{next, "or try it without a network: waymark demo"})
}

// node is a temporary node: a host that only dials unless it was told to
// listen, and the DHT on it.
type node struct {
	host host.Host
	dht  *waymark.DHT
}

// start makes the node. It asks nobody anything yet.
func (p plan) start() (*node, error) {
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics(), libp2p.UserAgent(userAgent),
		// A port that another program of ours listens on is in use, not shared.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Transport(quic.NewTransport))
	if err != nil {
		return nil, trouble("WM-X001", "the node's host could not be made", []string{reason(err)}, []string{"ulimit -n shows the limit on open files; if that is not it, please report it"})
	}
	for _, addr := range p.listen {
		if err := h.Network().Listen(addr); err != nil {
			return nil, errors.Join(listenTrouble(addr, err), h.Close())
		}
	}
	if p.config.Mode == waymark.ModeAuto {
		p.config.Mode = waymark.ModeClient
	}
	d, err := waymark.New(h, p.config)
	if err != nil {
		return nil, errors.Join(trouble("WM-X001", "the node could not be made", []string{reason(err)}, []string{"check the network file and the flags; waymark explain WM-N004"}), h.Close())
	}
	return &node{host: h, dht: d}, nil
}

// Close leaves nothing running.
func (n *node) Close() error { return errors.Join(n.dht.Close(), n.host.Close()) }

func listenTrouble(addr ma.Multiaddr, err error) *cli.Trouble {
	if errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "address already in use") {
		return trouble("WM-N001", fmt.Sprintf("another program listens on %s", addr), []string{reason(err)},
			[]string{"leave --listen out, or take any free port: --listen " + anyPort(addr)})
	}
	return trouble("WM-N002", fmt.Sprintf("cannot listen on %s", addr), []string{reason(err)},
		[]string{"leave --listen out, or take an address of this machine: --listen /ip4/127.0.0.1/tcp/0"})
}

// reason is the last line of an error's text, where libp2p puts the cause,
// without what stands around it.
func reason(err error) string { return reasonOf(err.Error()) }

func reasonOf(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	text = strings.TrimSpace(lines[len(lines)-1])
	for _, around := range []string{"failed to parse multiaddr ", "failed to listen on any addresses: "} {
		if rest, found := strings.CutPrefix(text, around); found {
			text = strings.Trim(rest, "[]")
		}
	}
	if _, cause, found := strings.Cut(text, "] "); found {
		text = cause // after the address that was dialled
	}
	return text
}

// anyPort returns the address with its port replaced by 0.
func anyPort(addr ma.Multiaddr) string {
	var parts []string
	for _, c := range addr {
		value := c.Value()
		if code := c.Protocol().Code; code == ma.P_TCP || code == ma.P_UDP {
			value = "0"
		}
		parts = append(parts, "/"+c.Protocol().Name)
		if value != "" {
			parts = append(parts, "/"+value)
		}
	}
	return strings.Join(parts, "")
}

func parseListens(texts []string) (addrs []ma.Multiaddr, err error) {
	for _, text := range texts {
		addr, err := ma.NewMultiaddr(text)
		if err != nil {
			return nil, trouble("WM-A001", fmt.Sprintf("%q is not an address to listen on", shortenTo(text, 60)),
				[]string{reason(err)}, []string{"--listen /ip4/127.0.0.1/tcp/0"})
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}

// parsePeers reads addresses of peers: multiaddrs that end in /p2p/PEER, or
// names that lead to such.
func parsePeers(texts []string) (addrs []ma.Multiaddr, err error) {
	for _, text := range texts {
		addr, err := ma.NewMultiaddr(text)
		if err != nil {
			return nil, badPeerAddr(text, reason(err))
		}
		last := addr[len(addr)-1].Protocol().Code
		if last != ma.P_P2P && addr[0].Protocol().Code != ma.P_DNSADDR {
			return nil, badPeerAddr(text, "it does not say whose address it is: /p2p/PEER is missing at its end")
		}
		if last == ma.P_P2P && len(addr) == 1 {
			return nil, badPeerAddr(text, "it says who, but not where: /ip4/…/tcp/… is missing before it")
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}

func badPeerAddr(text, why string) *cli.Trouble {
	return trouble("WM-A001", fmt.Sprintf("%q is not the address of a peer", shortenTo(text, 60)), []string{why},
		[]string{"write it as /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…"})
}

// allPrivate reports whether every seed is on this machine or in a private
// network, so that what its peers name may be there too.
func allPrivate(seeds []ma.Multiaddr) bool {
	for _, s := range seeds {
		switch s[0].Protocol().Code {
		case ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_DNSADDR:
			return false
		}
		if manet.IsPublicAddr(s) {
			return false
		}
	}
	return true
}

// visit is a temporary node that has joined a network, and who watches it.
type visit struct {
	*watch
	dht  *waymark.DHT
	temp *node
}

// Close leaves the network.
func (v *visit) Close() error {
	v.watch.Close()
	return v.temp.Close()
}

// enter makes a temporary node and joins the network that the flags name. Next
// is what to suggest if they name none.
func enter(ctx context.Context, out *cli.Out, flags *nodeFlags, next string) (*visit, error) {
	p, err := flags.read()
	if err == nil {
		err = p.needSeeds("--via", next)
	}
	if err != nil {
		return nil, err
	}
	n, err := p.start()
	if err != nil {
		return nil, err
	}
	v := &visit{newWatch(out, n.dht, seedCount(p.seeds)), n.dht, n}
	if r, _, bound, err := join(ctx, n.dht, v.watch); err != nil {
		err = &unjoined{gone(err, flags.network), bootLineOf(r, bound, n.dht.Overdue())}
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// unjoined is why a network could not be joined, with what the result line
// says of the try.
type unjoined struct {
	error
	line bootLine
}

func (u *unjoined) Unwrap() error { return u.error }

// gone says what to do when the network of a file that was left behind does
// not answer any more.
func gone(err error, network string) error {
	if t := (*cli.Trouble)(nil); network == "dev" && errors.As(err, &t) && t.Code == "WM-B002" {
		t.Next = []string{"the development network has gone; start another: waymark serve --dev 20"}
	}
	return err
}

func peerLineOf(p peer.AddrInfo) peerLine {
	line := peerLine{ID: p.ID.String(), Addrs: []string{}}
	for _, a := range p.Addrs {
		line.Addrs = append(line.Addrs, a.String())
	}
	return line
}

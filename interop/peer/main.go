// Command peer is a Waymark node that is driven by lines of JSON, so that
// anybody's suite can drive it beside peers of other implementations.
//
// It may know the library alone. interop/README.md has the language.
// Start reading at [peer.serve].
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	libp2ppeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/validate/ipns"
	"github.com/waymark-dht/waymark/validate/unsigned"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run() error {
	proto := flag.String("protocol", string(waymark.DefaultProtocol), "the DHT's protocol")
	client := flag.Bool("client", false, "do not serve")
	listen := flag.String("listen", "/ip4/127.0.0.1/tcp/0", "listen on this address")
	paths := flag.Int("paths", 1, "disjoint paths of a lookup")
	flag.Parse()
	p, err := start(protocol.ID(*proto), *client, *listen, *paths, flag.Args())
	if err != nil {
		return err
	}
	defer p.host.Close()
	defer p.dht.Close()
	p.say(map[string]any{"event": "ready", "peerId": p.host.ID().String(), "addrs": p.addrs()})
	p.serve()
	return nil
}

// peer is one node and the stream of what it says.
type peer struct {
	host host.Host
	dht  *waymark.DHT
	cfg  waymark.Config
	mu   sync.Mutex
}

// start makes the node. Its modes and limits are those of a network on one
// machine: loopback is kept, and connections are never trimmed.
func start(proto protocol.ID, client bool, listen string, paths int, bootstrap []string) (*peer, error) {
	conns, err := connmgr.NewConnManager(1000, 2000)
	if err != nil {
		return nil, err
	}
	h, err := libp2p.New(libp2p.ListenAddrStrings(listen), libp2p.DisableMetrics(), libp2p.ConnectionManager(conns),
		libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.Transport(tcp.NewTCPTransport))
	if err != nil {
		return nil, err
	}
	cfg := waymark.Config{
		Protocol: proto, Mode: waymark.ModeServer, Paths: paths, AllowLoopback: true,
		Validators: map[string]waymark.Validator{"v": sequence{}, ipns.Namespace: ipns.New(h.Peerstore())},
	}
	if client {
		cfg.Mode = waymark.ModeClient
	}
	for _, b := range bootstrap {
		a, err := ma.NewMultiaddr(b)
		if err != nil {
			return nil, err
		}
		cfg.Seeds = append(cfg.Seeds, a)
	}
	d, err := waymark.New(h, cfg)
	if err != nil {
		return nil, err
	}
	if len(cfg.Seeds) > 0 {
		err = d.Bootstrap(context.Background())
	}
	return &peer{host: h, dht: d, cfg: cfg}, err
}

// sequence takes SEQ:PAYLOAD alone; the highest SEQ wins.
type sequence struct{ unsigned.Validator }

func (sequence) Validate(_ string, value []byte) error {
	var n uint64
	seq, _, found := strings.Cut(string(value), ":")
	if _, err := fmt.Sscanf(seq, "%d", &n); err != nil || !found {
		return fmt.Errorf("%.20q is not SEQ:PAYLOAD", value)
	}
	return nil
}

// request is one line in.
type request struct {
	ID        any    `json:"id"`
	Op        string `json:"op"`
	TimeoutMs int    `json:"timeoutMs"`
	Addr      string `json:"addr"`
	PeerID    string `json:"peerId"`
	Key       string `json:"key"`
	KeyB64    string `json:"keyB64"`
	Value     string `json:"value"`
	ValueB64  string `json:"valueB64"`
	CID       string `json:"cid"`
	Mode      string `json:"mode"`
}

// serve answers requests until the end of the input, each on its own: a slow
// one keeps nobody waiting.
func (p *peer) serve() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	for in.Scan() {
		var r request
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			p.say(map[string]any{"id": nil, "ok": false, "error": err.Error()})
			continue
		}
		all.Go(func() { p.answer(ctx, r) })
	}
	stop()
	all.Wait()
}

func (p *peer) answer(ctx context.Context, r request) {
	if r.TimeoutMs > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.TimeoutMs)*time.Millisecond)
		defer cancel()
	}
	began := time.Now()
	op := ops[r.Op]
	if op == nil {
		op = func(*peer, context.Context, request) (any, error) { return nil, fmt.Errorf("unknown op %q", r.Op) }
	}
	result, err := op(p, ctx, r)
	line := map[string]any{"id": r.ID, "ok": err == nil, "ms": time.Since(began).Milliseconds()}
	if err != nil {
		line["error"] = err.Error()
	} else {
		line["result"] = result
	}
	p.say(line)
}

func (p *peer) say(line any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(line)
}

func (p *peer) addrs() (addrs []string) {
	for _, a := range p.host.Addrs() {
		addrs = append(addrs, a.String()+"/p2p/"+p.host.ID().String())
	}
	return addrs
}

// found is a peer as an answer names it.
type found struct {
	ID    string   `json:"id"`
	Addrs []string `json:"addrs"`
}

func foundOf(info libp2ppeer.AddrInfo) found {
	f := found{info.ID.String(), []string{}}
	for _, a := range info.Addrs {
		f.Addrs = append(f.Addrs, a.String())
	}
	return f
}

// rawKey is the key that a request names, as its bytes.
func (r request) rawKey() (string, error) {
	switch {
	case r.PeerID != "":
		id, err := libp2ppeer.Decode(r.PeerID)
		return string(id), err
	case r.KeyB64 != "":
		raw, err := base64.StdEncoding.DecodeString(r.KeyB64)
		return string(raw), err
	}
	return r.Key, nil
}

// rawValue is the value that a request names.
func (r request) rawValue() ([]byte, error) {
	if r.ValueB64 != "" {
		return base64.StdEncoding.DecodeString(r.ValueB64)
	}
	return []byte(r.Value), nil
}

// content is the CID that a request names, or the CIDv1 of the text.
func (r request) content() (cid.Cid, error) {
	if r.CID != "" {
		return cid.Decode(r.CID)
	}
	h, err := multihash.Sum([]byte(r.Key), multihash.SHA2_256, -1)
	return cid.NewCidV1(cid.Raw, h), err
}

// ops are what can be asked of the peer.
var ops = map[string]func(*peer, context.Context, request) (any, error){
	"id": func(p *peer, _ context.Context, _ request) (any, error) {
		return map[string]any{"peerId": p.host.ID().String(), "addrs": p.addrs()}, nil
	},
	"connect": func(p *peer, ctx context.Context, r request) (any, error) {
		a, err := ma.NewMultiaddr(r.Addr)
		if err != nil {
			return nil, err
		}
		info, err := libp2ppeer.AddrInfoFromP2pAddr(a)
		if err != nil {
			return nil, err
		}
		return map[string]any{"peerId": info.ID.String()}, p.host.Connect(ctx, *info)
	},
	"getClosestPeers": func(p *peer, ctx context.Context, r request) (any, error) {
		k, err := r.rawKey()
		if err != nil {
			return nil, err
		}
		l, err := p.dht.Lookup(ctx, k)
		ids := []string{}
		for _, info := range l.Peers {
			ids = append(ids, info.ID.String())
		}
		return map[string]any{"peers": ids, "outcome": l.Outcome.String(), "failures": fmt.Sprint(l.Stats.Failures)}, err
	},
	"findPeer": func(p *peer, ctx context.Context, r request) (any, error) {
		id, err := libp2ppeer.Decode(r.PeerID)
		if err != nil {
			return nil, err
		}
		info, err := p.dht.FindPeer(ctx, id)
		return foundOf(info), err
	},
	"put": func(p *peer, ctx context.Context, r request) (any, error) {
		k, err := r.rawKey()
		if err != nil {
			return nil, err
		}
		v, err := r.rawValue()
		if err != nil {
			return nil, err
		}
		s, err := p.dht.Put(ctx, k, v)
		return map[string]any{"stored": len(s.Peers)}, err
	},
	"get": func(p *peer, ctx context.Context, r request) (any, error) {
		k, err := r.rawKey()
		if err != nil {
			return nil, err
		}
		v, err := p.dht.GetValue(ctx, k)
		return map[string]any{"value": string(v), "valueB64": base64.StdEncoding.EncodeToString(v)}, err
	},
	"provide": func(p *peer, ctx context.Context, r request) (any, error) {
		c, err := r.content()
		if err != nil {
			return nil, err
		}
		s, err := p.dht.Announce(ctx, c.Hash())
		return map[string]any{"sent": len(s.Peers)}, err
	},
	"findProviders": func(p *peer, ctx context.Context, r request) (any, error) {
		c, err := r.content()
		if err != nil {
			return nil, err
		}
		providers := []found{}
		err = p.dht.EachProvider(ctx, c, 0, func(info libp2ppeer.AddrInfo) { providers = append(providers, foundOf(info)) })
		if err == routing.ErrNotFound {
			err = nil
		}
		return map[string]any{"providers": providers}, err
	},
	"routingTableSize": func(p *peer, _ context.Context, _ request) (any, error) {
		return map[string]any{"size": p.dht.RoutingTable().Size}, nil
	},
	"routingTable": func(p *peer, _ context.Context, _ request) (any, error) {
		var ids []libp2ppeer.ID
		for _, b := range p.dht.RoutingTable().Buckets {
			for _, c := range b.Contacts {
				ids = append(ids, c.ID)
			}
		}
		return map[string]any{"peers": texts(ids)}, nil
	},
	"refresh": func(p *peer, ctx context.Context, _ request) (any, error) {
		r, err := p.dht.RunBootstrap(ctx)
		return map[string]any{"done": r.Outcome.String(), "table": r.Table}, err
	},
	"setMode": func(p *peer, _ context.Context, r request) (any, error) {
		return nil, p.dht.SetMode(map[string]waymark.Mode{"client": waymark.ModeClient, "server": waymark.ModeServer}[r.Mode])
	},
}

func texts(ids []libp2ppeer.ID) []string {
	out := []string{}
	for _, id := range ids {
		out = append(out, id.String())
	}
	return out
}

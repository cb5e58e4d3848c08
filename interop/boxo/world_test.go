package boxo

import (
	"time"

	blocks "github.com/ipfs/go-block-format"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/testkit"
	"github.com/waymark-dht/waymark/validate/ipns"
)

var names = map[string]waymark.Validator{ipns.Namespace: ipns.New(nil)}

// town is some servers that know each other, and a node that knows them.
func town(w *testkit.World) (servers []*waymark.DHT, d *waymark.DHT) {
	w.Helper()
	servers = w.Servers(8, waymark.Config{Validators: names})
	return servers, joining(w, w.Host(), servers)
}

// joining is a node on a host that knows some servers.
func joining(w *testkit.World, h host.Host, servers []*waymark.DHT) *waymark.DHT {
	w.Helper()
	d := w.NodeOn(h, waymark.Config{Validators: names})
	w.Introduce(d, servers...)
	testkit.Pass(time.Millisecond)
	return d
}

func infoOf(d *waymark.DHT) peer.AddrInfo {
	return peer.AddrInfo{ID: d.PeerID(), Addrs: d.Host().Addrs()}
}

func block(text string) blocks.Block { return blocks.NewBlock([]byte(text)) }

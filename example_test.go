package waymark_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/internal/fault"
)

// exampleHost is libp2p.New with what suits many hosts on one machine.
func exampleHost() host.Host {
	h, err := fault.NewHost(fault.HostOptions{})
	if err != nil {
		log.Fatal(err)
	}
	return h
}

// exampleNetwork starts some servers that know each other.
func exampleNetwork(n int) (nodes []*waymark.DHT, stop func()) {
	for range n {
		d, err := waymark.New(exampleHost(), waymark.Config{Mode: waymark.ModeServer, AllowLoopback: true})
		if err != nil {
			log.Fatal(err)
		}
		for _, other := range nodes {
			other.Admit(peer.AddrInfo{ID: d.PeerID(), Addrs: d.Host().Addrs()})
			d.Admit(peer.AddrInfo{ID: other.PeerID(), Addrs: other.Host().Addrs()})
		}
		nodes = append(nodes, d)
	}
	return nodes, func() {
		for _, d := range nodes {
			d.Close()
			d.Host().Close()
		}
	}
}

func exampleSeed(d *waymark.DHT) []ma.Multiaddr {
	addrs, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: d.PeerID(), Addrs: d.Host().Addrs()})
	if err != nil {
		log.Fatal(err)
	}
	return addrs
}

// A node joins a network through one seed, within a time that is known before.
func Example() {
	network, stop := exampleNetwork(10)
	defer stop()

	h := exampleHost() // libp2p.New()
	defer h.Close()
	dht, err := waymark.New(h, waymark.Config{
		Seeds:         exampleSeed(network[0]),
		AllowLoopback: true, // for a network on one machine only
	})
	if err != nil {
		log.Fatal(err)
	}
	defer dht.Close()

	fmt.Println("at most", dht.Bound(waymark.OpBootstrap))
	report, err := dht.RunBootstrap(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Outcome, "with", report.Table, "contacts; in time:", report.Elapsed < report.Bound)
	// Output:
	// at most 1m0.25s
	// ready with 10 contacts; in time: true
}

// A lookup that ends early has the reason in its outcome, and what there was.
func ExampleDHT_Lookup() {
	network, stop := exampleNetwork(5)
	defer stop()
	dht := network[0]

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	result, err := dht.Lookup(ctx, "some key")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Outcome, "with", len(result.Peers), "peers after", result.Stats.Requests, "requests")
	// Output:
	// converged with 4 peers after 4 requests
}

// Facts say what happens while it happens; a reader that is too slow loses
// some, but never the end of an operation.
func ExampleDHT_Facts() {
	network, stop := exampleNetwork(3)
	defer stop()
	dht := network[0]

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	facts := dht.Facts(ctx)
	if _, err := dht.Lookup(ctx, "some key"); err != nil {
		log.Fatal(err)
	}
	for fact := range facts {
		switch f := fact.(type) {
		case engine.OpStarted:
			fmt.Println(f.Kind, "began")
		case engine.OpEnded:
			fmt.Println(f.Kind, "ended:", f.Result.Outcome, "after", f.Result.Stats.Requests, "requests")
			return
		}
	}
	// Output:
	// lookup began
	// lookup ended: converged after 2 requests
}

package dual_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/dual"
	"github.com/waymark-dht/waymark/internal/devnet"
)

// A program on two networks asks both as if they were one. Each has its own
// protocol and its own addresses; what is said here of the LAN stands for a real
// one, where LocalAddr and the seeds that mDNS finds do it.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	wan, err := devnet.Start(ctx, devnet.Config{Nodes: 6, Seed: 1}, func(int) {})
	if err != nil {
		log.Fatal(err)
	}
	defer wan.Close()
	seeds, err := wan.HonestSeeds(2)
	if err != nil {
		log.Fatal(err)
	}
	h, err := wan.Newcomer() // libp2p.New()
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()

	local := func(a ma.Multiaddr) bool { return strings.HasPrefix(a.String(), "/ip4/127.2.") }
	dht, err := dual.New(h, dual.Config{
		WAN: waymark.Config{Seeds: seeds, AllowLoopback: true},
		LAN: waymark.Config{Addrs: local},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer dht.Close()
	if err := dht.Bootstrap(ctx); err != nil {
		log.Fatal(err)
	}
	if err := dht.WaitReady(ctx); err != nil { // one of the two is enough
		log.Fatal(err)
	}
	found, err := dht.Lookup(ctx, "some key")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found.Outcome, "with peers:", len(found.Peers) > 0, "of the LAN:", dht.LAN.RoutingTable().Size)
	// Output:
	// converged with peers: true of the LAN: 0
}

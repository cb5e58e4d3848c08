package fulltable_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/crawl"
	"github.com/waymark-dht/waymark/fulltable"
	"github.com/waymark-dht/waymark/internal/devnet"
)

// exampleNode is a node that has joined a network of so many servers.
func exampleNode(ctx context.Context, servers int) (d *waymark.DHT, stop func()) {
	net, err := devnet.Start(ctx, devnet.Config{Nodes: servers, Seed: 1}, func(int) {})
	if err != nil {
		log.Fatal(err)
	}
	seeds, err := net.HonestSeeds(2)
	if err != nil {
		log.Fatal(err)
	}
	h, err := net.Newcomer() // libp2p.New()
	if err != nil {
		log.Fatal(err)
	}
	d, err = waymark.New(h, waymark.Config{Seeds: seeds, AllowLoopback: true, Mode: waymark.ModeClient})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := d.RunBootstrap(ctx); err != nil {
		log.Fatal(err)
	}
	return d, func() {
		d.Close()
		h.Close()
		net.Close()
	}
}

// A client learns everybody by a crawl, once an hour. Then it provides and finds
// in one hop; until then, and where one hop yields too little, the node's
// ordinary lookups do the work, so that it can be used at once.
func ExampleNew() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dht, stop := exampleNode(ctx, 12)
	defer stop()

	client := fulltable.New(dht, fulltable.Config{})
	defer client.Close()
	if err := client.WaitReady(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("knows most of 12:", client.Status().Peers > 6)

	var keys []multihash.Multihash
	for i := range 100 {
		hash, err := multihash.Sum(fmt.Appendf(nil, "content %d", i), multihash.SHA2_256, -1)
		if err != nil {
			log.Fatal(err)
		}
		keys = append(keys, hash)
	}
	announced, err := client.AnnounceMany(ctx, keys)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("announced:", announced.Stored, "of", announced.Keys, "keys")

	found, err := client.FindProviders(ctx, cid.NewCidV1(cid.Raw, keys[7]))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("found:", found[0].ID == dht.PeerID())
	// Output:
	// knows most of 12: true
	// announced: 100 of 100 keys
	// found: true
}

// Crawl visits everybody once.
func ExampleCrawl() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dht, stop := exampleNode(ctx, 12)
	defer stop()

	r, err := fulltable.Crawl(ctx, dht, crawl.Config{Peers: 1000})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Why, "· found", r.Progress.Found)
	// Output:
	// complete · found 12
}

package waymark_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strconv"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

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
func exampleNetwork(n int, cfg waymark.Config) (nodes []*waymark.DHT, stop func()) {
	cfg.Mode, cfg.AllowLoopback = waymark.ModeServer, true
	for range n {
		d, err := waymark.New(exampleHost(), cfg)
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
	members, stop := exampleNetwork(10, waymark.Config{})
	defer stop()

	h := exampleHost() // libp2p.New()
	defer h.Close()
	dht, err := waymark.New(h, waymark.Config{
		Seeds:         exampleSeed(members[0]),
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
	fmt.Println(report.Outcome, "with contacts:", report.Table > 0, "in time:", report.Elapsed < report.Bound)
	// Output:
	// at most 1m0.25s
	// ready with contacts: true in time: true
}

// A lookup that ends early has the reason in its outcome, and what there was.
func ExampleDHT_Lookup() {
	members, stop := exampleNetwork(5, waymark.Config{})
	defer stop()
	dht := members[0]

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	result, err := dht.Lookup(ctx, "some key")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Outcome, "with peers:", len(result.Peers) > 0, "in time:", result.Elapsed < result.Bound)
	// Output:
	// converged with peers: true in time: true
}

// Facts say what happens while it happens; a reader that is too slow loses
// some, but never the end of an operation.
func ExampleDHT_Facts() {
	members, stop := exampleNetwork(3, waymark.Config{})
	defer stop()
	dht := members[0]

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
			fmt.Println(f.Kind, "ended:", f.Result.Outcome)
			return
		}
	}
	// Output:
	// lookup began
	// lookup ended: converged
}

// numbered is the validator of a namespace: a value is a decimal number, and of
// two the higher is the best.
type numbered struct{}

func (numbered) Validate(_ string, value []byte) error {
	_, err := strconv.Atoi(string(value))
	return err
}

func (numbered) Select(_ string, values [][]byte) (best int, err error) {
	highest := -1
	for i, v := range values {
		if n, err := strconv.Atoi(string(v)); err == nil && n > highest {
			best, highest = i, n
		}
	}
	return best, nil
}

// A put says who took the value, and a get how many gave the same. Both say
// beforehand how long they can take.
func ExampleDHT_Put() {
	members, stop := exampleNetwork(8, waymark.Config{
		Validators: map[string]waymark.Validator{"count": numbered{}},
	})
	defer stop()
	writer, reader := members[0], members[7]
	ctx := context.Background()

	fmt.Println("at most", writer.Bound(waymark.OpPut))
	stored, err := writer.Put(ctx, "/count/visits", []byte("42"))
	if err != nil {
		log.Fatal(err) // ErrNotStored if nobody took it: never nil
	}
	fmt.Println(stored.Outcome, "on three or more:", len(stored.Peers) >= 3)

	value, err := reader.Get(ctx, "/count/visits", waymark.Quorum(3))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(value.Outcome, string(value.Bytes), "with enough agreement:", value.Agree >= 3)

	_, err = writer.Put(ctx, "/note/visits", []byte("42"))
	fmt.Println(errors.Is(err, waymark.ErrNamespace))
	// Output:
	// at most 20.25s
	// stored on three or more: true
	// found 42 with enough agreement: true
	// true
}

// Announce tells the peers closest to some content that this node has it, and
// FindProviders asks them.
func ExampleDHT_Announce() {
	members, stop := exampleNetwork(8, waymark.Config{})
	defer stop()
	provider, seeker := members[0], members[7]
	ctx := context.Background()

	hash, err := multihash.Sum([]byte("some content"), multihash.SHA2_256, -1)
	if err != nil {
		log.Fatal(err)
	}
	stored, err := provider.Announce(ctx, hash)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stored.Outcome, "on three or more:", len(stored.Peers) >= 3)

	found, err := seeker.FindProviders(ctx, cid.NewCidV1(cid.Raw, hash))
	if err != nil {
		log.Fatal(err) // ErrNotFound if the closest peers were asked and know none
	}
	fmt.Println(len(found), "provider, the right one:", found[0].ID == provider.PeerID())
	// Output:
	// stored on three or more: true
	// 1 provider, the right one: true
}

// StartProviding keeps content announced: at once, and again before the records
// of it expire, also after a restart on the same store.
func ExampleDHT_StartProviding() {
	members, stop := exampleNetwork(8, waymark.Config{})
	defer stop()
	dht := members[0]

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	facts := dht.Facts(ctx) // before it starts, so that nothing is missed
	hash, err := multihash.Sum([]byte("some content"), multihash.SHA2_256, -1)
	if err != nil {
		log.Fatal(err)
	}
	if err := dht.StartProviding(false, hash); err != nil {
		log.Fatal(err)
	}
	for fact := range facts {
		if swept, ok := fact.(engine.Swept); ok {
			fmt.Println("announced", swept.Stored, "of", swept.Keys, "keys")
			break
		}
	}
	fmt.Println("kept:", dht.Schedule().Keys)
	// Output:
	// announced 1 of 1 keys
	// kept: 1
}

// An application with a network of its own, as Subspace has: its protocol, its
// rules of values, and requests of its own to the peers closest to a key.
func Example_ownNetwork() {
	cfg := waymark.Config{
		Protocol:   "/subspace/kad/0.1.0",
		Validators: map[string]waymark.Validator{"count": numbered{}},
	}
	members, stop := exampleNetwork(6, cfg)
	defer stop()
	const pieces = protocol.ID("/subspace/piece-by-index/0.1.0")
	for _, d := range members {
		d.Host().SetStreamHandler(pieces, func(s network.Stream) {
			defer s.Close()
			fmt.Fprint(s, "a piece")
		})
	}

	h := exampleHost() // libp2p.New()
	defer h.Close()
	cfg.Seeds, cfg.AllowLoopback = exampleSeed(members[0]), true
	dht, err := waymark.New(h, cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer dht.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := dht.RunBootstrap(ctx); err != nil {
		log.Fatal(err)
	}
	closest, err := dht.GetClosestPeers(ctx, "piece 17")
	if err != nil {
		log.Fatal(err)
	}
	s, err := h.NewStream(ctx, closest[0], pieces)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	answer, err := io.ReadAll(s)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the closest sends %q\n", answer)
	// Output:
	// the closest sends "a piece"
}

// What runs at this moment, how it is, and what to do about it.
func ExampleDHT_Health() {
	h := exampleHost()
	defer h.Close()
	dht, err := waymark.New(h, waymark.Config{AllowLoopback: true})
	if err != nil {
		log.Fatal(err)
	}
	defer dht.Close()
	health := dht.Health()
	fmt.Println(health.State, "·", len(dht.Open()), "running ·", dht.Overdue(), "overdue")
	fmt.Println("next:", health.Next)
	// Output:
	// starting · 0 running · 0 overdue
	// next: nothing, until Bootstrap is called
}

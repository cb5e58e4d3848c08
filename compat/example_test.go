package dht_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	dht "github.com/waymark-dht/waymark/compat"
	"github.com/waymark-dht/waymark/internal/fault"
)

// anything is a validator that takes every value and prefers none.
type anything struct{}

func (anything) Validate(string, []byte) error        { return nil }
func (anything) Select(string, [][]byte) (int, error) { return 0, nil }

// A program that was written for go-libp2p-kad-dht: only the import path is
// another.
func ExampleNew() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	options := []dht.Option{
		dht.Mode(dht.ModeServer),
		dht.ProtocolPrefix("/example"),
		dht.NamespacedValidator("note", anything{}),
	}
	var first *dht.IpfsDHT
	for range 4 {
		h, err := fault.NewHost(fault.HostOptions{}) // libp2p.New()
		if err != nil {
			log.Fatal(err)
		}
		defer h.Close()
		seeds := dht.BootstrapPeers()
		if first != nil {
			seeds = dht.BootstrapPeers(peer.AddrInfo{ID: first.PeerID(), Addrs: first.Host().Addrs()})
		}
		d, err := dht.New(ctx, h, append(options, seeds)...)
		if err != nil {
			log.Fatal(err)
		}
		defer d.Close()
		if first == nil {
			first = d
			continue
		}
		if err := d.Bootstrap(ctx); err != nil {
			log.Fatal(err)
		}
		if err := d.WaitReady(ctx); err != nil { // the incumbent has no such thing
			log.Fatal(err)
		}
	}
	if err := first.PutValue(ctx, "/note/greeting", []byte("hello")); err != nil {
		log.Fatal(err)
	}
	value, err := first.GetValue(ctx, "/note/greeting", dht.Quorum(1))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", value)
	// Output:
	// hello
}

// Package storetest is the suite that every store passes: what it keeps, what it evicts, what survives, and what it does when its disk fails.
//
// It may not know any engine: who tests one hands in an [Engine].
// Start reading at [Run].
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
)

// Engine is one engine, as the suite meets it.
type Engine struct {
	// Open opens an empty store.
	Open func(t testing.TB, limits store.Limits) store.Store
	// NewDisk returns an empty disk of the engine's own kind; nil for an
	// engine that keeps nothing on one.
	NewDisk func(t testing.TB) Disk
	// Unlimited engines leave limits to the host whose store they adapt.
	Unlimited bool
}

// Disk is what an engine writes to, in the hands of a test.
type Disk interface {
	// Open opens the store that is on the disk. An earlier one is closed or crashed.
	Open(limits store.Limits) (store.Store, error)
	// Crash cuts the power: what was not made durable is gone, in part or in
	// whole. The store that was open is abandoned.
	Crash(seed uint64)
	// Fill makes every write fail for want of room, until it is told otherwise.
	Fill(full bool)
	// Block makes every write wait, until the function it returns is called.
	Block() (release func())
	// Corrupt changes some bytes of some file; the store is closed.
	Corrupt(seed uint64)
}

// Run runs the suite.
func Run(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"Values", testValues},
		{"Providers", testProviders},
		{"ProvidersAreNewestFirst", testOrder},
		{"ProvidersSayNewAddresses", testAddresses},
		{"InvalidKeys", testInvalidKeys},
		{"NothingIsShared", testNothingShared},
		{"Blobs", testBlobs},
		{"Expire", testExpire},
		{"Lists", testLists},
		{"Closed", testClosed},
		{"Cancelled", testCancelled},
		{"Concurrent", testConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, e) })
	}
	if !e.Unlimited {
		runLimits(t, e)
	}
	if e.NewDisk != nil {
		runDisk(t, e)
	}
}

// patience is how long the suite waits for what must come: long, for a machine
// that is busy.
const patience = 2 * time.Minute

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

const (
	start = mono.Wall(1_795_000_000_000_000_000) // in November 2026
	hour  = mono.Wall(time.Hour)
	late  = start + 48*hour
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, not %v", err, want)
	}
}

// peer returns a peer with an address on loopback.
func peer(i int) *contact.Info { return peerAt(i, byte(i)) }

func peerAt(i int, host byte) *contact.Info {
	id := contact.ID(fmt.Sprintf("\x00\x24\x08\x01\x12\x20peer %027d", i))
	return contact.New(id, contact.Addr([]byte{4, 127, 0, 0, host, 6, 0x0f, 0xa1}))
}

func provider(key string, i int, received mono.Wall) record.Provider {
	return record.Provider{Key: []byte(key), Peer: peer(i), Received: received}
}

func value(key, text string) record.Record {
	return record.Record{Key: []byte(key), Value: []byte(text), TimeReceived: "2026-11-23T01:02:03.000000004Z"}
}

// add stores a provider record until late.
func add(t testing.TB, s store.Store, key string, i int, received mono.Wall) {
	t.Helper()
	must(t, s.AddProvider(deadline(t), provider(key, i, received), late))
}

// provides returns who provides a key, as the numbers that they were made of.
func provides(t testing.TB, s store.Store, key string, now mono.Wall, max int) []int {
	t.Helper()
	found, err := s.ProvidersOf(deadline(t), []byte(key), now, max)
	must(t, err)
	numbers := []int{}
	for _, p := range found {
		if string(p.Key) != key || p.Peer.Key != contact.New(p.Peer.ID).Key {
			t.Fatalf("asked for %q, got a record of %q, peer %x", key, p.Key, p.Peer.ID)
		}
		numbers = append(numbers, number(t, p.Peer.ID))
	}
	return numbers
}

func number(t testing.TB, id contact.ID) (i int) {
	t.Helper()
	if _, err := fmt.Sscanf(string(id[6:]), "peer %d", &i); err != nil {
		t.Fatalf("%q is no peer of this suite", id)
	}
	return i
}

func same(t testing.TB, what string, got, want []int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func counts(t testing.TB, s store.Store, values, providers int) {
	t.Helper()
	if v, p := s.Count(); v != values || p != providers {
		t.Fatalf("%d values and %d provider records, not %d and %d", v, p, values, providers)
	}
}

// tick is so many nanoseconds.
func tick(i int) mono.Wall { return mono.Wall(i) }

package datastore

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	dssync "github.com/ipfs/go-datastore/sync"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/store"
	"github.com/waymark-dht/waymark/store/storetest"
)

func TestDatastore(t *testing.T) {
	storetest.Run(t, storetest.Engine{Open: func(t testing.TB, limits store.Limits) store.Store {
		return reopen(t, dssync.MutexWrap(ds.NewMapDatastore()), Config{Limits: limits})
	}})
}

func reopen(t testing.TB, d ds.Datastore, cfg Config) *Store {
	t.Helper()
	s, err := Open(context.Background(), d, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The golden entries: what a Kubo repository holds of one provider record, of
// the block "hello world" by a peer of 32 zero bytes, and of one value. Keys,
// date and record were encoded by other programs: base32 of coreutils, and by
// hand after record.proto.
const (
	goldenHash     = "1220b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
	goldenProvider = "/providers/CIQLSTJHXGJU2PQIUUXFFV62PWV7VREE57RXUU4A52IIR55M4LX432I/" +
		"AASAQAISEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	goldenDate    = "8080a0d394cfc3ea31" // 1795396096000000000, zig-zag
	goldenValueAt = "/dht/pk/F5YGWL3BMI"
	goldenValue   = "0a062f706b2f6162" + "12017a" + "2a1e" + "323032362d31312d32335430313a30323a30332e3030303030303030345a"
)

var goldenPeer = contact.ID("\x00\x24\x08\x01\x12\x20" + strings.Repeat("\x00", 32))

func golden() map[string]string {
	return map[string]string{goldenProvider: goldenDate, goldenValueAt: goldenValue}
}

func goldenRecords(t *testing.T) (record.Provider, record.Record) {
	hash, err := hex.DecodeString(goldenHash)
	if err != nil {
		t.Fatal(err)
	}
	when := mono.WallOf(time.Date(2026, 11, 23, 1, 8, 16, 0, time.UTC))
	return record.Provider{Key: hash, Peer: contact.New(goldenPeer), Received: when},
		record.Record{Key: []byte("/pk/ab"), Value: []byte("z"), TimeReceived: "2026-11-23T01:02:03.000000004Z"}
}

func TestWritesWhatKuboReads(t *testing.T) {
	d, ctx := dssync.MutexWrap(ds.NewMapDatastore()), context.Background()
	s := reopen(t, d, Config{Values: "/dht"})
	p, v := goldenRecords(t)
	if err := s.AddProvider(ctx, p, 1<<62); err != nil {
		t.Fatal(err)
	}
	if err := s.PutValue(ctx, v, 1<<62); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	found, err := d.Query(ctx, query.Query{})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := found.Rest()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got[e.Key] = hex.EncodeToString(e.Value)
	}
	want := golden()
	if len(got) != len(want) {
		t.Errorf("%d entries, not %d", len(got), len(want))
	}
	for k, data := range want {
		if got[k] != data {
			t.Errorf("%s: %s, not %s; all: %v", k, got[k], data, got)
		}
	}
}

func TestReadsWhatKuboWrote(t *testing.T) {
	d, ctx := dssync.MutexWrap(ds.NewMapDatastore()), context.Background()
	for k, data := range golden() {
		put(t, d, k, data)
	}
	// What nobody can read is forgotten, and what is not ours left alone.
	put(t, d, "/providers/CIQLSTJHXGJU2/not!base32", "00")
	put(t, d, "/dht/pk/AAAA", goldenValue) // its key is another's
	put(t, d, "/blocks/CIQ", "00")
	addr := contact.Addr("\x04\x7f\x00\x00\x01\x06\x0f\xa1")
	s := reopen(t, d, Config{Values: "/dht", Addrs: func(contact.ID) []contact.Addr { return []contact.Addr{addr} }})
	p, v := goldenRecords(t)
	of, err := s.ProvidersOf(ctx, p.Key, p.Received, 20)
	if err != nil || len(of) != 1 || of[0].Peer.ID != goldenPeer || of[0].Received != p.Received || of[0].Peer.Addrs[0] != addr {
		t.Fatalf("got %+v, %v", of, err)
	}
	if late, _ := s.ProvidersOf(ctx, p.Key, p.Received+mono.Wall(params.ProviderAge), 20); len(late) != 0 {
		t.Fatal("a record is served that is older than its age")
	}
	got, err := s.Value(ctx, v.Key)
	if err != nil || string(got.Value) != "z" || got.TimeReceived != v.TimeReceived {
		t.Fatalf("got %+v, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]bool{"/providers/CIQLSTJHXGJU2/not!base32": false, "/dht/pk/AAAA": false, "/blocks/CIQ": true, goldenProvider: true} {
		if has, err := d.Has(ctx, ds.RawKey(k)); err != nil || has != want {
			t.Errorf("%s is there: %v, %v", k, has, err)
		}
	}
}

func put(t *testing.T, d ds.Datastore, k, data string) {
	raw, err := hex.DecodeString(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Put(context.Background(), ds.RawKey(k), raw); err != nil {
		t.Fatal(err)
	}
}

// TestReopened has a second store take up what a first left, expiry included.
func TestReopened(t *testing.T) {
	d, ctx := dssync.MutexWrap(ds.NewMapDatastore()), context.Background()
	p, v := goldenRecords(t)
	s := reopen(t, d, Config{})
	for _, err := range []error{
		s.Own(ctx, p.Peer.ID), s.AddProvider(ctx, p, 1<<62), s.PutValue(ctx, v, 1<<62),
		s.PutBlob(ctx, "table", []byte("t")), s.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s = reopen(t, d, Config{Limits: store.Limits{ProvidersPerPeer: 1}})
	more := p
	more.Key = append([]byte("another "), p.Key...)
	if err := s.AddProvider(ctx, more, 1<<62); err != nil {
		t.Fatal(err)
	}
	if _, n := s.Count(); n != 2 {
		t.Fatalf("of two records of the node's own %d are kept", n)
	}
	if err := s.RemoveProviders(ctx, [][]byte{more.Key}, more.Peer.ID); err != nil {
		t.Fatal(err)
	}
	if values, providers := s.Count(); values != 1 || providers != 1 {
		t.Fatalf("%d values and %d providers came back", values, providers)
	}
	if blob, err := s.Blob(ctx, "table"); err != nil || string(blob) != "t" {
		t.Fatalf("got blob %q, %v", blob, err)
	}
	if n, err := s.Expire(ctx, p.Received+mono.Wall(params.ProviderAge)); err != nil || n != 2 {
		t.Fatalf("%d expired, %v", n, err)
	}
	if values, providers := reopen(t, d, Config{}).Count(); values != 0 || providers != 0 {
		t.Fatal("what had expired came back")
	}
}

// TestWhatIsEvictedAndStoredAgainIsThereAfterARestart though one write did both.
func TestWhatIsEvictedAndStoredAgainIsThereAfterARestart(t *testing.T) {
	d, cfg := dssync.MutexWrap(ds.NewMapDatastore()), Config{Limits: store.Limits{ProvidersPerPeer: 2}}
	storetest.EvictAndStoreAgain(t, reopen(t, d, cfg))
	s := reopen(t, d, cfg)
	for key, want := range map[string]int{"a": 1, "b": 1, "c": 0} {
		if found, err := s.ProvidersOf(context.Background(), []byte(key), 0, 9); err != nil || len(found) != want {
			t.Errorf("%s: %v, %v", key, found, err)
		}
	}
}

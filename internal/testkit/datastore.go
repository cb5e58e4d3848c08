package testkit

import (
	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	dssync "github.com/ipfs/go-datastore/sync"
)

// MapStore is a datastore of a host's own, in memory.
func MapStore() ds.Batching { return dssync.MutexWrap(ds.NewMapDatastore()) }

// Keys counts what a datastore has below a key.
func (w *World) Keys(d ds.Batching, below string) (n int) {
	w.Helper()
	found, err := d.Query(w.Context(), query.Query{Prefix: below, KeysOnly: true})
	w.Check(err)
	all, err := found.Rest()
	w.Check(err)
	return len(all)
}

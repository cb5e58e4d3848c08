// Package contact says who a peer is: its ID, its key, its addresses; and keeps one copy of each.
//
// It may not know the wire, the table or why a peer is of interest.
// Start reading at [Info], then [Book].
package contact

import (
	"slices"

	"github.com/waymark-dht/waymark/core/key"
)

// ID is a peer ID as raw bytes (a multihash), never its printed form. It
// converts to and from peer.ID of go-libp2p, which is a string too.
type ID string

// Addr is one multiaddr in binary form, without a trailing /p2p part.
type Addr string

// Info is everything known of who a peer is. It is immutable: a change makes a
// new Info, so that snapshots of a table can be read by any goroutine.
type Info struct {
	ID    ID
	Key   key.Key // SHA-256 of ID
	Addrs []Addr  // how it can be dialled, most trusted first
	Wire  []byte  // its encoded form as core/wire writes it, kept once; nil until somebody serves it
	in    Handle  // its name in the pinned Book that it was entered into; zero in any other
}

// New returns the Info of a peer. It keeps addrs; the caller no longer may.
func New(id ID, addrs ...Addr) *Info {
	return &Info{ID: id, Key: key.OfString(string(id)), Addrs: addrs}
}

// with returns a copy of i that also has the given addresses, at most limit in
// all, and how many were new to it.
func (i *Info) with(addrs []Addr, limit int) (*Info, int) {
	merged, fresh := i.Addrs, 0
	for _, a := range addrs {
		if len(merged) >= limit {
			break
		}
		if !slices.Contains(merged, a) {
			if fresh == 0 {
				merged = slices.Clone(merged)
			}
			merged, fresh = append(merged, a), fresh+1
		}
	}
	if fresh == 0 {
		return i, 0
	}
	return &Info{ID: i.ID, Key: i.Key, Addrs: merged}, fresh
}

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
//
// Whoever meets a peer again needs its key and its place in the book first, so
// they lie together, at the front.
type Info struct {
	Key   key.Key // SHA-256 of ID
	in    Handle  // its name in the pinned Book that it was entered into; zero in any other
	sure  uint8   // how many of Addrs, the first ones, are known at first hand
	ID    ID
	Addrs []Addr // how it can be dialled, most trusted first
	Wire  []byte // its encoded form as core/wire writes it, kept once; nil until somebody serves it
}

// New returns the Info of a peer. It keeps addrs; the caller no longer may.
func New(id ID, addrs ...Addr) *Info {
	return &Info{ID: id, Key: key.OfString(string(id)), Addrs: addrs}
}

// FirstHand returns the contact as others may be told of it: with the addresses
// that it has told itself or that a connection has proved, but with all that
// are known if none of them is.
func (i *Info) FirstHand() *Info {
	if i.sure == 0 || int(i.sure) == len(i.Addrs) {
		return i
	}
	return &Info{ID: i.ID, Key: i.Key, Addrs: i.Addrs[:i.sure:i.sure], sure: i.sure}
}

// Sure reports whether any of its addresses is known at first hand.
func (i *Info) Sure() bool { return i.sure > 0 }

// with returns a copy of i that also has addresses which somebody has named,
// at most limit in all, and how many were new to it. When all places are taken,
// new ones take those of the hearsay that was named last, in the second half:
// so neither who names a peer first nor who names it last can keep out with
// made-up addresses what others know.
func (i *Info) with(named []Addr, limit int) (*Info, int) {
	half := max(int(i.sure), limit/2)
	most := max(limit-len(i.Addrs), limit-half)
	var fresh []Addr
	for _, a := range named {
		if len(fresh) < most && !slices.Contains(i.Addrs, a) && !slices.Contains(fresh, a) {
			fresh = append(fresh, a)
		}
	}
	if len(fresh) == 0 {
		return i, 0
	}
	known := slices.Clone(i.Addrs)
	if over := len(known) + len(fresh) - limit; over > 0 {
		known = slices.Delete(known, half, half+over)
	}
	return &Info{ID: i.ID, Key: i.Key, Addrs: append(known, fresh...), sure: i.sure}, len(fresh)
}

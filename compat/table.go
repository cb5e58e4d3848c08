package dht

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
)

// RoutingTable is a view of a node's routing table: each method looks at it as
// it is then. What needs types of go-libp2p-kbucket is not here.
type RoutingTable struct {
	of *waymark.DHT

	// PeerAdded and PeerRemoved are called when a peer has entered or left the
	// table, one after the other, on a goroutine of their own: they may take their
	// time, and call the node; the table that they look at may be a moment older. Of
	// what comes and goes faster they are told what is left of it. Set them before the node knows anybody, or peers that are there
	// already are not told of.
	PeerAdded, PeerRemoved func(peer.ID)
}

func newTable(of *waymark.DHT) *RoutingTable {
	return &RoutingTable{of: of, PeerAdded: func(peer.ID) {}, PeerRemoved: func(peer.ID) {}}
}

// follow tells of each change until the node closes. Where it cannot keep up it
// looks at the whole table again.
func (t *RoutingTable) follow(facts <-chan waymark.Fact) {
	known := make(map[peer.ID]bool)
	for {
		for f := range facts {
			switch f := f.(type) {
			case engine.TableChanged:
				t.tell(known, peer.ID(f.Peer.ID), f.Added)
			case engine.Missed:
				t.catchUp(known)
			}
		}
		if t.of.Health().State == "closed" {
			return
		}
		facts = t.of.Facts(context.Background()) // it was so far behind that it was given up
		t.catchUp(known)
	}
}

func (t *RoutingTable) tell(known map[peer.ID]bool, id peer.ID, here bool) {
	switch {
	case here && !known[id]:
		known[id] = true
		t.PeerAdded(id)
	case !here && known[id]:
		delete(known, id)
		t.PeerRemoved(id)
	}
}

// catchUp tells of what has changed since known was right.
func (t *RoutingTable) catchUp(known map[peer.ID]bool) {
	now := t.ListPeers()
	gone := slices.DeleteFunc(slices.Sorted(maps.Keys(known)), func(id peer.ID) bool { return slices.Contains(now, id) })
	for _, id := range gone {
		t.tell(known, id, false)
	}
	for _, id := range now {
		t.tell(known, id, true)
	}
}

// Size returns how many peers are in the table.
func (t *RoutingTable) Size() int { return t.of.Health().Table }

// IsEmpty reports whether nobody is.
func (t *RoutingTable) IsEmpty() bool { return t.Size() == 0 }

// ListPeers returns the peers in the table, the farthest first.
func (t *RoutingTable) ListPeers() []peer.ID {
	var ids []peer.ID
	for _, b := range t.of.RoutingTable().Buckets {
		for _, p := range b.Contacts {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// Find returns a peer's ID if it is in the table, else none.
func (t *RoutingTable) Find(id peer.ID) peer.ID {
	for _, have := range t.ListPeers() {
		if have == id {
			return id
		}
	}
	return ""
}

// NPeersForCpl returns how many peers share exactly so many leading bits with
// the node.
func (t *RoutingTable) NPeersForCpl(cpl uint) int {
	for _, b := range t.of.RoutingTable().Buckets {
		if b.Prefix == int(cpl) {
			return len(b.Contacts)
		}
	}
	return 0
}

// PeerInfo is a peer of the table, with the names of go-libp2p-kbucket. Waymark
// keeps one date of a contact, when it last answered, and that stands in both
// places.
type PeerInfo struct {
	Id                            peer.ID
	LastUsefulAt                  time.Time
	LastSuccessfulOutboundQueryAt time.Time
}

// GetPeerInfos returns the peers in the table, in the order of their IDs.
func (t *RoutingTable) GetPeerInfos() []PeerInfo {
	var all []PeerInfo
	for _, c := range t.of.Contacts() {
		all = append(all, PeerInfo{c.ID, c.Answered, c.Answered})
	}
	slices.SortFunc(all, func(a, b PeerInfo) int { return cmp.Compare(a.Id, b.Id) })
	return all
}

// GetTrackedCplsForRefresh returns when each bucket was refreshed last, by the
// number of leading bits that its peers share with the node: when any walk into
// it converged, or into the node's own neighbourhood for the deepest ones.
func (t *RoutingTable) GetTrackedCplsForRefresh() []time.Time { return t.of.RoutingTable().Refreshed }

// Print writes the table to standard output.
func (t *RoutingTable) Print() {
	table := t.of.RoutingTable()
	fmt.Printf("Routing Table, %d peers\n", table.Size)
	for _, b := range table.Buckets {
		fmt.Printf("\tbucket %d: %d of %d\n", b.Prefix, len(b.Contacts), b.Capacity)
		for _, p := range b.Contacts {
			fmt.Printf("\t\t%s\n", p.ID)
		}
	}
}

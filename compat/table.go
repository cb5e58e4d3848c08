package dht

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
)

// RoutingTable is a view of a node's routing table: each method looks at it as
// it is then. What needs types of go-libp2p-kbucket is not here.
type RoutingTable struct{ of *waymark.DHT }

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

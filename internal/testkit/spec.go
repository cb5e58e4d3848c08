package testkit

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/fault"
)

// Spec says what node a process is.
type Spec struct {
	Key    uint64       `json:"key"`    // the identity is drawn from it
	Listen []string     `json:"listen"` // addresses
	Seeds  []string     `json:"seeds"`
	Mode   waymark.Mode `json:"mode"`
	// Ephemeral speaks TCP alone, and dials from other ports than those that it
	// listens on, as whoever is behind an address translation appears to do.
	Ephemeral bool `json:"ephemeral"`
	// MDNS is the name under which the node looks for others on its local
	// network; none looks for nobody.
	MDNS string `json:"mdns,omitempty"`
}

// environment is how a process is told what node it is.
const environment = "WAYMARK_TESTKIT_NODE"

func (s Spec) encode() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is numbers and texts
	}
	return string(text)
}

// ID is the node's identity.
func (s Spec) ID() peer.ID {
	id, err := peer.IDFromPrivateKey(fault.NewKey(rand.New(rand.NewPCG(s.Key, 0))))
	if err != nil {
		panic(err) // the key is whole
	}
	return id
}

// Listen is what a node listens on that is to be reached by TCP, or else by
// QUIC, wherever its host has an address of a family.
func Listen(of netip.Addr, tcp bool) string {
	any := netip.IPv4Unspecified()
	if of.Is6() {
		any = netip.IPv6Unspecified()
	}
	return At(any, tcp)
}

// At is the address of a node's port.
func At(ip netip.Addr, tcp bool) string {
	family := "ip4"
	if ip.Is6() {
		family = "ip6"
	}
	if tcp {
		return fmt.Sprintf("/%s/%s/tcp/4001", family, ip)
	}
	return fmt.Sprintf("/%s/%s/udp/4001/quic-v1", family, ip)
}

// onLAN says whether an address is one of a lab's, as the owner of a private
// network tells his nodes which addresses are his.
func onLAN(m ma.Multiaddr) bool {
	ip, err := manet.ToIP(m)
	if err != nil {
		return false
	}
	at, ok := netip.AddrFromSlice(ip)
	return ok && slices.ContainsFunc(LAN, func(p netip.Prefix) bool { return p.Contains(at.Unmap()) })
}

// What a node tells, one JSON object in a line.
const (
	isUp    = "up"    // it listens
	isReady = "ready" // a walk for the node itself has converged
	isReply = "reply"
	isBye   = "bye" // it has closed
)

// line is what a node tells.
type line struct {
	What string `json:"what"`
	At   int64  `json:"at"` // nanoseconds since 1970
	N    int    `json:"n,omitempty"`
	Reply
	Bye
}

// request is what a node is told to do.
type request struct {
	N  int    `json:"n"`
	Do string `json:"do"` // "find", "state", "use", "rest"
}

// Reply is how a node is, and what came of what it was told.
type Reply struct {
	State   string   `json:"state,omitempty"`
	Mode    string   `json:"mode,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
	Table   []string `json:"table,omitempty"` // peer IDs
	Found   []string `json:"found,omitempty"` // "find": who answered, in a walk for the node itself that converged
	Outcome string   `json:"outcome,omitempty"`
	Error   string   `json:"error,omitempty"`
	Dials   []int64  `json:"dials,omitempty"` // when a peer was dialled, nanoseconds since 1970
	Tally
}

// Tally is what a node has to show of its promises so far.
type Tally struct {
	Calls   int   `json:"calls,omitempty"`
	Slowest int64 `json:"slowest_ms,omitempty"`
	Late    int   `json:"late,omitempty"`    // calls that outlived their bound
	Overdue int64 `json:"overdue,omitempty"` // as the node counts them
}

// Bye is what a node says when it has closed.
type Bye struct {
	CloseMS  int64  `json:"close_ms,omitempty"`
	Left     string `json:"left,omitempty"`     // what it left running, or why it could not close
	Open     int    `json:"open,omitempty"`     // operations that never ended
	Repeated int    `json:"repeated,omitempty"` // operations that ended more than once
	Missed   int    `json:"missed,omitempty"`   // facts that were lost, so that neither can be told
}

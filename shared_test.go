package waymark_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
)

// What the stories of a world (testkit.World) have in common.

func readSome(s network.Stream) { s.Read(make([]byte, 512)) }

// knows has a host's peerstore know where another is.
func knows(d *waymark.DHT, h host.Host) {
	d.Host().Peerstore().AddAddrs(h.ID(), h.Addrs(), time.Hour)
}

func addrOf(h host.Host) peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }

func seedOf(t *testing.T, h host.Host) ma.Multiaddr {
	t.Helper()
	addrs, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	return addrs[0]
}

// lastFailure waits for the end of a request and returns how it failed.
func lastFailure(t *testing.T, facts <-chan waymark.Fact) engine.RequestEnded {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case f := <-facts:
			if end, ok := f.(engine.RequestEnded); ok {
				return end
			}
		case <-timer.C:
			t.Fatal("no request has ended")
		}
	}
}

func keyOf(i int) string { return fmt.Sprintf("key %d", i) }

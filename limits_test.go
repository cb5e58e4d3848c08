package waymark_test

import (
	"net/netip"
	"testing"

	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/internal/fault"
)

// TestTheHostsOwnLimitsBlameNobody has the host allow one connection, and no
// other to the same IP network, in either of the ways in which libp2p says so:
// on a LAN of IPv6 that is all the others.
func TestTheHostsOwnLimitsBlameNobody(t *testing.T) {
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	for name, limit := range map[string]rcmgr.Option{
		"how many": rcmgr.WithNetworkPrefixLimit([]rcmgr.NetworkPrefixLimit{{Network: loopback, ConnCount: 1}}, nil),
		"how fast": rcmgr.WithConnRateLimiters(&rate.Limiter{GlobalLimit: rate.Limit{RPS: 1e-6, Burst: 1}}),
	} {
		t.Run(name, func(t *testing.T) {
			limits, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits), limit)
			if err != nil {
				t.Fatal(err)
			}
			d := node(t, fault.HostOptions{Limits: limits}, waymark.Config{})
			for i, want := range []contact.Failure{contact.None, contact.NotSent} {
				s := node(t, fault.HostOptions{}, waymark.Config{Mode: waymark.ModeServer})
				knows(d, s.Host())
				facts := d.Facts(t.Context())
				d.Ping(t.Context(), s.PeerID())
				if end := lastFailure(t, facts); end.Failure != want {
					t.Errorf("connection %d ended as %v, want %v: %s", i+1, end.Failure, want, end.Detail)
				}
			}
		})
	}
}

package boxo

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/routing/http/client"
	"github.com/ipfs/boxo/routing/http/contentrouter"
	"github.com/ipfs/boxo/routing/http/server"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waymark-dht/waymark/delegated"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// TestBoxosClientIsAnsweredByTheNode asks over HTTP, of boxo's own server over
// the adapter and of the whole handler.
func TestBoxosClientIsAnsweredByTheNode(t *testing.T) {
	for _, whole := range []bool{true, false} {
		testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
			servers, d := town(w)
			h := server.Handler(delegated.AsDelegatedRouter(d), server.WithPrometheusRegistry(prometheus.NewRegistry()))
			if whole {
				h = delegated.Handler(d, delegated.Options{})
			}
			c, err := client.New("http://node", client.WithHTTPClient(testkit.ServeHTTP(t, h)), client.WithDisabledLocalFiltering(true))
			w.Check(err)
			router := contentrouter.NewContentRoutingClient(c)
			for i := range 3 {
				w.Check(servers[i].Provide(t.Context(), block("x").Cid(), true))
			}
			seen := make(map[peer.ID]bool)
			for p := range router.FindProvidersAsync(t.Context(), block("x").Cid(), 0) {
				seen[p.ID] = len(p.Addrs) > 0
			}
			if len(seen) != 3 || !seen[servers[0].PeerID()] {
				t.Errorf("providers: %v", seen)
			}
			if p, err := router.FindPeer(t.Context(), servers[4].PeerID()); err != nil || len(p.Addrs) == 0 {
				t.Errorf("a peer: %v, %v", p, err)
			}
			closest, err := c.GetClosestPeers(t.Context(), block("x").Cid())
			w.Check(err)
			n := 0
			for closest.Next() {
				if closest.Val().Err == nil {
					n++
				}
			}
			if closest.Close(); n != len(servers) {
				t.Errorf("%d closest peers", n)
			}
			key, value := published(w, 3)
			name, err := ipns.NameFromRoutingKey([]byte(key))
			w.Check(err)
			record, err := ipns.UnmarshalRecord(value)
			w.Check(err)
			w.Check(c.PutIPNS(t.Context(), name, record))
			if got, err := c.GetIPNS(t.Context(), name); err != nil || got == nil {
				t.Errorf("a name: %v", err)
			}
			if _, err := servers[5].GetValue(t.Context(), key); err != nil {
				t.Errorf("the network does not have it: %v", err)
			}
		})
	}
}

func TestNothingHereReachesAnotherDHT(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test", "../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		if strings.HasPrefix(dep, "github.com/libp2p/go-libp2p-kad-dht") || strings.HasPrefix(dep, "github.com/libp2p/go-libp2p-kbucket") {
			t.Errorf("interop reaches %s", dep)
		}
	}
}

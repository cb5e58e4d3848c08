package delegated_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/delegated"
	"github.com/waymark-dht/waymark/internal/devnet"
)

// A node answers a client that knows only HTTP. It says how the search ended, so
// that a short answer is not taken for a whole one.
func ExampleHandler() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	net, err := devnet.Start(ctx, devnet.Config{Nodes: 8, Seed: 1}, func(int) {})
	if err != nil {
		log.Fatal(err)
	}
	defer net.Close()
	seeds, err := net.HonestSeeds(2)
	if err != nil {
		log.Fatal(err)
	}
	h, err := net.Newcomer() // libp2p.New()
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	dht, err := waymark.New(h, waymark.Config{Seeds: seeds, AllowLoopback: true})
	if err != nil {
		log.Fatal(err)
	}
	defer dht.Close()
	if _, err := dht.RunBootstrap(ctx); err != nil {
		log.Fatal(err)
	}
	hash, err := multihash.Sum([]byte("some content"), multihash.SHA2_256, -1)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := dht.Announce(ctx, hash); err != nil {
		log.Fatal(err)
	}

	server := httptest.NewServer(delegated.Handler(dht, delegated.Options{})) // http.ListenAndServe(addr, handler)
	defer server.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/routing/v1/providers/"+cid.NewCidV1(cid.Raw, hash).String(), nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Accept", "application/x-ndjson")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Status, strings.Contains(string(body), dht.PeerID().String()))
	// A header if the end was known when the answer began, a trailer if not.
	outcome := cmp.Or(response.Header.Get(delegated.OutcomeHeader), response.Trailer.Get(delegated.OutcomeHeader))
	fmt.Println("outcome:", outcome)
	// Output:
	// 200 OK true
	// outcome: found
}

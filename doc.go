// Package waymark is a Kademlia DHT node for go-libp2p that always ends what it begins, and says so beforehand.
//
// It is the front door: it may not decide anything about Kademlia, which is
// the business of core/engine; it carries out what the engine asks for.
// Start reading at [DHT], then driver.go, then stream.go.
//
// The smallest program:
//
//	h, err := libp2p.New()
//	if err != nil { … }
//	dht, err := waymark.New(h, waymark.Config{Seeds: seeds})
//	if err != nil { … }
//	defer dht.Close()
//	fmt.Println("at most", dht.Bound(waymark.OpBootstrap))
//	report, err := dht.RunBootstrap(ctx)
//
// # Promises
//
// Every call ends within the time that [DHT.Bound] gives before the call
// starts, exactly once, with a reason and with the partial result it has;
// whatever the network, the peers, the transport and the caller do.
// [DHT.Open] says at any moment what is running, what it waits for and when it
// must end; [DHT.Overdue] counts the operations that broke the promise.
//
// # Time
//
// Facts and snapshots carry [mono.Time]: nanoseconds on the node's monotonic
// clock, which begins at zero in [New]. [DHT.Time] converts such a moment to a
// date; two of them subtract to a time.Duration. Everything else in this
// package is a time.Duration or a time.Time.
//
// # Compatibility
//
// Before version 1.0 any minor version may change this package; the changelog
// says what and why. The fact types are those of core/engine.
package waymark

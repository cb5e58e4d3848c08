package lan

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"

	"github.com/libp2p/zeroconf/v2"
)

// multicast is the real air.
type multicast struct{}

// domain is that of multicast DNS.
const domain = "local"

// anyPort stands where a service has its port; libp2p says it in the addresses.
const anyPort = 4001

// announce registers an instance under a name of its own, so that nobody can be
// recognised by it, and whoever has heard of an earlier one hears of this.
func (multicast) announce(service string, at place) (withdraw func(), err error) {
	name := strings.ToLower(rand.Text() + rand.Text())
	server, err := zeroconf.RegisterProxy(name, service, domain, anyPort, name, at.ips, at.texts, nil)
	if err != nil {
		return nil, err
	}
	return server.Shutdown, nil
}

// listen browses by each family apart: a machine without IPv6 has neighbours too.
func (multicast) listen(ctx context.Context, service string, heard func([]string)) error {
	var both sync.WaitGroup
	families := [...]zeroconf.IPType{zeroconf.IPv4, zeroconf.IPv6}
	failed := make([]error, len(families))
	for i, f := range families {
		both.Go(func() { failed[i] = browse(ctx, service, f, heard) })
	}
	both.Wait()
	return errors.Join(failed...)
}

// browse hands on who is heard of by one family. Its channel is closed at the
// end, unless there was no beginning.
func browse(ctx context.Context, service string, f zeroconf.IPType, heard func([]string)) error {
	entries, done := make(chan *zeroconf.ServiceEntry), make(chan error, 1)
	go func() { done <- zeroconf.Browse(ctx, service, domain, entries, zeroconf.SelectIPTraffic(f)) }()
	open := entries
	for {
		select {
		case e, ok := <-open:
			if !ok {
				open = nil
			} else if ctx.Err() == nil {
				heard(e.Text)
			}
		case err := <-done:
			return err
		}
	}
}

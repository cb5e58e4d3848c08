package waymark

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark/core/params"
)

// resolve follows a name until it has addresses that end in a peer ID. Names
// may lead to names, at most params.MaxNameDepth deep; what fails is skipped
// as long as something else succeeds.
func resolve(ctx context.Context, r Resolver, name string) ([]peer.AddrInfo, error) {
	start, err := ma.NewMultiaddr(name)
	if err != nil {
		return nil, err
	}
	var found []ma.Multiaddr
	failure := fmt.Errorf("%s leads to no peer", name)
	names := []ma.Multiaddr{start}
	for depth := 0; depth < params.MaxNameDepth && len(names) > 0; depth++ {
		var deeper []ma.Multiaddr
		for _, n := range names {
			got, err := r.Resolve(ctx, n)
			if err != nil {
				failure = err
				continue
			}
			for _, a := range got[:min(len(got), params.MaxNameOutput)] {
				if isName(a) {
					deeper = append(deeper, a)
				} else {
					found = append(found, a)
				}
			}
		}
		names = deeper[:min(len(deeper), params.MaxNameOutput)]
	}
	infos := peersOf(found)
	if len(infos) == 0 {
		return nil, failure
	}
	return infos, nil
}

// peersOf groups addresses by the peer that they end in, at most
// params.MaxSeeds of them, in order; what ends in no peer is left out.
func peersOf(addrs []ma.Multiaddr) (infos []peer.AddrInfo) {
	at := make(map[peer.ID]int)
	for _, a := range addrs {
		info, err := peer.AddrInfoFromP2pAddr(a)
		if err != nil {
			continue
		}
		if i, known := at[info.ID]; known {
			infos[i].Addrs = append(infos[i].Addrs, info.Addrs...)
		} else if len(infos) < params.MaxSeeds {
			at[info.ID] = len(infos)
			infos = append(infos, *info)
		}
	}
	return infos
}

package waymark

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark/core/params"
)

// resolve follows a name until it has addresses that end in a peer ID. Names
// may lead to names, at most params.MaxNameDepth deep; what fails is skipped
// as long as something else succeeds. The peers are in an order of chance, and
// chance decides what is left out of more names than params.MaxNameOutput and
// more records than params.MaxNameRecords: nodes that begin with the same name spread over all that
// it stands for, and each over others the next time. KAD-5.14.
func resolve(ctx context.Context, r Resolver, name string, rng *rand.Rand) ([]peer.AddrInfo, error) {
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
			for _, a := range some(got, params.MaxNameRecords-len(found), rng) {
				if isName(a) {
					deeper = append(deeper, a)
				} else {
					found = append(found, a)
				}
			}
		}
		names = some(deeper, params.MaxNameOutput, rng)
	}
	infos := peersOf(found)
	if len(infos) == 0 {
		return nil, failure
	}
	return some(infos, len(infos), rng), nil
}

// some returns as many of a list as are wanted, in an order of chance.
func some[T any](all []T, most int, rng *rand.Rand) []T {
	all = slices.Clone(all)
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(len(all), most)]
}

// peersOf groups addresses by the peer that they end in; what ends in none is
// left out.
func peersOf(addrs []ma.Multiaddr) (infos []peer.AddrInfo) {
	at := make(map[peer.ID]int)
	for _, a := range addrs {
		info, err := peer.AddrInfoFromP2pAddr(a)
		if err != nil {
			continue
		}
		if i, known := at[info.ID]; known {
			infos[i].Addrs = append(infos[i].Addrs, info.Addrs...)
		} else {
			at[info.ID] = len(infos)
			infos = append(infos, *info)
		}
	}
	return infos
}

// Package dht stands in for go-libp2p-kad-dht where boxo's namesys calls it: for its option Quorum.
//
// It may not do more than set the option the way the incumbent does: under a
// key whose type is in an internal package of a module of that name, so that
// nobody else can name it.
// Start reading at [Quorum].
package dht

import (
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark/interop/boxo/standin/go-libp2p-kad-dht/internal/config"
)

// Quorum says how many values a get waits for; 0 goes on to the end.
func Quorum(n int) routing.Option {
	return func(o *routing.Options) error {
		if o.Other == nil {
			o.Other = make(map[any]any)
		}
		o.Other[config.QuorumOptionKey{}] = n
		return nil
	}
}

package dual

import (
	"context"
	"errors"
	"fmt"

	"github.com/waymark-dht/waymark"
)

// answer is what one of the nodes came to.
type answer[T any] struct {
	got T
	err error
}

// ask makes one call on a node. Its answer waits for whoever reads it.
func ask[T any](ctx context.Context, n *waymark.DHT, call func(context.Context, *waymark.DHT) (T, error)) <-chan answer[T] {
	out := make(chan answer[T], 1)
	go func() {
		got, err := call(ctx, n)
		out <- answer[T]{got, err}
	}()
	return out
}

// both makes one call on both nodes at once, and waits for both.
func both[T any](ctx context.Context, d *DHT, call func(context.Context, *waymark.DHT) (T, error)) (wan, lan answer[T]) {
	l, w := ask(ctx, d.LAN, call), ask(ctx, d.WAN, call)
	return <-w, <-l
}

// active reports whether a node knows anybody.
func active(n *waymark.DHT) bool { return n.Health().Table > 0 }

// main returns the node that carries what is for one network alone, and the
// other: the wide network where it is there, as go-libp2p-kad-dht/dual has it.
func (d *DHT) main() (one, other *waymark.DHT, name string) {
	if active(d.WAN) {
		return d.WAN, d.LAN, "wan"
	}
	return d.LAN, d.WAN, "lan"
}

// said is an error with the network that it is from.
func said(network string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", network, err)
}

// neither is the error of a call that failed on both networks. A network in
// which nobody is known says nothing about the other. "Not found" is only said
// if every network that there is was asked to the end.
func neither(wan, lan error) error {
	switch {
	case errors.Is(wan, waymark.ErrNoPeers) && !errors.Is(lan, waymark.ErrNoPeers):
		return said("lan", lan)
	case errors.Is(lan, waymark.ErrNoPeers) && !errors.Is(wan, waymark.ErrNoPeers):
		return said("wan", wan)
	case errors.Is(wan, waymark.ErrNotFound) && errors.Is(lan, waymark.ErrNotFound):
		return waymark.ErrNotFound
	case errors.Is(wan, waymark.ErrNotFound):
		return fmt.Errorf("lan: %w; wan: %s", lan, wan)
	case errors.Is(lan, waymark.ErrNotFound):
		return fmt.Errorf("wan: %w; lan: %s", wan, lan)
	}
	return errors.Join(said("wan", wan), said("lan", lan))
}

// unlessEither is the error of a call that is a success if it is one on either
// network.
func unlessEither(wan, lan error) error {
	if wan == nil || lan == nil {
		return nil
	}
	return neither(wan, lan)
}

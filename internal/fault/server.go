package fault

import (
	"io"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/config"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// startServer makes a host with a healthy server whose answers are spoilt as
// the kind demands.
func (p *Peer) startServer(extra ...libp2p.Option) error {
	if err := p.startHost(extra...); err != nil {
		return err
	}
	p.opts.Serve(&spoiltHost{p.host, p}, p.opts.Protocol)
	return nil
}

// startDeaf makes a host that takes streams of the protocol and never
// answers: a Silent one reads them. Neither closes them, which would be an
// answer of a kind; who asked resets the stream or ends the connection.
func (p *Peer) startDeaf() error {
	if err := p.startHost(); err != nil {
		return err
	}
	p.host.SetStreamHandler(p.opts.Protocol, p.counted(func(s network.Stream) {
		if p.kind == Silent {
			_, _ = io.Copy(io.Discard, s)
		}
	}))
	return nil
}

// startBehindProxy makes a server that is reached through a proxy only: its
// host tells others the proxy's address, not its own.
func (p *Peer) startBehindProxy() error {
	proxy, err := NewProxy(nil)
	if err != nil {
		return err
	}
	p.owns(proxy)
	p.proxy = proxy
	front := []ma.Multiaddr{multiaddr(proxy.Addr())}
	var only config.AddrsFactory = func([]ma.Multiaddr) []ma.Multiaddr { return front }
	if err := p.startServer(libp2p.AddrsFactory(only)); err != nil {
		return err
	}
	p.info.Addrs = front
	target, err := addrPort(p.host.Network().ListenAddresses()[0])
	if err != nil {
		return err
	}
	proxy.SetTarget(target)
	return nil
}

// spoiltHost is a host whose stream handlers get spoilt streams.
type spoiltHost struct {
	host.Host
	peer *Peer
}

// SetStreamHandler sets a handler that speaks through the fault.
func (h *spoiltHost) SetStreamHandler(proto protocol.ID, handle network.StreamHandler) {
	h.Host.SetStreamHandler(proto, h.spoilt(handle))
}

// SetStreamHandlerMatch sets a handler that speaks through the fault.
func (h *spoiltHost) SetStreamHandlerMatch(proto protocol.ID, match func(protocol.ID) bool, handle network.StreamHandler) {
	h.Host.SetStreamHandlerMatch(proto, match, h.spoilt(handle))
}

func (h *spoiltHost) spoilt(handle network.StreamHandler) network.StreamHandler {
	return h.peer.counted(func(s network.Stream) {
		handle(&spoiltStream{Stream: s, kind: h.peer.kind, draw: h.peer.draw, closing: h.peer.closing, proxy: h.peer.proxy})
	})
}

// counted has Close wait for the handler.
func (p *Peer) counted(handle network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		if !p.enter() {
			_ = s.Reset()
			return
		}
		defer p.work.Done()
		handle(s)
	}
}

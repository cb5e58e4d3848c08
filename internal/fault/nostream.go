package fault

import (
	"context"
	"crypto/tls"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/quic-go/quic-go"
)

// startNoStream makes a peer that connects and gives no stream. yamux knows no
// credit for streams, so over TCP each is refused by a reset; over QUIC the
// credit is zero and opening one blocks.
func (p *Peer) startNoStream() error {
	if p.opts.QUIC {
		return p.startNoCredit()
	}
	mux := *yamux.DefaultTransport
	mux.MaxIncomingStreams = 0
	return p.startHost(libp2p.Muxer(yamux.ID, &mux))
}

// startNoCredit is a bare QUIC server with the peer's identity: the transport
// of go-libp2p has no knob for its stream limit.
func (p *Peer) startNoCredit() error {
	identity, err := libp2ptls.NewIdentity(p.key)
	if err != nil {
		return err
	}
	c, err := listenUDP()
	if err != nil {
		return err
	}
	p.owns(c)
	t := &quic.Transport{Conn: c}
	p.owns(t)
	l, err := t.Listen(serverTLS(identity), &quic.Config{MaxIncomingStreams: -1, MaxIncomingUniStreams: -1})
	if err != nil {
		return err
	}
	p.work.Go(func() { acceptAll(l) })
	return p.atQUIC(c.LocalAddr())
}

func serverTLS(identity *libp2ptls.Identity) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			conf, _ := identity.ConfigForPeer("") // whoever it is
			conf.NextProtos = []string{"libp2p"}
			return conf, nil
		},
	}
}

// acceptAll takes connections out of the queue, where they would be refused
// at last; they live on in the transport.
func acceptAll(l *quic.Listener) {
	for {
		if _, err := l.Accept(context.Background()); err != nil {
			return
		}
	}
}

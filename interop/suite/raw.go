package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
)

// probe is a bare libp2p host that writes to one server what no library would.
type probe struct {
	host host.Host
	to   peer.ID
	kind string
}

// rawChecks are tried with a server of every kind, on single streams.
var rawChecks = []struct {
	name string
	try  func(probe) error
}{
	{"several requests on one stream", func(p probe) error {
		return p.on(func(s network.Stream, in *bufio.Reader) error {
			for range 3 {
				if _, err := ask(s, in, find("one after the other")); err != nil {
					return err
				}
			}
			return nil
		})
	}},
	{"two requests before the first answer", func(p probe) error {
		return p.on(func(s network.Stream, in *bufio.Reader) error {
			both := append(find("first"), find("second")...)
			if _, err := s.Write(both); err != nil {
				return err
			}
			for range 2 {
				if _, err := answer(in); err != nil {
					return err
				}
			}
			return nil
		})
	}},
	{"half-closed after the request", func(p probe) error {
		return p.on(func(s network.Stream, in *bufio.Reader) error {
			if _, err := s.Write(find("half")); err != nil {
				return err
			}
			if err := s.CloseWrite(); err != nil {
				return err
			}
			_, err := answer(in)
			return err
		})
	}},
	{"unknown fields", func(p probe) error {
		body := wire.Append(nil, &wire.Message{Type: wire.FindNode, Key: []byte("unknown")})
		body = protowire.AppendTag(body, 99, protowire.BytesType)
		body = protowire.AppendBytes(body, []byte("of tomorrow"))
		return p.on(func(s network.Stream, in *bufio.Reader) error {
			_, err := ask(s, in, append(protowire.AppendVarint(nil, uint64(len(body))), body...))
			return err
		})
	}},
	{"after an oversize frame another stream works", func(p probe) error {
		_ = p.on(func(s network.Stream, _ *bufio.Reader) error {
			_, err := s.Write(append(protowire.AppendVarint(nil, 1<<30), bytes.Repeat([]byte{0}, 1000)...))
			return err
		})
		return p.on(func(s network.Stream, in *bufio.Reader) error {
			_, err := ask(s, in, find("still there"))
			return err
		})
	}},
	{"FIND_NODE for the server names somebody", func(p probe) error {
		return p.on(func(s network.Stream, in *bufio.Reader) error {
			m, err := ask(s, in, find(string(p.to)))
			switch {
			case err == nil && len(m.Closer) == 0 && p.kind == "rust-0.45":
				err = manner("rust-libp2p answered so before its #5270")
			case err == nil && len(m.Closer) == 0:
				err = errors.New("nobody")
			}
			return err
		})
	}},
}

func find(key string) []byte {
	return wire.AppendFrame(nil, &wire.Message{Type: wire.FindNode, Key: []byte(key)})
}

func ask(s network.Stream, in *bufio.Reader, frame []byte) (wire.Message, error) {
	if _, err := s.Write(frame); err != nil {
		return wire.Message{}, err
	}
	return answer(in)
}

func answer(in *bufio.Reader) (wire.Message, error) {
	body, err := wire.ReadFrame(in, nil, params.MaxMessage)
	if err != nil {
		return wire.Message{}, err
	}
	return wire.Decode(body, wire.RecordLimits())
}

// on opens a stream and uses it, ten seconds at most.
func (p probe) on(use func(network.Stream, *bufio.Reader) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := p.host.NewStream(ctx, p.to, waymark.DefaultProtocol)
	if err != nil {
		return err
	}
	defer s.Reset()
	if err := s.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	return use(s, bufio.NewReader(s))
}

// runRaw tries the raw checks with a server, beside which a Waymark server is
// so that it has somebody to name.
func (s *suite) runRaw(ctx context.Context, server kind) {
	where := "raw → " + server.Name
	err := s.withProbe(ctx, server, func(p probe) {
		for _, c := range rawChecks {
			s.note(c.name, where, again(func() error { return c.try(p) }))
		}
	})
	if err != nil {
		s.note("start", where, err)
	}
}

func (s *suite) withProbe(ctx context.Context, server kind, use func(probe)) error {
	there, err := spawn(ctx, server)
	if err != nil {
		return err
	}
	defer there.stop()
	other, err := spawn(ctx, s.kinds[0])
	if err != nil {
		return err
	}
	defer other.stop()
	if err := other.connect(there); err != nil {
		return err
	}
	if err := there.knows(other, 10*time.Second); err != nil {
		return err
	}
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		return err
	}
	defer h.Close()
	a, err := ma.NewMultiaddr(there.Addrs[0])
	if err != nil {
		return err
	}
	info, err := peer.AddrInfoFromP2pAddr(a)
	if err != nil {
		return err
	}
	if err := h.Connect(ctx, *info); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	use(probe{h, info.ID, server.Name})
	return nil
}

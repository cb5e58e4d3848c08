package waymark_test

import (
	"context"
	"encoding/binary"
	"net"
	"sync/atomic"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

// nameServer is a DNS server on loopback that answers every question for TXT
// with the same addresses, once it is awake.
type nameServer struct {
	conn  net.PacketConn
	txt   []string
	awake atomic.Bool
}

func newNameServer(t *testing.T, addrs []ma.Multiaddr) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: conn}
	for _, a := range addrs {
		s.txt = append(s.txt, "dnsaddr="+a.String())
	}
	ended := make(chan struct{})
	go func() { defer close(ended); s.serve() }()
	t.Cleanup(func() { conn.Close(); <-ended })
	return s
}

// resolver asks this server and no other.
func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp4", s.conn.LocalAddr().String())
	}}
}

func (s *nameServer) serve() {
	query := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(query)
		if err != nil {
			return
		}
		if s.awake.Load() {
			s.conn.WriteTo(s.answer(query[:n]), from)
		}
	}
}

// answer writes what RFC 1035 calls for: the question once more, and the
// strings as records of its name.
func (s *nameServer) answer(query []byte) []byte {
	const header, kind, txt = 12, 4, 16
	end := header
	for end < len(query) && query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 1 + kind
	if end > len(query) {
		return nil
	}
	out := append([]byte(nil), query[:end]...)
	count := 0
	if binary.BigEndian.Uint16(query[end-kind:]) == txt {
		for _, line := range s.txt {
			count++
			out = append(out, 0xc0, header, 0, txt, 0, 1, 0, 0, 0, 60, 0, byte(1+len(line)), byte(len(line)))
			out = append(out, line...)
		}
	}
	copy(out[2:], []byte{0x81, 0x80, 0, 1, 0, byte(count), 0, 0, 0, 0})
	return out
}

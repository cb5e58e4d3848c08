package fault

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// loopback4 is where every fault lives.
var loopback4 = [4]byte{127, 0, 0, 1}

// socket is a bare TCP socket that Go's poller does not know: package net can
// neither bind without listening nor listen with a queue of its own length.
type socket struct {
	fd   int
	port uint16
}

// bindTCP takes a free TCP port of an address and does not listen on it:
// nobody else gets the port, and whoever dials it is refused.
func bindTCP(ip [4]byte) (*socket, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &socket{fd: fd}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: ip}); err != nil {
		_ = s.Close()
		return nil, os.NewSyscallError("bind", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		_ = s.Close()
		return nil, os.NewSyscallError("getsockname", err)
	}
	s.port = uint16(name.(*syscall.SockaddrInet4).Port)
	return s, nil
}

// Close gives the port back.
func (s *socket) Close() error { return os.NewSyscallError("close", syscall.Close(s.fd)) }

// on returns the socket's port at an address.
func (s *socket) on(ip [4]byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4(ip), s.port)
}

// tcpHole is a TCP port that drops every SYN: it listens with a queue of
// length 0, which on Linux holds one connection, and the queue is full. A
// kernel drops the SYNs for which it has no room.
type tcpHole struct {
	*socket
	held []net.Conn // they fill the queue
}

// How the queue is filled: until a dial is not answered for holePatience. On
// loopback an answer takes microseconds.
const (
	holePatience = 25 * time.Millisecond
	holeMaxHeld  = 8
)

func newTCPHole() (*tcpHole, error) {
	s, err := bindTCP(loopback4)
	if err != nil {
		return nil, err
	}
	h := &tcpHole{socket: s}
	if err := syscall.Listen(s.fd, 0); err != nil {
		_ = h.Close()
		return nil, os.NewSyscallError("listen", err)
	}
	if err := h.fill(); err != nil {
		_ = h.Close()
		return nil, err
	}
	return h, nil
}

func (h *tcpHole) fill() error {
	at := h.on(loopback4).String()
	for range holeMaxHeld {
		c, err := net.DialTimeout("tcp4", at, holePatience)
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			return nil
		}
		if err != nil {
			return err
		}
		h.held = append(h.held, c)
	}
	return fmt.Errorf("fault: %s still answers with %d connections held: this kernel does not make black holes", at, holeMaxHeld)
}

// Close frees whoever is still dialling: they are refused.
func (h *tcpHole) Close() error {
	err := h.socket.Close()
	for _, c := range h.held {
		_ = c.Close()
	}
	return err
}

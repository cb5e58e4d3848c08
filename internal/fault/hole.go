package fault

import (
	"fmt"
	"net"
	"time"
)

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
	if err := s.listen(); err != nil {
		_ = h.Close()
		return nil, err
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

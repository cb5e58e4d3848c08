package testkit

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestACableDelaysAndLoses sends numbered frames through one direction of a
// cable between two sockets.
func TestACableDelaysAndLoses(t *testing.T) {
	here, from := sockets(t)
	to, there := sockets(t)
	var shape atomic.Pointer[Shape]
	shape.Store(&Shape{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.25})
	c := &carrier{from: from, to: to, shape: &shape, rng: rand.New(rand.NewPCG(1, 0)), late: make(chan frame, framesUnderWay)}
	go c.take()
	ended := make(chan struct{})
	go func() { defer close(ended); c.hand() }()
	defer func() { from.Close(); <-ended }()

	const sent = 400
	send := func(i int) {
		now := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))
		here.Write(binary.BigEndian.AppendUint32(now, uint32(i)))
	}
	go func() {
		for i := range sent {
			send(i)
			if i%20 == 19 {
				<-time.After(time.Millisecond) // a socket has room for some tens
			}
		}
		<-time.After(50 * time.Millisecond)
		shape.Store(&Shape{})
		send(sent)
	}()
	last, got := -1, 0
	for buf := make([]byte, maxFrame); ; {
		there.SetReadDeadline(time.Now().Add(patience))
		n, err := there.Read(buf)
		if err != nil || n != 12 {
			t.Fatalf("%d bytes, %v", n, err)
		}
		i := int(binary.BigEndian.Uint32(buf[8:]))
		if i == sent {
			break
		}
		if took := time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(buf)))); took < 20*time.Millisecond {
			t.Errorf("frame %d took %v", i, took)
		}
		if i <= last {
			t.Errorf("frame %d came after %d", i, last)
		}
		last, got = i, got+1
	}
	if got < sent*65/100 || got > sent*85/100 {
		t.Errorf("%d of %d frames came, three in four are meant to", got, sent)
	}
}

// sockets returns two ends that keep frames apart.
func sockets(t *testing.T) (a, b *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b = os.NewFile(uintptr(fds[0]), "a"), os.NewFile(uintptr(fds[1]), "b")
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

package fault

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestAHoleSwallowsManyDialsAtOnce(t *testing.T) {
	leakFree(t)
	hole := must[*tcpHole](t)(newTCPHole())
	defer hole.Close()
	t.Logf("%d connections fill the queue", len(hole.held))
	const dials, patience = 20, 1500 * time.Millisecond // beyond the first SYN's retransmission
	var wg sync.WaitGroup
	for range dials {
		wg.Go(func() {
			begun := time.Now()
			c, err := net.DialTimeout("tcp4", hole.on(loopback4).String(), patience)
			if err == nil {
				c.Close()
			}
			if took := time.Since(begun); !isTimeout(err) || took < patience {
				t.Errorf("%v after %v", err, took)
			}
		})
	}
	wg.Wait()
}

func TestABoundPortRefusesAndIsNobodyElses(t *testing.T) {
	s := must[*socket](t)(bindTCP(loopback4))
	defer s.Close()
	at := s.on(loopback4).String()
	if _, err := net.DialTimeout("tcp4", at, 5*time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	if l, err := net.Listen("tcp4", at); err == nil {
		l.Close()
		t.Fatal("somebody else got the port")
	}
}

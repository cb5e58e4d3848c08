package fault

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// proxied is a connection to an echo server through a proxy, and its link.
func proxied(t *testing.T) (*net.TCPConn, *ProxyLink) {
	t.Helper()
	leakFree(t)
	server := must[net.Listener](t)(net.Listen("tcp4", "127.0.0.1:0"))
	t.Cleanup(func() { server.Close() })
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	links := make(chan *ProxyLink, 1)
	p := must[*Proxy](t)(NewProxy(func(l *ProxyLink) { links <- l }))
	t.Cleanup(func() { p.Close() })
	p.SetTarget(netip.MustParseAddrPort(server.Addr().String()))
	c := must[net.Conn](t)(net.Dial("tcp4", p.Addr().String()))
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(ample))
	return c.(*net.TCPConn), <-links
}

func TestAProxyCarriesAndCutsAtTheByte(t *testing.T) {
	c, link := proxied(t)
	link.CutAfter(Down, 7)
	if _, err := c.Write([]byte("hello world")); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if string(got) != "hello w" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if up, down := link.Passed(Up), link.Passed(Down); up != 11 || down != 7 {
		t.Errorf("%d up, %d down", up, down)
	}
}

func TestAProxyStallsAndResumesWithoutLoss(t *testing.T) {
	c, link := proxied(t)
	link.Stall(Down)
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(brief))
	if _, err := c.Read(make([]byte, 5)); !isTimeout(err) {
		t.Fatal(err)
	}
	link.Resume(Down)
	_ = c.SetReadDeadline(time.Now().Add(ample))
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestAStalledProxyShutsTheSendersWindow(t *testing.T) {
	c, link := proxied(t)
	link.Stall(Up)
	_ = c.SetWriteDeadline(time.Now().Add(brief))
	if n, err := c.Write(make([]byte, 64<<20)); !isTimeout(err) {
		t.Fatalf("%d bytes, %v", n, err)
	}
}

func TestAProxyTrickles(t *testing.T) {
	c, link := proxied(t)
	link.Trickle(Down)
	begun := time.Now()
	if _, err := c.Write([]byte("four")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 4*trickleStep {
		t.Errorf("four bytes took %v", took)
	}
}

func TestASwallowingProxyHidesTheEndFromTheDialer(t *testing.T) {
	c, link := proxied(t)
	link.Swallow(Up)
	link.Swallow(Down)
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	_ = link.back.Close()
	_ = c.SetReadDeadline(time.Now().Add(brief))
	if _, err := c.Read(make([]byte, 1)); !isTimeout(err) {
		t.Fatalf("%v: the dialer should see nothing", err)
	}
	_ = c.Close()
	select {
	case <-link.ended:
	case <-time.After(ample):
		t.Fatal("the link outlives its dialer")
	}
}

func TestAProxyWithoutATargetHangsUp(t *testing.T) {
	leakFree(t)
	p := must[*Proxy](t)(NewProxy(nil))
	defer p.Close()
	c := must[net.Conn](t)(net.Dial("tcp4", p.Addr().String()))
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(ample))
	if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
}

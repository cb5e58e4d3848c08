package fault

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"go.uber.org/goleak"
)

const echo protocol.ID = "/echo/1.0.0"

// leakFree fails the test if goroutines outlive it.
func leakFree(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func closeHosts(t *testing.T, hosts ...host.Host) {
	t.Helper()
	for _, h := range hosts {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}

func echoHandler(s network.Stream) {
	defer s.Close()
	_, _ = io.Copy(s, s)
}

// memHosts makes n echoing hosts on a new wire. The rng of seed 1 names them.
func memHosts(t *testing.T, n int) (*Switch, []host.Host) {
	t.Helper()
	sw, rng := NewSwitch(), rand.New(rand.NewPCG(1, 0))
	hosts := make([]host.Host, n)
	for i := range hosts {
		hosts[i] = must[host.Host](t)(sw.Host(NewKey(rng)))
		hosts[i].SetStreamHandler(echo, echoHandler)
	}
	return sw, hosts
}

func info(h host.Host) peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }

func connect(t *testing.T, a, b host.Host) {
	t.Helper()
	if err := a.Connect(t.Context(), info(b)); err != nil {
		t.Fatalf("%v → %v: %v", a.Addrs(), b.Addrs(), err)
	}
}

func openEcho(t *testing.T, a, b host.Host) network.Stream {
	t.Helper()
	return must[network.Stream](t)(a.NewStream(t.Context(), b.ID(), echo))
}

func exchange(t *testing.T, s network.Stream, text string) {
	t.Helper()
	if _, err := s.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(s, got); err != nil || string(got) != text {
		t.Fatalf("echo %q, %v", got, err)
	}
}

// isTimeout reports a deadline, by whatever name a muxer gives it.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func TestTwentyHostsTalkInABubble(t *testing.T) {
	leakFree(t)
	synctest.Test(t, func(t *testing.T) {
		sw, hosts := memHosts(t, 20)
		for i, a := range hosts {
			for _, b := range hosts[i+1:] {
				connect(t, a, b)
				s := openEcho(t, a, b)
				exchange(t, s, "hello")
				s.Close()
			}
		}
		if n := len(sw.Links()); n != 190 {
			t.Errorf("%d links between 20 hosts that all met", n)
		}
		for _, l := range sw.Links() {
			if l.Passed(Up) < 100 || l.Passed(Down) < 100 {
				t.Errorf("%v → %v: %d bytes up, %d down", l.Dialer, l.Listener, l.Passed(Up), l.Passed(Down))
			}
		}
		closeHosts(t, hosts...)
		synctest.Wait()
		if n := len(sw.Links()); n != 0 {
			t.Errorf("%d links outlive their hosts", n)
		}
	})
}

func TestABlackHoleHoldsADialUntilItsDeadline(t *testing.T) {
	leakFree(t)
	synctest.Test(t, func(t *testing.T) {
		sw, hosts := memHosts(t, 2)
		defer closeHosts(t, hosts...)
		if err := sw.BlackHole(hosts[1].Addrs()[0]); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		err := hosts[0].Connect(ctx, info(hosts[1]))
		if took := time.Since(begun); took != 3*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("after %v: %v", took, err)
		}
	})
}

func TestARefusedDialFailsAtOnceAndAHealedOneWorks(t *testing.T) {
	leakFree(t)
	synctest.Test(t, func(t *testing.T) {
		sw, hosts := memHosts(t, 2)
		defer closeHosts(t, hosts...)
		addr := hosts[1].Addrs()[0]
		if err := sw.Refuse(addr); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		_, err := hosts[0].Network().DialPeer(t.Context(), hosts[1].ID())
		if err == nil {
			t.Fatal("dialled a host whose address nobody told")
		}
		err = hosts[0].Connect(t.Context(), info(hosts[1]))
		if took := time.Since(begun); took != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("after %v: %v", took, err)
		}
		if err := sw.Heal(addr); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute) // the host backs off from the address
		connect(t, hosts[0], hosts[1])
	})
}

// An address that is unplugged loses its connections, is dialled by nobody and
// dials nobody, until it is plugged in again; the others go on.
func TestAnUnpluggedHostNeitherDialsNorIsDialled(t *testing.T) {
	leakFree(t)
	synctest.Test(t, func(t *testing.T) {
		sw, hosts := memHosts(t, 3)
		defer closeHosts(t, hosts...)
		connect(t, hosts[0], hosts[1])
		connect(t, hosts[2], hosts[0])
		connect(t, hosts[1], hosts[2])
		addr := hosts[0].Addrs()[0]
		if err := sw.Unplug(addr); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(hosts[0].Network().Conns()); n != 0 || len(hosts[1].Network().Conns()) != 1 || len(sw.Links()) != 1 {
			t.Errorf("it has %d connections, and %d links are open", n, len(sw.Links()))
		}
		for _, pair := range [][2]int{{0, 1}, {1, 0}} {
			if err := hosts[pair[0]].Connect(t.Context(), info(hosts[pair[1]])); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("a dial from %d to %d: %v", pair[0], pair[1], err)
			}
		}
		if err := sw.Plug(addr); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute) // the hosts back off
		connect(t, hosts[0], hosts[1])
		connect(t, hosts[2], hosts[0])
	})
}

// echoFrame is the least that an echo of five bytes is on the wire: Noise's
// length, yamux's header, the bytes, Noise's tag. A window update may join it.
const echoFrame = 2 + 12 + 5 + 16

func TestACutInsideAFrameEndsTheReaderAtOnce(t *testing.T) {
	leakFree(t)
	eofs := 0
	for n := range echoFrame {
		synctest.Test(t, func(t *testing.T) {
			sw, hosts := memHosts(t, 2)
			defer closeHosts(t, hosts...)
			connect(t, hosts[0], hosts[1])
			s := openEcho(t, hosts[0], hosts[1])
			exchange(t, s, "hello")
			exchange(t, s, "again")
			sw.Links()[0].CutAfter(Down, n)
			begun := time.Now()
			_, err := s.Write([]byte("third"))
			if err == nil {
				_, err = io.ReadFull(s, make([]byte, 5))
			}
			if took := time.Since(begun); took != 0 || err == nil {
				t.Fatalf("cut after %d of %d bytes: %v after %v", n, echoFrame, err, took)
			}
			// Whether the session's reader or its writer meets the cut first
			// is chance, and the first is whom the stream quotes.
			switch {
			case errors.Is(err, io.ErrUnexpectedEOF):
				eofs++
			case n > 0 && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF):
				t.Fatalf("cut after %d of %d bytes: %v, want the end of the connection", n, echoFrame, err)
			}
		})
	}
	if eofs == 0 {
		t.Fatalf("none of %d cuts inside a frame was seen as an unexpected EOF", echoFrame)
	}
}

func TestASilentWireHoldsTheReaderAndAResumedOneLosesNothing(t *testing.T) {
	leakFree(t)
	synctest.Test(t, func(t *testing.T) {
		sw, hosts := memHosts(t, 2)
		defer closeHosts(t, hosts...)
		connect(t, hosts[0], hosts[1])
		s := openEcho(t, hosts[0], hosts[1])
		exchange(t, s, "hello")
		sw.Links()[0].Stall(Down)
		if _, err := s.Write([]byte("again")); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		_ = s.SetReadDeadline(begun.Add(2 * time.Second))
		_, err := s.Read(make([]byte, 5))
		if took := time.Since(begun); took != 2*time.Second || !isTimeout(err) {
			t.Fatalf("after %v: %v", took, err)
		}
		sw.Links()[0].Resume(Down)
		_ = s.SetReadDeadline(time.Time{})
		got := make([]byte, 5)
		if _, err := io.ReadFull(s, got); err != nil || string(got) != "again" {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

func TestAZeroWindowEndsTheConnectionAfterYamuxsPatience(t *testing.T) {
	leakFree(t)
	synctest.Test(t, func(t *testing.T) {
		sw, hosts := memHosts(t, 2)
		defer closeHosts(t, hosts...)
		connect(t, hosts[0], hosts[1])
		s := openEcho(t, hosts[0], hosts[1])
		exchange(t, s, "hello")
		link := sw.Links()[0]
		link.ZeroWindow(Up)
		passed := link.Passed(Up)
		begun := time.Now()
		_ = s.SetWriteDeadline(begun.Add(time.Second))
		n, err := s.Write(make([]byte, 8<<20))
		if took := time.Since(begun); took != time.Second || err == nil {
			t.Fatalf("wrote %d, %v after %v", n, err, took)
		}
		if now := link.Passed(Up); now != passed {
			t.Fatalf("%d bytes passed a shut window", now-passed)
		}
		if _, err := s.Read(make([]byte, 1)); err == nil || time.Since(begun) > 15*time.Second {
			t.Fatalf("%v after %v: yamux gives up a write after 10 s", err, time.Since(begun))
		}
	})
}

func TestCutAllEndsEverything(t *testing.T) {
	leakFree(t)
	synctest.Test(t, func(t *testing.T) {
		sw, hosts := memHosts(t, 3)
		defer closeHosts(t, hosts...)
		connect(t, hosts[0], hosts[1])
		connect(t, hosts[1], hosts[2])
		sw.CutAll()
		synctest.Wait()
		for _, h := range hosts {
			if n := len(h.Network().Conns()); n != 0 {
				t.Errorf("%d connections left", n)
			}
		}
		connect(t, hosts[0], hosts[1])
	})
}

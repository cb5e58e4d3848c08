package fault

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func memPair() (link *Link, dialer, listener *memConn) {
	at := netip.MustParseAddrPort("127.0.0.1:1")
	link = newLink(at, at, func(*Link) {})
	dialer, listener = link.ends()
	return link, dialer, listener
}

func TestAWriterWaitsForTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := memPair()
		sent := make(chan error, 1)
		go func() {
			_, err := a.Write(make([]byte, 3*window))
			sent <- err
		}()
		synctest.Wait()
		select {
		case err := <-sent:
			t.Fatalf("wrote past the window: %v", err)
		default:
		}
		if _, err := io.ReadFull(b, make([]byte, 3*window)); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	})
}

func TestAClosedEndIsReadToItsEnd(t *testing.T) {
	_, a, b := memPair()
	if _, err := a.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	a.Close()
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, []byte("last words")) {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := b.Write([]byte("too late")); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("write to a closed end: %v", err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("read after close: %v", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("write after close: %v", err)
	}
}

func TestADeadlineWakesAndANewerOneReplacesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _ := memPair()
		begun := time.Now()
		_ = a.SetReadDeadline(begun.Add(time.Second))
		_ = a.SetReadDeadline(begun.Add(3 * time.Second))
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != 3*time.Second {
			t.Fatalf("%v after %v", err, time.Since(begun))
		}
		_ = a.SetDeadline(begun)
		if _, err := a.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("write after a deadline in the past: %v", err)
		}
		_ = a.SetDeadline(time.Time{})
		if _, err := a.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestACutFreesABlockedWriterAndReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link, a, b := memPair()
		link.ZeroWindow(Up)
		failed := make(chan error, 2)
		go func() { _, err := a.Write([]byte("x")); failed <- err }()
		go func() { _, err := b.Read(make([]byte, 1)); failed <- err }()
		synctest.Wait()
		link.Cut()
		first, second := <-failed, <-failed
		if first == nil || second == nil {
			t.Fatalf("%v, %v", first, second)
		}
	})
}

func TestAStallHidesTheOtherEndsClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link, a, b := memPair()
		link.Stall(Up)
		a.Close()
		_ = b.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%v: no FIN should have been seen", err)
		}
	})
}

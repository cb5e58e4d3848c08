package waymark_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// brittle is a sequence whose validator panics at some values: at one when it is
// to be judged, and at the other when it is to be compared.
type brittle struct{ sequence }

func (b brittle) Validate(key string, value []byte) error {
	if string(value) == "9:judge" {
		panic("judging")
	}
	return b.sequence.Validate(key, value)
}

func (b brittle) Select(key string, values [][]byte) (int, error) {
	for _, v := range values {
		if string(v) == "9:compare" {
			panic("comparing")
		}
	}
	return b.sequence.Select(key, values)
}

// lines is a log that may be read.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// TestAValidatorThatPanicsRefuses what its peers and its own callers bring, and
// the node goes on.
func TestAValidatorThatPanicsRefuses(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		log := new(lines)
		d := w.Node(waymark.Config{
			Mode: waymark.ModeServer, Validators: map[string]waymark.Validator{"v": brittle{}}, Logger: slog.New(slog.NewTextHandler(log, nil)),
		})
		w.Check(d.PutValue(t.Context(), "/v/a", []byte("1:one"), routing.Offline))
		for _, value := range []string{"9:judge", "9:compare"} {
			if err := d.PutValue(t.Context(), "/v/a", []byte(value), routing.Offline); err == nil || errors.Is(err, routing.ErrNotFound) {
				t.Errorf("%s is put: %v", value, err)
			}
			bold := w.Node(waymark.Config{Mode: waymark.ModeServer, Validators: withSequence})
			if _, err := bold.PutTo(t.Context(), "/v/a", []byte(value), []peer.AddrInfo{addrOf(d.Host())}); !errors.Is(err, waymark.ErrNotStored) {
				t.Errorf("%s is put by another: %v", value, err)
			}
			w.Check(d.Admit(addrOf(bold.Host())))
			if v, err := d.GetValue(t.Context(), "/v/a"); err != nil || string(v) != "1:one" {
				t.Errorf("where another has %s: %q, %v", value, v, err)
			}
		}
		w.Check(d.Close())
		if n := log.count("has panicked"); n != 1 || log.count("careful_test.go") == 0 {
			t.Errorf("%d lines about it", n)
		}
	})
}

func TestAHookThatPanicsRefuses(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		d := w.Node(waymark.Config{
			Mode: waymark.ModeServer, Validators: withSequence, Approve: waymark.Approve{
				Record:   func(peer.ID, string, []byte) error { panic("a record") },
				Provider: func(peer.ID, []byte) error { panic("a provider") },
				Request: func(_ peer.ID, what string, _ []byte) error {
					if what == "GET_PROVIDERS" {
						panic("a request")
					}
					return nil
				},
				Admit: func(peer.AddrInfo) bool { panic("a peer") },
				Query: func(peer.AddrInfo) bool { panic("a name") },
			},
		})
		other := w.Node(waymark.Config{Mode: waymark.ModeServer, Validators: withSequence})
		w.Check(other.Admit(addrOf(d.Host())))
		for what, call := range map[string]func(context.Context) error{
			"a value":    func(ctx context.Context) error { return other.PutValue(ctx, "/v/a", []byte("1:one")) },
			"a provider": func(ctx context.Context) error { _, err := other.Announce(ctx, contentID("a").Hash()); return err },
		} {
			if err := call(t.Context()); !errors.Is(err, waymark.ErrNotStored) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := other.FindProviders(t.Context(), contentID("b")); err == nil {
			t.Error("a request is answered")
		}
		if _, err := other.Ping(t.Context(), d.PeerID()); err != nil {
			t.Errorf("a ping: %v", err)
		}
		synctest.Wait()
		if n := d.RoutingTable().Size; n != 0 || other.Host().Network().Connectedness(d.PeerID()) != network.Connected {
			t.Errorf("%d in the table", n)
		}
	})
}

package waymark_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/internal/fault"
)

// TestEveryKindOfFaultHasItsName asks a real peer of each kind over real
// connections, and minds the word and the bound: all of them at once, and then
// one by one those that had another word. A word says in which phase time ran
// out; a machine that stood still for a moment was late with all phases. What
// has the wrong word three times is wrong.
func TestEveryKindOfFaultHasItsName(t *testing.T) {
	d := watchedClient(t, waymark.Config{})
	bad := make(map[peer.ID]faulty)
	for _, quic := range []bool{false, true} {
		for _, kind := range fault.Kinds() {
			if quic && !kind.QUIC() {
				continue
			}
			info := startFaulty(t, kind, quic)
			bad[info.ID] = faulty{kind, quic}
			d.Host().Peerstore().AddAddrs(info.ID, info.Addrs, time.Hour)
		}
	}
	wrong := misnamed(t, d, bad)
	for range 2 {
		for id := range wrong {
			if len(misnamed(t, d, map[peer.ID]faulty{id: bad[id]})) == 0 {
				delete(wrong, id)
			}
		}
	}
	for id, word := range wrong {
		t.Errorf("%v (QUIC %v): %s", bad[id].Kind, bad[id].quic, word)
	}
}

// faulty is a peer that misbehaves, over TCP or QUIC.
type faulty struct {
	fault.Kind
	quic bool
}

// misnamed asks some peers at once, and returns what was wrong with how that
// ended.
func misnamed(t *testing.T, d *waymark.DHT, bad map[peer.ID]faulty) map[peer.ID]string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	facts := d.Facts(ctx)
	var mu sync.Mutex
	wrong := make(map[peer.ID]string)
	var pings sync.WaitGroup
	for id, b := range bad {
		pings.Go(func() {
			if word := pingFaulty(t, d, id, b.Kind); word != "" {
				mu.Lock()
				defer mu.Unlock()
				wrong[id] = word
			}
		})
	}
	for range bad {
		end := lastFailure(t, facts)
		id := peer.ID(end.Peer.ID)
		if want := bad[id].Failure(); end.Failure != want && end.Failure != likewise[bad[id].Kind] {
			mu.Lock()
			wrong[id] = fmt.Sprintf("%v instead of %v: %s", end.Failure, want, end.Detail)
			mu.Unlock()
		}
	}
	pings.Wait()
	return wrong
}

func startFaulty(t *testing.T, kind fault.Kind, quic bool) peer.AddrInfo {
	t.Helper()
	chance := uint64(kind)
	if quic {
		chance += 100
	}
	bad, err := fault.Start(kind, fault.Options{
		Rand: rand.New(rand.NewPCG(7, chance)), QUIC: quic, Serve: talkative().Serve,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bad.Close() })
	return bad.AddrInfo()
}

// pingFaulty pings a peer and returns what is wrong with how that ended.
func pingFaulty(t *testing.T, d *waymark.DHT, id peer.ID, kind fault.Kind) string {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	_, err := d.Ping(ctx, id)
	if answered := kind.Failure() == contact.None; answered != (err == nil) || !answered && !errors.Is(err, waymark.ErrNoAnswer) {
		return fmt.Sprintf("a ping: %v", err)
	}
	if took := time.Since(began); took > d.Bound(waymark.OpPing) {
		return fmt.Sprintf("a ping took %v, and the bound is %v", took, d.Bound(waymark.OpPing))
	}
	return ""
}

// likewise is what else a kind may be called with right: the request goes out
// with the negotiation, so a wire that freezes under one freezes under both;
// and a reset overtakes the bytes before it.
var likewise = map[fault.Kind]contact.Failure{
	fault.Frozen: contact.MuteIdentify,
	fault.Reset:  contact.NoStream,
}

// talkative is a server whose answers are long enough to be slow with.
func talkative() *fault.Oracle {
	rng := rand.New(rand.NewPCG(8, 8))
	members := make([]peer.AddrInfo, 20)
	for i := range members {
		id, err := peer.IDFromPrivateKey(fault.NewKey(rng))
		if err != nil {
			panic(err) // the key is made for this
		}
		members[i] = peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/1")}}
	}
	return fault.NewOracle(members)
}

// watchedClient is a client whose TCP dials are watched, on a host with TCP
// and QUIC that listens on nothing.
func watchedClient(t *testing.T, cfg waymark.Config) *waymark.DHT {
	t.Helper()
	watch := new(waymark.DialWatch)
	base := fault.LoopbackOptions(fault.NewKey(rand.New(rand.NewPCG(9, 9))))
	h, err := libp2p.New(append(base, libp2p.NoListenAddrs,
		libp2p.Transport(tcp.NewTCPTransport, tcp.WithDialerForAddr(watch.Dialer)),
		libp2p.Transport(libp2pquic.NewTransport))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	cfg.Mode, cfg.AllowLoopback, cfg.Seed, cfg.DialWatch = waymark.ModeClient, true, 1, watch
	d, err := waymark.New(h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

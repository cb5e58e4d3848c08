package delegated

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/dual"
	"github.com/waymark-dht/waymark/internal/testkit"
)

var (
	_ Node = (*waymark.DHT)(nil)
	_ Node = (*dual.DHT)(nil)
)

// fake is a node that finds so many providers, one in each while, and then ends
// as it is told.
type fake struct {
	providers int
	every     time.Duration
	outcome   waymark.Outcome
	err       error
	lingers   time.Duration // for so long, once its context is over
	peer      peer.AddrInfo
	closest   waymark.Result
	values    map[string][]byte

	mu    sync.Mutex
	ended error // the state of the context when the last search ended
	limit int
}

func (f *fake) SearchProviders(ctx context.Context, _ cid.Cid, limit int, found func(peer.AddrInfo)) (waymark.Outcome, error) {
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ended, f.limit = ctx.Err(), limit
	}()
	for i := range f.providers {
		if limit > 0 && i == limit {
			return engine.Found, nil
		}
		if !wait(ctx, f.every) {
			return engine.Stopped, ctx.Err()
		}
		found(somebody(i))
	}
	if f.err == errStuck {
		<-ctx.Done()
		wait(context.WithoutCancel(ctx), f.lingers)
		return engine.Stopped, ctx.Err()
	}
	if !wait(ctx, f.every) {
		return engine.Stopped, ctx.Err()
	}
	return f.outcome, f.err
}

func (f *fake) searchEnded() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// errStuck has the fake wait for its context.
var errStuck = io.ErrNoProgress

func wait(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *fake) FindPeer(ctx context.Context, _ peer.ID) (peer.AddrInfo, error) {
	if !wait(ctx, f.every) {
		return peer.AddrInfo{}, ctx.Err()
	}
	return f.peer, f.err
}

func (f *fake) Lookup(ctx context.Context, _ string) (waymark.Result, error) {
	if !wait(ctx, f.every) {
		return waymark.Result{}, ctx.Err()
	}
	return f.closest, f.err
}

func (f *fake) PutValue(ctx context.Context, key string, value []byte, _ ...routing.Option) error {
	if !wait(ctx, f.every) {
		return ctx.Err()
	}
	if f.err == nil {
		f.values[key] = value
	}
	return f.err
}

func (f *fake) GetValue(ctx context.Context, key string, _ ...routing.Option) ([]byte, error) {
	if !wait(ctx, f.every) {
		return nil, ctx.Err()
	}
	if f.err != nil {
		return nil, f.err
	}
	if v := f.values[key]; v != nil {
		return v, nil
	}
	return nil, routing.ErrNotFound
}

func (f *fake) SearchValue(context.Context, string, ...routing.Option) (<-chan []byte, error) {
	return nil, routing.ErrNotSupported
}

func somebody(i int) peer.AddrInfo {
	return peer.AddrInfo{ID: peer.ID(testkit.CID(string(rune('a' + i))).Hash())}
}

// site is a handler that is served in a bubble of virtual time.
type site struct {
	*testing.T
	client *http.Client
}

func inBubble(t *testing.T, n Node, story func(*testing.T, *site)) {
	t.Helper()
	testkit.Bubble(t, func(t *testing.T) { story(t, serveIn(t, n)) })
}

func serveIn(t *testing.T, n Node) *site {
	return &site{t, testkit.ServeHTTP(t, Handler(n, Options{}))}
}

// ask makes a request; accept may be empty.
func (s *site) ask(ctx context.Context, method, path, accept string, body io.Reader) *http.Response {
	s.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://node"+path, body)
	if err != nil {
		s.Fatal(err)
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/vnd.ipfs.ipns-record")
	}
	got, err := s.client.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { got.Body.Close() })
	return got
}

func (s *site) get(path, accept string) *http.Response {
	s.Helper()
	return s.ask(s.Context(), http.MethodGet, path, accept, nil)
}

// lines reads an answer to its end.
func lines(t *testing.T, r *http.Response) (all []string) {
	t.Helper()
	in := bufio.NewScanner(r.Body)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		all = append(all, in.Text())
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

package delegated

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/path"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/fault"
	"github.com/waymark-dht/waymark/internal/testkit"
	validator "github.com/waymark-dht/waymark/validate/ipns"
)

var (
	content = testkit.CID("content").String()
	someone = somebody(1).ID.String()
)

func TestProvidersComeAsOneAnswer(t *testing.T) {
	inBubble(t, &fake{providers: 3, every: time.Second, outcome: engine.Converged}, func(t *testing.T, s *site) {
		r := s.get(providersPath+content, "")
		var got struct{ Providers []struct{ Schema, ID string } }
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || len(got.Providers) != 3 || got.Providers[0].Schema != "peer" {
			t.Errorf("%v, %+v", err, got)
		}
		if r.StatusCode != http.StatusOK || r.Header.Get(OutcomeHeader) != "converged" || r.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s, %v", r.Status, r.Header)
		}
	})
}

func TestOneAnswerHasAHundredRecordsAtMostAndEndsTheSearch(t *testing.T) {
	n := &fake{providers: 900, every: time.Millisecond, outcome: engine.Converged}
	inBubble(t, n, func(t *testing.T, s *site) {
		var got struct{ Providers []any }
		if err := json.NewDecoder(s.get(providersPath+content, "").Body).Decode(&got); err != nil || len(got.Providers) != params.DelegatedRecords {
			t.Errorf("%v, %d records", err, len(got.Providers))
		}
		synctest.Wait()
		if !errors.Is(n.searchEnded(), context.Canceled) {
			t.Errorf("the search goes on: %v", n.searchEnded())
		}
	})
}

func TestAStreamSendsEachRecordAtOnceAndSaysInTheEndHowItWas(t *testing.T) {
	for outcome, want := range map[waymark.Outcome]string{engine.Converged: "converged", engine.PartialDeadline: "partial-deadline"} {
		inBubble(t, &fake{providers: 3, every: 400 * time.Millisecond, outcome: outcome}, func(t *testing.T, s *site) {
			began := time.Now()
			r := s.get(providersPath+content, ndjson)
			buf := make([]byte, 4096)
			n, err := r.Body.Read(buf)
			if took := time.Since(began); err != nil || took != 400*time.Millisecond || !bytes.Contains(buf[:n], []byte(`"peer"`)) {
				t.Errorf("the first record: %q, %v after %v", buf[:n], err, took)
			}
			if rest := lines(t, r); len(rest) < 2 || r.Trailer.Get(OutcomeHeader) != want {
				t.Errorf("%d lines, then %v", len(rest), r.Trailer)
			}
		})
	}
}

func TestASlowStreamDoesNotLookDead(t *testing.T) {
	inBubble(t, &fake{every: 5 * time.Second, outcome: engine.Converged}, func(t *testing.T, s *site) {
		began := time.Now()
		r := s.get(providersPath+content, ndjson)
		if took := time.Since(began); took != params.DelegatedHeaders || r.StatusCode != http.StatusOK {
			t.Errorf("%s after %v", r.Status, took)
		}
		if c := r.Header.Get("Cache-Control"); c != "public, max-age=0" {
			t.Errorf("what nobody knows yet may be kept: %q", c)
		}
		if got := lines(t, r); len(got) != 0 || r.Trailer.Get(OutcomeHeader) != "converged" {
			t.Errorf("%q, then %v", got, r.Trailer)
		}
	})
}

func TestWhoGoesAwayEndsTheSearch(t *testing.T) {
	n := &fake{err: errStuck}
	inBubble(t, n, func(t *testing.T, s *site) {
		ctx, cancel := context.WithCancel(t.Context())
		r := s.ask(ctx, http.MethodGet, providersPath+content, ndjson, nil)
		cancel()
		r.Body.Close()
		synctest.Wait()
		if !errors.Is(n.searchEnded(), context.Canceled) {
			t.Errorf("the search goes on: %v", n.searchEnded())
		}
	})
}

func TestEveryAnswerEndsWithinItsBudget(t *testing.T) {
	for _, c := range []struct {
		what, path, accept string
		node               *fake
		code               int
		word               string
	}{
		{"providers", providersPath + content, "", &fake{err: errStuck}, http.StatusGatewayTimeout, "partial-deadline"},
		{"some of them", providersPath + content, "", &fake{providers: 2, err: errStuck}, http.StatusOK, "partial-deadline"},
		{"a stream", providersPath + content, ndjson, &fake{err: errStuck}, http.StatusOK, "partial-deadline"},
		{"a stream of some", providersPath + content, ndjson, &fake{providers: 2, err: errStuck}, http.StatusOK, "partial-deadline"},
		{"one of a node that lingers", providersPath + content, ndjson, &fake{providers: 2, err: errStuck, lingers: time.Second}, http.StatusOK, "partial-deadline"},
		{"a peer", peersPath + someone, "", &fake{every: time.Hour}, http.StatusGatewayTimeout, "partial-deadline"},
		{"closest peers", closestPath + content, "", &fake{every: time.Hour}, http.StatusGatewayTimeout, "partial-deadline"},
		{"a stream of them", closestPath + content, ndjson, &fake{every: time.Hour}, http.StatusGatewayTimeout, "partial-deadline"},
	} {
		inBubble(t, c.node, func(t *testing.T, s *site) {
			began := time.Now()
			r := s.get(c.path, c.accept)
			got := lines(t, r)
			word := r.Header.Get(OutcomeHeader) + r.Trailer.Get(OutcomeHeader)
			if took := time.Since(began); r.StatusCode != c.code || word != c.word || took > params.DelegatedBudget {
				t.Errorf("%s: %s, %q after %v: %q", c.what, r.Status, word, took, got)
			}
			wait(t.Context(), c.node.lingers) // or the bubble would not end
		})
	}
}

func TestCodesSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		what, path, accept string
		node               *fake
		code               int
	}{
		{"no CID", providersPath + "nonsense", "", &fake{}, http.StatusUnprocessableEntity},
		{"no peer", peersPath + "nonsense", "", &fake{}, http.StatusUnprocessableEntity},
		{"no key", closestPath + "nonsense", "", &fake{}, http.StatusUnprocessableEntity},
		{"no name", ipnsPath + "nonsense", "", &fake{}, http.StatusBadRequest},
		{"no path of ours", "/elsewhere", "", &fake{}, http.StatusNotFound},
		{"no provider", providersPath + content, "", &fake{err: waymark.ErrNotFound}, http.StatusOK},
		{"no provider to stream", providersPath + content, ndjson, &fake{err: waymark.ErrNotFound}, http.StatusOK},
		{"no such peer", peersPath + someone, "", &fake{err: waymark.ErrNotFound}, http.StatusOK},
		{"no closest peer", closestPath + content, "", &fake{}, http.StatusNotFound},
		{"no closest peer to stream", closestPath + content, ndjson, &fake{}, http.StatusNotFound},
		{"too much at once", providersPath + content, "", &fake{err: waymark.ErrOverloaded}, http.StatusTooManyRequests},
		{"too much to stream", providersPath + content, ndjson, &fake{err: waymark.ErrOverloaded}, http.StatusTooManyRequests},
		{"nobody is known", closestPath + content, "", &fake{err: waymark.ErrNoPeers}, http.StatusServiceUnavailable},
		{"no rule for names", ipnsPath + ipns.NameFromPeer(somebody(1).ID).String(), "", &fake{err: waymark.ErrNamespace}, http.StatusNotImplemented},
	} {
		inBubble(t, c.node, func(t *testing.T, s *site) {
			r := s.get(c.path, c.accept)
			body, err := io.ReadAll(r.Body)
			if r.StatusCode != c.code || err != nil {
				t.Errorf("%s: %s, %v: %s", c.what, r.Status, err, body)
			}
			if r.StatusCode >= 400 && (len(body) == 0 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain")) {
				t.Errorf("%s: it does not say why: %q as %s", c.what, body, r.Header.Get("Content-Type"))
			}
			if retry := r.Header.Get("Retry-After"); (retry != "") != (r.StatusCode == http.StatusTooManyRequests) {
				t.Errorf("%s: Retry-After %q", c.what, retry)
			}
		})
	}
}

func TestWhatIsNotOfferedIsSaidSo(t *testing.T) {
	inBubble(t, &fake{}, func(t *testing.T, s *site) {
		if r := s.ask(t.Context(), http.MethodPut, providersPath, "", strings.NewReader("{}")); r.StatusCode != http.StatusNotImplemented {
			t.Errorf("announcing over HTTP: %s", r.Status)
		}
		r := s.ask(t.Context(), http.MethodOptions, providersPath+content, "", nil)
		if r.StatusCode != http.StatusNoContent || !strings.Contains(r.Header.Get("Access-Control-Allow-Methods"), "PUT") {
			t.Errorf("%s, %v", r.Status, r.Header)
		}
	})
}

func TestAPeerAndItsNeighbours(t *testing.T) {
	known := peer.AddrInfo{ID: somebody(1).ID, Addrs: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/4001")}}
	n := &fake{peer: known, closest: waymark.Result{Outcome: engine.Converged, Peers: []peer.AddrInfo{known, somebody(2)}}}
	for _, accept := range []string{"", ndjson} {
		inBubble(t, n, func(t *testing.T, s *site) {
			for path, want := range map[string]int{peersPath + someone: 1, closestPath + content: 2, closestPath + someone: 2} {
				r := s.get(path, accept)
				body := strings.Join(lines(t, r), "\n")
				if strings.Count(body, `"Schema":"peer"`) != want || !strings.Contains(body, "/ip4/127.0.0.1/tcp/4001") || r.StatusCode != http.StatusOK {
					t.Errorf("%s: %s: %s", path, r.Status, body)
				}
			}
		})
	}
}

// TestNamesArePublishedAndResolved does it over two real nodes.
func TestNamesArePublishedAndResolved(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		rules := map[string]waymark.Validator{validator.Namespace: validator.New(nil)}
		servers := w.Servers(5, waymark.Config{Validators: rules})
		d := w.Node(waymark.Config{Validators: rules})
		w.Introduce(d, servers...)
		s := serveIn(t, d)
		key := fault.NewKey(nil)
		name, older, newer := published(t, key, 1), published(t, key, 2), published(t, key, 3)
		where := ipnsPath + ipns.NameFromPeer(idOf(t, key)).String()
		if r := s.get(where, ""); r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("before it is published: %s as %s", r.Status, r.Header.Get("Content-Type"))
		}
		for _, c := range []struct {
			record []byte
			code   int
		}{{name, 200}, {newer, 200}, {older, 409}, {[]byte("nonsense"), 400}} {
			if r := s.ask(t.Context(), http.MethodPut, where, "", bytes.NewReader(c.record)); r.StatusCode != c.code {
				t.Errorf("a put: %s instead of %d", r.Status, c.code)
			}
		}
		r := s.get(where, "")
		if got, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(got, newer) {
			t.Errorf("%s, %d bytes, %v", r.Status, len(got), err)
		}
		if _, err := servers[0].GetValue(t.Context(), string(ipns.NameFromPeer(idOf(t, key)).RoutingKey())); err != nil {
			t.Errorf("the network does not have it: %v", err)
		}
		w.Check(servers[1].Provide(t.Context(), testkit.CID("content"), true))
		r = s.get(providersPath+content, "")
		if body := strings.Join(lines(t, r), ""); !strings.Contains(body, servers[1].PeerID().String()) || r.Header.Get(OutcomeHeader) != "found" {
			t.Errorf("%v: %s", r.Header, body)
		}
		r = s.get(closestPath+servers[2].PeerID().String(), "")
		if body := strings.Join(lines(t, r), ""); strings.Count(body, `"peer"`) != 5 {
			t.Errorf("%s: %s", r.Status, body)
		}
	})
}

func idOf(t *testing.T, key crypto.PrivKey) peer.ID {
	t.Helper()
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func published(t *testing.T, key crypto.PrivKey, seq uint64) []byte {
	t.Helper()
	to, err := path.NewPath(fmt.Sprintf("/ipfs/%s", content))
	if err != nil {
		t.Fatal(err)
	}
	r, err := ipns.NewRecord(key, to, seq, time.Now().Add(time.Hour), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ipns.MarshalRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestASlowNameIsNoStream: its answer is one record or one code, whatever the
// client would accept besides, and a record that nobody took is no success.
func TestASlowNameIsNoStream(t *testing.T) {
	key := fault.NewKey(nil)
	where := ipnsPath + ipns.NameFromPeer(idOf(t, key)).String()
	accept := "application/vnd.ipfs.ipns-record, " + ndjson
	inBubble(t, &fake{every: 3 * time.Second, err: waymark.ErrNotStored}, func(t *testing.T, s *site) {
		if r := s.ask(t.Context(), http.MethodPut, where, accept, bytes.NewReader(published(t, key, 1))); r.StatusCode != http.StatusInternalServerError {
			t.Errorf("what nobody took: %s as %s", r.Status, r.Header.Get("Content-Type"))
		}
	})
	values := map[string][]byte{string(ipns.NameFromPeer(idOf(t, key)).RoutingKey()): published(t, key, 1)}
	inBubble(t, &fake{every: 3 * time.Second, values: values}, func(t *testing.T, s *site) {
		if r := s.get(where, accept); r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "application/vnd.ipfs.ipns-record" {
			t.Errorf("a record: %s as %s", r.Status, r.Header.Get("Content-Type"))
		}
	})
}

// TestAWideLimitDoesNotHoldUpTheNode: what was found finds room, whether or not
// it is read, however much was asked for.
func TestAWideLimitDoesNotHoldUpTheNode(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		n := &fake{providers: 3 * params.MaxProvidersFound, outcome: engine.Converged}
		it, err := AsDelegatedRouter(n).FindProviders(t.Context(), testkit.CID("content"), 2*params.MaxProvidersFound)
		if err != nil || !it.Next() {
			t.Fatal(err)
		}
		synctest.Wait()
		if n.limit == 0 {
			t.Error("the node waits for who does not read")
		}
		for it.Next() { // or the bubble would not end
		}
	})
}

// TestAnIteratorStopsWithItsContextAndWhenItIsClosed is about the adapter alone,
// as other servers use it.
func TestAnIteratorStopsWithItsContextAndWhenItIsClosed(t *testing.T) {
	testkit.Bubble(t, func(t *testing.T) {
		n := &fake{err: errStuck}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		it, err := AsDelegatedRouter(n).FindProviders(ctx, testkit.CID("content"), 7)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n.searchEnded() != nil || n.limit != 0 {
			t.Error("it did not wait to be read")
		}
		began := time.Now()
		if !it.Next() || !errors.Is(it.Val().Err, context.DeadlineExceeded) || it.Next() || time.Since(began) != time.Second {
			t.Errorf("%v after %v", it.Val().Err, time.Since(began))
		}
		synctest.Wait()
		if n.limit != 7 {
			t.Errorf("the limit was %d", n.limit)
		}
		it, err = AsDelegatedRouter(&fake{providers: 2, err: errStuck}).FindProviders(t.Context(), testkit.CID("content"), 0)
		if err != nil || !it.Next() || it.Val().Err != nil {
			t.Errorf("%v", err)
		}
		if it.Close(); it.Next() {
			t.Error("it goes on after Close")
		}
	})
}

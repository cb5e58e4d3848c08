package delegated

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waymark-dht/waymark/core/params"
)

// answer is a response that is not sent before its first byte, so that its code
// and headers can still be mended; and that sends its headers after
// params.DelegatedHeaders if it streams, whatever there is by then.
type answer struct {
	mu     sync.Mutex
	to     http.ResponseWriter
	told   *report
	path   string
	header http.Header // what boxo's server has set, for whoever commits
	code   int         // what it wants
	sent   bool        // the headers are on their way
	swept  bool        // the body is ours, and boxo's is dropped
	over   bool
	early  *time.Timer
}

func newAnswer(w http.ResponseWriter, r *http.Request, told *report) *answer {
	a := &answer{to: w, told: told, path: r.URL.Path, header: make(http.Header)}
	// Closest peers come all at once, and none of them is a 404: their headers
	// wait for them. A name's record is no stream, whatever else is accepted.
	if strings.Contains(r.Header.Get("Accept"), ndjson) && a.under(providersPath, peersPath) {
		a.early = time.AfterFunc(params.DelegatedHeaders, a.begin)
	}
	return a
}

const ndjson = "application/x-ndjson"

// begin sends the headers of a stream of which there is nothing yet. What will
// be in it is not known, so that nobody should keep it.
func (a *answer) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sent || a.over {
		return
	}
	h := a.to.Header()
	h.Set("Content-Type", ndjson)
	h.Add("Vary", "Accept")
	h.Set("Cache-Control", "public, max-age=0")
	a.sent = true
	a.to.WriteHeader(http.StatusOK)
	a.flush()
}

// Header implements http.ResponseWriter. It is boxo's alone until the headers
// are sent.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.code == 0 {
		a.code = code
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.commit()
	if a.swept {
		return len(b), nil
	}
	return a.to.Write(b)
}

// Flush implements http.Flusher.
func (a *answer) Flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.commit()
	a.flush()
}

func (a *answer) flush() {
	if f, is := a.to.(http.Flusher); is {
		f.Flush()
	}
}

// commit sends the headers as they should be.
func (a *answer) commit() {
	if a.sent {
		return
	}
	a.sent = true
	word, records, err := a.told.read()
	code := a.mended(records, err)
	h := a.to.Header()
	maps.Copy(h, a.header)
	if word != "" && word != "cancelled" {
		h.Set(OutcomeHeader, word)
	}
	switch {
	case code == http.StatusNotFound && a.code != code:
		a.swept = true
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(params.DelegatedNothing.Seconds())))
	case code == http.StatusTooManyRequests:
		h.Set("Retry-After", "1")
	}
	if code >= http.StatusInternalServerError || code == http.StatusTooManyRequests {
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Type", "text/plain; charset=utf-8")
		a.swept = err != nil
	}
	a.to.WriteHeader(code)
	switch { // who has gone needs no answer
	case a.swept && err != nil:
		_, _ = fmt.Fprintln(a.to, err)
	case a.swept:
		_, _ = fmt.Fprintln(a.to, "no peer is known that is close to the key")
	}
}

// mended is the code that boxo's server should have given.
func (a *answer) mended(records int, err error) int {
	code := max(a.code, http.StatusOK)
	switch {
	case code == http.StatusBadRequest && a.under(providersPath, peersPath, closestPath):
		return http.StatusUnprocessableEntity // the specification's code for what cannot be parsed
	case err != nil && records == 0 && code == http.StatusInternalServerError:
		return status(err)
	case code == http.StatusOK && records == 0 && a.under(closestPath):
		if err != nil {
			return status(err)
		}
		return http.StatusNotFound
	case code == http.StatusOK && records == 0 && err != nil && a.under(providersPath, peersPath) && wordOf(0, err) != "not-found":
		return status(err) // a stream that failed before it began
	}
	return code
}

func (a *answer) under(paths ...string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(a.path, p) })
}

// finish sends what has not been sent, and how it ended if that is news.
func (a *answer) finish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if a.early != nil {
		a.early.Stop()
	}
	before := a.sent
	a.commit()
	if before && a.to.Header().Get(OutcomeHeader) == "" {
		word, _, _ := a.told.read()
		if word == "" || word == "cancelled" {
			word = "found" // there was enough
		}
		a.to.Header().Set(http.TrailerPrefix+OutcomeHeader, word)
	}
}

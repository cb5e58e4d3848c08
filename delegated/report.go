package delegated

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark"
)

// report is what a router tells the handler around boxo's of one request:
// boxo's own has no place for it. The zero value is what nobody reads.
type report struct {
	mu      sync.Mutex
	word    string
	err     error
	records int
}

type reportKey struct{}

// reportOf returns the report of a request, or one that nobody reads.
func reportOf(ctx context.Context) *report {
	if r, is := ctx.Value(reportKey{}).(*report); is {
		return r
	}
	return new(report)
}

func (r *report) yielded() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records++
}

// ended notes how the call ended, the first time.
func (r *report) ended(word string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.word == "" {
		r.word, r.err = word, err
	}
}

// read returns how the call ended, and how many records there were until now.
// A call that was cut off when there was enough has no word yet.
func (r *report) read() (word string, records int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.word, r.records, r.err
}

// status is the code for a call that failed, where boxo's server says 500 to
// everything.
func status(err error) int {
	switch {
	case errors.Is(err, routing.ErrNotSupported):
		return http.StatusNotImplemented
	case errors.Is(err, waymark.ErrOverloaded):
		return http.StatusTooManyRequests
	case errors.Is(err, waymark.ErrOlder):
		return http.StatusConflict
	case errors.Is(err, waymark.ErrNoPeers), errors.Is(err, waymark.ErrNotReady), errors.Is(err, waymark.ErrClosed):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

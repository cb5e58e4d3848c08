package delegated

import (
	"context"
	"net/http"
	"strings"

	"github.com/ipfs/boxo/routing/http/server"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waymark-dht/waymark/core/params"
)

// OutcomeHeader says how the call behind an answer ended, in the words of the
// command: found, converged or not-found if there is no more to be had, or
// enough; partial-deadline if there may be; no-peers, rejected or failed. It is
// a header if that was known when the answer began, and a trailer otherwise.
const OutcomeHeader = "X-Waymark-Outcome"

// Options are what a handler may be told. The zero value works.
type Options struct {
	// Metrics is where boxo's server registers its metrics. Default: a registry
	// of the handler's own, which nobody reads.
	Metrics prometheus.Registerer
}

// The paths of the API.
const (
	providersPath = "/routing/v1/providers/"
	peersPath     = "/routing/v1/peers/"
	ipnsPath      = "/routing/v1/ipns/"
	closestPath   = "/routing/v1/dht/closest/peers/"
)

// Handler serves the Delegated Routing V1 API: providers, peers, /ipns records
// and closest peers, below /routing/v1. Each answer ends within
// params.DelegatedBudget. It is boxo's server, mended where it differs from the
// specification or hides how a call ended; docs/SPEC.md has what.
func Handler(n Node, o Options) http.Handler {
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	inner := server.Handler(AsDelegatedRouter(n),
		server.WithRoutingTimeout(params.DelegatedBudget),
		server.WithRecordsLimit(params.DelegatedRecords),
		server.WithStreamingRecordsLimit(0),
		server.WithPrometheusRegistry(o.Metrics),
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		allowEverybody(w.Header())
		switch {
		case r.Method == http.MethodOptions:
			w.WriteHeader(http.StatusNoContent)
		case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, providersPath):
			http.Error(w, "to announce providers over HTTP is not supported; announce on the DHT", http.StatusNotImplemented)
		default:
			serve(inner, w, r)
		}
	})
}

// allowEverybody lets pages of any origin ask, as the specification wants it.
func allowEverybody(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, PUT, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Accept, Content-Type")
	h.Set("Access-Control-Expose-Headers", OutcomeHeader)
}

func serve(inner http.Handler, w http.ResponseWriter, r *http.Request) {
	told := new(report)
	r = r.WithContext(context.WithValue(r.Context(), reportKey{}, told))
	r.Body = http.MaxBytesReader(w, r.Body, params.MaxRequest)
	a := newAnswer(w, r, told)
	defer a.finish()
	inner.ServeHTTP(a, r)
}

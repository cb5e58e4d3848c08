package main

import (
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/internal/cli"
)

// events writes the node's facts as lines of JSON: one fact, one line. The
// lines of an operation carry its number, those of a request the request's.
type events struct {
	out   *cli.Out
	node  noticer
	kinds map[engine.OpID]engine.Kind // of the operations that run
}

func newEvents(out *cli.Out, node noticer) *events {
	return &events{out: out, node: node, kinds: make(map[engine.OpID]engine.Kind)}
}

// The bodies of the lines.
type (
	startedLine struct {
		Op     uint64  `json:"op"`
		Parent uint64  `json:"parent,omitempty"`
		Kind   string  `json:"kind"`
		Target string  `json:"target"`
		Bound  float64 `json:"bound_ms"`
	}
	sentLine struct {
		Op      uint64  `json:"op"`
		Attempt uint64  `json:"attempt"`
		Path    int     `json:"path"`
		Peer    string  `json:"peer"`
		Cause   string  `json:"cause,omitempty"`
		Hop     int     `json:"hop"`
		Within  float64 `json:"deadline_ms"`
	}
	endedRequestLine struct {
		Op      uint64  `json:"op"`
		Attempt uint64  `json:"attempt"`
		Peer    string  `json:"peer"`
		Took    float64 `json:"took_ms"`
		Closer  *int    `json:"closer,omitempty"`
		New     *int    `json:"new,omitempty"`
		Class   string  `json:"class,omitempty"`
		Detail  string  `json:"detail,omitempty"`
	}
	statsLine struct {
		Requests  int            `json:"requests"`
		Successes int            `json:"successes"`
		Failures  map[string]int `json:"failures"`
	}
	stepLine struct {
		Name     string         `json:"name"`
		Outcome  string         `json:"outcome"`
		Asked    int            `json:"asked"`
		Answered int            `json:"answered"`
		Failures map[string]int `json:"failures"`
		Reason   string         `json:"reason,omitempty"`
		Elapsed  float64        `json:"elapsed_ms"`
	}
	progressLine struct {
		Op        uint64    `json:"op"`
		Parent    uint64    `json:"parent,omitempty"`
		Kind      string    `json:"kind"`
		Step      *stepLine `json:"step,omitempty"`
		Count     int       `json:"count"`
		Last      bool      `json:"last"`
		Remaining int       `json:"remaining"`
		Stats     statsLine `json:"stats"`
	}
	endedLine struct {
		Op      uint64    `json:"op"`
		Parent  uint64    `json:"parent,omitempty"`
		Kind    string    `json:"kind"`
		Outcome string    `json:"outcome"`
		Elapsed float64   `json:"elapsed_ms"`
		Bound   float64   `json:"bound_ms"`
		Peers   []string  `json:"peers,omitempty"`
		Stats   statsLine `json:"stats"`
	}
	alarmLine struct {
		Op      uint64   `json:"op"`
		Waiting []string `json:"waiting_on"`
	}

	refusedLine struct {
		Op     uint64 `json:"op"`
		Reason string `json:"reason"`
	}
	tableLine struct {
		Peer   string `json:"peer"`
		Bucket int    `json:"bucket"`
		Added  bool   `json:"added"`
		Reason string `json:"reason"`
		Size   int    `json:"size"`
	}
	eclipsedLine struct {
		Op      uint64   `json:"op"`
		Target  string   `json:"target"`
		Closest []string `json:"closest"`
		Peers   int      `json:"network_size"`
		Crowd   float64  `json:"expected"` // peers where Closest are
	}
	sweptLine struct {
		Bits    int     `json:"bits"` // of the region's prefix
		Keys    int     `json:"keys"`
		Stored  int     `json:"stored"`
		Certain int     `json:"certain"`
		Lookups int     `json:"lookups"`
		Peers   int     `json:"peers"`
		Batches int     `json:"batches"`
		Lag     float64 `json:"lag_ms"`
	}
	missedLine struct {
		Count int `json:"count"`
	}
)

// note writes one fact.
func (e *events) note(f waymark.Fact) {
	switch f := f.(type) {
	case engine.OpStarted:
		e.kinds[f.Op] = f.Kind
		e.line(f.At, noun(f.Kind)+".started", startedLine{
			uint64(f.Op), uint64(f.Parent), f.Kind.String(), f.Target.String(), ms(f.Bound.Sub(f.At)),
		})
	case engine.RequestSent:
		e.line(f.At, noun(e.kinds[f.Op])+".sent", sentLine{
			uint64(f.Op), uint64(f.Attempt), f.Path, idOf(f.Peer), idOf(f.Cause), f.Depth, ms(f.Deadline.Sub(f.At)),
		})
	case engine.RequestEnded:
		e.requestEnded(f)
	case engine.Progressed:
		e.progressed(f)
	case engine.OpEnded:
		e.line(f.At, noun(f.Kind)+".ended", endedLine{
			uint64(f.Op), uint64(f.Parent), f.Kind.String(), f.Result.Outcome.String(),
			ms(f.Result.Ended.Sub(f.Result.Started)), ms(f.Result.Bound.Sub(f.Result.Started)),
			idsOf(f.Result.Closest), statsOf(f.Result.Stats),
		})
		delete(e.kinds, f.Op)
	case engine.Refused:
		e.line(f.At, "lookup.refused", refusedLine{uint64(f.Op), f.Reason})
	case engine.TableChanged:
		e.line(f.At, "bucket.changed", tableLine{idOf(f.Peer), f.Bucket, f.Added, f.Reason, f.Size})
	case engine.Alarmed:
		verb, waits := ".stalled", make([]string, 0, len(f.Waiting))
		if f.Overdue {
			verb = ".overdue"
		}
		for _, w := range f.Waiting {
			waits = append(waits, strings.TrimSpace(w.What+" "+idOf(w.Peer)))
		}
		e.line(f.At, noun(f.Kind)+verb, alarmLine{uint64(f.Op), waits})
	case engine.Eclipsed:
		e.line(f.At, noun(f.Kind)+".eclipsed", eclipsedLine{uint64(f.Op), f.Target.String(), idsOf(f.Closest), f.Peers, f.Crowd})
	case engine.Swept:
		e.line(f.At, "region.swept", sweptLine{f.Bits, f.Keys, f.Stored, f.Certain, f.Lookups, f.Peers, f.Told, ms(f.Lag)})
	case engine.Missed:
		e.line(f.At, "gap", missedLine{f.Count})
	}
}

func (e *events) requestEnded(f engine.RequestEnded) {
	body := endedRequestLine{Op: uint64(f.Op), Attempt: uint64(f.Attempt), Peer: idOf(f.Peer), Took: ms(f.Took)}
	verb := ".reply"
	if f.Failure != contact.None {
		verb, body.Class, body.Detail = ".failed", f.Failure.String(), f.Detail
	} else {
		body.Closer, body.New = &f.Named, &f.Fresh
	}
	e.line(f.At, noun(e.kinds[f.Op])+verb, body)
}

func (e *events) progressed(f engine.Progressed) {
	body := progressLine{
		Op: uint64(f.Op), Parent: uint64(f.Parent), Kind: f.Kind.String(),
		Count: f.Count, Last: f.Last, Remaining: f.Remaining, Stats: statsOf(f.Stats),
	}
	verb := ".progress"
	if f.Kind == engine.KindBootstrap {
		step := stepOf(f.Step)
		verb, body.Step = ".phase", &step
	}
	e.line(f.At, noun(f.Kind)+verb, body)
}

func (e *events) line(at mono.Time, kind string, body any) {
	e.out.EventAt(e.node.Time(at), kind, body)
}

// noun is the first word of an event's type. Looking for a peer is a lookup,
// and so is a bucket's refresh.
func noun(k engine.Kind) string {
	switch k {
	case 0, engine.KindLookup, engine.KindFindPeer, engine.KindRefresh:
		return "lookup"
	}
	return k.String()
}

func ms(d time.Duration) float64 { return cli.Millis(d) }

func idOf(c *contact.Info) string {
	if c == nil {
		return ""
	}
	return peer.ID(c.ID).String()
}

func idsOf(list []*contact.Info) (ids []string) {
	for _, c := range list {
		ids = append(ids, idOf(c))
	}
	return ids
}

func statsOf(s waymark.Stats) statsLine {
	return statsLine{s.Requests, s.Successes, s.Failures.Words()}
}

func stepOf(s waymark.StepReport) stepLine {
	return stepLine{s.Name, s.Outcome.String(), s.Asked, s.Answered, s.Failures.Words(), s.Reason, ms(s.Elapsed)}
}

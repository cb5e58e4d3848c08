package delegated

import (
	"context"
	"errors"

	"github.com/ipfs/boxo/routing/http/types/iter"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark"
)

// stream is an iterator over what a call finds, as it finds it. The call begins
// with the first Next and ends with its context, with Close or by itself; what
// it finds has room, so that it never waits for a reader.
type stream[T any] struct {
	ctx    context.Context
	cancel context.CancelFunc
	call   func(context.Context, func(T)) (string, error)
	found  chan T
	report *report

	begun  bool
	yields int
	last   iter.Result[T]
	err    error // of the call; to be read once found is closed
	word   string
}

func newStream[T any](ctx context.Context, most int, call func(context.Context, func(T)) (string, error)) *stream[T] {
	s := &stream[T]{call: call, found: make(chan T, most), report: reportOf(ctx)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// Next implements iter.Iter.
func (s *stream[T]) Next() bool {
	if !s.begun {
		s.begun = true
		go s.run()
	}
	if s.ctx.Err() != nil {
		return s.over(s.ctx.Err())
	}
	select {
	case v, open := <-s.found:
		if !open {
			return s.over(s.err)
		}
		s.yields++
		s.report.yielded()
		s.last = iter.Result[T]{Val: v}
		return true
	case <-s.ctx.Done():
		return s.over(s.ctx.Err())
	}
}

func (s *stream[T]) run() {
	defer close(s.found)
	s.word, s.err = s.call(s.ctx, func(v T) { s.found <- v })
	s.report.ended(s.word, s.err)
}

// over ends the iteration. A failure is told once, and only if there was
// nothing else: what was found is worth more than why there is no more of it,
// which the report has, at once: the call itself may take a moment to end.
func (s *stream[T]) over(err error) bool {
	s.cancel()
	if err == nil || errors.Is(err, routing.ErrNotFound) {
		return false
	}
	s.report.ended(wordOf(0, err), err)
	if s.yields > 0 {
		return false
	}
	s.yields++
	s.last = iter.Result[T]{Err: err}
	return true
}

// Val implements iter.Iter.
func (s *stream[T]) Val() iter.Result[T] { return s.last }

// Close implements iter.Iter: the call ends, and with it its requests.
func (s *stream[T]) Close() error {
	s.cancel()
	return nil
}

// wordOf says in one word how a call ended, in the vocabulary of the command.
func wordOf(o waymark.Outcome, err error) string {
	switch {
	case errors.Is(err, routing.ErrNotFound):
		return "not-found"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "partial-deadline"
	case errors.Is(err, waymark.ErrNoPeers):
		return "no-peers"
	case errors.Is(err, waymark.ErrOverloaded):
		return "rejected"
	case err != nil:
		return "failed"
	}
	return o.String()
}

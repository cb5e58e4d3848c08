package waymark

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// careful (KAD-11.8) keeps the process alive when an owner's validator or hook panics. It
// is called with whatever strangers send, who must not be able to end a node by
// that: what it was asked about is refused. The first panic is logged with its
// stack; those after it are only refusals, of which a stranger can cause many.
type careful struct {
	logger *slog.Logger
	once   sync.Once
}

// caught is deferred around a call, and ends it with a refusal if it panics.
func (c *careful) caught(what string, refuse func(error)) {
	p := recover()
	if p == nil {
		return
	}
	c.once.Do(func() {
		c.logger.Error(what+" has panicked: what it was asked about is refused", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	})
	refuse(fmt.Errorf("%s has panicked: %v", what, p))
}

// validator is a validator that does not panic.
func (c *careful) validator(namespace string, v Validator) Validator {
	return &carefulValidator{c, fmt.Sprintf("the validator of namespace %q", namespace), v}
}

type carefulValidator struct {
	*careful
	what string
	of   Validator
}

func (v *carefulValidator) Validate(key string, value []byte) (err error) {
	defer v.caught(v.what, func(e error) { err = e })
	return v.of.Validate(key, value)
}

func (v *carefulValidator) Select(key string, values [][]byte) (best int, err error) {
	defer v.caught(v.what, func(e error) { best, err = -1, e })
	return v.of.Select(key, values)
}

// hooks are hooks that do not panic.
func (c *careful) hooks(a Approve) Approve {
	if f := a.Record; f != nil {
		a.Record = func(from peer.ID, key string, value []byte) (err error) {
			defer c.caught("Approve.Record", func(e error) { err = e })
			return f(from, key, value)
		}
	}
	if f := a.Provider; f != nil {
		a.Provider = func(from peer.ID, key []byte) (err error) {
			defer c.caught("Approve.Provider", func(e error) { err = e })
			return f(from, key)
		}
	}
	if f := a.Request; f != nil {
		a.Request = func(from peer.ID, what string, key []byte) (err error) {
			defer c.caught("Approve.Request", func(e error) { err = e })
			return f(from, what, key)
		}
	}
	a.Admit, a.Query = c.hook("Approve.Admit", a.Admit), c.hook("Approve.Query", a.Query)
	return a
}

func (c *careful) hook(what string, f func(peer.AddrInfo) bool) func(peer.AddrInfo) bool {
	if f == nil {
		return nil
	}
	return func(p peer.AddrInfo) (ok bool) {
		defer c.caught(what, func(error) { ok = false })
		return f(p)
	}
}
